package op

import (
	"errors"

	"nexus/internal/errs"
)

// Room says what a server still does as its disk fills up. It is safe for concurrent use.
type Room interface {
	// Admits returns nil, or why an operation is not taken on now.
	Admits(d Decl) error
	// Full is told that the disk refused a write, and reports whether room was made since: then it is tried again.
	Full() bool
}

// Within makes the table take on only what r admits. It is called before the first operation.
func (t *Table) Within(r Room) { t.room = r }

// plenty is the room of a server that is told nothing of its disk.
type plenty struct{}

func (plenty) Admits(Decl) error { return nil }

func (plenty) Full() bool { return false }

// again reports whether an operation that ended with err is decided and tried once more: when what it was decided on has
// changed, and when room was made for it or for its record.
func (t *Table) again(d Decl, err error) bool {
	if err == nil {
		return false
	}
	if errs.From(err).Reason == errs.StaleDecision {
		return true
	}
	return isFull(err) && t.room.Full() && d.Essential
}

// isFull reports whether the disk refused a write: the operation's own, or that of its record.
func isFull(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if e, ok := err.(*errs.Error); ok && e.Reason == errs.DiskFull {
			return true
		}
	}
	return false
}
