package blob

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestContentsComeBack(t *testing.T) {
	s := newStore(t, filepath.Join(t.TempDir(), "blobs"), osDisk{})
	for _, body := range []string{"", "x", strings.Repeat("a", VerifiedBelow-1), strings.Repeat("b", VerifiedBelow), strings.Repeat("c", 3<<20)} {
		mustPut(t, s, tenant, body)
		mustRead(t, s, tenant, body)
	}
	if n := mustBeWhole(t, s.Dir()); n != 5 {
		t.Errorf("%d blobs, want 5", n)
	}
}

func TestEveryRangeCanBeRead(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	for _, size := range []int{1000, VerifiedBelow + 1000} {
		body := strings.Repeat("0123456789", size/10)
		id := mustPut(t, s, tenant, body)
		r, err := s.Open(id, int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 7)
		if _, err := r.Seek(int64(len(body))-7, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, part); err != nil || string(part) != "3456789" {
			t.Errorf("the last bytes of %d are %q, %v", size, part, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEqualContentsAreKeptOnceInATenantAndApartFromOthers(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	for range 3 {
		mustPut(t, s, tenant, "same")
	}
	if n := mustBeWhole(t, s.Dir()); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
	if _, err := read(s, idOf("other", "same"), 4); !errors.Is(err, ErrMissing) {
		t.Errorf("another tenant reads %v, want missing", err)
	}
}

func TestTenantsNeverShareAFolder(t *testing.T) {
	folded := map[string]string{}
	for _, tenant := range []string{"acme", "ACME", "Acme", "a=20b", "a=20B", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 1024), "=2Etmp"} {
		folder := folderOf(tenant)
		lower := strings.ToLower(folder)
		if other, ok := folded[lower]; ok {
			t.Errorf("tenants %.20s and %.20s share folder %s", tenant, other, folder)
		}
		if folded[lower] = tenant; len(folder) > 255 || folder[0] == '.' || strings.ContainsAny(folder, "/\x00") {
			t.Errorf("folder of %.20s is %q", tenant, folder)
		}
	}
}

func TestOnlyADigestNamesABlob(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	good := idOf(tenant, "x").Hash
	for _, id := range []ID{{tenant, ""}, {tenant, "../../x"}, {tenant, strings.ToUpper(good)}, {tenant, good[:63]}, {tenant, good[:60] + "/../"}, {"", good}} {
		_, opened := s.Open(id, 1)
		_, sized := s.Size(id)
		for _, err := range []error{opened, sized, s.Trash(id), s.Restore(id), s.Purge(id), s.Verify(id, 1, calmly)} {
			if err == nil {
				t.Errorf("%q was taken for a blob", id)
			}
		}
	}
}

func calmly(int) error { return nil }

func TestChangedContentsAreFound(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	short, long := strings.Repeat("s", 5000), strings.Repeat("l", VerifiedBelow+5)
	for _, body := range []string{short, long} {
		id := mustPut(t, s, tenant, body)
		if err := s.Verify(id, int64(len(body)), calmly); err != nil {
			t.Errorf("Verify of %d bytes = %v", len(body), err)
		}
		if err := os.WriteFile(s.place(id), []byte("X"+body[1:]), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(id, int64(len(body)), calmly); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Verify of changed contents = %v, want corrupt", err)
		}
		if _, err := s.Open(id, int64(len(body))); len(body) < VerifiedBelow && !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open of changed short contents = %v, want corrupt", err)
		}
		if err := os.Truncate(s.place(id), 3); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(id, int64(len(body))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open of contents cut short = %v, want corrupt", err)
		}
		if err := os.Remove(s.place(id)); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(id, int64(len(body)), calmly); !errors.Is(err, ErrMissing) {
			t.Errorf("Verify of nothing = %v, want missing", err)
		}
	}
}

// TestContentsThatAreThereAreTrustedBySizeAlone: a wrong size is never taken, and neither is anything without trust.
func TestContentsThatAreThereAreTrustedBySizeAlone(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	id := mustPut(t, s, tenant, "contents")
	for _, c := range []struct {
		there string
		trust bool
		want  string
	}{{"cONTENTS", true, "cONTENTS"}, {"cONTENTS", false, "contents"}, {"cont", true, "contents"}} {
		if err := os.WriteFile(s.place(id), []byte(c.there), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := put(s, tenant, "contents", c.trust); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(s.place(id)); string(got) != c.want {
			t.Errorf("with %q there and trust %t: %q, want %q", c.there, c.trust, got, c.want)
		}
	}
}

func TestDiscardedContentsLeaveNothing(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	temp, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := temp.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(temp.Discard(), temp.Discard()); err != nil {
		t.Error(err)
	}
	if n := mustBeWhole(t, s.Dir()); n != 0 {
		t.Errorf("%d blobs, want none", n)
	}
}

func TestTidyLeavesWhatIsOnItsWay(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	temp, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(tempDir, "left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Tidy(time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("Tidy of an hour ago removed %d, %v", n, err)
	}
	if n, err := s.Tidy(time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("Tidy removed %d, %v, want what was left alone", n, err)
	}
	if err := temp.Keep(tenant, true); err != nil {
		t.Errorf("what was on its way: %v", err)
	}
}

func TestListGivesWhatIsInItsBucket(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	var want []string
	for _, body := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		want = append(want, mustPut(t, s, tenant, body).Hash)
	}
	mustPut(t, s, "other", "zz")
	if err := os.WriteFile(filepath.Dir(s.place(ID{tenant, want[0]}))+"/README", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range Buckets {
		found, err := s.List(tenant, string("0123456789abcdef"[n>>4])+string("0123456789abcdef"[n&15]))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			got = append(got, f.Hash)
			if f.Size != 1 || f.Modified.IsZero() {
				t.Errorf("found %+v", f)
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed %d blobs, want %d in order", len(got), len(want))
	}
}

func TestTrashIsAWayBackUntilItIsPurged(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	id := mustPut(t, s, tenant, "body")
	if err := s.Trash(id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Size(id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Size of what is in the trash: %v", err)
	}
	if got, err := s.Trashed(tenant); err != nil || !slices.Equal(got, []string{id.Hash}) {
		t.Errorf("Trashed = %q, %v", got, err)
	}
	if got, err := s.Trashed("acm"); err != nil || len(got) != 0 {
		t.Errorf("Trashed of another tenant = %q, %v", got, err)
	}
	if err := s.Restore(id); err != nil {
		t.Fatal(err)
	}
	mustRead(t, s, tenant, "body")
	if err := errors.Join(s.Trash(id), s.Purge(id)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Trashed(tenant); err != nil || len(got) != 0 {
		t.Errorf("Trashed after Purge = %q, %v", got, err)
	}
}

func TestWhatIsOpenGoesOnBeingReadable(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	body := strings.Repeat("x", VerifiedBelow)
	id := mustPut(t, s, tenant, body)
	r, err := s.Open(id, int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(s.Trash(id), s.Purge(id)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != body {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestWritersOfTheSameContentsAgree(t *testing.T) {
	s := newStore(t, t.TempDir(), osDisk{})
	body := strings.Repeat("same", 10_000)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 5 {
				if err := put(s, tenant, body, true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	mustRead(t, s, tenant, body)
	if n := mustBeWhole(t, s.Dir()); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
}
