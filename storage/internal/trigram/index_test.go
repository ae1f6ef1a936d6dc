package trigram

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestContentsAreFoundByWhatTheyHold(t *testing.T) {
	k := newKit(t)
	k.add(1, "one needle", "two NEEDLES", "none", "bin\x00ary needle", "need\nle", "")
	k.add(2, "another needle", "one needle")
	k.mustFind("needle", "one needle", "two NEEDLES", "another needle")
	k.mustFind("(?i)Needles", "two NEEDLES")
	k.mustFind("nothing")
	k.mustFind("none|another", "none", "another needle")
	k.reopen()
	k.mustFind("needle", "one needle", "two NEEDLES", "another needle")
	if p := k.view().Progress; p.Seq != 2 {
		t.Errorf("progress = %+v, want sequence 2", p)
	}
}

// TestIndexFindsWhatAScanFinds holds the index, in many segments and tidied, against every content.
func TestIndexFindsWhatAScanFinds(t *testing.T) {
	k := newKit(t)
	r := rand.New(rand.NewPCG(7, 7))
	for seq := range int64(60) {
		var some []string
		for range 1 + r.IntN(20) {
			some = append(some, text(r))
		}
		k.add(seq+1, some...)
		if seq%7 == 0 {
			k.tidy(all)
		}
	}
	mustBeSound(k, r, 300)
	k.reopen()
	k.tidy(all)
	if n := k.view().Size(); n.Segments >= 60 || n.Contents != len(k.texts) {
		t.Errorf("after tidying: %+v, want %d contents in few segments", n, len(k.texts))
	}
	mustBeSound(k, r, 300)
}

// mustBeSound checks random expressions: what matches must be found.
func mustBeSound(k *kit, r *rand.Rand, n int) {
	k.Helper()
	for range n {
		expr := expression(r, 1+r.IntN(3))
		re, q := regexp.MustCompile(expr), Of(parse(k, expr))
		sums, complete, err := k.view().Find(q, 1<<20)
		if err != nil {
			k.Fatal(err)
		}
		if !complete {
			continue
		}
		for sum, text := range k.texts {
			if _, found := sums[sum]; !found && matchesALine(re, text) {
				k.Errorf("%s matches %.80q and does not find it", expr, text)
			}
		}
	}
}

func matchesALine(re *regexp.Regexp, text string) bool {
	for line := range strings.Lines(text) {
		if re.MatchString(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")) {
			return true
		}
	}
	return false
}

func TestTidyingDropsWhatNoFileHolds(t *testing.T) {
	k := newKit(t)
	for i := range 12 {
		k.add(int64(i+1), fmt.Sprintf("kept word%d", i), fmt.Sprintf("secret word%d", i))
	}
	k.tidy(func(text string) bool { return strings.HasPrefix(text, "kept") })
	sums, _, err := k.view().Find(Of(parse(t, "secret")), 100)
	if err != nil || len(sums) >= 12 {
		t.Errorf("%d of 12 dead contents are found, %v", len(sums), err)
	}
	v := k.view()
	p := v.Progress
	p.Dead = 1_000_000
	if err := k.index.Commit(tenant, p, nil); err != nil {
		t.Fatal(err)
	}
	k.tidy(func(text string) bool { return strings.HasPrefix(text, "kept") })
	k.mustFind("secret")
	if n := k.view().Size(); n.Segments != 1 || n.Contents != 12 {
		t.Errorf("size = %+v, want one segment of 12 contents", n)
	}
	if sums, _, err := v.Find(Of(parse(t, "kept")), 100); err != nil || len(sums) != 12 {
		t.Errorf("a view from before finds %d, %v, want 12", len(sums), err)
	}
}

func TestTooManyAreNotNamed(t *testing.T) {
	k := newKit(t)
	k.add(1, "needle 1", "needle 2", "needle 3")
	if sums, complete, err := k.view().Find(Of(parse(t, "needle")), 2); err != nil || complete || len(sums) > 0 {
		t.Errorf("Find = %d, %v, %v, want none, incomplete", len(sums), complete, err)
	}
	if _, complete, _ := k.view().Find(nil, 100); complete {
		t.Error("a query that admits everything names contents")
	}
}

func TestContentsThatCannotBeTakenApartAreAlwaysFound(t *testing.T) {
	k := newKit(t)
	var dense strings.Builder // more different grams than are kept
	for i := range 1 << 17 {
		dense.WriteRune(rune(0x4e00 + i%20000))
		dense.WriteRune(rune(0xac00 + i%11000))
	}
	huge := strings.Repeat("filler\n", maxBytes/7+1)
	k.add(1, dense.String(), huge, "small")
	k.mustFind("needle", dense.String(), huge)
	k.batch.Begin([]Sum{{1}})
	if err := k.batch.Add(nil); err != nil {
		t.Fatal(err)
	}
	if err := k.index.Commit(tenant, Progress{Seq: 2}, k.batch); err != nil {
		t.Fatal(err)
	}
	if sums, _, err := k.view().Find(Of(parse(t, "needle")), 100); err != nil || len(sums) != 3 {
		t.Errorf("Find = %d, %v, want all three", len(sums), err)
	}
}

func TestReadErrorAddsNothing(t *testing.T) {
	b, broken := NewBatch(), errors.New("disk")
	b.Begin([]Sum{{1}, {2}})
	if err := b.Add(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("Add = %v", err)
	}
	if b.done != 0 || len(b.pairs) != 0 {
		t.Errorf("%d contents, %d pairs were added", b.done, len(b.pairs))
	}
	held, err := b.grams.of(strings.NewReader("abc"))
	if err != nil || len(held) != 1 {
		t.Errorf("after an error: %v, %v", held, err)
	}
}

// TestGramsDoNotDependOnHowTheyAreRead: a text comes in pieces that end anywhere.
func TestGramsDoNotDependOnHowTheyAreRead(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	g, small := newGrams(), newGrams()
	for range 200 {
		text := text(r)
		want, err := g.of(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		want = slices.Sorted(slices.Values(want))
		small.buffer = make([]byte, 7)
		got, err := small.of(iotest.OneByteReader(strings.NewReader(text)))
		if got = slices.Sorted(slices.Values(got)); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %d grams in pieces, %d at once, %v", text, len(got), len(want), err)
		}
	}
}

// TestEveryDamageIsNoticed cuts and changes each file of an index: what is left is right, or is to be made again.
func TestEveryDamageIsNoticed(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"torn":    func(b []byte) []byte { return b[:len(b)*2/3] },
		"empty":   func([]byte) []byte { return nil },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.add(1, "one needle")
			k.add(2, "two needles")
			k.index.Close()
			files, err := filepath.Glob(filepath.Join(k.dir, "*", "*"))
			if err != nil || len(files) != 3 {
				t.Fatalf("%v, %v, want two segments and a manifest", files, err)
			}
			for _, path := range files {
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				kept := copyDir(t, k.dir)
				if err := os.WriteFile(filepath.Join(kept, filepath.Base(filepath.Dir(path)), filepath.Base(path)), damage(slices.Clone(whole)), 0o600); err != nil {
					t.Fatal(err)
				}
				k.dir = kept
				k.open()
				if p := k.view().Progress; p != (Progress{}) {
					t.Errorf("%s: progress = %+v after damage, want none", filepath.Base(path), p)
				}
				k.add(3, "one needle", "two needles")
				k.mustFind("needle", "one needle", "two needles")
				k.reopen()
				k.mustFind("needle", "one needle", "two needles")
			}
		})
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestLeftoversAreRemoved(t *testing.T) {
	k := newKit(t)
	k.add(1, "one needle")
	dir := k.index.folder(tenant)
	k.index.Close()
	for _, name := range []string{"half.seg", manifestFile + ".next"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.open()
	k.mustFind("needle", "one needle")
	if all, err := os.ReadDir(dir); err != nil || len(all) != 2 {
		t.Errorf("%v, %v, want a segment and a manifest", all, err)
	}
}

// TestTenantsShareNothing: what one tenant has is neither found nor known for another, however many there are.
func TestTenantsShareNothing(t *testing.T) {
	k := newKit(t)
	name := func(i int) string { return fmt.Sprintf("tenant%d", i) }
	for i := range 3 * maxOpen {
		sums := k.batch.Begin([]Sum{{byte(i)}})
		if err := k.batch.Add(strings.NewReader(fmt.Sprintf("shared word, private%03d", i))); err != nil {
			t.Fatal(err)
		}
		if err := k.index.Commit(name(i), Progress{Seq: int64(i)}, k.batch); err != nil {
			t.Fatal(err)
		}
		_ = sums
	}
	for i := range 3 * maxOpen {
		v, err := k.index.View(name(i))
		if err != nil {
			t.Fatal(err)
		}
		for expr, want := range map[string]int{"shared": 1, fmt.Sprintf("private%03d", i): 1, fmt.Sprintf("private%03d", i+1): 0} {
			if sums, _, err := v.Find(Of(parse(t, expr)), 100); err != nil || len(sums) != want {
				t.Errorf("tenant %d: %s finds %d, %v, want %d", i, expr, len(sums), err, want)
			}
		}
		if has, err := v.Has(Sum{byte(i + 1)}); has || err != nil {
			t.Errorf("tenant %d has what is another's: %v", i, err)
		}
		if v.Seq != int64(i) {
			t.Errorf("tenant %d: sequence %d", i, v.Seq)
		}
		v.Close()
	}
	k.index.mu.Lock()
	defer k.index.mu.Unlock()
	if len(k.index.open) > maxOpen {
		t.Errorf("%d tenants are open, at most %d may be", len(k.index.open), maxOpen)
	}
}
