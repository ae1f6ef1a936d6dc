// Package errs is the one error type of Nexus. It never carries a driver's text to a caller, and no handler picks a number:
// the kind, or a reason's row, decides the code on every surface. To add an error, pick the kind where it is known and call New.
package errs

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. Numbers are stable: add at the end.
type Kind uint8

const (
	Internal        Kind = iota // our fault, or unknown. The zero Kind, so that a forgotten one hides its text
	Invalid                     // the request is malformed or breaks a rule
	Unauthenticated             // no valid credential
	Denied                      // decided, and refused
	NotFound                    // no such thing, as far as the caller may know
	Exists                      // there already is one
	Conflict                    // another writer came first
	Precondition                // a state the operation needs does not hold
	Exhausted                   // a limit or quota was reached
	Unsupported                 // understood, but not offered
	Canceled                    // the caller went away
	Deadline                    // time ran out
	Unavailable                 // cannot serve now; a retry may succeed
	kindEnd
)

// row is what a kind means on each surface.
type row struct {
	name  string
	http  int
	grpc  int
	rpc   int
	exit  int  // exit status of the CLI
	retry bool // whether the same request may succeed later
	blame bool // whether it is the caller's doing, so that its text may be shown
}

// JSON-RPC codes are those of nexus-rpc.txt, gRPC codes those of google.golang.org/grpc/codes (as numbers: a leaf imports no gRPC).
var rows = [kindEnd]row{
	Internal:        {"internal", 500, 13, -32603, 1, false, false},
	Invalid:         {"invalid", 400, 3, -32602, 2, false, true},
	Unauthenticated: {"unauthenticated", 401, 16, -32003, 3, false, true},
	Denied:          {"denied", 403, 7, -32004, 4, false, true},
	NotFound:        {"not_found", 404, 5, -32000, 5, false, true},
	Exists:          {"exists", 409, 6, -32001, 6, false, true},
	Conflict:        {"conflict", 409, 10, -32006, 7, true, true},
	Precondition:    {"precondition", 412, 9, -32005, 8, false, true},
	Exhausted:       {"exhausted", 429, 8, -32005, 9, true, true},
	Unsupported:     {"unsupported", 501, 12, -32601, 10, false, true},
	Canceled:        {"canceled", 499, 1, -32603, 11, true, true},
	Deadline:        {"deadline", 504, 4, -32603, 12, true, true},
	Unavailable:     {"unavailable", 503, 14, -32603, 13, true, true},
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// String returns the stable lower-case name of the kind.
func (k Kind) String() string { return k.row().name }

// HTTP returns the status code of the kind.
func (k Kind) HTTP() int { return k.row().http }

// GRPC returns the gRPC code of the kind as its number.
func (k Kind) GRPC() int { return k.row().grpc }

// RPC returns the default JSON-RPC code of the kind.
func (k Kind) RPC() int { return k.row().rpc }

// Exit returns the exit status with which the CLI reports the kind.
func (k Kind) Exit() int { return k.row().exit }

// Retry reports whether the same request may succeed later.
func (k Kind) Retry() bool { return k.row().retry }

func (k Kind) row() row {
	if k >= kindEnd {
		return rows[Internal]
	}
	return rows[k]
}

// Kinds returns every kind in order.
func Kinds() []Kind {
	all := make([]Kind, kindEnd)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Error is a failure with everything the surfaces and the operator need. Make one with New.
type Error struct {
	Kind   Kind
	Op     string            // the operation, set once by the dispatcher
	Reason Reason            // stable, finer than Kind; may be empty
	Text   string            // for the caller, in the caller's words
	Fields map[string]string // for the caller's program
	Err    error             // for the operator; never leaves the process
}

// New returns an error of kind k whose text is shown to the caller when the kind is the caller's doing.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// Because keeps cause for the operator's log.
func (e *Error) Because(cause error) *Error { e.Err = cause; return e }

// Marked sets the stable reason.
func (e *Error) Marked(r Reason) *Error { e.Reason = r; return e }

// With adds a field for the caller's program.
func (e *Error) With(key, value string) *Error {
	if e.Fields == nil {
		e.Fields = map[string]string{}
	}
	e.Fields[key] = value
	return e
}

// Error returns the whole text, cause included: for logs, never for callers. Callers get Public.
func (e *Error) Error() string {
	text := e.Text
	if text == "" {
		text = e.Kind.String()
	}
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// From returns err as an *Error; anything else becomes Internal with err as its cause, and nil stays nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var k Kind
	if errors.As(err, &k) {
		return &Error{Kind: k, Err: err}
	}
	return &Error{Kind: Internal, Err: err}
}

// KindOf returns the kind of err; Internal for a foreign one, and for none: who asks for the kind of no error has lost one.
func KindOf(err error) Kind {
	if err == nil {
		return Internal
	}
	return From(err).Kind
}

// Public returns the text a caller may see: the error's own where the caller is to blame, a fixed one otherwise.
func Public(err error) string {
	e := From(err)
	if !e.Kind.row().blame {
		return "internal error"
	}
	if e.Text == "" {
		return e.Kind.String()
	}
	return e.Text
}
