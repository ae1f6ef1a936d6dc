package audit

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// begin makes segment n, whose header goes on from the newest entry, and writes these bodies into it; when the disk is full, with
// the help of the reserve. On an error nothing has changed.
func (l *Log) begin(n int, bodies ...[]byte) error {
	err := l.beginOnce(n, bodies)
	if err != nil && isFull(err) && l.reserve.release() {
		return l.beginOnce(n, bodies)
	}
	return err
}

func (l *Log) beginOnce(n int, bodies [][]byte) error {
	name := filepath.Join(l.dir, segmentName(n))
	f, err := fresh(l.o.disk, name)
	if err != nil {
		return err
	}
	l.falseStart = ""
	b := l.stage()
	b.add(noteBody(&Note{Kind: NoteSegment, Segment: n, Prev: l.chain.String(), Verifier: l.keys.verifier, Open: l.open.oldest()}))
	for _, body := range bodies {
		b.add(body)
	}
	_, err = f.Write(b.buf)
	if err == nil {
		err = l.o.disk.SyncDir(l.dir)
	}
	if err != nil {
		l.falseStart = name
		return errors.Join(err, f.Close(), l.withdraw())
	}
	if l.f != nil {
		_ = l.f.Close() // nothing is buffered, and what its fsync said is known
	}
	l.f, l.segment, l.size, l.ragged = f, n, 0, false
	l.stats.Segments++
	l.commit()
	return nil
}

// withdraw removes a segment that was begun in vain. Until that succeeds nothing may be appended to the one before it: two would
// go on from the same entry.
func (l *Log) withdraw() error {
	if l.falseStart == "" {
		return nil
	}
	if err := unless(fs.ErrNotExist, l.o.disk.Remove(l.falseStart)); err != nil {
		return err
	}
	l.falseStart = ""
	return nil
}
