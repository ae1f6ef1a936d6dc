package rpc

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// get serves an operation as a plain GET route: its result, or an object with error and message under the status of the
// error's kind.
func (f *Face) get(o *op.Operation) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), f.config.Timeout)
		defer cancel()
		s := &session{config: &f.config, request: c.Request}
		out := buffers.get()
		defer buffers.put(out)

		start := time.Now()
		result, err := s.look(ctx, o, c.Request)
		if err == nil {
			err = encode(out, result)
		}
		err = s.classify(ctx, err)
		f.config.Observe(o.Name, err, time.Since(start))
		if err == nil {
			send(c.Writer, c.Request, http.StatusOK, out.Bytes())
			return
		}
		s.turned(ctx, o.Name, err)
		out.Reset()
		e := errs.From(err)
		answer := s.explain(ctx, o.Name, e)
		_ = encode(out, answer) // of strings
		if seconds := s.retry.Load(); seconds > 0 {
			c.Header("Retry-After", fmt.Sprint(seconds))
		}
		if e.Kind == errs.Unauthenticated {
			c.Header("WWW-Authenticate", "Bearer")
		}
		send(c.Writer, c.Request, errs.HTTP(e), out.Bytes())
	}
}

// look runs o for whoever makes r. A public operation is for anybody, so nobody is asked who he is.
func (s *session) look(ctx context.Context, o *op.Operation, r *http.Request) (result any, err error) {
	defer caught(&err)
	if !o.Public {
		if s.who, err = s.config.Guard.NamedPrincipal(r); err != nil {
			return nil, err
		}
		if err = s.config.Guard.Spend(s.who.Via); err != nil {
			return nil, err
		}
	}
	return o.Invoke(ctx, s.who, nil)
}

// plainProblem is the error of a plain GET route.
type plainProblem struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// explain returns what the caller may know of e.
func (s *session) explain(ctx context.Context, operation string, e *errs.Error) plainProblem {
	text, _ := s.account(ctx, operation, e)
	return plainProblem{e.Kind.String(), text}
}
