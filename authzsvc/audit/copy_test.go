package audit

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// into is a Put that writes to dir.
func into(t *testing.T, dir string) Put {
	return func(name string, text io.Reader) error {
		all, err := io.ReadAll(text)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), all, 0o600)
	}
}

// copied copies l as of m and returns where.
func copied(t *testing.T, l *Log, m Mark) string {
	t.Helper()
	dir := t.TempDir()
	if err := Copy(ctx, l.dir, 1, m, into(t, dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// small closes a segment after some twenty entries.
func small() Options {
	o := quick()
	o.SegmentBytes, o.CoalesceFor = 8<<10, -1
	return o
}

func TestCopyEndsAtItsMarkAndIsWhole(t *testing.T) {
	l := openLog(t, t.TempDir(), small())
	release := l.Hold()
	var marks []Mark
	for n := range 100 {
		decide(t, l, write(n))
		marks = append(marks, l.Mark())
	}
	if last := marks[len(marks)-1]; last.Segment < 3 {
		t.Fatalf("only %d segments: nothing was rotated", last.Segment)
	}
	for _, m := range []Mark{marks[0], marks[30], marks[99]} {
		dir := copied(t, l, m)
		if r := wantWhole(t, dir); r.Last != m.Seq {
			t.Errorf("the copy ends at entry %d, its mark is %d", r.Last, m.Seq)
		}
		if _, err := os.Stat(filepath.Join(dir, keyName)); err == nil {
			t.Error("the signing key is in the copy")
		}
	}
	release()
	closeLog(t, l)
	end, err := EndOf(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := wantWhole(t, copied(t, l, end)); r.Unsigned > 1 { // the checkpoint itself
		t.Errorf("the copy of a closed record: %+v", r)
	}
}

func TestHeldRecordIsNotCompressed(t *testing.T) {
	l := openLog(t, t.TempDir(), small())
	release := l.Hold()
	for n := range 100 {
		decide(t, l, write(n))
	}
	if all := files(t, l.dir, ".zst"); len(all) > 0 {
		t.Errorf("compressed while held: %q", all)
	}
	release()
	if err := l.tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if all := files(t, l.dir, ".zst"); len(all) == 0 {
		t.Error("nothing is compressed after that")
	}
	wantWhole(t, copied(t, l, l.Mark()))
}

// TestCopyGoesOnAndSaysThatItIsOne: with a key of its own, and with a note.
func TestCopyGoesOnAndSaysThatItIsOne(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	open := decide(t, l, write(1))
	dir := copied(t, l, l.Mark())
	if err := MarkRestored(dir, "backup of yesterday"); err != nil {
		t.Fatal(err)
	}
	again := openLog(t, dir, quick())
	if all := notes(t, again.View, NoteRestored); len(all) != 1 || all[0].Why != "backup of yesterday" {
		t.Errorf("restored notes are %+v", all)
	}
	if left, err := again.Unresolved(ctx); err != nil || len(left) != 1 || left[0].ID != open.ID {
		t.Errorf("open decisions are %+v, %v; want the one of the original", left, err)
	}
	closeLog(t, again)
	wantWhole(t, dir)
	closeLog(t, openLog(t, dir, quick()))
	if all := notes(t, again.View, NoteRestored); len(all) != 1 {
		t.Errorf("a second start notes it again: %+v", all)
	}
	keys, err := os.ReadFile(filepath.Join(dir, pubName))
	if err != nil || len(strings.Fields(string(keys))) != 2 {
		t.Errorf("audit.pub holds %q, %v; want the old key and a new one", keys, err)
	}
}

func TestCopyLeavesATornTailOut(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	decide(t, l, write(1))
	if err := l.halt(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(l.dir, segmentName(1))
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("00000100 {\"seq\":"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	end, err := EndOf(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := wantWhole(t, copied(t, l, end)); r.Unfinished != 0 {
		t.Errorf("the copy has %d unfinished bytes", r.Unfinished)
	}
}

func files(t *testing.T, dir, ext string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if strings.HasSuffix(e.Name(), ext) {
			names = append(names, e.Name())
		}
	}
	return slices.Clip(names)
}
