package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tenant is one that most tests work in.
const tenant = "acme"

func newStore(t *testing.T, dir string, d disk) *Store {
	t.Helper()
	s, err := open(dir, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func idOf(tenant, body string) ID {
	sum := sha256.Sum256([]byte(body))
	return ID{tenant, hex.EncodeToString(sum[:])}
}

// put stores body as any caller does.
func put(s *Store, tenant, body string, trust bool) error {
	temp, err := s.New()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(temp, body); err != nil {
		return errors.Join(err, temp.Discard())
	}
	return temp.Keep(tenant, trust)
}

func mustPut(t *testing.T, s *Store, tenant, body string) ID {
	t.Helper()
	if err := put(s, tenant, body, true); err != nil {
		t.Fatalf("put: %v", err)
	}
	return idOf(tenant, body)
}

func read(s *Store, id ID, size int) (string, error) {
	r, err := s.Open(id, int64(size))
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	return string(body), err
}

func mustRead(t *testing.T, s *Store, tenant, body string) {
	t.Helper()
	if got, err := read(s, idOf(tenant, body), len(body)); err != nil || got != body {
		t.Errorf("read of %d bytes = %d bytes, %v", len(body), len(got), err)
	}
}

// mustBeWhole checks what holds whatever happened: nothing is half received, and what has a blob's name has its contents.
func mustBeWhole(t *testing.T, dir string) (blobs int) {
	t.Helper()
	if left, err := os.ReadDir(filepath.Join(dir, tempDir)); err != nil || len(left) > 0 {
		t.Errorf("%d files are left half received, %v", len(left), err)
	}
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(name, trashDir) {
			return err
		}
		body, err := os.ReadFile(name)
		if id := idOf(tenant, string(body)); err != nil || id.Hash != filepath.Base(name) {
			t.Errorf("%s holds other contents, %v", name, err)
		}
		blobs++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return blobs
}

// fateful is a disk that refuses from its nth step on: that one alone, or with dead all that follow, as in a process that
// ends there. With late the nth step is done before it is refused.
type fateful struct {
	osDisk
	n          int
	dead, late bool
	refusal    error

	mu    sync.Mutex // guards steps
	steps []string
}

func (d *fateful) step(name string, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, name)
	at := len(d.steps)
	if at < d.n || at > d.n && !d.dead || d.n == 0 {
		return do()
	}
	if at == d.n && d.late {
		if err := do(); err != nil {
			return err
		}
	}
	return d.refusal
}

func (d *fateful) Create(name string) (f file, err error) {
	err = d.step("create", func() (err error) { f, err = d.osDisk.Create(name); return err })
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	return &fatefulFile{f, d}, nil
}

func (d *fateful) Mkdir(name string) error {
	return d.step("mkdir", func() error { return d.osDisk.Mkdir(name) })
}

func (d *fateful) Rename(from, to string) error {
	return d.step("rename", func() error { return d.osDisk.Rename(from, to) })
}

func (d *fateful) Remove(name string) error {
	return d.step("remove", func() error { return d.osDisk.Remove(name) })
}

func (d *fateful) SyncDir(dir string) error {
	return d.step("sync folder", func() error { return d.osDisk.SyncDir(dir) })
}

type fatefulFile struct {
	file
	d *fateful
}

// Write tears what it is refused: half of it arrives.
func (f *fatefulFile) Write(p []byte) (n int, err error) {
	err = f.d.step("write", func() (err error) { n, err = f.file.Write(p); return err })
	if err != nil && n == 0 {
		n, _ = f.file.Write(p[:len(p)/2])
	}
	return n, err
}

func (f *fatefulFile) Sync() error { return f.d.step("sync", f.file.Sync) }

func (f *fatefulFile) Close() error {
	err := f.d.step("close", func() error { return nil })
	return errors.Join(err, f.file.Close())
}
