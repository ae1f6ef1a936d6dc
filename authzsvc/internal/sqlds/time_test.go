package sqlds

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// Nothing is written between the reads: only the clock moves, and every way of reading has been used, and so cached, before.
func TestExpiryIsExactWithoutAnyWrite(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	expiry := clock.Now().Add(time.Minute)
	mustWrite(t, d, create(until(expiry, viewer("f", "ann"))), create(viewer("f", "bob")))
	before := headOf(t, d)
	count := func(at relations.Revision) string {
		rev := DatastoreRevision(at)
		return fmt.Sprint(len(read(t, d, at, onFile("f"))), len(read(t, d, at, ofUser("ann"))),
			forwardCount(t, d, rev, "f"), reverseCount(t, d, rev, "ann"))
	}
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{clock.Now(), "2 1 2 1"},
		{expiry.Add(-1), "2 1 2 1"},
		{expiry, "1 0 1 0"},
		{expiry.Add(time.Hour), "1 0 1 0"},
	} {
		clock.at.Store(c.at.UnixNano())
		for range 2 {
			if got := count(headOf(t, d)); got != c.want {
				t.Errorf("at %s there is %s, want %s", c.at, got, c.want)
			}
		}
	}
	if got := count(before); got != "2 1 2 1" {
		t.Errorf("as of before the expiry there is %s", got)
	}
	last, err := d.At(context.Background(), expiry.Add(-1))
	if err != nil {
		t.Fatal(err)
	}
	if got := count(last); got != "2 1 2 1" {
		t.Errorf("as of a nanosecond before the expiry there is %s", got)
	}
}

func forwardCount(tb testing.TB, d *Datastore, at datastore.Revision, file string) int {
	tb.Helper()
	found, err := d.SnapshotReader(at).QueryRelationships(context.Background(), datastore.RelationshipsFilter{
		OptionalResourceType: "file", OptionalResourceIds: []string{"acme/" + file}, OptionalResourceRelation: "direct_viewer",
	})
	return countAll(tb, found, err)
}

func reverseCount(tb testing.TB, d *Datastore, at datastore.Revision, user string) int {
	tb.Helper()
	found, err := d.SnapshotReader(at).ReverseQueryRelationships(context.Background(), datastore.SubjectsFilter{
		SubjectType: "user", OptionalSubjectIds: []string{"acme/" + user},
	})
	return countAll(tb, found, err)
}

func countAll(tb testing.TB, found datastore.RelationshipIterator, err error) int {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	all, err := datastore.IteratorToSlice(found)
	if err != nil {
		tb.Fatal(err)
	}
	return len(all)
}

func TestReadingAsOfAnEarlierTime(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	ctx := context.Background()
	var times []time.Time
	for i := range 5 {
		clock.add(time.Second)
		mustWrite(t, d, create(viewer("f", fmt.Sprint("u", i))))
		times = append(times, clock.add(time.Second))
	}
	for i, at := range times {
		r, err := d.At(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(read(t, d, r, onFile("f"))); got != i+1 {
			t.Errorf("as of time %d there are %d viewers, want %d", i, got, i+1)
		}
	}
	if _, err := d.At(ctx, clock.Now().Add(time.Second)); !errors.Is(err, errs.Invalid) {
		t.Errorf("At(future) = %v, want invalid", err)
	}
	if _, err := d.At(ctx, clock.Now().Add(-31*24*time.Hour)); !errors.Is(err, errs.Precondition) {
		t.Errorf("At(before the window) = %v, want precondition", err)
	}
}

// A revision between the head and the present is made immutable before it is read: nothing commits at or before it afterwards.
func TestPresentIsImmutableOnceRead(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	now := clock.add(time.Minute)
	r, err := d.At(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, r, onFile("f")); len(got) != 0 {
		t.Fatalf("there is %v", got)
	}
	mustWrite(t, d, create(viewer("f", "ann")))
	if got := headOf(t, d); got <= r {
		t.Errorf("the write has revision %d, not after %d", got, r)
	}
	if got := read(t, d, r, onFile("f")); len(got) != 0 {
		t.Errorf("the past has become %v", got)
	}
}

// While a closure holds a revision, an expiry before it takes effect at once and one after it waits for the commit.
func TestHeadStaysBelowARunningBatch(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	start := clock.Now()
	mustWrite(t, d, create(until(start.Add(10), viewer("f", "ann"))), create(until(start.Add(30), viewer("f", "bob"))))
	clock.at.Store(start.Add(20).UnixNano())
	var within relations.Revision
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		if err := d.Writer().Write(ctx, tx, create(viewer("f", "cid"))); err != nil {
			return err
		}
		within = headOf(t, d)
		clock.at.Store(start.Add(40).UnixNano())
		s, wait, err := d.step(ctx, int64(within))
		if s != nil || wait == nil {
			t.Errorf("with an expiry due, the head is given as %v over an open write", s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := within; int64(got) >= start.Add(20).UnixNano() {
		t.Errorf("within the write the head is %d", got-relations.Revision(start.UnixNano()))
	}
	if got := read(t, d, within, onFile("f")); len(got) != 1 {
		t.Errorf("within the write there was %v, want bob alone", got)
	}
	after := headOf(t, d)
	if got := read(t, d, after, onFile("f")); len(got) != 1 || after < relations.Revision(start.Add(40).UnixNano()) {
		t.Errorf("at %d there is %v, want cid alone", after, got)
	}
}

func TestRevisionsAreNeverGivenOutTwice(t *testing.T) {
	d := productStore(t, Options{Clock: newHandClock()}) // which stands still
	var first, second int64
	fail := errors.New("no")
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		first = j.rev
		return errors.Join(err, fail)
	})
	if !errors.Is(err, fail) {
		t.Fatal(err)
	}
	err = d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		second = j.rev
		return err
	})
	if err != nil || second <= first {
		t.Errorf("after a rollback of %d came %d, %v", first, second, err)
	}
}

func TestReopeningKeepsHeadAndIdentity(t *testing.T) {
	path := t.TempDir() + "/nexus.db"
	clock := newHandClock()
	d, err := openBoth(path, Options{Clock: clock, Unchecked: true}, sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSchema(d, "use expiration\ndefinition user {}\ndefinition file {\n\trelation direct_viewer: user | user with expiration\n}"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, d, create(until(clock.Now().Add(time.Second), viewer("f", "ann"))))
	clock.add(time.Minute)
	was, uid := headOf(t, d), d.uid // moved by the expiry alone
	if err := closeBoth(d); err != nil {
		t.Fatal(err)
	}
	clock.add(-time.Hour)
	d = openFile(t, path, Options{Clock: clock}, sqldb.LiteOptions{})
	if d.uid != uid {
		t.Errorf("identity was %s, is %s", uid, d.uid)
	}
	if err := d.CheckRevision(context.Background(), DatastoreRevision(was)); err != nil {
		t.Errorf("the head of before is refused: %v", err)
	}
	mustWrite(t, d, create(viewer("f", "bob")))
	if got := headOf(t, d); got <= was {
		t.Errorf("with the clock set back the head went from %d to %d", was, got)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	path := t.TempDir() + "/nexus.db"
	openFile(t, path, Options{}, sqldb.LiteOptions{})
	if _, err := openBoth(path, Options{}, sqldb.LiteOptions{}); !errors.Is(err, errs.Unavailable) {
		t.Errorf("second open = %v, want unavailable", err)
	}
}

func TestCollectionKeepsTheWindow(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock, Window: time.Hour})
	start := clock.Now()
	mustWrite(t, d, create(viewer("f", "old")), create(until(start.Add(time.Minute), viewer("f", "brief"))), create(viewer("f", "kept")))
	first := headOf(t, d)
	clock.add(10 * time.Minute)
	mustWrite(t, d, remove(viewer("f", "old")))
	clock.add(55 * time.Minute)
	mustWrite(t, d, create(viewer("f", "new")), remove(viewer("f", "kept")))
	clock.add(30 * time.Minute)
	read(t, d, headOf(t, d), onFile("f"))
	if err := datastore.RunGarbageCollection(context.Background(), d, time.Hour); err != nil {
		t.Fatal(err)
	}
	var left int
	d.db.Readers().QueryRow("SELECT count(*) FROM rel").Scan(&left)
	if left != 2 {
		t.Errorf("%d versions are left, want kept and new", left)
	}
	if err := d.CheckRevision(context.Background(), DatastoreRevision(first)); err == nil {
		t.Error("a revision before the window is still accepted")
	}
	err := d.Reader().Read(context.Background(), first, onFile("f"), func(relations.Relationship) bool { return true })
	if !errors.Is(err, errs.Precondition) {
		t.Errorf("Read before the window = %v", err)
	}
	inside, err := d.At(context.Background(), clock.Now().Add(-59*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, inside, onFile("f")); fmt.Sprint(got) != "[file:acme/f#direct_viewer@user:acme/kept]" {
		t.Errorf("within the window there was %v", got)
	}
}
