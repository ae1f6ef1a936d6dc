package op_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

// narrow is a room for the essential alone; made says how often it makes room for what the disk refused.
type narrow struct{ made int }

func (n *narrow) Admits(d op.Decl) error {
	if d.Essential {
		return nil
	}
	return errs.New(errs.Exhausted, "no room").Marked(errs.DiskFull)
}

func (n *narrow) Full() bool {
	n.made--
	return n.made >= 0
}

// cleaning is a table with an operation that the disk refuses so often.
func cleaning(gate *authz.Gate, essential bool, refused *int) *op.Operation {
	t := op.NewTable(gate)
	d := decl("clean")
	d.Essential = essential
	op.Handle(t, &op.Contract[pathParams, bool]{Decl: d},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.WriteFile], error) {
			return file(p.Path).Write(), nil
		},
		func(context.Context, authz.Principal, *pathParams, schema.WriteFile) (bool, error) {
			if *refused--; *refused >= 0 {
				return false, errs.New(errs.Unavailable, "the disk is full").Marked(errs.DiskFull)
			}
			return true, nil
		})
	t.Within(&narrow{made: 1})
	return t.Named("clean")
}

func TestOnlyTheEssentialIsTakenOnWithoutRoom(t *testing.T) {
	ann, never := gatetest.User("t", "ann"), 0
	gate, recorder := gatetest.AllowAll(t)
	if _, err := cleaning(gate, false, &never).Invoke(t.Context(), ann, params); !errors.Is(err, errs.Exhausted) || errs.HTTP(err) != 507 {
		t.Errorf("what is not essential: %v, want exhausted with status 507", err)
	}
	if len(recorder.Decided()) > 0 {
		t.Error("what is not taken on was decided")
	}
	if _, err := cleaning(gate, false, &never).Invoke(t.Context(), authz.Principal{}, params); !errors.Is(err, errs.Unauthenticated) {
		t.Errorf("nobody is told about the disk: %v", err)
	}
	if _, err := cleaning(gate, false, &never).Invoke(t.Context(), ann, json.RawMessage(`[]`)); !errors.Is(err, errs.Invalid) {
		t.Errorf("what is malformed: %v", err)
	}
	if r, err := cleaning(gate, true, &never).Invoke(t.Context(), ann, params); err != nil || r != true {
		t.Errorf("what is essential: %v, %v", r, err)
	}
}

func TestEssentialOperationIsTriedAgainOnceThereIsRoom(t *testing.T) {
	gate, recorder := gatetest.AllowAll(t)
	once := 1
	if r, err := cleaning(gate, true, &once).Invoke(t.Context(), gatetest.User("t", "ann"), params); err != nil || r != true {
		t.Errorf("refused once: %v, %v", r, err)
	}
	if n := len(recorder.Decided()); n != 2 {
		t.Errorf("%d decisions for two tries", n)
	}
	always := 100
	_, err := cleaning(gate, true, &always).Invoke(t.Context(), gatetest.User("t", "ann"), params)
	if errs.From(err).Reason != errs.DiskFull {
		t.Errorf("refused always: %v, want %s", err, errs.DiskFull)
	}
}
