package audit

import (
	"time"

	"nexus/authzsvc/authz"
)

// Type says what an Entry holds.
type Type string

const (
	TypeDecided    Type = "decided"    // a decision, before anything was touched
	TypeOutcome    Type = "outcome"    // what became of a decision
	TypeNote       Type = "note"       // what the record says about itself, and refusals before the Gate
	TypeCheckpoint Type = "checkpoint" // a signature over everything before it
)

// Entry is one line of the record. Exactly one of the pointers is set, as Type says.
type Entry struct {
	Seq        uint64         `json:"seq"`               // 1, 2, 3, … without a gap
	At         time.Time      `json:"at"`                // when it was written; never before the entry in front of it
	Type       Type           `json:"type"`              //
	Durable    bool           `json:"durable,omitempty"` // the caller waited until it was on disk
	Decided    *authz.Decided `json:"decided,omitempty"`
	Outcome    *authz.Outcome `json:"outcome,omitempty"`
	Note       *Note          `json:"note,omitempty"`
	Checkpoint *Checkpoint    `json:"checkpoint,omitempty"`
}

// NoteKind says what a Note is about.
type NoteKind string

const (
	NoteSegment  NoteKind = "segment"  // first entry of every segment: Segment, Prev, Verifier, Open
	NoteStarted  NoteKind = "started"  // a process opened the record
	NoteStopped  NoteKind = "stopped"  // it was closed in order
	NoteTorn     NoteKind = "torn"     // an unfinished tail was cut at open: Segment, Bytes, SHA256
	NoteDamaged  NoteKind = "damaged"  // at open the record ended before its own head: Segment, First, Last, Why
	NoteGap      NoteKind = "gap"      // the disk refused Count entries since Since: Why
	NoteUnsynced NoteKind = "unsynced" // an fsync failed: First to Last in Segment may be lost, who waited for them was refused
	NoteRetired  NoteKind = "retired"  // a segment was deleted by age or size: Segment, First, Last, Prev (its last chain hash), Bytes
	NoteRestored NoteKind = "restored" // everything in front came from a backup, what it had behind that was lost: Why names it
	NoteRefused  NoteKind = "refused"  // Count requests were refused before the Gate: Why, Address, Op, Key
)

// Note is what the record says about itself. Which fields a kind uses stands beside the kind.
type Note struct {
	Kind     NoteKind   `json:"kind"`
	Segment  int        `json:"segment,omitempty"`
	Prev     string     `json:"prev,omitempty"`     // chain hash, hex
	Verifier string     `json:"verifier,omitempty"` // key that checks the segment's checkpoints
	Open     uint64     `json:"open,omitempty"`     // oldest durable decision without outcome; 0: none
	First    uint64     `json:"first,omitempty"`    // sequence numbers, both included
	Last     uint64     `json:"last,omitempty"`
	Bytes    int64      `json:"bytes,omitempty"`
	SHA256   string     `json:"sha256,omitempty"` // of the bytes that were cut, hex
	Count    int64      `json:"count,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	Why      string     `json:"why,omitempty"`
	Address  string     `json:"address,omitempty"`
	Op       string     `json:"op,omitempty"`
	Key      string     `json:"key,omitempty"` // id of the key that was shown, never the key
}

// Checkpoint signs the entry in front of it and with it, through the chain, all that came before.
type Checkpoint struct {
	Seq    uint64 `json:"seq"`            // of the entry in front of the checkpoint
	Hash   string `json:"hash"`           // chain hash of that entry, hex
	Open   uint64 `json:"open,omitempty"` // oldest durable decision without outcome; 0: none
	Signed string `json:"signed"`         // signed note: origin, Seq, hash, time (see Signature)
}
