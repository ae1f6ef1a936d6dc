// Package authz has the shape of the real one, as far as the pass looks at it.
package authz

import "errors"

type Object interface{ Named() string }

type Permission[O Object] interface{ Of(O) string }

type Decision struct{}

type Grant[P Permission[O], O Object] struct {
	_      [0]*P
	object O
	d      *Decision
}

func (g Grant[P, O]) Use(meets ...string) (O, error) {
	var none O
	if g.d == nil {
		return none, errors.New("undecided")
	}
	return g.object, nil
}

func (g Grant[P, O]) Obliged(string) bool { return false }

type Scope[P Permission[O], O Object] struct {
	_ [0]*P
	d *Decision
}

func (s Scope[P, O]) Admit(members []O, meets ...string) ([]O, error) { return nil, nil }

func (s Scope[P, O]) Close() error { return nil }

func (s Scope[P, O]) Tenant() (string, error) { return "", nil }

type Pair[A, B any] struct {
	First  A
	Second B
}

// The package that makes grants may write them as it likes.
func zero[P Permission[O], O Object]() Grant[P, O] {
	var g Grant[P, O]
	return g
}
