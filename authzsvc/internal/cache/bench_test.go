package cache_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
)

// deep returns a file six folders down, readable by ann through two groups.
func deep(h *house) authz.Check {
	texts := []string{
		"tenant:acme#admin@user:acme/root", "file:acme/r#direct_owner@tenant:acme#administer", "file:acme/e1#parent@file:acme/r",
		"group:acme/in#member@" + ann, "group:acme/out#member@group:acme/in#member", "file:acme/e1#direct_viewer@group:acme/out#member",
	}
	for i := 2; i <= 6; i++ {
		texts = append(texts, fmt.Sprintf("file:acme/e%d#parent@file:acme/e%d", i, i-1))
	}
	h.write(texts...)
	return check("file:acme/e6#read")
}

func BenchmarkHit(b *testing.B) {
	h := open(b, cache.Options{})
	c, who, ctx := []authz.Check{deep(h)}, []authz.Ref{ref(ann)}, context.Background()
	one := func(b *testing.B) {
		if f, err := h.cache.Ask(ctx, who, c); err != nil || !f.Answers[0].Allowed {
			b.Fatal(f, err)
		}
	}
	one(b)
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one(b)
		}
	})
	b.Run("8", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(4) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if f, err := h.cache.Ask(ctx, who, c); err != nil || !f.Answers[0].Cached {
					b.Error(f, err)
				}
			}
		})
	})
}

// BenchmarkMiss asks about a file whose folders are known, each time another one's right.
func BenchmarkMiss(b *testing.B) {
	h := open(b, cache.Options{})
	c := []authz.Check{deep(h)}
	n := 0
	for b.Loop() {
		n++
		who := []authz.Ref{ref(fmt.Sprintf("user:acme/n%d", n))}
		if f, err := h.cache.Ask(context.Background(), who, c); err != nil || f.Answers[0].Cached {
			b.Fatal(f, err)
		}
	}
}

func BenchmarkHold(b *testing.B) {
	h := open(b, cache.Options{})
	f, err := h.cache.Ask(context.Background(), []authz.Ref{ref(ann)}, []authz.Check{deep(h)})
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if !f.Stamps.Hold() {
			b.Fatal("does not hold")
		}
	}
}

// BenchmarkTouched is what a writer pays for one new file, under his lock.
func BenchmarkTouched(b *testing.B) {
	h := open(b, cache.Options{})
	deep(h)
	rev, err := h.reader.Head(context.Background())
	must(b, err)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		rev++
		h.cache.Touched(rev, []authz.Ref{{Type: "file", ID: fmt.Sprintf("acme/n%d", n)}})
	}
}

// BenchmarkSift lists 10,000 files of one folder; bob sees 1,000 of them, one by one. The cache is a new one each
// time.
func BenchmarkSift(b *testing.B) {
	const rows, visible = 10_000, 1_000
	build := func(b *testing.B) (*house, []authz.Member) {
		h := open(b, cache.Options{})
		h.write("tenant:acme#admin@user:acme/root", "file:acme/r#direct_owner@tenant:acme#administer", "file:acme/p#parent@file:acme/r")
		members := make([]authz.Member, rows)
		var texts []string
		for i := range rows {
			id := fmt.Sprintf("file:acme/0%025d", i)
			members[i] = authz.Member{Object: ref(id), In: ref("file:acme/p")}
			texts = append(texts, id+"#parent@file:acme/p", id+"#direct_owner@user:acme/maker")
			if i%(rows/visible) == 0 {
				texts = append(texts, id+"#direct_viewer@"+bob)
			}
			if len(texts) > 900 || i == rows-1 {
				h.write(texts...)
				texts = texts[:0]
			}
		}
		return h, members
	}
	for _, c := range []struct {
		name, who string
		want      int
	}{
		{"sees 1000", bob, visible},
		{"sees none", "user:acme/eve", 0},
		{"made all", "user:acme/maker", rows},
		{"sees all by the folder", "user:acme/root", rows},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, members := build(b)
			for b.Loop() {
				b.StopTimer()
				h.cold(cache.Options{})
				b.StartTimer()
				if n, _ := h.sift(c.who, "read", members); n != c.want {
					b.Fatalf("%d pass, want %d", n, c.want)
				}
			}
		})
	}
}

// BenchmarkHitsUnderWrites asks about 500 files while others create 500 a second, and prints the share of hits.
func BenchmarkHitsUnderWrites(b *testing.B) {
	h := open(b, cache.Options{})
	deep(h)
	var texts []string
	for i := range 500 {
		texts = append(texts, fmt.Sprintf("file:acme/w%d#parent@file:acme/e%d", i, 1+i%6))
	}
	h.write(texts...)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var written atomic.Int64
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for range 10 {
				n := written.Add(1)
				h.write(fmt.Sprintf("file:acme/new%d#parent@file:acme/e3", n), fmt.Sprintf("file:acme/new%d#direct_owner@%s", n, ann))
			}
		}
	}()
	start, before, n := time.Now(), h.cache.Stats(), 0
	for b.Loop() {
		n++
		f, err := h.cache.Ask(context.Background(), []authz.Ref{ref(ann)}, []authz.Check{check(fmt.Sprintf("file:acme/w%d#read", n*7919%500))})
		if err != nil || !f.Answers[0].Allowed {
			b.Fatal(f, err)
		}
	}
	took := time.Since(start)
	close(stop)
	<-stopped
	s := h.cache.Stats()
	hits, misses := s.Hits-before.Hits, s.Misses-before.Misses
	b.ReportMetric(100*float64(hits)/float64(hits+misses), "%hits")
	b.ReportMetric(float64(written.Load())/took.Seconds(), "files/s")
}
