package audit

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"nexus/internal/errs"
)

// FindingKind says what Verify found wrong.
type FindingKind string

const (
	FindingFrame      FindingKind = "frame"      // bytes that are no entry
	FindingChain      FindingKind = "chain"      // an entry is not the one that was written
	FindingSequence   FindingKind = "sequence"   // entries are missing, or in another order
	FindingSegment    FindingKind = "segment"    // a segment is missing, or does not go on from the one before
	FindingCheckpoint FindingKind = "checkpoint" // a signature is not by a key of the record, or not over these entries
	FindingUnsigned   FindingKind = "unsigned"   // a closed segment does not end in a checkpoint, and no note says why
	FindingTail       FindingKind = "tail"       // the record ends before a checkpoint that was kept
	FindingHead       FindingKind = "head"       // the head file is missing or forged
	FindingNoted      FindingKind = "noted"      // the log itself noted damage when it was opened
	FindingEffect     FindingKind = "effect"     // record and effects disagree about a decision
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Segment  int         `json:"segment,omitempty"`
	Offset   int64       `json:"offset,omitempty"` // in the segment's text, uncompressed
	Seq      uint64      `json:"seq,omitempty"`    // of the entry it was found at
	Decision string      `json:"decision,omitempty"`
	Text     string      `json:"text"`
}

// Report sums a verification up.
type Report struct {
	Segments    int    `json:"segments"`
	Entries     uint64 `json:"entries"`
	Bytes       int64  `json:"bytes"` // of text, uncompressed
	First       uint64 `json:"first"` // sequence numbers
	Last        uint64 `json:"last"`
	Checkpoints int    `json:"checkpoints"` // whose signature holds
	Head        uint64 `json:"head"`        // newest entry that a kept checkpoint vouches for
	Unsigned    uint64 `json:"unsigned"`    // entries behind it: chained, but whoever can write here could replace them
	Unfinished  int64  `json:"unfinished"`  // bytes of an entry at the very end that is being written, or that a crash cut short
	Retired     int    `json:"retired"`     // segments that were deleted by age or size, as the record says
	Cut         int    `json:"cut"`         // unfinished tails that were cut at open and noted
	Unsynced    int    `json:"unsynced"`    // failed fsyncs that were noted
	Gaps        int64  `json:"gaps"`        // entries that the disk refused, as the record says
	Open        int    `json:"open"`        // durable, allowed decisions without outcome
	Findings    int    `json:"findings"`
}

// VerifyOptions tune Verify. The zero value checks a record against itself.
type VerifyOptions struct {
	Keys    string        // verifier keys, one a line, as they were kept elsewhere; default audit.pub of the record
	Witness string        // a signed checkpoint that was kept elsewhere; the record must hold the entry it names
	Found   func(Finding) // gets each finding as it is made
	Effects *Effects      // compares the record with what was committed
}

// Verify reads the whole record in dir and reports what is wrong with it. It may run beside the log that writes it. The error is
// about reading; damage is in the findings. What it cannot find stands in the package's documentation.
func Verify(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	v := &verifier{ctx: ctx, dir: dir, o: o, sha: sha256.New(), marks: map[uint64]mark{}, retired: map[int]*Note{}}
	if err := v.prepare(); err != nil {
		return Report{}, err
	}
	all, err := storedSegments(dir)
	if err != nil {
		return Report{}, errs.New(errs.NotFound, "no record in %s", dir).Because(err)
	}
	for i, s := range all {
		if err := v.segment(s.n, i == len(all)-1); err != nil {
			return v.report, err
		}
	}
	v.conclude()
	return v.report, v.effects.conclude(ctx, v.since)
}

// mark is an entry that a signature elsewhere names.
type mark struct {
	kind FindingKind
	Signature
	what string
}

type verifier struct {
	ctx     context.Context
	dir     string
	o       VerifyOptions
	keys    note.Verifiers
	sha     hash.Hash
	marks   map[uint64]mark
	retired map[int]*Note
	effects effects
	report  Report

	n        int       // segment being read
	last     bool      // it is the newest
	since    time.Time // begin of the record, when what was in front of it was retired
	seq      uint64    // of the entry in front
	stored   Hash      // chain hash of the entry in front, as it stands there
	computed Hash      // the same, as it should be
	astray   bool      // what stood in front is unknown
	off      int64     // of the entry being read
	signed   bool      // the entry in front is a checkpoint
	follows  bool      // its number follows that of the segment before
	missing  []missing
	unsigned *Finding // the segment before did not end in a checkpoint
}

// missing is a place where segments are not there: right only if they were retired.
type missing struct {
	before int
	seq    uint64
	prev   Hash
}

// prepare reads the keys and, before anything else can grow, the head.
func (v *verifier) prepare() error {
	text := v.o.Keys
	if text == "" {
		pub, err := os.ReadFile(filepath.Join(v.dir, pubName))
		if err != nil {
			return errs.New(errs.NotFound, "no verifier keys for the record in %s", v.dir).Because(err)
		}
		text = string(pub)
	}
	var err error
	if v.keys, err = Verifiers(text); err != nil {
		return err
	}
	v.effects = newEffects(v.o.Effects, v.found)
	head, err := readHead(v.dir, v.keys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.found(Finding{Kind: FindingHead, Text: "there is no head file: a cut tail cannot be found"})
	case err != nil:
		v.found(Finding{Kind: FindingHead, Text: "the head file is not signed by a key of this record"})
	default:
		v.report.Head = head.Seq
		v.marks[head.Seq] = mark{FindingTail, head, "the head file"}
	}
	return v.witness()
}

func (v *verifier) witness() error {
	if v.o.Witness == "" {
		return nil
	}
	s, err := ReadSignature(v.o.Witness, v.keys)
	if err != nil {
		return errs.New(errs.Invalid, "the witness is not a checkpoint of this record").Because(err)
	}
	if m, both := v.marks[s.Seq]; both && m.Hash != s.Hash {
		v.found(Finding{Kind: FindingHead, Seq: s.Seq, Text: "head and witness sign different entries: the record was replaced"})
	}
	v.report.Head = max(v.report.Head, s.Seq)
	v.marks[s.Seq] = mark{FindingTail, s, "the witness"}
	return nil
}

func (v *verifier) found(f Finding) {
	v.report.Findings++
	if v.o.Found != nil {
		v.o.Found(f)
	}
}

// here reports a finding at the entry being read.
func (v *verifier) here(kind FindingKind, seq uint64, format string, args ...any) {
	v.found(Finding{Kind: kind, Segment: v.n, Offset: v.off, Seq: seq, Text: fmt.Sprintf(format, args...)})
}

func (v *verifier) segment(n int, last bool) error {
	r, err := openSegment(v.dir, n, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // retired since it was listed: the next one's header will tell
	}
	if err != nil {
		return err
	}
	defer r.Close()
	v.begin(n, last)
	v.report.Segments++
	in := newFrames(r, 0)
	for i := 0; ; i++ {
		if i%1024 == 0 && v.ctx.Err() != nil {
			return gone(v.ctx)
		}
		v.off = in.off
		f, err := in.next()
		switch {
		case err == nil:
			v.entry(f)
		case errors.Is(err, io.EOF):
			v.report.Bytes += in.off
			return nil
		case errors.Is(err, errTorn) && last:
			v.report.Unfinished = f.size
		case errors.Is(err, errTorn), errors.Is(err, errFrame):
			v.bad()
		default:
			return errs.New(errs.Internal, "segment %d cannot be read", n).Because(err)
		}
	}
}

func (v *verifier) begin(n int, last bool) {
	v.tellUnsigned()
	if v.report.Entries > 0 && !v.signed {
		v.unsigned = &Finding{Kind: FindingUnsigned, Segment: v.n, Seq: v.seq, Text: "the segment does not end in a checkpoint"}
	}
	v.follows = n == v.n+1
	v.n, v.last = n, last
}

// bad reports bytes that are no entry, once for what stands together.
func (v *verifier) bad() {
	if !v.astray {
		v.here(FindingFrame, v.seq+1, "bytes that are no entry")
	}
	v.astray, v.signed = true, false
}

func (v *verifier) entry(f frame) {
	p, ok := peek(f.entry)
	if !ok {
		v.bad()
		return
	}
	if f.off == 0 {
		v.header(f)
	} else if !v.astray {
		v.order(p.seq)
	}
	v.chain(f, p.seq)
	v.astray, v.signed = false, false
	v.seq = p.seq
	if v.report.Entries++; v.report.Entries == 1 {
		v.report.First = p.seq
	}
	v.report.Last = max(v.report.Last, p.seq)
	v.compare(p.seq)
	v.read(f, p)
}

// header checks that a segment goes on from the one before.
func (v *verifier) header(f frame) {
	h, err := parseHeader(f.entry, v.n)
	if err != nil {
		v.here(FindingSegment, v.seq+1, "the segment does not begin with its header")
		v.astray = true
		return
	}
	goesOn := v.follows && (v.astray || h.seq == v.seq+1 && (h.prev == v.stored || h.prev == v.computed))
	if !goesOn {
		v.missing = append(v.missing, missing{v.n, h.seq, h.prev})
	}
	if v.report.Entries == 0 && h.seq > 1 {
		v.since = h.at
	}
	v.stored, v.computed, v.astray = h.prev, h.prev, false
}

func (v *verifier) order(seq uint64) {
	switch {
	case seq > v.seq+1:
		v.here(FindingSequence, seq, "entries %d to %d are missing", v.seq+1, seq-1)
	case seq <= v.seq:
		v.here(FindingSequence, seq, "entry %d stands behind entry %d", seq, v.seq)
	}
}

// chain checks the hash of f. A wrong hash in the entry in front is told there and forgiven here.
func (v *verifier) chain(f frame, seq uint64) {
	v.computed, v.stored = v.verdict(f, seq), f.sum
}

func (v *verifier) verdict(f frame, seq uint64) Hash {
	behindStored := link(v.sha, v.stored, f.entry)
	if v.astray || behindStored == f.sum {
		return f.sum
	}
	if behindComputed := link(v.sha, v.computed, f.entry); behindComputed == f.sum {
		return f.sum
	}
	if seq == v.seq+1 || f.off == 0 {
		v.here(FindingChain, seq, "entry %d is not the one that was written", seq)
	}
	return behindStored
}

// compare checks an entry that a signature elsewhere names.
func (v *verifier) compare(seq uint64) {
	m, marked := v.marks[seq]
	if !marked {
		return
	}
	if m.Hash != v.stored {
		v.here(m.kind, seq, "entry %d is not the one that %s signs", seq, m.what)
	}
	delete(v.marks, seq)
}

// read looks into the entries that say something about the record.
func (v *verifier) read(f frame, p peeked) {
	interesting := p.kind == TypeNote || p.kind == TypeCheckpoint || p.kind == TypeOutcome || p.kind == TypeDecided && p.durable
	if !interesting {
		return
	}
	var e Entry
	if err := json.Unmarshal(f.entry, &e); err != nil {
		v.here(FindingFrame, p.seq, "entry %d is not what it should hold", p.seq)
		return
	}
	switch {
	case e.Checkpoint != nil:
		v.checkpoint(e, f)
	case e.Note != nil:
		v.note(e)
	case e.Decided != nil:
		v.effects.decided(e.Decided)
	case e.Outcome != nil:
		v.effects.outcome(v.ctx, e.Outcome)
	}
}
