package sqldb

import (
	"sync"
	"testing"

	"nexus/internal/sqldb/pgtest"
)

func BenchmarkTx(b *testing.B) {
	b.Run("sqlite-1", func(b *testing.B) { benchTx(b, openLite(b, LiteOptions{}), 1) })
	b.Run("sqlite-64", func(b *testing.B) { benchTx(b, openLite(b, LiteOptions{}), 64) })
	b.Run("postgres-without-fsync-1", func(b *testing.B) { benchTx(b, openPG(b, pgtest.Start(b)), 1) })
	b.Run("postgres-without-fsync-64", func(b *testing.B) { benchTx(b, openPG(b, pgtest.Start(b)), 64) })
}

func benchTx(b *testing.B, db DB, producers int) {
	next := make(chan int, producers)
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for k := range next {
				if err := put(b.Context(), db, k, "value"); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for k := range b.N {
		next <- k
	}
	close(next)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRow(b *testing.B) {
	l := openLite(b, LiteOptions{})
	mustPut(b, l, 1, "x")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var v string
			if err := l.Row(b.Context(), pairValue, 1).Scan(&v); err != nil {
				b.Error(err)
			}
		}
	})
}
