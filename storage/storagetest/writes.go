package storagetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// writes are claims about writing files.
var writes = []func(*kit){
	writeMakesImplicitFolders,
	equalContentsRaiseTheVersion,
	timesFollowTheClockAndNeverGoBack,
	ifMatchIsComparedInTheCommit,
	ifNoneMatchCreatesOnly,
	writersOfOneFileGetAVersionEach,
	creatorsOfOneFileDoNotOverwriteOneAnother,
	fileAndFolderOfOneNameExcludeEachOther,
	folderThatAppearsMakesACreateStale,
	fileThatAppearsMakesACreateStale,
	writeOverAFolderRefused,
	writeBelowAFileRefused,
	cancelledBeforeItsTurnWritesNothing,
	cancelledHalfWayIsAllOrNothing,
	refusedRelationshipRollsRowsBack,
}

func writeMakesImplicitFolders(k *kit) {
	k.mustPut("/a/b/c.txt", "x")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/c.txt")
	for _, folder := range []string{"/a", "/a/b"} {
		if e := k.stat(folder); !e.Folder || e.Etag != "" || e.Version != 0 {
			k.Errorf("stat %s = %+v, want a folder", folder, e)
		}
	}
}

func equalContentsRaiseTheVersion(k *kit) {
	first := k.mustPut("/f", "same")
	for v := int64(2); v < 5; v++ {
		k.clock.Advance(time.Second)
		e := k.mustPut("/f", "same")
		if e.Version != v || e.Etag != first.Etag || !e.Created.Equal(first.Created) || !e.Modified.After(first.Modified) {
			k.Errorf("write %d = %+v after %+v", v, e, first)
		}
		if s := k.stat("/f"); s != e {
			k.Errorf("stat = %+v, the write answered %+v", s, e)
		}
	}
}

func timesFollowTheClockAndNeverGoBack(k *kit) {
	k.clock.Advance(time.Hour)
	first := k.mustPut("/f", "1")
	if !first.Modified.Equal(k.clock.Now()) || !first.Created.Equal(k.clock.Now()) {
		k.Errorf("made at %v and %v, want %v", first.Created, first.Modified, k.clock.Now())
	}
	k.clock.Advance(-time.Minute)
	if e := k.mustPut("/f", "2"); e.Modified.Before(first.Modified) || !e.Created.Equal(first.Created) {
		k.Errorf("a clock that was set back: %+v after %+v", e, first)
	}
}

func ifMatchIsComparedInTheCommit(k *kit) {
	one := k.mustPut("/f", "one")
	over := grant(k, k.file("/f").Write()) // decided before the next write
	two := k.mustPut("/f", "two")
	_, err := k.files.Write(k.Context(), over, []byte("late"), storage.Condition{Match: one.Etag})
	k.mustFail("write over another etag", err, errs.Conflict, errs.EtagMismatch)
	if e := errs.From(err); e.Fields["expected_etag"] != one.Etag || e.Fields["current_etag"] != two.Etag || e.Fields["path"] != "/f" {
		k.Errorf("fields = %v", e.Fields)
	}
	k.mustRead("/f", "two")
	if _, err := k.put("/f", "three", storage.Condition{Match: two.Etag}); err != nil {
		k.Errorf("write over the current etag: %v", err)
	}
	_, err = k.put("/missing", "x", storage.Condition{Match: two.Etag})
	k.mustFail("write over an etag of nothing", err, errs.Conflict, errs.EtagMismatch)
	k.mustExist(false, "/missing")
}

func ifNoneMatchCreatesOnly(k *kit) {
	if _, err := k.put("/f", "one", storage.Condition{Absent: true}); err != nil {
		k.Fatal(err)
	}
	_, err := k.put("/f", "two", storage.Condition{Absent: true})
	k.mustFail("create what exists", err, errs.Exists, errs.FileExists)
	k.mustRead("/f", "one")
}

// race runs n of do at once and returns their errors.
func race(n int, do func(i int) error) []error {
	all := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { all[i] = do(i) })
	}
	running.Wait()
	return all
}

func writersOfOneFileGetAVersionEach(k *kit) {
	k.mustPut("/f", "0")
	a := schema.File{Address: k.at("/f")}
	const writers = 24
	grants := grants(k, writers, a.Write())
	versions := make([]int64, writers)
	for i, err := range race(writers, func(i int) error {
		e, err := k.files.Write(k.Context(), grants[i], []byte{byte(i)}, storage.Condition{})
		versions[i] = e.Version
		return err
	}) {
		if err != nil {
			k.Errorf("writer %d: %v", i, err)
		}
	}
	seen := map[int64]bool{}
	for _, v := range versions {
		seen[v] = true
	}
	if last := k.stat("/f").Version; last != writers+1 || len(seen) != writers {
		k.Errorf("version %d after %d writes, %d different answers", last, writers, len(seen))
	}
}

func creatorsOfOneFileDoNotOverwriteOneAnother(k *kit) {
	const writers = 16
	a := k.dir("/new/x/f")
	grants := grants(k, writers, a.Write())
	won := 0
	for _, err := range race(writers, func(i int) error {
		_, err := k.files.Create(k.Context(), grants[i], []byte{byte(i)}, storage.Condition{})
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		k.mustBeStale("a create that came second", err)
	}
	if e := k.stat("/new/x/f"); won != 1 || e.Version != 1 {
		k.Errorf("%d of %d creators won, version %d", won, writers, e.Version)
	}
}

func fileAndFolderOfOneNameExcludeEachOther(k *kit) {
	for i := range 8 {
		name := "/n" + string(rune('0'+i))
		file, below := grant(k, k.dir(name).Write()), grant(k, k.dir(name+"/below").Write())
		ended := race(2, func(i int) error {
			into := []schema.WriteDir{file, below}[i]
			_, err := k.files.Create(k.Context(), into, []byte("x"), storage.Condition{})
			return err
		})
		if (ended[0] == nil) == (ended[1] == nil) {
			k.Errorf("%s as file: %v, as folder: %v; want one of them", name, ended[0], ended[1])
		}
	}
}

func folderThatAppearsMakesACreateStale(k *kit) {
	into := grant(k, k.dir("/a/f").Write()) // decided on the root
	k.mustMkdir("/a")
	_, err := k.files.Create(k.Context(), into, []byte("x"), storage.Condition{})
	k.mustBeStale("create in a folder that appeared", err)
	k.mustExist(false, "/a/f")
}

func fileThatAppearsMakesACreateStale(k *kit) {
	into, at := grant(k, k.dir("/f").Write()), grant(k, k.dir("/f").Write())
	k.mustPut("/f", "first")
	_, err := k.files.Create(k.Context(), into, []byte("second"), storage.Condition{})
	k.mustBeStale("create where a file appeared", err)
	k.mustBeStale("mkdir where a file appeared", k.files.Mkdir(k.Context(), at, true))
	k.mustRead("/f", "first")
}

func writeOverAFolderRefused(k *kit) {
	k.mustPut("/a/f", "x")
	_, err := k.put("/a", "x", storage.Condition{})
	k.mustFail("write over a folder", err, errs.Invalid, errs.NotValid)
	_, err = k.put("/", "x", storage.Condition{})
	k.mustFail("write over the root", err, errs.Invalid, errs.NotValid)
	_, err = k.read("/a")
	k.mustFail("read a folder", err, errs.Invalid, errs.NotValid)
	k.mustRead("/a/f", "x")
}

func writeBelowAFileRefused(k *kit) {
	k.mustPut("/f", "x")
	_, err := k.put("/f/below", "y", storage.Condition{})
	k.mustFail("write below a file", err, errs.Invalid, errs.NotValid)
	k.mustFail("mkdir below a file", k.mkdir("/f/below", true), errs.Invalid, errs.NotValid)
	k.mustRead("/f", "x")
	k.mustList("/", whole, "/f")
}

func cancelledBeforeItsTurnWritesNothing(k *kit) {
	into := grant(k, k.dir("/f").Write())
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	if _, err := k.files.Create(ctx, into, []byte("x"), storage.Condition{}); !errors.Is(err, errs.Canceled) {
		k.Errorf("err = %v, want canceled", err)
	}
	k.mustExist(false, "/f")
}

// during is a writer of relationships that does something in the middle of a transaction.
type during struct {
	*Relations
	do func(ctx context.Context, tx sqldb.Tx) error
}

// Write does what the test says, and then writes.
func (w during) Write(ctx context.Context, tx sqldb.Tx, updates ...relations.Update) error {
	if err := w.do(ctx, tx); err != nil {
		return err
	}
	return w.Relations.Write(ctx, tx, updates...)
}

// with returns a store like the kit's, whose writer does something in the middle of each transaction.
func (k *kit) with(do func(context.Context, sqldb.Tx) error) *storage.Store {
	return storage.New(k.db, k.blobs, during{k.rels, do}, k.rels, k.clock)
}

func cancelledHalfWayIsAllOrNothing(k *kit) {
	into := grant(k, k.dir("/a/f").Write())
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	store := k.with(func(context.Context, sqldb.Tx) error { cancel(); return nil })
	_, err := store.Files().Create(ctx, into, []byte("x"), storage.Condition{})
	if err != nil && !errors.Is(err, errs.Canceled) {
		k.Errorf("err = %v, want canceled or none", err)
	}
	k.mustExist(err == nil, "/a", "/a/f")
	if _, _, found, effectErr := k.store.Effect(k.Context(), into.Decision().ID()); effectErr != nil || found != (err == nil) {
		k.Errorf("effect found = %v, %v; the write answered %v", found, effectErr, err)
	}
}

func refusedRelationshipRollsRowsBack(k *kit) {
	into := grant(k, k.dir("/a/f").Write())
	at := grant(k, k.dir("/b").Write())
	on := grant(k, k.file("/c/d").Share())
	over := grant(k, schema.ThePlatform.Administer())
	refusal := errs.New(errs.Invalid, "a cycle")
	store := k.with(func(context.Context, sqldb.Tx) error { return refusal })
	before := len(k.rels.All())

	_, err := store.Files().Create(k.Context(), into, []byte("x"), storage.Condition{})
	k.mustFail("create", err, errs.Invalid, "")
	k.mustFail("mkdir", store.Files().Mkdir(k.Context(), at, true), errs.Invalid, "")
	_, err = store.Shares().ShareFile(k.Context(), on, "direct_viewer", user("bob"), time.Time{})
	k.mustFail("share", err, errs.Invalid, "")
	_, err = store.Keys().CreateIn(k.Context(), over, "elsewhere", storage.KeySpec{Name: "k", Prefix: "p", User: "bob", SubjectType: "user", Subject: "bob"})
	k.mustFail("create a key", err, errs.Invalid, "")

	k.mustExist(false, "/a", "/a/f", "/b", "/c", "/c/d")
	for _, path := range []string{"/a", "/b", "/c"} {
		if a := k.at(path); a.HasRow() {
			k.Errorf("%s has a row", path)
		}
	}
	if has, err := k.store.Credentials().Tenant(k.Context(), "elsewhere"); err != nil || has {
		k.Errorf("tenant elsewhere exists: %v, %v", has, err)
	}
	for _, d := range []*authz.Decision{into.Decision(), at.Decision(), on.Decision(), over.Decision()} {
		if _, _, found, err := k.store.Effect(k.Context(), d.ID()); err != nil || found {
			k.Errorf("an effect of a write that was rolled back: %v, %v", found, err)
		}
	}
	if after := len(k.rels.All()); after != before {
		k.Errorf("%d relationships, there were %d", after, before)
	}
}
