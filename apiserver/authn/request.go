package authn

import (
	"context"

	"nexus/internal/ids"
)

// RequestHeader carries the id of a request, in and out.
const RequestHeader = "X-Request-ID"

type requestKey struct{}

// WithRequestID returns ctx with the id of the request it belongs to.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// ChooseRequestID returns the id that the client offers, when it is fit to stand in logs and records, and a fresh one otherwise.
func ChooseRequestID(offered string) string {
	if sane(offered) {
		return offered
	}
	return ids.New()
}

func sane(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}
