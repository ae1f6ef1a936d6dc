package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// recover finds where the record ended and goes on from there.
func (l *Log) recover() error {
	if err := sweep(l.o.disk, l.dir); err != nil {
		return err
	}
	all, err := storedSegments(l.dir)
	if err != nil {
		return err
	}
	head, headErr := readHead(l.dir, l.keys.all)
	t, err := findTail(l.dir, all, head.Seq)
	if err != nil {
		return err
	}
	if err := l.inherit(all, t.from); err != nil {
		return err
	}
	l.seq, l.chain, l.at, l.synced = t.seq, t.chain, t.at, t.seq
	if why := t.disagreement(head, headErr); why != "" {
		return l.goOnBehind(t, head, why)
	}
	l.head = head
	return l.goOn(t)
}

// sweep removes what a crash left half made.
func sweep(d disk, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, e := range entries {
		present[e.Name()] = true
	}
	for name := range present {
		plain := strings.TrimSuffix(name, ".zst")
		half := strings.HasSuffix(name, ".tmp") || plain != name && present[plain]
		if half {
			if err := d.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// end is where a segment stops making sense.
type end struct {
	n           int // segment
	packed      bool
	first, seq  uint64 // of its entries; 0 when it has not even a header
	chain       Hash
	at          time.Time
	good        int64  // bytes of whole, chained entries
	size        int64  // bytes in all
	from        uint64 // look for open decisions from here on
	checkpoints int
	atHead      Hash // chain hash of the entry that the head names, when it is in this segment
}

// tail is the end of the record.
type tail struct {
	end
	next int   // number of the segment to begin, 0 to go on in the last
	stub *Note // what is in a segment without header: the trace of a crash while it was made
}

func findTail(dir string, all []stored, head uint64) (tail, error) {
	if len(all) == 0 {
		return tail{next: 1}, nil
	}
	last := all[len(all)-1]
	e, err := readEnd(dir, last, head)
	if err != nil {
		return tail{}, err
	}
	t := tail{end: e}
	if e.packed {
		t.next = last.n + 1
	}
	if e.seq > 0 {
		return t, nil
	}
	t.next = last.n
	if t.stub, err = cutNote(dir, e); err != nil {
		return tail{}, err
	}
	t.end = end{}
	if len(all) > 1 {
		t.end, err = readEnd(dir, all[len(all)-2], head)
	}
	return t, err
}

// readEnd reads a segment up to where it stops making sense.
func readEnd(dir string, s stored, head uint64) (end, error) {
	e := end{n: s.n, packed: s.packed}
	r, err := openSegment(dir, s.n, 0)
	if err != nil {
		return e, err
	}
	defer r.Close()
	in, sha := newFrames(r, 0), sha256.New()
	for {
		f, err := in.next()
		if err != nil && !isEnd(err) {
			return e, err
		}
		if err != nil || !e.accept(f, sha) {
			break
		}
		if e.seq == head {
			e.atHead = e.chain
		}
	}
	rest, err := io.Copy(io.Discard, in.r)
	e.size = in.off + rest
	return e, err
}

// accept takes f as the next entry if it is one.
func (e *end) accept(f frame, sha hash.Hash) bool {
	p, ok := peek(f.entry)
	if !ok {
		return false
	}
	if e.seq == 0 {
		h, err := parseHeader(f.entry, e.n)
		if err != nil {
			return false
		}
		e.chain, e.first, e.from = h.prev, h.seq, cmp.Or(h.open, h.seq)
	}
	at, err := time.Parse(time.RFC3339Nano, string(p.at))
	if err != nil || f.sum != link(sha, e.chain, f.entry) || e.seq > 0 && p.seq != e.seq+1 {
		return false
	}
	if p.kind == TypeCheckpoint {
		var entry Entry
		if json.Unmarshal(f.entry, &entry) != nil || entry.Checkpoint == nil {
			return false
		}
		e.from = cmp.Or(entry.Checkpoint.Open, p.seq)
		e.checkpoints++
	}
	e.seq, e.chain, e.at, e.good = p.seq, f.sum, at, f.off+f.size
	return true
}

// cutNote tells what stands behind the end; nil when nothing does.
func cutNote(dir string, e end) (*Note, error) {
	if e.size == e.good {
		return nil, nil
	}
	r, err := openSegment(dir, e.n, e.good)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sha := sha256.New()
	n, err := io.Copy(sha, r)
	return &Note{Kind: NoteTorn, Segment: e.n, Bytes: n, SHA256: hex.EncodeToString(sha.Sum(nil))}, err
}

// disagreement says how the record contradicts its own head, and is empty when it does not.
func (t tail) disagreement(head Signature, headErr error) string {
	switch {
	case errors.Is(headErr, fs.ErrNotExist):
		if t.n > 1 || t.checkpoints > 1 {
			return "the head is missing"
		}
		return "" // a crash came before the first checkpoint was kept
	case headErr != nil:
		return "the head is not signed by a key of this record"
	case head.Seq > t.seq:
		return fmt.Sprintf("the record ends at entry %d, its head is entry %d", t.seq, head.Seq)
	case head.Seq >= t.first && head.Hash != t.atHead:
		return fmt.Sprintf("entry %d is not the one that was signed", head.Seq)
	}
	return ""
}

// goOnBehind begins a new segment behind a damaged record, which stays as it is. Numbers that the damaged part may hold are not
// used again.
func (l *Log) goOnBehind(t tail, head Signature, why string) error {
	n := Note{Kind: NoteDamaged, Segment: t.n, First: t.seq + 1, Why: why}
	l.seq += uint64(t.size-t.good) / frameText
	if t.stub != nil {
		l.seq += uint64(t.stub.Bytes) / frameText
	}
	if head.Seq > t.seq {
		l.seq, l.chain = max(l.seq, head.Seq), head.Hash
	}
	n.Last = l.seq
	all, err := storedSegments(l.dir)
	if err != nil {
		return err
	}
	next := 1
	if len(all) > 0 {
		next = all[len(all)-1].n + 1
	}
	return l.begin(next, noteBody(&n), l.startedBody())
}

// goOn cuts what a crash left unfinished, says so, and goes on in the newest segment or begins the next.
func (l *Log) goOn(t tail) error {
	var bodies [][]byte
	torn, err := cutNote(l.dir, t.end)
	if err != nil {
		return err
	}
	for _, n := range []*Note{torn, t.stub} {
		if n != nil {
			bodies = append(bodies, noteBody(n))
		}
	}
	copied, err := restored(l.dir)
	if err != nil {
		return err
	}
	if copied != nil {
		bodies = append(bodies, noteBody(copied))
	}
	bodies = append(bodies, l.startedBody())
	if torn != nil {
		if err := l.cut(t.end); err != nil {
			return err
		}
	}
	if err := l.resume(t, bodies); err != nil || copied == nil {
		return err
	}
	return l.o.disk.Remove(filepath.Join(l.dir, restoredName))
}

// resume writes bodies into the newest segment, or into the next where that one is closed.
func (l *Log) resume(t tail, bodies [][]byte) (err error) {
	if t.next > 0 {
		return l.begin(t.next, bodies...)
	}
	if l.f, err = l.o.disk.Append(filepath.Join(l.dir, segmentName(t.n))); err != nil {
		return err
	}
	l.segment, l.size = t.n, t.good
	return l.append(bodies...)
}

func (l *Log) cut(e end) error {
	f, err := l.o.disk.Append(filepath.Join(l.dir, segmentName(e.n)))
	if err != nil {
		return err
	}
	err = f.Truncate(e.good)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (l *Log) startedBody() []byte {
	return noteBody(&Note{Kind: NoteStarted, Open: l.open.oldest()})
}

// inherit collects the durable decisions from entry from on that were allowed and have no outcome. Where a segment is damaged it
// reads up to the damage.
func (l *Log) inherit(all []stored, from uint64) error {
	begin := len(all)
	for i := len(all) - 1; i >= 0; i-- {
		h, err := readHeader(l.dir, all[i].n)
		if errors.Is(err, errNoHeader) {
			continue
		}
		if err != nil {
			return err
		}
		begin = i
		if h.seq <= from {
			break
		}
	}
	for _, s := range all[begin:] {
		if err := l.inheritSegment(s.n, from); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) inheritSegment(n int, from uint64) error {
	r, err := openSegment(l.dir, n, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	in := newFrames(r, 0)
	for {
		f, err := in.next()
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		p, ok := peek(f.entry)
		if !ok || p.seq < from || !(p.kind == TypeOutcome || p.kind == TypeDecided && p.durable) {
			continue
		}
		var e Entry
		if json.Unmarshal(f.entry, &e) != nil {
			continue
		}
		switch {
		case e.Outcome != nil:
			l.open.remove(e.Outcome.ID)
		case e.Decided != nil && e.Decided.Allowed:
			e.Decided.Durable = true
			l.open.inherit(*e.Decided, e.Seq)
		}
	}
}
