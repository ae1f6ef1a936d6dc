package importer

import (
	"context"
	"io"
	"os"
	"sync"

	"nexus/internal/errs"
	"nexus/internal/paths"
)

// loaded is a file with its contents.
type loaded struct {
	to   string
	body []byte
}

// failures tells what befell single files, one at a time.
type failures struct{ mu sync.Mutex }

func (r *run) fail(path string, err error) {
	r.p.Failed.Add(1)
	if r.o.Failed == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Failed(path, err)
}

func (r *run) read(ctx context.Context, found <-chan local, read chan<- loaded) error {
	for f := range found {
		clean, err := paths.Clean(f.to)
		if err != nil {
			r.fail(f.from, err)
			continue
		}
		body, err := contents(f.from, r.o.MaxBytes)
		if err != nil {
			r.fail(f.from, err)
			continue
		}
		if r.o.DryRun {
			r.p.Files.Add(1)
			r.p.Bytes.Add(int64(len(body)))
			continue
		}
		if err := hand(ctx, read, loaded{clean, body}); err != nil {
			return err
		}
	}
	return nil
}

// contents reads a file of at most limit bytes.
func contents(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if at.Size() > limit {
		return nil, errs.New(errs.Invalid, "longer than %d bytes, which is what one write may carry", limit)
	}
	body := make([]byte, at.Size())
	n, err := io.ReadFull(f, body)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return body[:n], nil // it became shorter while it was read
	}
	return body, err
}

// pack joins files into batches.
func pack(ctx context.Context, read <-chan loaded, packed chan<- []loaded) error {
	var batch []loaded
	size := 0
	for f := range read {
		travels := len(f.body)*4/3 + len(f.to) + 128
		if len(batch) > 0 && (len(batch) == batchCalls || size+travels > batchBytes) {
			if err := hand(ctx, packed, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, f), size+travels
	}
	if len(batch) == 0 {
		return nil
	}
	return hand(ctx, packed, batch)
}
