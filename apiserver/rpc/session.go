package rpc

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// session is what the calls of one HTTP request share.
type session struct {
	config  *Config
	request *http.Request
	who     authz.Principal
	refusal error // why the request has no principal; nil also when it shows no key

	forced Dialect // by the request or the server; Auto when neither does
	python bool    // whether the headers are those of the Python client

	retry atomic.Int64 // seconds after which a limited call may come again; 0: none was limited
}

// stranger reports whether no valid key was shown.
func (s *session) stranger() bool { return s.refusal != nil || s.who.IsZero() }

// unauthenticated returns why a stranger gets nothing.
func (s *session) unauthenticated() error {
	if s.refusal != nil {
		return s.refusal
	}
	return errs.New(errs.Unauthenticated, "authentication required")
}

// serve writes the answer to body to out: nothing when every call in it is a notification. A single call without id at the URL
// of its method is none: whoever sends one by hand, without an envelope to speak of, waits for an answer. It has id null.
func (s *session) serve(ctx context.Context, out *bytes.Buffer, body []byte, url urlMethod) {
	calls, batch, err := parse(body, url)
	switch {
	case err != nil:
		s.fail(ctx, out, nil, "", err)
	case batch:
		s.batch(ctx, out, calls)
	case calls[0].notification() && !url.given:
		s.run(ctx, out, &calls[0])
		out.Reset()
	default:
		s.run(ctx, out, &calls[0])
	}
}

// batch runs calls side by side and writes their answers in the order of the calls.
func (s *session) batch(ctx context.Context, out *bytes.Buffer, calls []call) {
	answers := make([]*bytes.Buffer, len(calls))
	var running errgroup.Group
	running.SetLimit(s.config.Parallel)
	for i := range calls {
		answers[i] = buffers.get()
		running.Go(func() error {
			s.run(ctx, answers[i], &calls[i])
			return nil
		})
	}
	_ = running.Wait() // the calls' errors are in their answers
	next := byte('[')
	for i, a := range answers {
		if !calls[i].notification() {
			out.WriteByte(next)
			out.Write(a.Bytes())
			next = ','
		}
		buffers.put(a)
	}
	if out.Len() > 0 {
		out.WriteByte(']')
	}
}

// run does one call and writes its answer to out.
func (s *session) run(ctx context.Context, out *bytes.Buffer, c *call) {
	start, operation := time.Now(), "unknown"
	err := s.try(ctx, out, c, &operation)
	if err != nil {
		out.Reset()
		err = s.classify(ctx, err)
		s.fail(ctx, out, c.id, operation, err)
		s.turned(ctx, operation, err)
	}
	s.config.Observe(operation, err, time.Since(start))
}

// turned tells of a call that was turned away before it was decided. What was decided is recorded by who decided it.
func (s *session) turned(ctx context.Context, operation string, err error) {
	e := errs.From(err)
	if e.Kind != errs.Unauthenticated && e.Reason != errs.RateLimited && e.Reason != errs.ScopeMissing {
		return
	}
	s.config.Turned(ctx, Turned{Err: e, Operation: operation, Address: s.config.Guard.Address(s.request), Key: s.who.Via.Key})
}

// try writes the answer to a call that succeeds, and notes the name of its operation.
func (s *session) try(ctx context.Context, out *bytes.Buffer, c *call, operation *string) (err error) {
	defer caught(&err)
	result, err := s.invoke(ctx, c, operation)
	if err != nil {
		return err
	}
	return s.succeed(out, c, *operation, result)
}

// caught turns a panic into an internal error: what one operation does must not end another's request.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = errs.New(errs.Internal, "").Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	}
}

// invoke runs the operation that c calls and notes its name. The order is that of every operation: syntax, authentication,
// rate, and then the operation's own.
func (s *session) invoke(ctx context.Context, c *call, operation *string) (any, error) {
	if c.problem != nil {
		return nil, c.problem
	}
	o := s.config.Table.Method(c.method)
	if o == nil {
		return nil, errs.New(errs.Unsupported, "method not found: %s", c.method).Marked(errs.MethodNotFound)
	}
	*operation = o.Name
	if s.refusal != nil {
		return nil, s.refusal
	}
	if err := s.config.Guard.Spend(s.who.Via); err != nil {
		return nil, err
	}
	return o.Invoke(ctx, s.who, c.params)
}

// reply sends an answer, compressed when the client takes that and it is worth it. An empty one is 204.
func (s *session) reply(w http.ResponseWriter, r *http.Request, answer []byte) {
	h := w.Header()
	if seconds := s.retry.Load(); seconds > 0 {
		h.Set("Retry-After", fmt.Sprint(seconds))
	}
	if len(answer) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	send(w, r, http.StatusOK, answer)
}
