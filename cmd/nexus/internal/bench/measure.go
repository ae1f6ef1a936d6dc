package bench

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds of a median: so many samples, unless they take longer than a row may.
const (
	warmups = 20
	samples = 2_000
)

// median calls f until there are enough samples or the time is up, and returns the time that half of the calls stay below.
func median(o Options, f func(i int) error) (time.Duration, error) {
	for i := range warmups {
		if err := f(i); err != nil {
			return 0, err
		}
	}
	return timed(o, samples, func(i int) error { return f(warmups + i) })
}

// timed is median without warming up, for what is new each time.
func timed(o Options, most int, f func(i int) error) (time.Duration, error) {
	took := make([]time.Duration, 0, most)
	for end := time.Now().Add(o.Each); len(took) < most && (len(took) == 0 || time.Now().Before(end)); {
		began := time.Now()
		if err := f(len(took)); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// rate returns how often a second workers can call f side by side. i counts all calls.
func rate(ctx context.Context, o Options, workers int, f func(i int) error) (float64, error) {
	var calls atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range workers {
		g.Go(func() error {
			for ctx.Err() == nil && time.Since(began) < o.Each {
				if err := f(int(calls.Add(1))); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	return float64(calls.Load()) / time.Since(began).Seconds(), err
}

// all calls f for 0 to n-1, workers at a time.
func all(ctx context.Context, workers, n int, f func(i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
