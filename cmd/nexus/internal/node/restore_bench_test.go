package node

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"nexus/apiserver/api"
	"nexus/internal/sqldb"
)

// held notes how long the writer is held between BEGIN and COMMIT, by the statements that it sees.
type held struct {
	mu      sync.Mutex // guards what follows
	since   time.Time
	longest time.Duration
	count   int
}

func (h *held) statement(_ int, text string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch text {
	case "BEGIN IMMEDIATE":
		h.since = time.Now()
	case "COMMIT":
		h.longest, h.count = max(h.longest, time.Since(h.since)), h.count+1
	}
	return nil
}

// take returns the longest since it was last called, and how many there were.
func (h *held) take() (longest time.Duration, count int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	longest, count = h.longest, h.count
	h.longest, h.count = 0, 0
	return longest, count
}

// BenchmarkRestore brings back 4,000 files in 20 folders that were deleted, with all their relationships, and prints how long
// the writer was held at the most. A transaction is to hold it 50 ms at the most.
func BenchmarkRestore(b *testing.B) {
	const folders, files = 20, 4_000
	h := &held{}
	k := newKit(b, Config{Lite: sqldb.LiteOptions{BeforeStatement: h.statement}})
	var all errgroup.Group
	all.SetLimit(32)
	for i := range files {
		all.Go(func() error { k.write(k.admin, fmt.Sprintf("/w/d%d/f%d", i%folders, i), "x"); return nil })
	}
	_ = all.Wait() // what fails there ends the benchmark
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	for b.Loop() {
		b.StopTimer()
		for i := range folders {
			k.do(k.admin, "rmdir", fmt.Sprintf(`{"path":"/w/d%d","recursive":true}`, i))
		}
		h.take()
		b.StartTimer()
		r := k.do(k.admin, "workspace_restore", `{"workspace_path":"/w","snapshot_number":1}`).(api.RestoreResult)
		if r.Files != files+folders {
			b.Fatalf("restored %+v", r)
		}
		longest, count := h.take()
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest-tx")
		b.ReportMetric(float64(count), "tx")
		b.ReportMetric(float64(files)*float64(time.Second)/float64(b.Elapsed()), "files/s")
	}
}
