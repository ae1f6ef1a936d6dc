package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"nexus/apiserver/authn"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// metadataPath is where clients look for what the server says of itself as a protected resource (RFC 9728).
const metadataPath = "/.well-known/oauth-protected-resource"

// problem is the answer to a request that was not admitted: a JSON-RPC error, under the HTTP status of its kind.
type problem struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Data    map[string]string `json:"data,omitempty"`
	} `json:"error"`
}

// refuse answers a request that was not admitted.
func (f *Face) refuse(w http.ResponseWriter, r *http.Request, req *request, err error) {
	e := errs.From(err)
	operation := ""
	if o := f.byTool[req.message.tool]; o != nil {
		operation = o.Name
	}
	switch {
	case e.Kind == errs.Unauthenticated, e.Reason == errs.RateLimited, e.Reason == errs.ScopeMissing:
		f.config.Turned(r.Context(), Turned{Err: e, Operation: operation, Address: f.config.Guard.Address(r), Key: req.who.Via.Key})
	}
	status := e.Kind.HTTP()
	if e.Reason == errs.BodyTooLarge {
		status = http.StatusRequestEntityTooLarge
		w.Header().Set("Connection", "close")
	}
	if challenge := f.challenge(r, e); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if seconds := e.Fields["retry_after"]; seconds != "" {
		w.Header().Set("Retry-After", seconds)
	}
	p := problem{Version: "2.0", ID: req.message.id}
	p.Error.Code, p.Error.Data = errs.RPC(e), errs.Data(e)
	p.Error.Message = f.account(r.Context(), operation, e, p.Error.Data)
	body, _ := json.Marshal(p) // of strings, a number and an id that was JSON
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who is gone by now does not learn of it
}

// account returns what the caller may know of e, and logs what is the server's fault. An internal error gets an id that
// stands in both.
func (f *Face) account(ctx context.Context, operation string, e *errs.Error, data map[string]string) string {
	log := f.config.Log.With("operation", operation, "request_id", authn.RequestID(ctx))
	switch e.Kind {
	case errs.Internal:
		incident := ids.New()
		log.Error("tool failed", "error_id", incident, "error", e.Error())
		data["error_id"] = incident
		return errs.Public(e) + " " + incident
	case errs.Unavailable:
		log.Warn("tool unavailable", "error", e.Error())
	}
	return errs.Public(e)
}

// challenge says how to come back with what is missing: a key, or one with a further scope.
func (f *Face) challenge(r *http.Request, e *errs.Error) string {
	var parts []string
	switch {
	case e.Kind == errs.Unauthenticated && len(r.Header.Values("Authorization")) > 0:
		parts = append(parts, `error="invalid_token"`)
	case e.Kind == errs.Unauthenticated:
	case e.Reason == errs.ScopeMissing:
		parts = append(parts, `error="insufficient_scope"`, fmt.Sprintf("scope=%q", e.Fields["scope"]))
	default:
		return ""
	}
	if e.Kind == errs.Unauthenticated {
		parts = append(parts, `scope="read write"`)
	}
	if f.base != nil {
		parts = append(parts, fmt.Sprintf("resource_metadata=%q", f.base.JoinPath(metadataPath).String()))
	}
	return "Bearer " + strings.Join(parts, ", ")
}

// metadata answers what the server is as a protected resource. It names no authorization server: keys are made with
// keys.create, and handed over by people.
func (f *Face) metadata(c *gin.Context) {
	c.Header("Access-Control-Allow-Origin", "*") // public, and without anything of the caller's
	c.JSON(http.StatusOK, oauthex.ProtectedResourceMetadata{
		Resource: f.base.JoinPath(path).String(), ResourceName: "Nexus",
		ScopesSupported: []string{"read", "write"}, BearerMethodsSupported: []string{"header"},
	})
}
