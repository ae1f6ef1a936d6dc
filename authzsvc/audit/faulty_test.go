package audit

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// faulty is a disk that counts what it is asked and can refuse any of it. A write that it refuses leaves half of its bytes, and
// powerCut takes what was not synced.
type faulty struct {
	osDisk
	mu     sync.Mutex
	calls  []string
	refuse func(call int, op string) error
	safe   map[string]int64 // bytes on disk, by name
	size   map[string]int64
}

func newFaulty() *faulty { return &faulty{safe: map[string]int64{}, size: map[string]int64{}} }

func (d *faulty) ask(op string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, op)
	if d.refuse == nil {
		return nil
	}
	if err := d.refuse(len(d.calls), op); err != nil {
		return &os.PathError{Op: op, Path: "disk", Err: err}
	}
	return nil
}

func (d *faulty) set(refuse func(call int, op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls, d.refuse = nil, refuse
}

// refusing refuses the named operations.
func refusing(with syscall.Errno, ops ...string) func(int, string) error {
	return func(_ int, op string) error {
		for _, o := range ops {
			if o == op {
				return with
			}
		}
		return nil
	}
}

func (d *faulty) count(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, c := range d.calls {
		if c == op {
			n++
		}
	}
	return n
}

func (d *faulty) Create(name string) (file, error) {
	if err := d.ask("create"); err != nil {
		return nil, err
	}
	f, err := d.osDisk.Create(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d, name}, nil
}

func (d *faulty) Append(name string) (file, error) {
	if err := d.ask("append"); err != nil {
		return nil, err
	}
	f, err := d.osDisk.Append(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.size[name] = info.Size()
	d.mu.Unlock()
	return &faultyFile{f, d, name}, nil
}

func (d *faulty) Rename(from, to string) error {
	if err := d.ask("rename"); err != nil {
		return err
	}
	return d.osDisk.Rename(from, to)
}

func (d *faulty) Remove(name string) error {
	if err := d.ask("remove"); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.safe, name)
	delete(d.size, name)
	d.mu.Unlock()
	return d.osDisk.Remove(name)
}

func (d *faulty) SyncDir(dir string) error {
	if err := d.ask("syncdir"); err != nil {
		return err
	}
	return nil
}

func (d *faulty) Reserve(name string, size int64) error {
	if err := d.ask("reserve"); err != nil {
		return err
	}
	return d.osDisk.Reserve(name, size)
}

// powerCut leaves of each segment what was synced, and keep bytes of what was not.
func (d *faulty) powerCut(t *testing.T, keep int64) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, size := range d.size {
		if _, err := os.Stat(name); err != nil {
			continue // renamed
		}
		if err := os.Truncate(name, min(size, d.safe[name]+keep)); err != nil {
			t.Fatal(err)
		}
	}
}

type faultyFile struct {
	file
	d    *faulty
	name string
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.ask("write"); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	n, err := f.file.Write(p)
	f.d.mu.Lock()
	f.d.size[f.name] += int64(n)
	f.d.mu.Unlock()
	return n, err
}

func (f *faultyFile) Sync() error {
	f.d.mu.Lock()
	size := f.d.size[f.name]
	f.d.mu.Unlock()
	if err := f.d.ask("sync"); err != nil {
		return err
	}
	f.d.mu.Lock()
	f.d.safe[f.name] = max(f.d.safe[f.name], size) // powerCut believes it: the real disk need not be asked
	f.d.mu.Unlock()
	return nil
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.d.ask("truncate"); err != nil {
		return err
	}
	f.d.mu.Lock()
	f.d.size[f.name] = size
	f.d.mu.Unlock()
	return f.file.Truncate(size)
}
