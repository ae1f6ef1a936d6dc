package op

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// tries is how often an operation is decided again when what it was decided on changes before its commit.
const tries = 3

// recheck is how long a stream may go on before it is decided again.
const recheck = time.Second

// NeedFunc states what an operation requires for these parameters. It may resolve names and look at nothing else.
type NeedFunc[P, G any] func(ctx context.Context, who authz.Principal, p *P) (authz.Need[G], error)

// Handle gives contract c its behaviour: the need, and the deed that gets what the need is for.
func Handle[P, R, G any](t *Table, c *Contract[P, R], need NeedFunc[P, G], do func(ctx context.Context, who authz.Principal, p *P, g G) (R, error)) {
	o := row(c, Unary, need)
	o.Result = reflect.TypeFor[R]()
	o.unary = func(ctx context.Context, who authz.Principal, raw json.RawMessage) (any, error) {
		p, err := admit[P](t, c.Decl, who, raw)
		if err != nil {
			return nil, err
		}
		r, err := attempt(ctx, t, c, who, p, need, func(g G) (R, error) { return do(ctx, who, p, g) })
		if c.Hidden != nil && errors.Is(err, errs.Denied) {
			return c.Hidden(p), nil
		}
		return r, err
	}
	t.add(o)
}

// Staged is a body that has arrived and that nothing names yet. Discard gives up what of it was not used; it is called once.
type Staged interface{ Discard() }

// HandleUpload gives contract c a behaviour that reads a body. stage gets what is decided before the first byte, and keeps the body
// where nobody finds it. commit gets what is decided when all of it is there, and makes of it what it is for. Each decision is
// recorded, and it is the second one that has the effect.
func HandleUpload[P, R, G any, S Staged](t *Table, c *Contract[P, R], need NeedFunc[P, G],
	stage func(ctx context.Context, p *P, g G, body io.Reader) (S, error), commit func(ctx context.Context, p *P, g G, s S) (R, error),
) {
	o := row(c, Upload, need)
	o.Result = reflect.TypeFor[R]()
	o.upload = func(ctx context.Context, who authz.Principal, raw json.RawMessage, body io.Reader) (r any, err error) {
		p, err := admit[P](t, c.Decl, who, raw)
		if err != nil {
			return nil, err
		}
		g, d, err := ask(ctx, t, c.Decl, who, p, need)
		if err != nil {
			return nil, err
		}
		defer func() { t.gate.Conclude(ctx, d, err) }()
		s, err := stage(ctx, p, g, body)
		if err != nil {
			return nil, err
		}
		defer s.Discard()
		return attempt(ctx, t, c, who, p, need, func(g G) (R, error) { return commit(ctx, p, g, s) })
	}
	t.add(o)
}

// HandleStream gives contract c a behaviour that sends. still decides again once a second has passed; when it returns an
// error the deed must stop at once. A Content that the deed offers to its sink stops by itself. Its context ends
// when who asked stands no more, so a deed that waits need not ask for that.
func HandleStream[P, G any](t *Table, c *Contract[P, struct{}], need NeedFunc[P, G], do func(ctx context.Context, p *P, g G, still func(context.Context) error, out Sink) error) {
	o := row(c, Stream, need)
	o.stream = func(ctx context.Context, who authz.Principal, raw json.RawMessage, out Sink) error {
		p, err := admit[P](t, c.Decl, who, raw)
		if err != nil {
			return err
		}
		g, d, err := ask(ctx, t, c.Decl, who, p, need)
		if err != nil {
			return err
		}
		asked := time.Now()
		still := func(ctx context.Context) error {
			if time.Since(asked) < recheck {
				return nil
			}
			_, _, err := ask(ctx, t, c.Decl, who, p, need)
			asked = time.Now()
			return err
		}
		var m *meter
		err = t.whileStanding(ctx, who, func(ctx context.Context) error {
			m = &meter{ctx: ctx, out: out, still: still}
			return do(ctx, p, g, still, m)
		})
		t.gate.ConcludeStream(ctx, d, m.sent(), err)
		return err
	}
	t.add(o)
}

// row returns the part of an operation that its shape does not change.
func row[P, R, G any](c *Contract[P, R], shape Shape, need NeedFunc[P, G]) *Operation {
	return &Operation{
		Decl: c.Decl, Shape: shape, Params: reflect.TypeFor[P](), Sample: c.Sample,
		asks: func(ctx context.Context, who authz.Principal, raw json.RawMessage) (Asked, error) {
			p, err := decode[P](raw)
			if err != nil {
				return Asked{}, err
			}
			n, err := need(ctx, who, p)
			if err != nil {
				return Asked{}, err
			}
			return Asked{n.Checks(), n.Objects(), n.HasChoice()}, nil
		},
	}
}

// admit is what comes before the decision: syntax, then authentication, then the key's scope, then whether the server has the
// room for it.
func admit[P any](t *Table, d Decl, who authz.Principal, raw json.RawMessage) (*P, error) {
	p, err := decode[P](raw)
	switch {
	case err != nil:
		return nil, err
	case d.Public:
		return p, nil
	case who.IsZero():
		return nil, errs.New(errs.Unauthenticated, "authentication required")
	case len(who.Via.Scopes) > 0 && !slices.Contains(who.Via.Scopes, d.Access.String()):
		return nil, errs.New(errs.Denied, "the key lacks scope %s", d.Access).Marked(errs.ScopeMissing)
	}
	return p, t.room.Admits(d)
}

// attempt decides and acts, again when what was decided on changed in between, or room was made for it.
func attempt[P, R, G any](ctx context.Context, t *Table, c *Contract[P, R], who authz.Principal, p *P, need NeedFunc[P, G], do func(G) (R, error)) (r R, err error) {
	for range tries {
		var g G
		var d *authz.Decision
		if g, d, err = ask(ctx, t, c.Decl, who, p, need); err != nil {
			if t.again(c.Decl, err) {
				continue
			}
			return r, err
		}
		r, err = do(g)
		if !c.Prompt || err != nil {
			t.gate.Conclude(ctx, d, err)
		}
		if !t.again(c.Decl, err) {
			return r, err
		}
	}
	if isFull(err) {
		return r, err
	}
	return r, errs.New(errs.Conflict, "others kept changing what this is about; try again").Marked(errs.StaleDecision)
}

// ask decides for who, if he still stands: also where an operation or a stream is decided again.
func ask[P, G any](ctx context.Context, t *Table, d Decl, who authz.Principal, p *P, need NeedFunc[P, G]) (g G, _ *authz.Decision, err error) {
	if err := t.stands(ctx, who); err != nil {
		return g, nil, err
	}
	n, err := need(ctx, who, p)
	if err != nil {
		return g, nil, err
	}
	if n.IsPublic() != d.Public {
		return g, nil, errs.Bug("operation %s: the contract and the need disagree on whether it is public", d.Name)
	}
	act := authz.Act{Op: d.DecidedAs(), Params: recorded(p), Durable: !d.Prompt}
	if worded, ok := any(p).(Worded); ok {
		act.Words = worded.Words()
	}
	return authz.Ask(ctx, t.gate, who, act, n)
}
