package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nexus/internal/errs"
)

// Mark is a place in a record: all entries up to Seq, and none behind it.
type Mark struct {
	Segment int
	Size    int64 // bytes of Segment, uncompressed
	Seq     uint64
}

// Put takes one file of a copy. It must read text to its end.
type Put func(name string, text io.Reader) error

// Hold keeps every segment in the form it has, until release is called: for copying. Nothing is compressed or deleted
// meanwhile; everything is recorded as ever. It must be released before Close.
func (l *Log) Hold() (release func()) {
	l.tidying.Lock()
	return l.tidying.Unlock
}

// Mark returns where the record ends now. It waits for no disk.
func (l *Log) Mark() Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Mark{Segment: l.segment, Size: l.size, Seq: l.seq}
}

// EndOf returns where the record in dir ends: behind its last whole entry. No process may write it.
func EndOf(dir string) (Mark, error) {
	all, err := storedSegments(dir)
	if err != nil || len(all) == 0 {
		return Mark{}, errs.New(errs.NotFound, "no record in %s", dir).Because(err)
	}
	t, err := findTail(dir, all, 0)
	if err != nil {
		return Mark{}, errs.New(errs.Internal, "the record in %s cannot be read", dir).Because(err)
	}
	return Mark{Segment: t.n, Size: t.good, Seq: t.seq}, nil
}

// Oldest returns the number of the oldest segment in dir.
func Oldest(dir string) (int, error) {
	all, err := storedSegments(dir)
	if err != nil || len(all) == 0 {
		return 0, errs.New(errs.NotFound, "no record in %s", dir).Because(err)
	}
	return all[0].n, nil
}

// Copy hands put the files of a record in dir from segment oldest on, which ends at m: segments, verifier keys, and as the head the newest checkpoint
// that is not behind m. The signing key is not among them: whoever goes on with the copy signs with a key of his own, which
// stands in audit.pub beside the old ones. Of a record that a log writes, the log must be held since before m was taken.
func Copy(ctx context.Context, dir string, oldest int, m Mark, put Put) error {
	all, err := storedSegments(dir)
	if err != nil {
		return errs.New(errs.NotFound, "no record in %s", dir).Because(err)
	}
	if len(all) == 0 || all[0].n > oldest || all[len(all)-1].n < m.Segment {
		return errs.New(errs.Precondition, "segments of the record in %s are gone that the copy was to have: begin again", dir)
	}
	for _, s := range all {
		if s.n < m.Segment {
			err = putStored(ctx, dir, s, put)
		}
		if s.n == m.Segment {
			err = putPart(ctx, dir, m, put)
		}
		if err != nil {
			return copyFailed(dir, err)
		}
	}
	if err := putFile(ctx, dir, pubName, put); err != nil {
		return copyFailed(dir, err)
	}
	return copyFailed(dir, putHead(ctx, dir, all, m, put))
}

func copyFailed(dir string, err error) error {
	if err == nil || errs.KindOf(err) != errs.Internal {
		return err
	}
	return errs.New(errs.Unavailable, "the record in %s cannot be copied", dir).Because(err)
}

// putStored copies a closed segment as it is stored.
func putStored(ctx context.Context, dir string, s stored, put Put) error {
	name := segmentName(s.n)
	if s.packed {
		name = strings.TrimSuffix(name, openExt) + packedExt
	}
	return putFile(ctx, dir, name, put)
}

func putFile(ctx context.Context, dir, name string, put Put) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	return put(name, whileAlive{ctx, f})
}

// putPart copies the segment of m up to m.
func putPart(ctx context.Context, dir string, m Mark, put Put) error {
	r, err := openSegment(dir, m.Segment, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	part := &io.LimitedReader{R: r, N: m.Size}
	if err := put(segmentName(m.Segment), whileAlive{ctx, part}); err != nil {
		return err
	}
	if part.N > 0 {
		return fmt.Errorf("segment %d ends %d bytes too early", m.Segment, part.N)
	}
	return nil
}

// putHead looks from m backwards for a checkpoint and makes it the head. A record that has none yet gets no head.
func putHead(ctx context.Context, dir string, all []stored, m Mark, put Put) error {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].n > m.Segment {
			continue
		}
		signed, err := lastCheckpoint(ctx, dir, all[i].n, m)
		if err != nil {
			return err
		}
		if signed != "" {
			return put(headName, strings.NewReader(signed))
		}
	}
	return nil
}

// lastCheckpoint returns the newest signed checkpoint of segment n that is not behind m; empty when it has none.
func lastCheckpoint(ctx context.Context, dir string, n int, m Mark) (signed string, err error) {
	r, err := openSegment(dir, n, 0)
	if err != nil {
		return "", err
	}
	defer r.Close()
	for in := newFrames(whileAlive{ctx, r}, 0); ; {
		f, err := in.next()
		if errors.Is(err, errFrame) {
			continue // damage is copied, and found by who verifies
		}
		if isEnd(err) || n == m.Segment && in.off > m.Size {
			return signed, nil
		}
		if err != nil {
			return "", err
		}
		if p, ok := peek(f.entry); !ok || p.kind != TypeCheckpoint {
			continue
		}
		var e Entry
		if json.Unmarshal(f.entry, &e) == nil && e.Checkpoint != nil {
			signed = e.Checkpoint.Signed
		}
	}
}

const restoredName = "restored"

// MarkRestored leaves word in the record in dir, which nobody has opened yet, that it is a copy, and of what: the next Open
// notes it.
func MarkRestored(dir, of string) error {
	return replace(osDisk{}, dir, restoredName, []byte(of))
}

// restored returns the note that MarkRestored asked for, or nil.
func restored(dir string) (*Note, error) {
	of, err := os.ReadFile(filepath.Join(dir, restoredName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Note{Kind: NoteRestored, Why: string(of)}, nil
}
