package spice_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/tuple"
	"golang.org/x/sync/errgroup"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/schema"
)

// Whoever has just been told that his grant or revocation is done must find it so, on every way of asking, whatever others
// read and write meanwhile.
func TestOwnWritesHoldUnderConcurrency(t *testing.T) {
	const writers, readers, rounds = 8, 64, 8
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), schema.Text, spice.Options{})
	f.Touch("file:acme/doc#parent@file:acme/dir")

	var writing sync.WaitGroup
	var stop atomic.Bool
	var asked atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for r := range readers {
		group.Go(func() error {
			for !stop.Load() && ctx.Err() == nil {
				if _, err := holds(ctx, f, user(fmt.Sprint("w", r%writers)), r%ways); err != nil {
					return err
				}
				asked.Add(1)
			}
			return nil
		})
	}
	writing.Add(writers)
	for w := range writers {
		group.Go(func() error {
			defer writing.Done()
			who := user(fmt.Sprint("w", w))
			for round := range rounds {
				for _, granted := range []bool{true, false} {
					if err := put(ctx, f, "file:acme/dir#direct_viewer@"+who.String(), granted); err != nil {
						return err
					}
					for way := range ways {
						got, err := holds(ctx, f, who, way)
						if err != nil {
							return err
						}
						if got != granted {
							return fmt.Errorf("round %d, asked in way %d: %s holds = %t after a completed write that makes it %t", round, way, who, got, granted)
						}
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		writing.Wait()
		stop.Store(true)
		return nil
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes, %d questions of others", writers*rounds*2, asked.Load())
}

// ways is how many ways of asking there are.
const ways = 3

// holds asks at the head whether who may read the document: alone, in a batch, or with an explanation.
func holds(ctx context.Context, f *spicetest.Fixture, who authz.Ref, way int) (bool, error) {
	head, err := f.Head(ctx)
	if err != nil {
		return false, err
	}
	question := may("read", file("doc"))
	if way == 2 {
		trace, err := f.Explain(ctx, head, who, question, false)
		return trace.Allowed, err
	}
	checks := []authz.Check{question}
	for i := range way * 9 {
		checks = append(checks, may("read", file(fmt.Sprint("other", i))))
	}
	answers, err := f.Check(ctx, head, []authz.Ref{who}, checks)
	if err != nil {
		return false, err
	}
	return answers[0].Allowed, nil
}

// put writes or deletes one relationship, and returns when that is done.
func put(ctx context.Context, f *spicetest.Fixture, relationship string, there bool) error {
	rel, err := tuple.Parse(relationship)
	if err != nil {
		return err
	}
	update := tuple.Delete(rel)
	if there {
		update = tuple.Touch(rel)
	}
	_, err = f.Store.ReadWriteTx(ctx, func(ctx context.Context, tx datastore.ReadWriteTransaction) error {
		return tx.WriteRelationships(ctx, []tuple.RelationshipUpdate{update})
	})
	return err
}

// hands is a clock that a test moves.
type hands struct{ now atomic.Int64 }

func (h *hands) Now() time.Time        { return time.Unix(0, h.now.Load()) }
func (h *hands) forth(d time.Duration) { h.now.Add(int64(d)) }

func TestExpiryIsExactThoughNothingIsWritten(t *testing.T) {
	var clock hands
	clock.now.Store(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{Clock: &clock}), schema.Text, spice.Options{})
	f.Touch("file:acme/doc#parent@file:acme/dir", "group:acme/eng#member@user:acme/alice")
	expires := clock.Now().Add(time.Minute)
	f.Touch("file:acme/dir#direct_viewer@group:acme/eng#member[expiration:" + expires.Format(time.RFC3339Nano) + "]")
	clock.forth(time.Second)
	during := f.Now()

	all := func(want bool, when string) {
		t.Helper()
		for range 3 { // the caches are warm from the second time on
			for way := range ways {
				got, err := holds(t.Context(), f, alice, way)
				if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("%s, asked in way %d: %t, want %t", when, way, got, want)
				}
			}
			list, err := f.Expand(t.Context(), f.Now(), file("doc"), "read")
			if err != nil || len(list) > 0 != want {
				t.Errorf("%s: expansion %v, %v", when, texts(list), err)
			}
		}
	}
	all(true, "a minute before")
	clock.forth(expires.Sub(clock.Now()) - time.Nanosecond)
	all(true, "a nanosecond before")
	clock.forth(time.Nanosecond)
	all(false, "at the expiry")
	clock.forth(time.Hour)
	all(false, "an hour later")
	if !f.HoldsAt(during, alice, may("read", file("doc"))).Allowed {
		t.Error("as of an earlier time the grant is gone")
	}
	past, err := f.Store.(*sqlds.Datastore).At(t.Context(), expires.Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if !f.HoldsAt(past, alice, may("read", file("doc"))).Allowed {
		t.Error("as of a second before the expiry the grant is gone")
	}
}
