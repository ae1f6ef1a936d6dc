package op

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// Step decides anew, and does f with what the decision is for: each step of a long operation is one decision, with its own record
// and its own effect, so that a right that ends ends the operation. It is tried again when what it was decided on changes.
type Step[G any] func(ctx context.Context, f func(context.Context, G) error) error

// HandleSteps gives contract c a behaviour that takes steps. A refusal of the first is that of the operation.
func HandleSteps[P, R, G any](t *Table, c *Contract[P, R], need NeedFunc[P, G], do func(ctx context.Context, who authz.Principal, p *P, step Step[G]) (R, error)) {
	o := row(c, Unary, need)
	o.Result = reflect.TypeFor[R]()
	o.unary = func(ctx context.Context, who authz.Principal, raw json.RawMessage) (any, error) {
		p, err := admit[P](t, c.Decl, who, raw)
		if err != nil {
			return nil, err
		}
		step := func(ctx context.Context, f func(context.Context, G) error) error {
			_, err := attempt(ctx, t, c, who, p, need, func(g G) (r R, err error) { return r, f(ctx, g) })
			return err
		}
		r, err := do(ctx, who, p, step)
		if c.Hidden != nil && errors.Is(err, errs.Denied) {
			return c.Hidden(p), nil
		}
		return r, err
	}
	t.add(o)
}
