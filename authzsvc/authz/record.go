package authz

import (
	"context"
	"time"
)

// Decided is the record of one decision, written before anything is touched. It holds ids and answers, never contents:
// a parameter stands in it only if the operation's contract tags its field for the record.
type Decided struct {
	ID          string            `json:"id"`                    // UUIDv7 of the decision
	At          time.Time         `json:"at"`                    //
	Request     string            `json:"request,omitempty"`     // id of the request, as X-Request-ID shows it
	Tenant      string            `json:"tenant,omitempty"`      // where the objects live
	Base        Ref               `json:"base"`                  // whose relations were asked
	Admin       Ref               `json:"admin,omitzero"`        // the admin key that was asked beside the base
	Key         string            `json:"key,omitempty"`         // id of the key that authenticated, never the key
	Actors      []Ref             `json:"actors,omitempty"`      // who acts in front of the base, nearest first
	Op          string            `json:"op"`                    //
	Objects     []Named           `json:"objects,omitempty"`     // what it is about, as the caller wrote it
	Checks      []Answer          `json:"checks"`                // what was asked of the relations, with the answers
	Allowed     bool              `json:"allowed"`               //
	Reason      string            `json:"reason,omitempty"`      // errs.Reason of a refusal
	Incomplete  bool              `json:"incomplete,omitempty"`  // the engine gave up (depth): counts as a denial
	Revision    string            `json:"revision,omitempty"`    // of the relationships, nanoseconds
	Schema      string            `json:"schema,omitempty"`      // digest of the product schema
	Policy      string            `json:"policy,omitempty"`      // digest of the policy bundle
	Rules       []string          `json:"rules,omitempty"`       // ids of the rules that fired
	Obligations []string          `json:"obligations,omitempty"` // what the grant obliges to
	Params      map[string]string `json:"params,omitempty"`      // tagged parameters only
	Listed      *Listed           `json:"listed,omitempty"`      // for a list: what was admitted
	Micros      int64             `json:"us"`                    // time the decision took, microseconds
	Repeats     int               `json:"repeats,omitempty"`     // equal decisions within a second, counted here
	Durable     bool              `json:"-"`                     // wait for the group fsync before going on
}

// Named is an object with the words in which the caller named it.
type Named struct {
	Ref
	Name string `json:"name,omitempty"`
	Rest string `json:"rest,omitempty"` // the part of a path below the object that has no row of its own
}

// Listed sums up what a list let through.
type Listed struct {
	Of     string   `json:"of"` // id of the decision that opened the collection
	Count  int      `json:"count"`
	Digest string   `json:"digest"`        // sha256 over the admitted ids in order, hex
	IDs    []string `json:"ids,omitempty"` // every id, where contents were returned
	Last   bool     `json:"last"`          // no page follows
}

// Outcome is what became of a decision.
type Outcome struct {
	ID    string    `json:"id"` // of the decision
	At    time.Time `json:"at"`
	State State     `json:"state"`
	First int64     `json:"first,omitempty"` // first sequence the effect wrote
	Last  int64     `json:"last,omitempty"`  // last
	Bytes int64     `json:"bytes,omitempty"` // what left, of a stream
	Why   string    `json:"why,omitempty"`   // errs.Reason or kind of a failure
}

// State says how an operation ended.
type State string

const (
	Done    State = "done"
	Failed  State = "failed"
	Aborted State = "aborted"
)

// Recorder keeps decisions and outcomes. When Decide returns an error there is no access. It is safe for concurrent use.
type Recorder interface {
	// Decide writes d; with d.Durable it returns only after the bytes are on disk.
	Decide(ctx context.Context, d *Decided) error
	// Conclude writes what became of a decision that Decide has written.
	Conclude(ctx context.Context, o *Outcome) error
}
