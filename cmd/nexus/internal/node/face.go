package node

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/apiserver"
	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/events"
	"nexus/apiserver/mcp"
	"nexus/apiserver/rest/files"
	"nexus/apiserver/rpc"
	"nexus/authzsvc"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// Face says how a node is served.
type Face struct {
	Dialect     rpc.Dialect
	BodyLimit   int64 // bytes
	UploadLimit int64 // bytes; 0: the built-in
	RateKey     float64
	RateAddress float64
	Proxies     []netip.Prefix
	Origins     []string // whose pages may call every route
	Streams     int      // that one key can have open
	DrainFor    time.Duration
	Log         *slog.Logger
	MCP         *MCP // nil: not served
}

// MCP says how a node is served to models.
type MCP struct {
	Base    string   // URL under which clients reach the server; "" when nobody said
	Origins []string // of web pages that may call
	Extend  func(*sdk.Server)
}

// Server returns the HTTP server over the node. The caller serves and ends it before it closes the node.
func (n *Node) Server(f Face) (*apiserver.Server, error) {
	guard, err := authn.New(authn.Config{
		Credentials: credentials{n.Credentials, n.Service}, Clock: n.clock, Proxies: f.Proxies,
		Rates: authn.Rates{Key: rate(f.RateKey), Address: rate(f.RateAddress)},
	})
	if err != nil {
		return nil, err
	}
	metrics := apiserver.NewMetrics()
	n.observe(metrics.Registry)
	face, err := rpc.New(rpc.Config{
		Table: n.Table, Guard: guard, Dialect: f.Dialect, MaxBody: f.BodyLimit, Log: f.Log, Observe: metrics.Operation, Turned: n.turned,
	})
	if err != nil {
		return nil, err
	}
	contents, err := files.New(files.Config{
		Table: n.Table, Guard: guard, MaxBody: f.UploadLimit, Log: f.Log, Observe: metrics.Operation,
		Turned: func(ctx context.Context, t files.Turned) { n.turned(ctx, rpc.Turned(t)) },
	})
	if err != nil {
		return nil, err
	}
	streams, err := events.New(events.Config{
		Table: n.Table, Guard: guard, PerKey: f.Streams, Log: f.Log, Observe: metrics.Operation, Turned: n.turnedStream,
	})
	if err != nil {
		return nil, err
	}
	faces := []apiserver.Face{face, contents, streams}
	if f.MCP != nil {
		models, err := n.mcp(f, guard, metrics)
		if err != nil {
			return nil, err
		}
		faces = append(faces, models)
	}
	return apiserver.New(apiserver.Config{
		Faces: faces, Probes: []apiserver.Probe{{Name: "node", Ask: n.Ready}}, Notice: n.Room.Notice, Origins: f.Origins,
		Metrics: metrics, Log: f.Log, DrainTimeout: f.DrainFor,
	})
}

func (n *Node) mcp(f Face, guard *authn.Guard, metrics *apiserver.Metrics) (*mcp.Face, error) {
	return mcp.New(mcp.Config{
		Table: n.Table, Guard: guard, Version: n.version, Base: f.MCP.Base, Origins: f.MCP.Origins, MaxBody: f.BodyLimit, Log: f.Log,
		Observe: metrics.Operation, Extend: f.MCP.Extend,
		Turned: func(ctx context.Context, t mcp.Turned) { n.turned(ctx, rpc.Turned(t)) },
	})
}

// turned notes in the record what was turned away before it was decided. A record that cannot be written is unhealthy by
// itself; the call is refused in any case.
func (n *Node) turned(ctx context.Context, t rpc.Turned) {
	_ = n.Service.Record().Refused(ctx, audit.Refusal{
		Kind: t.Err.Kind, Reason: t.Err.Reason, Address: t.Address, Op: t.Operation, Key: t.Key,
	})
}

// turnedStream is turned for streams.
func (n *Node) turnedStream(ctx context.Context, why *errs.Error, via authz.Via) {
	n.turned(ctx, rpc.Turned{Err: why, Operation: api.Follow.Name, Address: via.Address, Key: via.Key})
}

func rate(perSecond float64) authn.Rate {
	return authn.Rate{PerSecond: perSecond, Burst: int(2 * perSecond)}
}

// credentials is storage's answer to who holds a key, as authentication asks it; who administers by relationships is the
// decision service's.
type credentials struct {
	*storage.Credentials
	service *authzsvc.Service
}

func (c credentials) ByHash(ctx context.Context, sum [32]byte) (authn.Credential, error) {
	h, err := c.Credentials.ByHash(ctx, sum)
	if err != nil {
		return authn.Credential{}, err
	}
	out := authn.Credential{
		KeyID: h.KeyID, Tenant: h.Tenant, SubjectType: h.SubjectType, SubjectName: h.Subject, User: h.User,
		Admin: h.Admin, Platform: h.Platform, Scopes: h.Scopes, Expires: h.Expires,
	}
	if h.SubjectType == "agent" {
		out.Owner = h.User
	}
	return out, nil
}

func (c credentials) Subject(ctx context.Context, tenant, typ, name string) (exists, admin bool, err error) {
	exists, admin, err = c.Credentials.Subject(ctx, tenant, typ, name)
	if err != nil || !exists || admin {
		return exists, admin, err
	}
	id, err := schema.ID(ids.Plain(tenant), name)
	if err != nil {
		return false, false, err
	}
	admin, err = c.service.Administers(ctx, authz.Ref{Type: typ, ID: id}, tenant)
	return true, admin, err
}
