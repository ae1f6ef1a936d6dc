package op

import (
	"context"
	"encoding/json"
	"io"
	"reflect"
	"slices"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// Operation is one row of the table.
type Operation struct {
	Decl
	Shape  Shape
	Params reflect.Type // struct
	Result reflect.Type // nil for a stream
	Sample any          // of type Params

	unary  func(ctx context.Context, who authz.Principal, raw json.RawMessage) (any, error)
	upload func(ctx context.Context, who authz.Principal, raw json.RawMessage, body io.Reader) (any, error)
	stream func(ctx context.Context, who authz.Principal, raw json.RawMessage, out Sink) error
	asks   func(ctx context.Context, who authz.Principal, raw json.RawMessage) (Asked, error)
}

// Asked is what an operation asks for its parameters: the checks, what each is about, and whether one of several is enough.
type Asked struct {
	Checks  []authz.Check
	Objects []authz.Named
	Choice  bool
}

// Table holds every operation with its behaviour. It is filled at start and only read afterwards.
type Table struct {
	gate     *authz.Gate
	standing func(context.Context, authz.Principal) error // nil: everybody stands
	room     Room
	byName   map[string]*Operation
	byMethod map[string]*Operation
	problems []error
}

// NewTable returns an empty table whose operations are decided by gate.
func NewTable(gate *authz.Gate) *Table {
	return &Table{gate: gate, room: plenty{}, byName: map[string]*Operation{}, byMethod: map[string]*Operation{}}
}

// Gate returns the gate that decides the operations of the table, for needs that open a collection.
func (t *Table) Gate() *authz.Gate { return t.gate }

// Named returns the operation of that name, or nil.
func (t *Table) Named(name string) *Operation { return t.byName[name] }

// Method returns the operation that the JSON-RPC method calls, or nil.
func (t *Table) Method(method string) *Operation { return t.byMethod[method] }

// All returns every operation in order of its name.
func (t *Table) All() []*Operation {
	all := make([]*Operation, 0, len(t.byName))
	for _, o := range t.byName {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *Operation) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Check returns what keeps the table from being served: an operation handled twice, or one of declared that has no handler.
func (t *Table) Check(declared []Decl) error {
	if len(t.problems) > 0 {
		return t.problems[0]
	}
	for _, d := range declared {
		if t.byName[d.Name] == nil {
			return errs.New(errs.Internal, "operation %s has no handler", d.Name)
		}
	}
	if len(t.byName) != len(declared) {
		return errs.New(errs.Internal, "%d operations are handled, %d declared", len(t.byName), len(declared))
	}
	return nil
}

func (t *Table) add(o *Operation) {
	if err := o.check(); err != nil {
		t.problems = append(t.problems, err)
		return
	}
	if t.byName[o.Name] != nil {
		t.problems = append(t.problems, errs.New(errs.Internal, "operation %s has two handlers", o.Name))
		return
	}
	t.byName[o.Name] = o
	for _, m := range append([]string{o.Method}, o.Aliases...) {
		if m == "" {
			continue
		}
		if t.byMethod[m] != nil {
			t.problems = append(t.problems, errs.New(errs.Internal, "method %s means two operations", m))
		}
		t.byMethod[m] = o
	}
}

// Invoke runs a unary operation for who with raw parameters.
func (o *Operation) Invoke(ctx context.Context, who authz.Principal, raw json.RawMessage) (any, error) {
	if o.unary == nil {
		return nil, errs.New(errs.Unsupported, "%s is not a unary operation", o.Name)
	}
	return named(o.unary(ctx, who, raw))(o.Name)
}

// Receive runs an upload for who, reading its body.
func (o *Operation) Receive(ctx context.Context, who authz.Principal, raw json.RawMessage, body io.Reader) (any, error) {
	if o.upload == nil {
		return nil, errs.New(errs.Unsupported, "%s takes no body", o.Name)
	}
	return named(o.upload(ctx, who, raw, body))(o.Name)
}

// Send runs a stream for who, writing to out.
func (o *Operation) Send(ctx context.Context, who authz.Principal, raw json.RawMessage, out Sink) error {
	if o.stream == nil {
		return errs.New(errs.Unsupported, "%s does not stream", o.Name)
	}
	_, err := named(nil, o.stream(ctx, who, raw, out))(o.Name)
	return err
}

// Checks returns what the operation would ask for these parameters, without asking: for golden files and dry runs.
func (o *Operation) Checks(ctx context.Context, who authz.Principal, raw json.RawMessage) ([]authz.Check, error) {
	asked, err := o.asks(ctx, who, raw)
	return asked.Checks, err
}

// Asks is Checks with what they are about.
func (o *Operation) Asks(ctx context.Context, who authz.Principal, raw json.RawMessage) (Asked, error) {
	return o.asks(ctx, who, raw)
}

// named puts the operation's name on an error, once.
func named(result any, err error) func(string) (any, error) {
	return func(name string) (any, error) {
		if err == nil {
			return result, nil
		}
		e := *errs.From(err)
		e.Op = name
		return nil, &e
	}
}
