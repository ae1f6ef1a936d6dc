package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/ids"
	"nexus/storage"
)

// Rows about the size of the relationships, scaled to a million of them.
const (
	heapRow = "heap for a million relationships"
	diskRow = "disk for a million relationships"
)

func relationships(ctx context.Context, o Options) (rows []Row, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	heap, err := w.heap(), error(nil)
	disk, err := w.disk()
	if err != nil {
		return nil, err
	}
	o.begin(heapRow, o.Relationships)
	tenant := ids.Quote(storage.DefaultTenant)
	err = w.relate(ctx, o.Relationships, func(i int) relations.Relationship {
		return relations.Relationship{
			Resource: authz.Ref{Type: "file", ID: tenant + "/" + ids.New()}, Relation: "direct_viewer",
			Subject: authz.Ref{Type: "user", ID: fmt.Sprintf("%s/user%d", tenant, i%1000)},
		}
	})
	if err != nil {
		return nil, err
	}
	grown := w.heap() - heap
	after, err := w.disk()
	scale := 1e6 / float64(o.Relationships) / 1e6
	return []Row{
		{Name: heapRow, Measured: max(0, float64(grown)*scale), Budget: 50, Unit: "MB"},
		{Name: diskRow, Measured: float64(after-disk) * scale, Budget: 250, Unit: "MB"},
	}, err
}

// heap returns what is live after a collection.
func (w *world) heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// disk returns the size of the database file. Pages that are still in the log beside it are counted once they are moved,
// so the log is counted too.
func (w *world) disk() (int64, error) {
	var sum int64
	for _, name := range []string{node.DatabasePath(w.dir), node.DatabasePath(w.dir) + "-wal"} {
		at, err := os.Stat(filepath.Clean(name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += at.Size()
	}
	return sum, nil
}
