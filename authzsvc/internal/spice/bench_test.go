package spice_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// The shape is that of the design's figures, smaller: 20,000 files in a tree of branching 7 and depth 6, and 400 groups
// in chains of 4, each chain a viewer of one folder of the second level.
const (
	benchFiles  = 20000
	benchBranch = 7
	benchGroups = 400
	benchChain  = 4
)

func forest(b *testing.B, o spice.Options) *spicetest.Fixture {
	b.Helper()
	f := spicetest.Open(b, spicetest.NewDurable(b, sqlds.Options{}), schema.Text, o)
	written := []string{"file:acme/f0#direct_owner@tenant:acme#administer", "tenant:acme#admin@user:acme/root"}
	for i := 1; i < benchFiles; i++ {
		written = append(written, fmt.Sprintf("file:acme/f%d#parent@file:acme/f%d", i, (i-1)/benchBranch))
	}
	for g := range benchGroups {
		if g%benchChain == benchChain-1 {
			written = append(written, fmt.Sprintf("group:acme/g%d#member@user:acme/u%d", g, g/benchChain))
		} else {
			written = append(written, fmt.Sprintf("group:acme/g%d#member@group:acme/g%d#member", g, g+1))
		}
		if g%benchChain == 0 {
			written = append(written, fmt.Sprintf("file:acme/f%d#direct_viewer@group:acme/g%d#member", 8+g/benchChain%49, g))
		}
	}
	f.Touch(written...)
	return f
}

// leaf returns a file at the bottom, below f8 + n%49 of the second level.
func leaf(n int) authz.Ref {
	at := 8 + n%49
	for child := at; child < benchFiles; child = child*benchBranch + 1 + n%benchBranch {
		at = child
	}
	return file(fmt.Sprint("f", at))
}

func ask(b *testing.B, f *spicetest.Fixture, who func(i int) authz.Ref, want bool) {
	b.Helper()
	at := f.Now()
	b.ReportAllocs()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		answers, err := f.Check(b.Context(), at, []authz.Ref{who(i)}, []authz.Check{may("read", leaf(i))})
		if err != nil || answers[0].Allowed != want {
			b.Fatalf("%v, %v, want %t", answers, err, want)
		}
	}
}

func BenchmarkCheckInherited(b *testing.B) {
	ask(b, forest(b, spice.Options{}), func(i int) authz.Ref { return user(fmt.Sprint("u", i%49)) }, true)
}

func BenchmarkCheckDenied(b *testing.B) {
	ask(b, forest(b, spice.Options{}), func(i int) authz.Ref { return user("stranger") }, false)
}

// BenchmarkWays compares the two ways of asking, from which the constant few follows: with dispatch cached (nothing was
// written since the last question) and without (something always was).
func BenchmarkWays(b *testing.B) {
	for _, o := range []struct {
		name  string
		bytes int64
	}{{"warm", 0}, {"cold", -1}} {
		f := forest(b, spice.Options{DispatchCacheBytes: o.bytes})
		at := f.Now()
		type way func(context.Context, relations.Revision, authz.Ref, []authz.Check) ([]authz.Answer, error)
		for _, n := range []int{1, 2, 3, 4, 8, 100} {
			for name, ask := range map[string]way{"singly": f.Singly, "batch": f.Batches} {
				b.Run(fmt.Sprintf("%s/%d/%s", o.name, n, name), func(b *testing.B) {
					defer cpu(b)()
					for i := 0; b.Loop(); i++ {
						checks := make([]authz.Check, n)
						for j := range checks {
							checks[j] = may("read", leaf(i*n+j))
						}
						if _, err := ask(b.Context(), at, user("u3"), checks); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	f := forest(b, spice.Options{DispatchCacheBytes: -1})
	at := f.Now()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		if list, err := f.Expand(b.Context(), at, leaf(i), "read"); err != nil || len(list) < 3 {
			b.Fatalf("%v, %v", list, err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	f := forest(b, spice.Options{})
	at := f.Now()
	for _, full := range []bool{false, true} {
		b.Run(fmt.Sprintf("full=%t", full), func(b *testing.B) {
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				trace, err := f.Explain(b.Context(), at, user(fmt.Sprint("u", i%49)), may("read", leaf(i)), full)
				if err != nil || !trace.Allowed {
					b.Fatalf("%+v, %v", trace, err)
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	f := forest(b, spice.Options{DispatchCacheBytes: -1})
	at := f.Now()
	defer cpu(b)()
	for b.Loop() {
		if found, err := f.Lookup(b.Context(), at, user("u3"), "file", "read", "", 1000); err != nil || len(found.IDs) == 0 {
			b.Fatalf("%d, %v", len(found.IDs), err)
		}
	}
}

// cpu reports the processor time of a benchmark, which other work on the machine disturbs less than the wall clock.
func cpu(b *testing.B) (report func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64((used()-start).Microseconds())/float64(b.N), "cpu-µs/op") }
}
