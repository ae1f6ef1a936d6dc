// Package op is the machinery of the table of operations. It knows no operation and no storage. An operation is declared once
// as a contract (package api) and gets its behaviour, a need and a deed, in its twin file (package ops); every surface reads
// the one table. To add an operation: a contract in api, a Handle in ops, a sample in the contract.
package op

import (
	"cmp"
	"encoding/json"
	"reflect"

	"nexus/internal/errs"
)

// Access is the scope a key must carry. It only attenuates: relations are asked all the same.
type Access uint8

const (
	Reads  Access = iota + 1 // scope read
	Writes                   // scope write
)

// String returns the scope's name.
func (a Access) String() string {
	if a == Reads {
		return "read"
	}
	return "write"
}

// Decl is what is known of an operation without running it.
type Decl struct {
	Name    string   // noun.verb, as records and policies name it
	Method  string   // of the JSON-RPC face; empty where it has none
	Aliases []string // further method names that mean the same
	Get     string   // path of a plain GET route; empty where it has none
	Routes  []string // routes of other faces, as "PUT /api/files/{path}"
	Summary string   // one line
	Doc     string   // what a caller should know beyond the parameters
	Access  Access
	// Prompt says that the record need not reach the disk before the reply: plain reads. Everything else waits.
	Prompt bool
	// Contents says that the answer shows contents of files: what a rule hides or masks, it must not show.
	Contents bool
	// As names the operation that this one is another way to do. It is decided and recorded as that one, so that a rule about
	// that one is a rule about this one, too. Empty: it is decided as itself.
	As string
	// NoTool says why the operation is not offered to models as a tool; empty: it is.
	NoTool string
	// Public operations ask nothing of anybody. The list of them is a golden file.
	Public bool
	// Essential operations go on as long as anything does when the disk fills up: administration, the record, and what takes
	// away instead of adding.
	Essential bool
}

// DecidedAs returns the name under which rules and the record know the operation.
func (d Decl) DecidedAs() string { return cmp.Or(d.As, d.Name) }

// Shape is how parameters and results travel.
type Shape uint8

const (
	Unary  Shape = iota + 1 // parameters in, result out
	Upload                  // parameters and a body in, result out
	Stream                  // parameters in, bytes or events out
)

// String returns the shape's name.
func (s Shape) String() string { return [...]string{"", "unary", "upload", "stream"}[s] }

// Contract is a declaration with the types of its parameters and result.
type Contract[P, R any] struct {
	Decl
	// Sample holds parameters that work on the fixture of package ops: tests run every operation with them.
	Sample P
	// Hidden is answered in place of a refusal, where a refusal would tell that something exists: made from the parameters
	// alone. Nil means that a refusal is an error.
	Hidden func(*P) R
}

// Defaulter sets the values of parameters that the caller leaves out.
type Defaulter interface{ Defaults() }

// Cleaner brings parameters into the form used inside, or refuses them.
type Cleaner interface{ Clean() error }

// Worded says what a refusal names of the parameters. An operation that asks about other objects according to what exists
// needs it, so that its refusals do not tell.
type Worded interface{ Words() []string }

// Param describes one parameter, for help, documents and clients.
type Param struct {
	Name     string
	Type     string
	Required bool
	Doc      string
	Audit    string // plain, hash or count; empty: never recorded
}

// Params lists the parameters of struct type t, from its tags: json names it, doc describes it, need:"required" makes it
// so, audit says how it is recorded.
func Params(t reflect.Type) []Param {
	var all []Param
	for _, f := range reflect.VisibleFields(t) {
		name := jsonName(f)
		if name == "" {
			continue
		}
		all = append(all, Param{
			Name: name, Type: wireType(f.Type), Required: f.Tag.Get("need") == "required",
			Doc: f.Tag.Get("doc"), Audit: f.Tag.Get("audit"),
		})
	}
	return all
}

// Typed names the wire form of a parameter's type, where reflection alone cannot tell.
type Typed interface{ WireType() string }

func wireType(t reflect.Type) string {
	if typed, ok := reflect.Zero(t).Interface().(Typed); ok {
		return typed.WireType()
	}
	if t == reflect.TypeFor[json.RawMessage]() {
		return "object"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return wireType(t.Elem())
	case reflect.Slice, reflect.Array:
		return "array[" + wireType(t.Elem()) + "]"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Map, reflect.Struct:
		return "object"
	}
	return "string"
}

// check returns an error when the declaration cannot be served.
func (d Decl) check() error {
	if d.Name == "" || d.Summary == "" || d.Access == 0 {
		return errs.New(errs.Internal, "operation %q lacks a name, a summary or an access", d.Name)
	}
	return nil
}
