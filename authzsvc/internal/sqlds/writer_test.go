package sqlds

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

func TestRelationshipsOutsideTheSchemaAreRefused(t *testing.T) {
	d := productStore(t, Options{})
	later := time.Now().Add(time.Hour)
	other := viewer("f", "ann")
	other.Subject.ID = "umbrella/ann"
	unnamed := viewer("f", "ann")
	unnamed.Resource.ID = ""
	for _, c := range []struct {
		name   string
		rel    relations.Relationship
		reason errs.Reason
	}{
		{"type", relations.Relationship{Resource: authz.Ref{Type: "planet", ID: "acme/x"}, Relation: "moon", Subject: authz.Ref{Type: "user", ID: "acme/a"}}, errs.NotValid},
		{"relation", rel("f", "uncle", "user", "ann", ""), errs.NotValid},
		{"permission", rel("f", "viewer", "user", "ann", ""), errs.ComputedRelation},
		{"subject type", rel("f", "direct_viewer", "file", "g", ""), errs.NotValid},
		{"subject relation", rel("f", "direct_viewer", "group", "eng", "manage"), errs.NotValid},
		{"no subject relation", rel("f", "direct_viewer", "group", "eng", ""), errs.NotValid},
		{"expiry not declared", until(later, parent("f", "dir")), errs.NotValid},
		{"expired already", until(time.Now().Add(-time.Second), viewer("f", "ann")), errs.NotValid},
		{"wildcard", relations.Relationship{Resource: authz.Ref{Type: "file", ID: "acme/f"}, Relation: "direct_viewer", Subject: authz.Ref{Type: "user", ID: "*"}}, errs.NotValid},
		{"other tenant", other, errs.CrossTenant},
		{"no id", unnamed, errs.NotValid},
		{"long id", viewer(strings.Repeat("x", 1020), "ann"), errs.NotValid},
		{"byte to be quoted", viewer("a b", "ann"), errs.NotValid},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := headOf(t, d)
			refused(t, write(d, touch(c.rel)), c.reason)
			if after := headOf(t, d); after != before {
				t.Errorf("head moved from %d to %d by a refused write", before, after)
			}
		})
	}
	mustWrite(t, d, touch(until(later, viewer("f", "ann"))), touch(rel("f", "direct_viewer", "group", "eng", "member")), touch(viewer(strings.Repeat("x", 1019), "ann")))
}

func TestPlatformIsTheOnlySubjectAboveATenant(t *testing.T) {
	d := productStore(t, Options{})
	nexus := authz.Ref{Type: "platform", ID: "nexus"}
	acme := authz.Ref{Type: "tenant", ID: "acme"}
	mustWrite(t, d,
		touch(relations.Relationship{Resource: acme, Relation: "platform", Subject: nexus}),
		touch(relations.Relationship{Resource: nexus, Relation: "admin", Subject: authz.Ref{Type: "key", ID: "root"}}),
		touch(relations.Relationship{Resource: acme, Relation: "admin", Subject: authz.Ref{Type: "user", ID: "acme/ann"}}))
	refused(t, write(d, touch(relations.Relationship{Resource: acme, Relation: "admin", Subject: authz.Ref{Type: "key", ID: "root"}})), errs.CrossTenant)
	refused(t, write(d, touch(relations.Relationship{Resource: nexus, Relation: "admin", Subject: authz.Ref{Type: "user", ID: "acme/ann"}})), errs.CrossTenant)
}

func TestCreateOverWhatIsThereIsExists(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, create(viewer("f", "ann")))
	before := headOf(t, d)
	if err := write(d, create(viewer("f", "bob")), create(viewer("f", "ann"))); !errors.Is(err, errs.Exists) {
		t.Errorf("second Create = %v, want exists", err)
	}
	if got := read(t, d, headOf(t, d), onFile("f")); len(got) != 1 {
		t.Errorf("a refused call left %v", got)
	}
	mustWrite(t, d, touch(viewer("f", "ann")), remove(viewer("f", "zoe")))
	if got := read(t, d, before, onFile("f")); len(got) != 1 {
		t.Errorf("at %d there is %v", before, got)
	}
}

// A closure that goes on after a refusal commits nothing of the refused call.
func TestRefusedCallLeavesNothingInItsClosure(t *testing.T) {
	d := productStore(t, Options{})
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		w := d.Writer()
		if err := w.Write(ctx, tx, create(viewer("kept", "ann"))); err != nil {
			return err
		}
		refused(t, w.Write(ctx, tx, create(parent("x", "y")), create(parent("y", "x"))), errs.NotValid)
		return w.Write(ctx, tx, create(parent("y", "x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, headOf(t, d), relations.Filter{ResourceType: "file"}); fmt.Sprint(got) != "[file:acme/kept#direct_viewer@user:acme/ann file:acme/y#parent@file:acme/x]" {
		t.Errorf("committed %v", got)
	}
}

func TestOneClosureHasOneRevision(t *testing.T) {
	d := productStore(t, Options{})
	before := headOf(t, d)
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		w := d.Writer()
		return errors.Join(
			w.Write(ctx, tx, create(viewer("f", "ann"))), w.Write(ctx, tx, remove(viewer("f", "ann"))),
			w.Write(ctx, tx, create(viewer("f", "ann")), touch(until(time.Now().Add(time.Hour), viewer("f", "ann")))), w.Write(ctx, tx, create(viewer("f", "bob"))))
	})
	if err != nil {
		t.Fatal(err)
	}
	after := headOf(t, d)
	if got := read(t, d, after, onFile("f")); len(got) != 2 {
		t.Errorf("at the revision there is %v", got)
	}
	if got := read(t, d, after-1, onFile("f")); len(got) != 0 {
		t.Errorf("a nanosecond earlier there is %v", got)
	}
	if got := read(t, d, before, onFile("f")); len(got) != 0 {
		t.Errorf("before there is %v", got)
	}
}

func TestDeleteObjectTakesBothEnds(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, create(parent("dir", "root")), create(parent("f", "dir")), create(viewer("dir", "ann")), create(viewer("f", "ann")))
	before := headOf(t, d)
	dir := authz.Ref{Type: "file", ID: "acme/dir"}
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error { return d.Writer().DeleteObject(ctx, tx, dir) })
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, headOf(t, d), relations.Filter{ResourceType: "file"}); fmt.Sprint(got) != "[file:acme/f#direct_viewer@user:acme/ann]" {
		t.Errorf("left %v", got)
	}
	if got := read(t, d, before, relations.Filter{ResourceType: "file"}); len(got) != 4 {
		t.Errorf("the past has %v", got)
	}
}

func TestTouchedIsToldBeforeCommitAndOfExpiries(t *testing.T) {
	clock := newHandClock()
	var told []string
	var published []relations.Revision
	var d *Datastore
	d = productStore(t, Options{Clock: clock, Touched: func(rev relations.Revision, all []authz.Ref) {
		published = append(published, relations.Revision(d.head.now.Load().head))
		told = append(told, fmt.Sprint(rev, all))
	}})
	expiry := clock.Now().Add(time.Minute)
	mustWrite(t, d, create(until(expiry, viewer("f", "ann"))), create(viewer("g", "bob")))
	wrote := headOf(t, d)
	want := fmt.Sprint(wrote, " [file:acme/f file:acme/g]")
	if len(told) != 1 || told[0] != want {
		t.Fatalf("told %v, want %s", told, want)
	}
	clock.at.Store(expiry.UnixNano() - 1)
	if headOf(t, d) != wrote {
		t.Error("the head moved though nothing was due")
	}
	now := clock.add(1)
	if got := headOf(t, d); int64(got) != now.UnixNano() {
		t.Errorf("head = %d, want %d", got, now.UnixNano())
	}
	want = fmt.Sprint(now.UnixNano(), " [file:acme/f]")
	if len(told) != 2 || told[1] != want {
		t.Errorf("told %v, want %s", told, want)
	}
	for i, at := range published {
		if fmt.Sprint(at) >= strings.Fields(told[i])[0] {
			t.Errorf("told of %s when the head was at %d already", told[i], at)
		}
	}
}

// A commit may pass an expiry that nobody has noticed. Then too its resources are told before the head has passed it.
func TestCommitPastAnExpiryTellsOfIt(t *testing.T) {
	clock := newHandClock()
	var told []string
	d := productStore(t, Options{Clock: clock, Touched: func(rev relations.Revision, all []authz.Ref) {
		told = append(told, fmt.Sprint(all))
	}})
	mustWrite(t, d, create(until(clock.Now().Add(time.Minute), viewer("f", "ann"))))
	before := d.head.now.Load().head
	clock.add(time.Hour)
	mustWrite(t, d, create(viewer("g", "bob")))
	if got := d.head.now.Load().head; got != before {
		t.Errorf("the head went from %d to %d though nobody was told of the expiry", before, got)
	}
	if got := headOf(t, d); int64(got) < clock.Now().UnixNano() {
		t.Errorf("head = %d, and the write at %d has returned", got, clock.Now().UnixNano())
	}
	if want := "[[file:acme/f] [file:acme/g] [file:acme/f]]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
	if got := read(t, d, headOf(t, d), relations.Filter{ResourceType: "file"}); fmt.Sprint(got) != "[file:acme/g#direct_viewer@user:acme/bob]" {
		t.Errorf("there is %v", got)
	}
}

// SpiceDB's own interface writes nothing that the Writer would refuse.
func TestReadWriteTxObeysTheSameRules(t *testing.T) {
	d := productStore(t, Options{})
	for text, reason := range map[string]errs.Reason{
		"file:acme/f#viewer@user:acme/ann":                      errs.ComputedRelation,
		"file:acme/f#direct_viewer@user:umbrella/ann":           errs.CrossTenant,
		"file:acme/f#direct_viewer@user:*":                      errs.NotValid,
		"file:acme/f#direct_viewer@user:acme/ann[somecaveat]":   errs.NotValid,
		"file:acme/f#parent@file:acme/f":                        errs.NotValid,
		"file:acme/f#parent@file:g":                             errs.CrossTenant,
		"group:acme/g#member@group:acme/g#member":               errs.NotValid,
		"file:acme/f#direct_viewer@group:acme/g#member[nobody]": errs.NotValid,
	} {
		_, err := d.ReadWriteTx(context.Background(), func(ctx context.Context, rwt datastore.ReadWriteTransaction) error {
			return rwt.WriteRelationships(ctx, []tuple.RelationshipUpdate{tuple.Touch(tuple.MustParse(text))})
		})
		t.Run(text, func(t *testing.T) { refused(t, err, reason) })
	}
}

func TestWatchersEndWithTheStore(t *testing.T) {
	d, err := openBoth(t.TempDir()+"/nexus.db", Options{}, sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	updates, failed := d.Watch(context.Background(), DatastoreRevision(headOf(t, d)), datastore.WatchJustRelationships())
	if err := closeBoth(d); err != nil {
		t.Fatal(err)
	}
	if _, open := <-updates; open {
		t.Error("a closed store sends")
	}
	if err := <-failed; !errors.Is(err, errs.Unavailable) {
		t.Errorf("the watcher ended with %v, want unavailable", err)
	}
}

// Between the COMMIT and the publication of its head the object cache has forgotten what it touched: SchemaChanged runs there.
func TestCacheForgetsBeforeTheHeadIsPublished(t *testing.T) {
	var look func()
	d := productStore(t, Options{SchemaChanged: func(string) {
		if look != nil {
			look()
		}
	}})
	mustWrite(t, d, create(viewer("f", "ann")))
	before := headOf(t, d)
	read(t, d, before, onFile("f"))
	if kept, _ := d.objects.find(viewer("f", "").Resource); kept == nil {
		t.Fatal("a read object is not kept")
	}
	looked := false
	look = func() {
		looked = true
		if kept, _ := d.objects.find(viewer("f", "").Resource); kept != nil {
			t.Error("the cache still keeps what the commit has touched")
		}
		if at := d.head.now.Load().head; at != int64(before) {
			t.Errorf("the head is at %d already", at)
		}
	}
	_, err := d.ReadWriteTx(context.Background(), func(ctx context.Context, rwt datastore.ReadWriteTransaction) error {
		whole, err := rwt.ReadStoredSchema(ctx)
		if err != nil {
			return err
		}
		return errors.Join(rwt.WriteStoredSchema(ctx, whole.Get()),
			rwt.WriteRelationships(ctx, []tuple.RelationshipUpdate{tuple.Touch(tuple.MustParse("file:acme/f#direct_viewer@user:acme/bob"))}))
	})
	if err != nil || !looked {
		t.Fatalf("looked %v, %v", looked, err)
	}
}

func TestSchemaChangedIsTold(t *testing.T) {
	var hashes []string
	d := productStore(t, Options{SchemaChanged: func(h string) { hashes = append(hashes, h) }})
	first := headOf(t, d)
	if err := writeSchema(d, "definition user {}\ndefinition thing {\n\trelation owner: user\n}"); err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 2 {
		t.Fatalf("told %v", hashes)
	}
	for i, at := range []relations.Revision{first, headOf(t, d)} {
		if got, err := d.SchemaHashAt(context.Background(), at); err != nil || got != hashes[i] {
			t.Errorf("SchemaHashAt(%d) = %q, %v, want %q", at, got, err, hashes[i])
		}
	}
	refused(t, write(d, touch(viewer("f", "ann"))), errs.NotValid)
	mustWrite(t, d, touch(relations.Relationship{Resource: authz.Ref{Type: "thing", ID: "acme/t"}, Relation: "owner", Subject: authz.Ref{Type: "user", ID: "acme/ann"}}))
}
