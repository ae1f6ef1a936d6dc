package client

import (
	"context"
	"encoding/json"
	"errors"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// MaxBatch is how many calls a server takes at once.
const MaxBatch = 256

// Batch is a list of calls that travel together. The server decides each for itself and may run them in any order. It is not
// safe for concurrent use, and can be sent once.
type Batch struct {
	c     *Client
	calls []request
	done  []func(json.RawMessage, error)
	sent  bool
}

// Batch returns an empty batch.
func (c *Client) Batch() *Batch { return &Batch{c: c} }

// Pending is the result of a call in a batch that may not have been sent yet.
type Pending[R any] struct {
	r    R
	err  error
	done bool
}

// Result returns what the call answered. Before Do it is an error.
func (p *Pending[R]) Result() (R, error) {
	if !p.done {
		return p.r, errs.New(errs.Precondition, "the batch has not been sent")
	}
	return p.r, p.err
}

// Add adds a call to b.
func Add[P, R any](b *Batch, contract *op.Contract[P, R], params P) *Pending[R] {
	p := new(Pending[R])
	if contract.Method == "" {
		p.err, p.done = errs.New(errs.Unsupported, "operation %s cannot be called in a batch", contract.Name), true
		return p
	}
	b.calls = append(b.calls, request{Version: "2.0", ID: b.c.last.Add(1), Method: contract.Method, Params: params})
	b.done = append(b.done, func(raw json.RawMessage, err error) {
		p.done, p.err = true, err
		if err == nil {
			p.r, p.err = decode(contract, params, raw)
		}
	})
	return p
}

// Do sends the calls and gives each Pending its result. Its error is that of the batch as a whole, and then that of each call,
// too; an error of a single call is in its Pending alone. An empty batch is done at once.
func (b *Batch) Do(ctx context.Context) error {
	if b.sent {
		return errs.New(errs.Precondition, "the batch has been sent before")
	}
	b.sent = true
	answers, err := b.send(ctx)
	for i, call := range b.calls {
		r, ok := answers[call.ID]
		switch {
		case err != nil:
			b.done[i](nil, err)
		case !ok:
			b.done[i](nil, strange(errors.New("a call has no answer")))
		default:
			b.done[i](r.outcome())
		}
	}
	return err
}

func (b *Batch) send(ctx context.Context) (map[int64]response, error) {
	switch {
	case len(b.calls) > MaxBatch:
		return nil, errs.New(errs.Invalid, "the batch has more than %d calls", MaxBatch)
	case len(b.calls) == 0:
		return nil, nil
	}
	raw, err := b.c.post(ctx, "", b.calls)
	if err != nil {
		return nil, err
	}
	var list []response
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, whole(raw, err)
	}
	answers := make(map[int64]response, len(list))
	for _, r := range list {
		if r.ID != nil {
			answers[*r.ID] = r
		}
	}
	return answers, nil
}

// whole returns the error of a batch that was answered as one.
func whole(raw json.RawMessage, cause error) error {
	var r response
	if json.Unmarshal(raw, &r) == nil && r.Error != nil {
		return r.Error.err()
	}
	return strange(cause)
}
