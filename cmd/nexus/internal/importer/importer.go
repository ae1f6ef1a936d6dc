// Package importer copies a local tree into a server, as any client could: each file is an ordinary write with its own
// decision, record, version and relationships; many travel in one batch. It deletes nothing, and follows no link. To carry more
// of a file over, read it in pack.go and add it to the write.
package importer

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"nexus/apiserver/client"
	"nexus/internal/errs"
	"nexus/internal/paths"
)

// Options say what is copied, and how. Client, From and To are required.
type Options struct {
	Client       *client.Client
	From         string // local folder, or one file
	To           string // folder on the server
	SkipExisting bool   // leave alone what the server has
	DryRun       bool   // read everything, send nothing
	MaxBytes     int64  // longest file; 0: any
	InFlight     int    // batches on their way at once; 0: 4
	// Failed gets each file that was not written, and why. It is called by one goroutine at a time.
	Failed func(path string, err error)
	// Counted, when set, points to where the import stands, for a display that runs beside it.
	Counted *Progress

	firstWait time.Duration // before the second try; 0: 50 ms
}

// Progress is where an import stands. Its fields only grow.
type Progress struct {
	Found, Files, Bytes, Existing, Irregular, Failed, Retries atomic.Int64
}

// Result sums an import up.
type Result struct {
	Files     int64   `json:"files"`     // written; in a dry run: that would be
	Bytes     int64   `json:"bytes"`     // in them
	Existing  int64   `json:"existing"`  // left alone, because the server has them
	Irregular int64   `json:"irregular"` // left out: links, devices, sockets, pipes
	Failed    int64   `json:"failed"`
	Retries   int64   `json:"retries"` // writes that were sent again
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"files_per_second"`
}

// Limits of a batch. More calls in one save little, and the memory of a batch is taken twice on either side.
const (
	batchCalls = 64
	batchBytes = 2 << 20
	batched    = 1 << 20 // longest file that travels in a batch; others are streamed, each by itself
	readers    = 4
)

// Run copies. Its error is about the import as a whole; what befell single files is told to Failed and counted.
func Run(ctx context.Context, o Options) (Result, error) {
	to, err := paths.Clean(o.To)
	if err != nil {
		return Result{}, err
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = math.MaxInt64
	}
	if o.InFlight <= 0 {
		o.InFlight = 4
	}
	if o.firstWait <= 0 {
		o.firstWait = 50 * time.Millisecond
	}
	if o.Counted == nil {
		o.Counted = new(Progress)
	}
	r := &run{o: o, to: to, p: o.Counted}
	began := time.Now()
	err = r.copy(ctx)
	return r.result(time.Since(began)), err
}

// run is one import.
type run struct {
	o    Options
	to   string
	root string
	p    *Progress
	failures
}

// copy sends the tree in waves: level by level one file of each folder, then everything else. A file that is decided while
// another makes its folder is decided again, so a folder whose files all came at once would cost every one of them twice.
func (r *run) copy(ctx context.Context) error {
	first, err := r.survey(ctx)
	if err != nil {
		return err
	}
	for _, level := range first.levels() {
		if err := r.wave(ctx, func(ctx context.Context, found chan<- local) error { return handAll(ctx, found, level) }); err != nil {
			return err
		}
	}
	return r.wave(ctx, func(ctx context.Context, found chan<- local) error { return r.others(ctx, first, found) })
}

// wave reads, packs and sends what feed hands on, and returns when all has arrived.
func (r *run) wave(ctx context.Context, feed func(context.Context, chan<- local) error) error {
	g, ctx := errgroup.WithContext(ctx)
	found, read, packed := make(chan local, 256), make(chan loaded, batchCalls), make(chan []loaded, 1)
	g.Go(func() error {
		defer close(found)
		return feed(ctx, found)
	})
	var reading errgroup.Group
	for range readers {
		reading.Go(func() error { return r.read(ctx, found, read) })
	}
	g.Go(func() error {
		defer close(read)
		return reading.Wait()
	})
	g.Go(func() error {
		defer close(packed)
		return pack(ctx, read, packed)
	})
	for range r.o.InFlight {
		g.Go(func() error { return r.send(ctx, packed) })
	}
	return g.Wait()
}

func (r *run) result(took time.Duration) Result {
	p := r.p
	out := Result{
		Files: p.Files.Load(), Bytes: p.Bytes.Load(), Existing: p.Existing.Load(), Irregular: p.Irregular.Load(),
		Failed: p.Failed.Load(), Retries: p.Retries.Load(), Seconds: took.Seconds(),
	}
	if out.Seconds > 0 {
		out.PerSecond = float64(out.Files) / out.Seconds
	}
	return out
}

func handAll[T any](ctx context.Context, to chan<- T, all []T) error {
	for _, v := range all {
		if err := hand(ctx, to, v); err != nil {
			return err
		}
	}
	return nil
}

// hand gives v on, unless ctx ends before anybody takes it.
func hand[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return errs.New(errs.Canceled, "the import was cancelled").Because(ctx.Err())
	}
}
