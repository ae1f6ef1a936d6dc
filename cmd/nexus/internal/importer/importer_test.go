package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/apiserver/client"
	"nexus/internal/errs"
)

func TestEveryRegularFileArrivesOnce(t *testing.T) {
	files := map[string]string{"empty": "", "a b.txt": "text", "bin": "\x00\xff", "d/e/f/deep": "x"}
	for i := range 300 {
		files[fmt.Sprintf("many/d%d/f%d", i%7, i)] = strings.Repeat("y", i)
	}
	dir := tree(t, files)
	if err := os.Symlink("bin", filepath.Join(dir, "link")); err != nil {
		t.Skip("no links here")
	}
	r := newReceiver(t)
	got, failed, err := r.run(t, Options{From: dir, To: "/to"})
	if err != nil || len(failed) > 0 {
		t.Fatalf("Run = %v, failed %v", err, failed)
	}
	want := map[string]string{}
	size := int64(0)
	for name, text := range files {
		want["/to/"+name] = text
		size += int64(len(text))
	}
	if !maps.Equal(r.files, want) {
		t.Errorf("%d files arrived, want %d as they are", len(r.files), len(want))
	}
	for name, tries := range r.tries {
		if tries != 1 {
			t.Errorf("%s was sent %d times", name, tries)
		}
	}
	if got.Files != int64(len(files)) || got.Bytes != size || got.Irregular != 1 || got.Failed != 0 || got.Retries != 0 {
		t.Errorf("Result = %+v", got)
	}
}

func TestAFolderIsMadeBeforeItsFilesCome(t *testing.T) {
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("a/b%d/f%d", i%3, i)] = "x"
		files[fmt.Sprintf("a/g%d", i)] = "x"
	}
	r := newReceiver(t)
	if _, failed, err := r.run(t, Options{From: tree(t, files), To: "/"}); err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	made := map[string]int{} // the batch in which a folder's first file came
	for i, batch := range r.batches {
		for _, name := range batch {
			folder := path.Dir(name)
			if first, ok := made[folder]; !ok {
				made[folder] = i
			} else if first == i {
				t.Fatalf("%s came in the batch that makes its folder", name)
			}
		}
	}
}

func TestBatchesAreBounded(t *testing.T) {
	files := map[string]string{"huge": strings.Repeat("h", 3*batchBytes)}
	for i := range 500 {
		files[fmt.Sprintf("small/f%d", i)] = "x"
		files[fmt.Sprintf("large/f%d", i%50)] = strings.Repeat("l", 100_000)
	}
	r := newReceiver(t)
	if _, failed, err := r.run(t, Options{From: tree(t, files), To: "/"}); err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	for _, batch := range r.batches {
		size := 0
		for _, name := range batch {
			size += len(r.files[name]) * 4 / 3
		}
		if len(batch) > batchCalls || size > batchBytes && len(batch) > 1 {
			t.Errorf("a batch of %d calls and %d bytes", len(batch), size)
		}
	}
	if !slices.Equal(r.streams, []string{"/huge"}) || r.files["/huge"] != files["huge"] {
		t.Errorf("streamed are %q, want the file that is larger than a batch", r.streams)
	}
}

func TestLongFilesAreSentAgainToldAndLeftAloneAsOthersAre(t *testing.T) {
	r := newReceiver(t)
	r.files["/old"] = "theirs"
	r.answer = func(w write, try int) string {
		switch {
		case w.Path == "/busy" && try < 3:
			return "conflict"
		case w.Path == "/no":
			return "denied"
		}
		return ""
	}
	long := strings.Repeat("l", batched+1)
	files := map[string]string{"old": long, "busy": long + "b", "no": long, "folder/yes": long, "short": "s"}
	got, failed, err := r.run(t, Options{From: tree(t, files), To: "/", SkipExisting: true})
	if err != nil || got.Files != 3 || got.Existing != 1 || got.Failed != 1 || got.Retries != 2 || got.Bytes != int64(2*len(long)+2) {
		t.Errorf("Run = %+v, %v", got, err)
	}
	if r.files["/old"] != "theirs" || r.files["/busy"] != long+"b" || r.files["/folder/yes"] != long || failed["/no"] != "no: denied" {
		t.Errorf("old %.10q, busy %d bytes, failed %v", r.files["/old"], len(r.files["/busy"]), failed)
	}
}

func TestWhatMaySucceedLaterIsSentAgain(t *testing.T) {
	r := newReceiver(t)
	r.answer = func(w write, try int) string {
		switch {
		case w.Path == "/limited" && try < 3:
			return "exhausted"
		case w.Path == "/stale" && try == 1:
			return "conflict"
		}
		return ""
	}
	got, failed, err := r.run(t, Options{From: tree(t, map[string]string{"limited": "a", "stale": "b", "plain": "c"}), To: "/"})
	if err != nil || len(failed) > 0 || got.Files != 3 || got.Retries != 3 {
		t.Errorf("Run = %+v, %v, failed %v", got, err, failed)
	}
	if r.tries["/plain"] != 1 || r.tries["/limited"] != 3 || r.tries["/stale"] != 2 {
		t.Errorf("tries = %v", r.tries)
	}
}

func TestWhatIsRefusedIsToldAndTheRestGoesOn(t *testing.T) {
	r := newReceiver(t)
	r.answer = func(w write, _ int) string {
		if w.Path == "/no" {
			return "denied"
		}
		return ""
	}
	dir := tree(t, map[string]string{"no": "a", "yes": "b", "long": strings.Repeat("l", 100)})
	got, failed, err := r.run(t, Options{From: dir, To: "/", MaxBytes: 99})
	if err != nil || got.Files != 1 || got.Failed != 2 || got.Retries != 0 {
		t.Errorf("Run = %+v, %v", got, err)
	}
	if failed["/no"] != "no: denied" || !strings.Contains(failed[filepath.Join(dir, "long")], "longer than 99 bytes") {
		t.Errorf("failed = %v", failed)
	}
}

func TestExistingFilesAreLeftAlone(t *testing.T) {
	r := newReceiver(t)
	r.files["/old"] = "theirs"
	got, failed, err := r.run(t, Options{From: tree(t, map[string]string{"old": "ours", "new": "ours"}), To: "/", SkipExisting: true})
	if err != nil || len(failed) > 0 || got.Files != 1 || got.Existing != 1 || r.files["/old"] != "theirs" || r.files["/new"] != "ours" {
		t.Errorf("Run = %+v, %v, failed %v; files %v", got, err, failed, r.files)
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	r := newReceiver(t)
	got, _, err := r.run(t, Options{From: tree(t, map[string]string{"a": "aa", "d/b": "b"}), To: "/", DryRun: true})
	if err != nil || got.Files != 2 || got.Bytes != 3 || len(r.batches) != 0 {
		t.Errorf("Run = %+v, %v, %d batches", got, err, len(r.batches))
	}
}

func TestImportEndsWhenTheServerIsGone(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1", "key")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprint("f", i)] = "x"
	}
	told := 0
	_, err = Run(t.Context(), Options{Client: c, From: tree(t, files), To: "/", firstWait: 1, Failed: func(string, error) { told++ }})
	if !errors.Is(err, errs.Unavailable) || told == 0 || told >= 1000 {
		t.Errorf("Run = %v after telling of %d files, want unavailable before all were tried", err, told)
	}
}

func TestCancelledImportEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t)
	r.answer = func(write, int) string { cancel(); return "exhausted" }
	c, err := client.New(r.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := Run(ctx, Options{Client: c, From: tree(t, map[string]string{"a": "a"}), To: "/"}); !errors.Is(err, errs.Canceled) {
		t.Errorf("Run = %v, want canceled", err)
	}
}

func TestFolderThatIsNotThereIsRefused(t *testing.T) {
	r := newReceiver(t)
	if _, _, err := r.run(t, Options{From: filepath.Join(t.TempDir(), "none"), To: "/"}); !errors.Is(err, errs.Invalid) {
		t.Errorf("Run = %v, want invalid", err)
	}
}
