package audit

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
)

// sampleRecord is a closed record of one segment with decisions, an outcome and two checkpoints.
func sampleRecord(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	for n := range 10 {
		decide(t, l, read(n))
	}
	conclude(t, l, decide(t, l, write(1)).ID, 5, 6)
	closeLog(t, l)
	return dir
}

// edit changes the lines of a segment.
func edit(t *testing.T, dir string, n int, change func(lines []string) []string) {
	t.Helper()
	name := filepath.Join(dir, segmentName(n))
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(strings.SplitAfter(string(text), "\n"))
	if err := os.WriteFile(name, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWholeRecordHasNoFindings(t *testing.T) {
	r := wantWhole(t, sampleRecord(t))
	// segment, started, checkpoint, 10 reads, a write, its outcome, stopped, checkpoint
	want := Report{Segments: 1, Entries: 17, Bytes: r.Bytes, First: 1, Last: 17, Checkpoints: 2, Head: 16, Unsigned: 1}
	if r != want {
		t.Fatalf("report = %+v, want %+v", r, want)
	}
}

// TestFlippedBitIsFound flips a bit of every byte of a record in turn: none may go unnoticed in front of the newest checkpoint, nor in
// that itself.
func TestFlippedBitIsFound(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	decide(t, l, read(1))
	decide(t, l, write(1))
	closeLog(t, l)
	name := filepath.Join(dir, segmentName(1))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		broken := slices.Clone(whole)
		broken[at] ^= 1 << (at % 7)
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		found, r := verify(t, dir, VerifyOptions{})
		if len(found) == 0 && r.Unfinished == 0 {
			t.Fatalf("flipped bit %d of byte %d (%q) is not found", at%7, at, whole[max(0, at-20):min(len(whole), at+20)])
		}
		if at < len(whole)-1000 && len(found) == 0 {
			t.Fatalf("byte %d is taken for an unfinished entry", at)
		}
	}
}

func TestOneChangedEntryIsOneFinding(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string {
		lines[6] = strings.Replace(lines[6], "acme/ann", "acme/eve", 1)
		return lines
	})
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingChain || found[0].Seq != 7 {
		t.Fatalf("found %+v, want entry 7 alone", found)
	}
}

func TestChangedHashIsOneFinding(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string {
		at := len(lines[6]) - 2
		digit := byte('0')
		if lines[6][at] == digit {
			digit = '1'
		}
		lines[6] = lines[6][:at] + string(digit) + "\n"
		return lines
	})
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingChain {
		t.Fatalf("found %+v, want the chain at one entry", found)
	}
}

func TestRemovedEntryIsFound(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string { return slices.Delete(lines, 5, 6) })
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingSequence || found[0].Seq != 7 {
		t.Fatalf("found %+v, want that entry 6 is missing", found)
	}
}

func TestReorderedEntriesAreFound(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string { lines[5], lines[6] = lines[6], lines[5]; return lines })
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingSequence)
}

func TestInsertedBytesAreFound(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string { return slices.Insert(lines, 5, "hello\n") })
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingFrame {
		t.Fatalf("found %+v, want the bytes that are no entry", found)
	}
}

// rewrite chains the entries of segment 1 anew after a change, as somebody without the key can.
func rewrite(t *testing.T, dir string, change func(entry []byte) []byte) {
	t.Helper()
	name := filepath.Join(dir, segmentName(1))
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	in := newFrames(bytes.NewReader(text), 0)
	b := newLog(dir, quick(), nil).batch
	for {
		f, err := in.next()
		if err != nil {
			break
		}
		entry := change(slices.Clone(f.entry))
		frame := append(append([]byte("00000000 "), entry...), ' ')
		putLength(frame, len(entry))
		b.chain = link(b.sha, b.chain, entry)
		b.buf = append(append(b.buf, frame...), b.chain.String()+"\n"...)
	}
	if err := os.WriteFile(name, b.buf, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRewrittenHistoryBreaksTheSignatures(t *testing.T) {
	dir := sampleRecord(t)
	rewrite(t, dir, func(entry []byte) []byte { return bytes.Replace(entry, []byte("acme/ann"), []byte("acme/eve"), 1) })
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingCheckpoint)
	wantFinding(t, found, FindingTail)
}

func TestForgedCheckpointIsFound(t *testing.T) {
	dir, other := sampleRecord(t), sampleRecord(t)
	foreign, err := loadKeys(osDisk{}, other, filepath.Join(other, keyName), "nexus/audit")
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, func(entry []byte) []byte {
		p, _ := peek(entry)
		if p.kind != TypeCheckpoint {
			return entry
		}
		signed, err := Signature{Origin: "nexus/audit", Seq: p.seq - 1}.sign(foreign.signer)
		if err != nil {
			t.Fatal(err)
		}
		body := checkpointBody(&Checkpoint{Seq: p.seq - 1, Signed: signed})
		return append(entry[:bytes.Index(entry, []byte(`"type"`))], body...)
	})
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingCheckpoint)
}

func TestTailCutBehindTheCheckpointIsFound(t *testing.T) {
	dir := sampleRecord(t)
	edit(t, dir, 1, func(lines []string) []string { return lines[:12] })
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingTail {
		t.Fatalf("found %+v, want the tail", found)
	}
}

func TestForgedOrMissingHeadIsFound(t *testing.T) {
	dir := sampleRecord(t)
	head := filepath.Join(dir, headName)
	text, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"sequence": strings.Replace(string(text), "\n16\n", "\n15\n", 1), "empty": "", "unsigned": strings.SplitAfter(string(text), "\n\n")[0],
	} {
		if err := os.WriteFile(head, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		found, _ := verify(t, dir, VerifyOptions{})
		if len(found) != 1 || found[0].Kind != FindingHead {
			t.Fatalf("%s: found %+v, want the head", name, found)
		}
	}
	if err := os.Remove(head); err != nil {
		t.Fatal(err)
	}
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingHead)
}

func TestWitnessFindsARecordPutBackToAnOlderState(t *testing.T) {
	var newest string
	dir := t.TempDir()
	o := quick()
	o.Published = func(s string) { newest = s }
	l := openLog(t, dir, o)
	decide(t, l, read(1))
	closeLog(t, l)
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, o)
	decide(t, l, read(2))
	closeLog(t, l)

	wantWhole(t, older) // from inside nothing can be seen
	found, _ := verify(t, older, VerifyOptions{Witness: newest})
	wantFinding(t, found, FindingTail)
	if found, _ := verify(t, dir, VerifyOptions{Witness: newest}); len(found) > 0 {
		t.Fatalf("found %+v with the right witness", found)
	}
}

func TestKeysKeptElsewhereFindARecordThatWasWrittenAnew(t *testing.T) {
	dir, forged := sampleRecord(t), sampleRecord(t)
	keys, err := os.ReadFile(filepath.Join(dir, pubName))
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, forged)
	found, _ := verify(t, forged, VerifyOptions{Keys: string(keys)})
	wantFinding(t, found, FindingHead)
	wantFinding(t, found, FindingCheckpoint)
}

// longRecord has several segments, of which all but the last are compressed.
func longRecord(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	fillSegments(t, l, 4)
	closeLog(t, l)
	return dir
}

func TestMissingSegmentIsFound(t *testing.T) {
	for n := 1; n <= 3; n++ {
		dir := longRecord(t)
		wantWhole(t, dir)
		if err := os.Remove(filepath.Join(dir, strings.TrimSuffix(segmentName(n), openExt)+packedExt)); err != nil {
			t.Fatal(err)
		}
		found, _ := verify(t, dir, VerifyOptions{})
		if len(found) != 1 || found[0].Kind != FindingSegment || found[0].Segment != n+1 {
			t.Fatalf("found %+v, want that segment %d does not go on", found, n+1)
		}
	}
}

func TestMissingNewestSegmentIsFound(t *testing.T) {
	dir := longRecord(t)
	if err := os.Remove(filepath.Join(dir, segmentName(5))); err != nil {
		t.Fatal(err)
	}
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingTail)
}

func TestClosedSegmentWithoutItsCheckpointIsFound(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	l := openLog(t, dir, o)
	decide(t, l, read(1))
	if err := func() error { l.mu.Lock(); defer l.mu.Unlock(); return l.begin(2) }(); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	found, _ := verify(t, dir, VerifyOptions{})
	if len(found) != 1 || found[0].Kind != FindingUnsigned {
		t.Fatalf("found %+v, want the unsigned segment", found)
	}
}

func TestEffectsAreComparedBothWays(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	type effect struct{ first, last int64 }
	effects := map[string]effect{}
	right := decide(t, l, write(1)).ID
	conclude(t, l, right, 1, 2)
	effects[right] = effect{1, 2}
	missing := decide(t, l, write(2)).ID
	conclude(t, l, missing, 3, 3)
	other := decide(t, l, write(3)).ID
	conclude(t, l, other, 4, 5)
	effects[other] = effect{4, 6}
	hidden := decide(t, l, write(4)).ID
	if err := l.Conclude(ctx, &authz.Outcome{ID: hidden, State: authz.Failed}); err != nil {
		t.Fatal(err)
	}
	effects[hidden] = effect{7, 7}
	undecided := write(5).ID
	effects[undecided] = effect{8, 8}
	open := decide(t, l, write(6)).ID
	effects[open] = effect{9, 9}
	closeLog(t, l)

	found, r := verify(t, dir, VerifyOptions{Effects: &Effects{
		Of: func(_ context.Context, id string) (int64, int64, bool, error) {
			e, there := effects[id]
			return e.first, e.last, there, nil
		},
		All: func(context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for id := range effects {
					if !yield(id, nil) {
						return
					}
				}
			}
		},
	}})
	var wrong []string
	for _, f := range found {
		if f.Kind != FindingEffect {
			t.Fatalf("found %+v", f)
		}
		wrong = append(wrong, f.Decision)
	}
	want := []string{missing, other, hidden, undecided}
	slices.Sort(wrong)
	slices.Sort(want)
	if !slices.Equal(wrong, want) || r.Open != 1 {
		t.Fatalf("findings about %v and %d open, want %v and 1", wrong, r.Open, want)
	}
}

func TestUnreadableEffectsAreAnError(t *testing.T) {
	dir := sampleRecord(t)
	broken := errors.New("no database")
	_, err := Verify(ctx, dir, VerifyOptions{Effects: &Effects{
		Of: func(context.Context, string) (int64, int64, bool, error) { return 0, 0, false, broken },
	}})
	if !errors.Is(err, broken) {
		t.Fatalf("Verify = %v, want the error of the effects", err)
	}
}

func TestVerifyOfNothingIsAnError(t *testing.T) {
	if _, err := Verify(ctx, t.TempDir(), VerifyOptions{}); err == nil {
		t.Fatal("Verify of an empty directory = nil, want an error")
	}
}
