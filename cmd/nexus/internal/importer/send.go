package importer

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

// tries is how often a write is sent.
const tries = 7

// send writes batches until there are none left.
func (r *run) send(ctx context.Context, packed <-chan []loaded) error {
	for batch := range packed {
		if err := r.write(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// write sends a batch, and again those of its files that may succeed later.
func (r *run) write(ctx context.Context, batch []loaded) error {
	for try := 1; ; try++ {
		left, last := r.once(ctx, batch)
		if ctx.Err() != nil {
			return errs.New(errs.Canceled, "the import was cancelled").Because(ctx.Err())
		}
		if len(left) == 0 {
			return nil
		}
		if try == tries {
			return r.giveUp(left, last)
		}
		r.p.Retries.Add(int64(len(left)))
		if err := wait(ctx, r.o.firstWait<<(try-1)); err != nil {
			return err
		}
		batch = left
	}
}

// giveUp counts what could not be written. When the server is gone the import ends: nothing else would arrive either.
func (r *run) giveUp(left []loaded, err error) error {
	for _, f := range left {
		r.fail(f.to, err)
	}
	if errors.Is(err, errs.Unavailable) && errs.From(err).Reason == "" {
		return err
	}
	return nil
}

// once sends a batch and counts what was written. It returns what may be sent again, and the last error of those.
func (r *run) once(ctx context.Context, batch []loaded) (left []loaded, last error) {
	b := r.o.Client.Batch()
	answers := make([]*client.Pending[api.WriteResult], len(batch))
	for i, f := range batch {
		answers[i] = client.Add(b, api.Write, api.WriteParams{
			PathParams: api.PathParams{Path: f.to}, Content: f.body, IfNoneMatch: r.o.SkipExisting,
		})
	}
	_ = b.Do(ctx) // every call of the batch has the error, too
	for i, f := range batch {
		_, err := answers[i].Result()
		switch {
		case err == nil:
			r.p.Files.Add(1)
			r.p.Bytes.Add(int64(len(f.body)))
		case r.o.SkipExisting && errors.Is(err, errs.Exists):
			r.p.Existing.Add(1)
		case errs.KindOf(err).Retry():
			left, last = append(left, f), err
		default:
			r.fail(f.to, err)
		}
	}
	return left, last
}

// stream writes one long file, and again when it may succeed later.
func (r *run) stream(ctx context.Context, to string, f io.ReadSeeker) error {
	for try := 1; ; try++ {
		n, err := r.streamOnce(ctx, to, f)
		switch {
		case ctx.Err() != nil:
			return errs.New(errs.Canceled, "the import was cancelled").Because(ctx.Err())
		case err == nil:
			r.p.Files.Add(1)
			r.p.Bytes.Add(n)
			return nil
		case r.o.SkipExisting && errors.Is(err, errs.Exists):
			r.p.Existing.Add(1)
			return nil
		case !errs.KindOf(err).Retry():
			r.fail(to, err)
			return nil
		case try == tries:
			return r.giveUp([]loaded{{to: to}}, err)
		}
		r.p.Retries.Add(1)
		if err := wait(ctx, r.o.firstWait<<(try-1)); err != nil {
			return err
		}
	}
}

func (r *run) streamOnce(ctx context.Context, to string, f io.ReadSeeker) (int64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, errs.New(errs.Invalid, "it cannot be read").Because(err)
	}
	p := api.UploadParams{PathParams: api.PathParams{Path: to}, IfNoneMatch: r.o.SkipExisting}
	made, err := r.o.Client.Upload(ctx, p, f, -1) // a file that grows meanwhile has no length that can be told
	return made.Size, err
}

// wait waits about as long as d before another try: not exactly, or all who were refused at once would come back at once.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errs.New(errs.Canceled, "the import was cancelled").Because(ctx.Err())
	}
}
