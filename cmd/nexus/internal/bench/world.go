package bench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"

	"nexus/apiserver"
	"nexus/apiserver/client"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/authz"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/ids"
	"nexus/storage"
)

// world is a server of its own in a directory of its own, in this process and on the loopback.
type world struct {
	*node.Node
	dir    string
	server *apiserver.Server
	url    string
	key    string // of the first admin
	admin  *client.Client
	stop   context.CancelFunc
	served chan error
}

// newWorld starts a server. The caller closes it.
func newWorld(ctx context.Context) (_ *world, err error) {
	w := &world{served: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "nexus-bench-"); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if w.Node, err = node.Open(ctx, node.Config{DataDir: w.dir, Version: "bench", Log: log}); err != nil {
		return nil, err
	}
	key, _, err := w.Store.Founding().Found(ctx)
	if err != nil {
		return nil, err
	}
	dialect, err := rpc.ParseDialect("auto")
	if err != nil {
		return nil, err
	}
	w.server, err = w.Server(node.Face{Dialect: dialect, BodyLimit: 64 << 20, RateKey: -1, RateAddress: -1, Log: log})
	if err != nil {
		return nil, err
	}
	w.key = key.Secret
	return w, w.listen(ctx)
}

func (w *world) listen(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, w.stop = context.WithCancel(ctx)
	go func() { w.served <- w.server.Serve(ctx, l) }()
	w.url = "http://" + l.Addr().String()
	w.admin, err = client.New(w.url, w.key)
	return err
}

// close ends the server and deletes its directory.
func (w *world) close() error {
	var all []error
	if w.stop != nil {
		w.admin.Close()
		w.stop()
		all = append(all, <-w.served)
	}
	if w.Node != nil {
		all = append(all, w.Node.Close())
	}
	return errors.Join(append(all, os.RemoveAll(w.dir))...)
}

// user is a person of the default tenant.
func user(name string) authz.Principal { return principal("user", name) }

func principal(definition, name string) authz.Principal {
	tenant := ids.Quote(storage.DefaultTenant)
	return authz.Principal{Base: authz.Ref{Type: definition, ID: tenant + "/" + ids.Quote(name)}, Tenant: tenant}
}
