package audit

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/internal/ids"
)

// Budgets: a prompt entry < 10 µs; durable ones share fsyncs, > 3,000 a second.

func BenchmarkEncode(b *testing.B) {
	d := typical()
	b.Run("hand", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf = decidedBody(buf[:0], d)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(d); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name    string
		workers int
		durable bool
		repeat  bool
	}{
		{"prompt-1", 1, false, false}, {"prompt-16", 16, false, false}, {"repeat-1", 1, false, true}, {"repeat-16", 16, false, true},
		{"durable-1", 1, true, false}, {"durable-64", 64, true, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := openLog(b, b.TempDir(), Options{ReserveBytes: -1})
			id := ids.New()
			var next atomic.Int64
			var running sync.WaitGroup
			b.ReportAllocs()
			used := cpu()
			b.ResetTimer()
			for range c.workers {
				running.Go(func() {
					d := typical()
					d.Durable = c.durable
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						d.ID = id
						if !c.repeat {
							d.Objects[0].Name = strconv.FormatInt(n, 10)
						}
						if err := l.Decide(ctx, d); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
			b.StopTimer()
			b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
			s := l.Stats()
			b.ReportMetric(float64(s.Syncs)/float64(b.N), "fsyncs/op")
			closeLog(b, l)
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	o := quick()
	l := openLog(b, dir, o)
	for n := range 50_000 {
		d := typical()
		d.Objects[0].Name = strconv.Itoa(n)
		decide(b, l, d)
	}
	closeLog(b, l)
	for b.Loop() {
		b.SetBytes(wantWhole(b, dir).Bytes)
	}
}

func BenchmarkFind(b *testing.B) {
	l := openLog(b, b.TempDir(), quick())
	var id string
	for n := range 50_000 {
		d := typical()
		d.Objects[0].Name = strconv.Itoa(n)
		d.ID = ids.New()
		decide(b, l, d)
		if n == 25_000 {
			id = d.ID
		}
	}
	for b.Loop() {
		found, err := l.Find(ctx, id)
		if err != nil || len(found) != 1 {
			b.Fatalf("Find = %d entries, %v", len(found), err)
		}
	}
}
