package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// spoil appends bytes to a segment, as a crash or somebody else would.
func spoil(t *testing.T, dir string, n int, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, segmentName(n)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestTornTailIsCutAndNoted(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	kept := decide(t, l, read(1))
	l.halt()
	torn := `000001f0 {"seq":5,"at":"2026`
	spoil(t, dir, 1, torn)
	if _, r := verify(t, dir, VerifyOptions{}); r.Unfinished != int64(len(torn)) || r.Findings != 0 {
		t.Fatalf("report = %+v, want %d unfinished bytes and no finding", r, len(torn))
	}
	l = openLog(t, dir, quick())
	got := notes(t, l.View, NoteTorn)
	want := Note{Kind: NoteTorn, Segment: 1, Bytes: int64(len(torn)), SHA256: digest(torn)}
	if len(got) != 1 || got[0] != want {
		t.Fatalf("notes = %+v, want %+v", got, want)
	}
	if len(entries(t, l.View, Query{Decision: kept.ID})) != 1 {
		t.Fatal("the decision in front of the torn tail is gone")
	}
	closeLog(t, l)
	if r := wantWhole(t, dir); r.Cut != 1 {
		t.Fatalf("report = %+v, want one cut", r)
	}
}

func TestSegmentTornAtItsBirthIsMadeAnew(t *testing.T) {
	for name, stub := range map[string]string{"empty": "", "torn": `00000100 {"seq":`} {
		t.Run(name, func(t *testing.T) {
			dir := sampleRecord(t)
			spoil(t, dir, 2, stub)
			l := openLog(t, dir, quick())
			if n := l.Stats().Segment; n != 2 {
				t.Fatalf("the log goes on in segment %d, want 2", n)
			}
			if n := len(notes(t, l.View, NoteTorn)); n != min(1, len(stub)) {
				t.Fatalf("%d notes about %d torn bytes", n, len(stub))
			}
			closeLog(t, l)
			wantWhole(t, dir)
		})
	}
}

func TestFirstSegmentTornAtItsBirthIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	spoil(t, dir, 1, "0000")
	l := openLog(t, dir, quick())
	decide(t, l, read(1))
	closeLog(t, l)
	if r := wantWhole(t, dir); r.Cut != 1 || r.First != 1 {
		t.Fatalf("report = %+v, want one cut and a record from 1", r)
	}
}

func TestDamagedRecordStaysAsItIsAndIsNoted(t *testing.T) {
	damages := map[string]func(t *testing.T, dir string){
		"cut tail": func(t *testing.T, dir string) { edit(t, dir, 1, func(l []string) []string { return l[:9] }) },
		"flipped bytes": func(t *testing.T, dir string) {
			edit(t, dir, 1, func(l []string) []string { l[5] = "x" + l[5][1:]; return l })
		},
		"rewritten": func(t *testing.T, dir string) {
			rewrite(t, dir, func(entry []byte) []byte {
				if p, _ := peek(entry); p.seq == 7 {
					return append(entry[:len(entry)-2], ` }}`...)
				}
				return entry
			})
		},
		"no head": func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, headName)) },
		"forged head": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, headName), []byte("nexus/audit\n1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"all segments gone": func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, segmentName(1))) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := sampleRecord(t)
			_, before := verify(t, dir, VerifyOptions{})
			damage(t, dir)
			evidence := segmentText(t, dir, 1)
			l := openLog(t, dir, quick())
			if s := l.Stats(); s.Seq <= before.Head {
				t.Fatalf("stats = %+v, want a new segment behind entry %d, which was signed", s, before.Head)
			}
			decide(t, l, read(77))
			closeLog(t, l)
			if after := segmentText(t, dir, 1); evidence != "" && after != evidence {
				t.Fatal("the damaged segment was changed")
			}
			found, _ := verify(t, dir, VerifyOptions{})
			wantFinding(t, found, FindingNoted)
		})
	}
}

// segmentText returns the text of a segment in whichever form it is stored, empty when it is gone.
func segmentText(t *testing.T, dir string, n int) string {
	t.Helper()
	r, err := openSegment(dir, n, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHalfMadeFilesAreSweptAtOpen(t *testing.T) {
	dir := longRecord(t)
	plain, packed := filepath.Join(dir, segmentName(5)), filepath.Join(dir, "000005"+packedExt)
	for _, name := range []string{packed, plain + ".zst.tmp", filepath.Join(dir, "head.tmp")} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := openLog(t, dir, quick())
	closeLog(t, l)
	for _, name := range []string{packed, plain + ".zst.tmp", filepath.Join(dir, "head.tmp")} {
		if _, err := os.Stat(name); err == nil {
			t.Fatalf("%s is still there", name)
		}
	}
	wantWhole(t, dir)
}

func TestKeyIsMadeForItsOwnerAlone(t *testing.T) {
	dir := sampleRecord(t)
	info, err := os.Stat(filepath.Join(dir, keyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key = %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestNewKeyIsAddedToTheVerifiers(t *testing.T) {
	dir := sampleRecord(t)
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	closeLog(t, openLog(t, dir, quick()))
	wantWhole(t, dir)
}

func TestKeyMayStandElsewhere(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "signing")
	o := quick()
	o.KeyFile = elsewhere
	closeLog(t, openLog(t, dir, o))
	if _, err := os.Stat(filepath.Join(dir, keyName)); err == nil {
		t.Fatal("there is a key in the record's directory")
	}
	wantWhole(t, dir)
}
