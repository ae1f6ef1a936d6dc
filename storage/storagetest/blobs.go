package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
	"nexus/storage/internal/blob"
)

// blobs are claims about contents that are too long for a row.
var blobs = []func(*kit){
	contentsOfEveryLengthComeBack,
	longContentsOfOlderRowsComeBack,
	equalContentsAreOneBlobInATenant,
	longContentsAreReadInPartsAndNotAtOnce,
	bodyThatBreaksOffLeavesNothing,
	sweepRemovesWhatIsNamedByNothingInTwoRounds,
	sweepLeavesWhatAnyVersionNames,
	sweepLeavesWhatIsAboutToBeNamed,
	writeRefusedWhenItsContentsWereGivenUp,
	writeAtAnyMomentOfASweepLosesNothing,
	sweepThatIsNotCommittedPutsBack,
	sweepThatDiedHalfWayIsEndedAtTheNextStart,
	sweepGoesOnWhereItStopped,
	copyNamesTheSameBlob,
	sweepRemovesStrays,
	writersOfTheSameContentsBesideASweepLoseNothing,
	scrubFindsHarmAndTheNextWriteMendsIt,
	harmedContentsAreAnErrorAndNotContents,
}

// long is more than fits into a row, and different for each of text.
func long(text string) string { return strings.Repeat(text+"\n", 1+20_000/(len(text)+1)) }

func hashOf(e storage.Entry) blob.ID { return blob.ID{Tenant: e.Tenant, Hash: e.Etag} }

// stored reports whether an entry's contents are a blob.
func (k *kit) stored(e storage.Entry) bool {
	k.Helper()
	size, err := k.blobs.Size(hashOf(e))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.Fatal(err)
	}
	return err == nil && size == e.Size
}

func contentsOfEveryLengthComeBack(k *kit) {
	for _, size := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 1<<20 - 1, 1 << 20, 3<<20 + 7} {
		body := strings.Repeat("x", size)
		e := k.mustPut("/f", body)
		if k.mustRead("/f", body); e.Size != int64(size) || k.stored(e) != (size > 16<<10) {
			k.Errorf("%d bytes: size %d, a blob: %t", size, e.Size, k.stored(e))
		}
	}
}

var longRow = sqldb.SQL(`UPDATE versions SET body = $2, size = $3, kept = '' WHERE file = $1`)

func longContentsOfOlderRowsComeBack(k *kit) {
	k.mustPut("/f", "x")
	k.statement(longRow, k.at("/f").Anchor, []byte(long("old")), len(long("old")))
	k.mustRead("/f", long("old"))
	k.mustPut("/f", long("new"))
	k.mustRead("/f", long("new"))
}

func equalContentsAreOneBlobInATenant(k *kit) {
	k.found("other")
	mine, again := k.mustPut("/a", long("x")), k.mustPut("/b/c", long("x"))
	theirs, err := k.putAs(gatetest.User("other", "eve"), "/a", long("x"), storage.Condition{})
	if err != nil || mine.Etag != again.Etag || mine.Etag != theirs.Etag || hashOf(mine) == hashOf(theirs) {
		k.Errorf("%+v, %+v, %+v, %v", mine, again, theirs, err)
	}
	if n := k.countFiles(); n != 2 {
		k.Errorf("%d files, want one in each of two tenants", n)
	}
}

// countFiles counts the files of the directory of blobs, whatever they are.
func (k *kit) countFiles() (n int) {
	k.Helper()
	err := filepath.WalkDir(k.blobs.Dir(), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return n
}

// endless is a body of so many bytes, made as it is read.
type endless struct {
	left int64
	err  error // at the end; nil: io.EOF
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		if e.err != nil {
			return 0, e.err
		}
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range n {
		p[i] = byte(e.left>>12) ^ byte(i)
	}
	e.left -= int64(n)
	return n, nil
}

func longContentsAreReadInPartsAndNotAtOnce(k *kit) {
	size := int64(storage.MaxRead + 1)
	st, err := k.files.StageInto(k.Context(), grant(k, k.dir("/f").Write()), storage.WriteOptions{}, &endless{left: size})
	if err != nil {
		k.Fatal(err)
	}
	defer st.Discard()
	if w, err := k.files.CreateStaged(k.Context(), grant(k, k.dir("/f").Write()), st, storage.WriteOptions{}); err != nil || w.Size != size || !w.Made {
		k.Fatalf("CreateStaged = %+v, %v", w, err)
	}
	_, err = k.read("/f")
	k.mustFail("read at once", err, errs.Invalid, errs.BodyTooLarge)
	_, err = k.files.OpenMasked(k.Context(), grant(k, k.file("/f").Read()))
	k.mustFail("mask", err, errs.Invalid, errs.BodyTooLarge)
	c, err := k.files.Open(k.Context(), grant(k, k.file("/f").Read()))
	if err != nil {
		k.Fatal(err)
	}
	defer c.Close()
	if end, err := c.Seek(0, io.SeekEnd); err != nil || end != size {
		k.Errorf("the end is at %d, %v", end, err)
	}
}

func bodyThatBreaksOffLeavesNothing(k *kit) {
	broken := errors.New("connection reset")
	for _, size := range []int64{0, 100, 16 << 10, 3 << 20} {
		_, err := k.files.StageInto(k.Context(), grant(k, k.dir("/f").Write()), storage.WriteOptions{}, &endless{left: size, err: broken})
		if k.mustFail("stage", err, errs.Canceled, ""); !errors.Is(err, broken) {
			k.Errorf("the cause of %v is lost", err)
		}
	}
	if k.mustExist(false, "/f"); k.countFiles() > 0 {
		k.Errorf("%d files are left", k.countFiles())
	}
}

// sweepBlobs runs one whole round, and ends what is older than a grace.
func (k *kit) sweepBlobs(grace time.Duration) storage.Swept {
	k.Helper()
	return k.sweepBlobsIn(storage.DefaultTenant, grace)
}

func (k *kit) sweepBlobsIn(tenant string, grace time.Duration) (sum storage.Swept) {
	k.Helper()
	k.clock.Advance(time.Millisecond)
	for {
		out, err := k.store.Blobs().Sweep(k.Context(), k.broom(tenant), storage.SweepOptions{Grace: grace, For: time.Minute})
		if err != nil {
			k.Fatalf("Sweep: %v", err)
		}
		sum.Looked, sum.Unmarked, sum.Removed, sum.Bytes = sum.Looked+out.Looked, sum.Unmarked+out.Unmarked, sum.Removed+out.Removed, sum.Bytes+out.Bytes
		sum.Harmed = append(sum.Harmed, out.Harmed...)
		if out.Done {
			return sum
		}
	}
}

// broom is the right to sweep a tenant.
func (k *kit) broom(tenant string) schema.SweepTenant {
	k.Helper()
	who := schema.Servant(ids.Quote(tenant), schema.Sweeper)
	return grantTo(k, who, schema.Home(who).Sweep())
}

// forgotten makes as if all versions but the current ones had been purged.
var forgotten = sqldb.SQL(`DELETE FROM versions WHERE NOT EXISTS (
	SELECT 1 FROM files f WHERE f.id = versions.file AND f.version = versions.version)`)

func sweepRemovesWhatIsNamedByNothingInTwoRounds(k *kit) {
	gone, stays := k.mustPut("/f", long("gone")), k.mustPut("/g", long("stays"))
	k.mustPut("/f", "short")
	k.statement(forgotten)
	if out := k.sweepBlobs(time.Hour); out.Looked != 2 || out.Unmarked != 0 || out.Removed != 0 {
		k.Errorf("within the grace: %+v", out)
	}
	k.clock.Advance(2 * time.Hour)
	if out := k.sweepBlobs(time.Hour); out.Unmarked != 1 || out.Removed != 0 || !k.stored(gone) {
		k.Errorf("first round: %+v", out)
	}
	if out := k.sweepBlobs(time.Hour); out.Removed != 1 || out.Bytes != gone.Size || k.stored(gone) || !k.stored(stays) {
		k.Errorf("second round: %+v", out)
	}
	if out := k.sweepBlobs(time.Hour); out.Looked != 1 || out.Removed != 0 || k.countFiles() != 1 {
		k.Errorf("third round: %+v, %d files", out, k.countFiles())
	}
	k.mustRead("/g", long("stays"))
	k.mustPut("/f", long("gone"))
	k.mustRead("/f", long("gone"))
	if s := k.store.Blobs().Stats(); s.Removed != 1 || s.RemovedBytes != gone.Size || s.Harmed != 0 {
		k.Errorf("stats %+v", s)
	}
}

func sweepLeavesWhatAnyVersionNames(k *kit) {
	old := k.mustPut("/f", long("version 1"))
	k.mustPut("/f", long("version 2"))
	k.mustPut("/f", "version 3")
	for range 4 {
		k.clock.Advance(48 * time.Hour)
		if out := k.sweepBlobs(time.Nanosecond); out.Removed != 0 || out.Unmarked != 0 || !k.stored(old) {
			k.Errorf("what an older version names was swept: %+v", out)
		}
	}
	named := k.mustPut("/g", long("named again"))
	k.mustPut("/g", "short")
	k.statement(forgotten)
	k.clock.Advance(time.Hour)
	k.sweepBlobs(time.Nanosecond)
	k.mustPut("/h", long("named again")) // between the rounds
	k.clock.Advance(time.Hour)
	if k.sweepBlobs(time.Nanosecond); !k.stored(named) {
		k.Error("what was named again between the rounds is gone")
	}
	k.mustRead("/h", long("named again"))
}

// between is a database on which something happens before the nth transaction, or after it.
type between struct {
	sqldb.DB
	n     int
	after bool
	do    func()
}

func (b *between) Tx(ctx context.Context, f func(context.Context, sqldb.Tx) error) error {
	b.n--
	now := b.n == 0
	if now && !b.after {
		b.do()
	}
	err := b.DB.Tx(ctx, f)
	if now && b.after {
		b.do()
	}
	return err
}

// putBetween writes long contents to a new file, and does something between their lease and the version that names them.
func (k *kit) putBetween(path, body string, do func()) error {
	k.Helper()
	into := grant(k, k.dir(path).Write())
	store := storage.New(&between{DB: k.db, n: 2, do: do}, k.blobs, k.rels, k.rels, k.clock)
	_, err := store.Files().Create(k.Context(), into, []byte(body), storage.Condition{})
	return err
}

func sweepLeavesWhatIsAboutToBeNamed(k *kit) {
	for _, path := range []string{"/new", "/known"} {
		if path == "/known" { // as garbage that is just about to be removed
			k.mustPut("/g", long(path))
			k.mustPut("/g", "short")
			k.statement(forgotten)
			k.clock.Advance(time.Minute)
			k.sweepBlobs(time.Nanosecond)
		}
		err := k.putBetween(path, long(path), func() {
			for range 3 {
				k.clock.Advance(time.Minute)
				if out := k.sweepBlobs(time.Nanosecond); out.Removed > 0 {
					k.Errorf("%s: swept %+v", path, out)
				}
			}
		})
		if err != nil {
			k.Errorf("%s: %v", path, err)
		}
		k.mustRead(path, long(path))
	}
}

func writeRefusedWhenItsContentsWereGivenUp(k *kit) {
	err := k.putBetween("/f", long("late"), func() {
		for range 3 {
			k.clock.Advance(2 * time.Hour)
			k.sweepBlobs(time.Nanosecond)
		}
	})
	k.mustFail("write of contents that were swept", err, errs.Unavailable, "")
	if k.mustExist(false, "/f"); k.countFiles() != 0 {
		k.Errorf("%d files are left", k.countFiles())
	}
	k.mustPut("/f", long("late"))
	k.mustRead("/f", long("late"))
}

// doomed makes a blob that the next round removes.
func (k *kit) doomed(text string) storage.Entry {
	k.Helper()
	e := k.mustPut("/doomed", long(text))
	k.mustPut("/doomed", "short")
	k.statement(forgotten)
	k.clock.Advance(time.Minute)
	k.sweepBlobs(time.Nanosecond)
	k.clock.Advance(time.Minute)
	return e
}

// writeAtAnyMomentOfASweepLosesNothing writes the contents that a sweep is about to remove before or after each of its
// transactions: whole, or only so far that they are leased.
func writeAtAnyMomentOfASweepLosesNothing(k *kit) {
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			text := fmt.Sprint(n, after)
			k.doomed(text)
			path, late := "/whole"+text, "/late"+text
			moment := &between{DB: k.db, n: n, after: after, do: func() { k.mustPut(path, long(text)) }}
			sweep := func(db sqldb.DB) {
				_, err := storage.New(db, k.blobs, k.rels, k.rels, k.clock).Blobs().Sweep(k.Context(), k.broom("default"),
					storage.SweepOptions{Grace: time.Nanosecond, For: time.Minute})
				if err != nil {
					k.Fatal(err)
				}
			}
			sweep(moment)
			if moment.n > 0 {
				if n < 3 {
					k.Errorf("a sweep has %d transactions: it did not remove what it should", n-1)
				}
				return
			}
			k.mustRead(path, long(text))

			k.doomed(text + "late")
			if err := k.putBetween(late, long(text+"late"), func() { sweep(k.db) }); err != nil {
				k.Error(err)
			}
			k.mustRead(late, long(text+"late"))
		}
	}
}

// torn is a database whose transactions come to nothing after their closures have run.
type torn struct{ sqldb.DB }

var errTorn = errors.New("torn")

func (d torn) Tx(ctx context.Context, f func(context.Context, sqldb.Tx) error) error {
	return d.DB.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error { return errors.Join(f(ctx, tx), errTorn) })
}

func sweepThatIsNotCommittedPutsBack(k *kit) {
	e := k.doomed("x")
	begin := storage.SweepOptions{Grace: time.Nanosecond, For: time.Nanosecond}
	if _, err := k.store.Blobs().Sweep(k.Context(), k.broom("default"), begin); err != nil {
		k.Fatal(err)
	}
	_, err := storage.New(torn{k.db}, k.blobs, k.rels, k.rels, k.clock).Blobs().Sweep(k.Context(), k.broom("default"),
		storage.SweepOptions{Grace: time.Nanosecond, For: time.Minute})
	if !errors.Is(err, errTorn) {
		k.Errorf("err = %v, want that of the commit", err)
	}
	if left, err := k.blobs.Trashed("default"); err != nil || len(left) > 0 || !k.stored(e) {
		k.Errorf("the blob is in its place: %t; in the trash: %q, %v", k.stored(e), left, err)
	}
	if k.sweepBlobs(time.Nanosecond); k.stored(e) {
		k.Error("a later sweep left it")
	}
}

func sweepThatDiedHalfWayIsEndedAtTheNextStart(k *kit) {
	kept, gone := k.mustPut("/f", long("kept")), k.doomed("gone")
	for _, e := range []storage.Entry{kept, gone} { // one died before its commit, the other after it
		if err := k.blobs.Trash(hashOf(e)); err != nil {
			k.Fatal(err)
		}
	}
	k.statement(deleteBlobRow, gone.Etag)
	if err := k.store.Founding().Recover(k.Context()); err != nil {
		k.Fatal(err)
	}
	k.mustRead("/f", long("kept"))
	if left, err := k.blobs.Trashed("default"); err != nil || len(left) > 0 || k.stored(gone) || k.countFiles() != 1 {
		k.Errorf("in the trash: %q, %v; %d files", left, err, k.countFiles())
	}
}

var deleteBlobRow = sqldb.SQL(`DELETE FROM blobs WHERE hash = $1`)

func sweepGoesOnWhereItStopped(k *kit) {
	for i := range 8 {
		k.mustPut("/f", long(string(rune('a'+i))))
	}
	k.mustPut("/f", "short")
	k.statement(forgotten)
	k.clock.Advance(time.Hour)
	looked, parts := 0, 0
	for done := false; !done; parts++ {
		out, err := k.store.Blobs().Sweep(k.Context(), k.broom("default"), storage.SweepOptions{Grace: time.Nanosecond, For: 200 * time.Microsecond})
		if err != nil {
			k.Fatal(err)
		}
		looked, done = looked+out.Looked, out.Done
	}
	if looked != 8 {
		k.Errorf("a round in %d parts looked at %d blobs, want 8", parts, looked)
	}
}

func copyNamesTheSameBlob(k *kit) {
	for _, body := range []string{"short", long("long")} {
		from, to := "/from"+body[:1]+"/f", "/to"+body[:1]+"/f"
		first := k.mustPut(from, body)
		both := grant(k, authz.Both(k.file(from).Read(), k.dir(to).Write()))
		e, err := k.files.Copy(k.Context(), storage.CopyGrant{From: both.First, Into: both.Second})
		if err != nil || e.Etag != first.Etag || e.Size != first.Size || e.Type != first.Type || e.Version != 1 {
			k.Errorf("Copy = %+v, %v, want the contents of %+v", e, err, first)
		}
		k.mustPut(from, "other")
		k.statement(forgotten)
		for range 3 {
			k.clock.Advance(time.Hour)
			k.sweepBlobs(time.Nanosecond)
		}
		k.mustRead(to, body)
	}
}

func sweepRemovesStrays(k *kit) {
	temp, err := k.blobs.New()
	if err != nil {
		k.Fatal(err)
	}
	if _, err := io.WriteString(temp, "stray"); err != nil {
		k.Fatal(err)
	}
	id := blob.ID{Tenant: "default", Hash: temp.Hash()}
	if err := temp.Keep("default", true); err != nil {
		k.Fatal(err)
	}
	k.clock.Advance(time.Until(k.clock.Now()).Abs()) // the file system keeps its own time
	if k.sweepBlobs(time.Hour); k.countFiles() != 1 {
		k.Error("a stray within the grace is gone")
	}
	k.clock.Advance(10 * 365 * 24 * time.Hour)
	if out := k.sweepBlobs(time.Hour); out.Removed != 1 || k.countFiles() != 0 {
		k.Errorf("%s was left: %+v", id, out)
	}
}

func writersOfTheSameContentsBesideASweepLoseNothing(k *kit) {
	const writers, rounds = 8, 12
	body := long("the same")
	for i := range writers {
		k.mustPut("/"+string(rune('a'+i)), "short")
	}
	stop, swept := make(chan struct{}), make(chan int)
	go func() {
		removed := 0
		defer func() { swept <- removed }()
		for {
			select {
			case <-stop:
				return
			default:
				removed += k.sweepBlobs(time.Nanosecond).Removed
			}
		}
	}()
	for i, err := range race(writers, func(i int) error {
		path := "/" + string(rune('a'+i))
		for range rounds {
			if _, err := k.put(path, body, storage.Condition{}); err != nil {
				return err
			}
			if got, err := k.read(path); err != nil || got != body {
				return errors.Join(err, errors.New("what was written is not there"))
			}
			if _, err := k.put(path, "short", storage.Condition{}); err != nil {
				return err
			}
			k.statement(forgotten)
		}
		return nil
	}) {
		if err != nil {
			k.Errorf("writer %d: %v", i, err)
		}
	}
	close(stop)
	if removed := <-swept; removed == 0 {
		k.Log("the sweep removed nothing meanwhile")
	}
}

func (k *kit) scrub(every time.Duration) storage.Scrubbed {
	k.Helper()
	out, err := k.store.Blobs().Scrub(k.Context(), k.broom("default"), storage.ScrubOptions{Every: every, For: time.Minute})
	if err != nil || !out.Done {
		k.Fatalf("Scrub = %+v, %v", out, err)
	}
	return out
}

// harm changes the contents of a blob behind the store's back.
func (k *kit) harm(e storage.Entry) {
	k.Helper()
	name := filepath.Join(k.blobs.Dir(), e.Tenant, e.Etag[:2], e.Etag[2:4], e.Etag)
	body, err := os.ReadFile(name)
	if err != nil {
		k.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(name, body, 0o600); err != nil {
		k.Fatal(err)
	}
}

func scrubFindsHarmAndTheNextWriteMendsIt(k *kit) {
	right, wrong := k.mustPut("/f", long("right")), k.mustPut("/g", long("wrong"))
	if out := k.scrub(time.Hour); out.Checked != 0 {
		k.Errorf("checked at once: %+v", out)
	}
	k.harm(wrong)
	k.clock.Advance(2 * time.Hour)
	if out := k.scrub(time.Hour); out.Checked != 2 || out.Bytes != right.Size+wrong.Size || len(out.Harmed) != 1 || out.Harmed[0] != hashOf(wrong).String() {
		k.Errorf("found %+v", out)
	}
	if out := k.scrub(time.Hour); out.Checked != 0 {
		k.Errorf("checked again at once: %+v", out)
	}
	k.mustPut("/h", long("wrong"))
	k.mustRead("/h", long("wrong"))
	k.mustRead("/g", long("wrong"))
	k.clock.Advance(2 * time.Hour)
	if out := k.scrub(time.Hour); out.Checked != 2 || len(out.Harmed) != 0 {
		k.Errorf("after it was mended: %+v", out)
	}
}

func harmedContentsAreAnErrorAndNotContents(k *kit) {
	e := k.mustPut("/f", long("x"))
	k.harm(e)
	_, err := k.read("/f")
	k.mustFail("read of harmed contents", err, errs.Internal, "")
	if err := k.blobs.Trash(hashOf(e)); err != nil {
		k.Fatal(err)
	}
	_, err = k.read("/f")
	k.mustFail("read of missing contents", err, errs.Internal, "")
	k.clock.Advance(48 * time.Hour)
	if out := k.sweepBlobs(time.Hour); len(out.Harmed) != 1 {
		k.Errorf("a sweep told of %q", out.Harmed)
	}
	if n := k.store.Blobs().Stats().Harmed; n != 2 {
		k.Errorf("%d times counted, want 2", n)
	}
	if err := k.blobs.Restore(hashOf(e)); err != nil {
		k.Fatal(err)
	}
	if r, err := storage.InspectBlobs(k.Context(), k.db, k.blobs.Dir()); err != nil || r.Blobs != 1 || r.Bytes != e.Size || r.Wrong != 0 {
		k.Errorf("InspectBlobs = %+v, %v", r, err)
	}
	if err := k.blobs.Trash(hashOf(e)); err != nil {
		k.Fatal(err)
	}
	if r, err := storage.InspectBlobs(k.Context(), k.db, k.blobs.Dir()); err != nil || r.Wrong != 1 || r.First != hashOf(e).String() {
		k.Errorf("InspectBlobs of what misses one = %+v, %v", r, err)
	}
}
