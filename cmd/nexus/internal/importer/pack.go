package importer

import (
	"context"
	"errors"
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
		if err := r.take(ctx, f, read); err != nil {
			return err
		}
	}
	return nil
}

// take reads one file and hands it on, or streams it when it is long.
func (r *run) take(ctx context.Context, f local, read chan<- loaded) error {
	clean, err := paths.Clean(f.to)
	if err != nil {
		r.fail(f.from, err)
		return nil
	}
	file, size, err := r.open(f.from)
	if err != nil {
		r.fail(f.from, err)
		return nil
	}
	defer file.Close()
	switch {
	case r.o.DryRun:
		r.p.Files.Add(1)
		r.p.Bytes.Add(size)
		return nil
	case size > batched:
		return r.stream(ctx, clean, file)
	}
	body, err := io.ReadAll(io.LimitReader(file, size)) // shorter when it became so meanwhile
	if err != nil {
		r.fail(f.from, err)
		return nil
	}
	return hand(ctx, read, loaded{clean, body})
}

// open opens a local file that is not too long.
func (r *run) open(name string) (f *os.File, size int64, err error) {
	if f, err = os.Open(name); err != nil {
		return nil, 0, err
	}
	at, err := f.Stat()
	if err == nil && at.Size() > r.o.MaxBytes {
		err = errs.New(errs.Invalid, "longer than %d bytes", r.o.MaxBytes)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, at.Size(), nil
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
