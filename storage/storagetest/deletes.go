package storagetest

import (
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// deletes are claims about the trash.
var deletes = []func(*kit){
	deletedFileIsGone,
	grantsOfADeletedFileOpenNoLaterOne,
	deleteOfAFolderIsRmdir,
	rmdirOfWhatIsNotEmptyRefused,
	rmdirOfTheRootRefused,
	rmdirTakesAllThatIsInIt,
	rmdirWithReservedNamesIsNoDifferent,
	rmdirEndsLinksIntoTheFolder,
	sweepLeavesNoGrants,
	deleteBesideAWriteIsStale,
	undeleteBringsBackContentsAndNoGrants,
	undeleteBringsBackTheLastDeleted,
	undeleteOfAFolderWaitsForTheSweep,
	undeleteBringsAFolderBackWhole,
	undeleteMakesTheFoldersThatWent,
	undeleteInAFolderThatTookThePlaceRefused,
	undeleteWhereSomethingStandsRefused,
	undeleteFollowsAMovedFolder,
	deletedIsListedWhereItStood,
	deletedOfATenantIsNotAnothers,
}

func (k *kit) delete(path string) error {
	k.Helper()
	return k.files.Delete(k.Context(), grant(k, k.file(path).Delete()))
}

func (k *kit) mustDelete(path string) {
	k.Helper()
	if err := k.delete(path); err != nil {
		k.Fatalf("delete %s: %v", path, err)
	}
}

func (k *kit) rmdir(path string, recursive bool) error {
	k.Helper()
	return k.files.Rmdir(k.Context(), grant(k, k.file(path).Delete()), recursive)
}

func (k *kit) mustRmdir(path string) {
	k.Helper()
	if err := k.rmdir(path, true); err != nil {
		k.Fatalf("rmdir %s: %v", path, err)
	}
}

// sweep removes the grants in the trash, and returns in how many steps.
func (k *kit) sweep() (steps int) {
	k.Helper()
	at := storage.SweepPlace{}
	for {
		who := schema.Servant(ids.Quote(storage.DefaultTenant), schema.Sweeper)
		next, err := k.files.SweepTrash(k.Context(), grantTo(k, who, schema.Home(who).Sweep()), at)
		if err != nil {
			k.Fatalf("sweep: %v", err)
		}
		if steps++; next == (storage.SweepPlace{}) {
			return steps
		}
		at = next
	}
}

func (k *kit) undelete(path string) error {
	k.Helper()
	_, err := k.files.Undelete(k.Context(), grant(k, k.dir(path).Write()))
	return err
}

func (k *kit) mustUndelete(path string) {
	k.Helper()
	if err := k.undelete(path); err != nil {
		k.Fatalf("undelete %s: %v", path, err)
	}
}

// deleted returns the paths that can be brought back below a folder, page by page.
func (k *kit) deleted(folder string, page int) (all []string) {
	k.Helper()
	for at, more := (storage.DeletedPlace{}), true; more; more = at != (storage.DeletedPlace{}) {
		found, next, err := k.files.Deleted(k.Context(), grant(k, k.dir(folder).Write()), at, page)
		if err != nil {
			k.Fatalf("deleted below %s: %v", folder, err)
		}
		for _, d := range found {
			all = append(all, d.Path)
		}
		at = next
	}
	return all
}

func deletedFileIsGone(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustDelete("/a/f")
	k.mustExist(false, "/a/f", "/a")
	k.mustList("/", whole)
	_, err := k.read("/a/f")
	k.mustFail("read", err, errs.NotFound, errs.FileNotFound)
}

func grantsOfADeletedFileOpenNoLaterOne(k *kit) {
	k.mustPut("/a/f", "x")
	k.share("/a/f", "bob")
	old := k.at("/a/f").Anchor
	k.mustDelete("/a/f")
	for _, r := range k.rels.All() {
		if r.Resource.ID == old || r.Subject.ID == old {
			k.Errorf("%s outlived the file", r)
		}
	}
	k.mustPut("/a/f", "new")
	if k.at("/a/f").Anchor == old {
		k.Error("the new file has the id of the old one")
	}
	if n := len(k.tuplesOn("/a/f")); n != 2 { // parent and owner
		k.Errorf("the new file has %d relationships, want 2", n)
	}
}

func deleteOfAFolderIsRmdir(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustFail("delete /a", k.delete("/a"), errs.Invalid, errs.NotValid)
	k.mustFail("rmdir /a/f", k.rmdir("/a/f", true), errs.Invalid, errs.NotValid)
	k.mustRead("/a/f", "x")
}

func rmdirOfWhatIsNotEmptyRefused(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustMkdir("/b/c")
	for _, path := range []string{"/a", "/b"} {
		k.mustFail("rmdir "+path, k.rmdir(path, false), errs.Invalid, errs.NotValid)
	}
	if err := k.rmdir("/b/c", false); err != nil {
		k.Errorf("rmdir of an empty folder: %v", err)
	}
	k.mustExist(false, "/b/c")
}

func rmdirOfTheRootRefused(k *kit) {
	k.mustFail("rmdir /", k.rmdir("/", true), errs.Invalid, errs.NotValid)
}

func rmdirTakesAllThatIsInIt(k *kit) {
	k.many("/a", 20)
	k.mustPut("/ab/f", "x")
	k.mustRmdir("/a")
	k.mustList("/", whole, "/ab/", "/ab/f")
	k.mustPut("/a/d0/f0", "new")
	k.mustRead("/a/d0/f0", "new")
}

func rmdirWithReservedNamesIsNoDifferent(k *kit) {
	k.mustMkdir("/a")
	k.share("/a/r/s", "bob")
	if err := k.rmdir("/a", false); err != nil {
		k.Fatalf("reserved names keep a folder from being empty: %v", err)
	}
	k.sweep()
	k.mustHaveNoGrantsFor("bob")
}

func rmdirEndsLinksIntoTheFolder(k *kit) {
	k.mustPut("/f", "x")
	k.mustMkdir("/a/b")
	link := storage.LinkGrant{Child: grant(k, k.file("/f").Share()), Into: grant(k, k.dir("/a/b").Write())}
	if _, err := k.store.Shares().Link(k.Context(), link, time.Time{}); err != nil {
		k.Fatal(err)
	}
	k.mustRmdir("/a")
	for _, r := range k.rels.All() {
		if r.Relation == "link" {
			k.Errorf("%s outlived the folder", r)
		}
	}
}

func sweepLeavesNoGrants(k *kit) {
	k.many("/a", 450) // more than a step
	k.share("/a/d3/f3", "bob")
	k.share("/a/d6/f447", "bob")
	k.share("/a/d1", "bob")
	k.share("/b", "bob")
	kept := len(k.tuplesOn("/b"))
	k.mustRmdir("/a")
	if steps := k.sweep(); steps < 3 {
		k.Errorf("swept in %d steps: a step is to be short", steps)
	}
	if got := len(k.tuplesOn("/b")); got != kept {
		k.Errorf("/b has %d relationships, had %d", got, kept)
	}
	if n := k.grantsFor("bob"); n != 1 {
		k.Errorf("bob has %d grants, want the one on /b", n)
	}
}

func deleteBesideAWriteIsStale(k *kit) {
	k.mustPut("/a/f", "x")
	over := grant(k, k.file("/a/f").Write())
	k.mustDelete("/a/f")
	_, err := k.files.Write(k.Context(), over, []byte("y"), storage.Condition{})
	k.mustBeStale("a write over what was deleted", err)

	k.mustPut("/a/g", "x")
	gone := grant(k, k.file("/a/g").Delete())
	k.mustDelete("/a/g")
	k.mustBeStale("a delete of what was deleted", k.files.Delete(k.Context(), gone))
}

func undeleteBringsBackContentsAndNoGrants(k *kit) {
	k.mustPut("/a/f", "one")
	k.mustPut("/a/f", "two")
	k.share("/a/f", "bob")
	k.mustDelete("/a/f")
	k.mustUndelete("/a/f")
	k.mustRead("/a/f", "two")
	if e := k.stat("/a/f"); e.Version != 2 {
		k.Errorf("version = %d, want 2", e.Version)
	}
	k.mustHaveNoGrantsFor("bob")
	k.mustBeOwned("/a/f", "user:default/ann")
	k.mustFail("undelete again", k.undelete("/a/f"), errs.Exists, errs.FileExists)
}

func undeleteBringsBackTheLastDeleted(k *kit) {
	for _, body := range []string{"first", "second"} {
		k.mustPut("/f", body)
		k.mustDelete("/f")
	}
	k.mustUndelete("/f")
	k.mustRead("/f", "second")
	k.mustDelete("/f")
	if got := k.deleted("/", 1); !slices.Equal(got, []string{"/f", "/f"}) {
		k.Errorf("deleted = %q", got)
	}
}

func undeleteOfAFolderWaitsForTheSweep(k *kit) {
	k.mustPut("/a/f", "x")
	k.share("/a/f", "bob")
	k.mustRmdir("/a")
	k.mustFail("undelete", k.undelete("/a"), errs.Unavailable, "")
	k.sweep()
	k.mustUndelete("/a")
	k.mustHaveNoGrantsFor("bob")
}

func undeleteBringsAFolderBackWhole(k *kit) {
	k.mustPut("/a/b/c/f", "x")
	k.mustMkdir("/a/empty")
	k.mustRmdir("/a")
	k.sweep()
	k.mustUndelete("/a")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/c/", "/a/b/c/f", "/a/empty/")
	k.mustRead("/a/b/c/f", "x")
}

func undeleteMakesTheFoldersThatWent(k *kit) {
	k.mustPut("/a/b/f", "x")
	k.mustDelete("/a/b/f")
	k.mustExist(false, "/a")
	k.mustUndelete("/a/b/f")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/f")
}

// undeleteInAFolderThatTookThePlaceRefused: who may write the folder that is there now may have had no right on the other.
func undeleteInAFolderThatTookThePlaceRefused(k *kit) {
	k.mustMkdir("/private")
	k.mustPut("/private/f", "secret")
	k.mustDelete("/private/f")
	k.mustMove("/private", "/old")
	k.mustMkdir("/private")
	k.mustFail("undelete", k.undelete("/private/f"), errs.NotFound, errs.FileNotFound)
	for _, folder := range []string{"/private", "/"} {
		if got := k.deleted(folder, 10); len(got) > 0 {
			k.Errorf("deleted below %s = %q, want nothing that would not return there", folder, got)
		}
	}
}

func undeleteWhereSomethingStandsRefused(k *kit) {
	k.mustPut("/f", "old")
	k.mustDelete("/f")
	k.mustPut("/f", "new")
	k.mustFail("undelete", k.undelete("/f"), errs.Exists, errs.FileExists)
	k.mustRead("/f", "new")
}

func undeleteFollowsAMovedFolder(k *kit) {
	k.mustMkdir("/a/b")
	k.mustPut("/a/b/f", "x")
	k.mustDelete("/a/b/f")
	k.mustMove("/a/b", "/c")
	k.mustFail("undelete where it stood", k.undelete("/a/b/f"), errs.NotFound, errs.FileNotFound)
	k.mustMove("/c", "/a/b")
	k.mustUndelete("/a/b/f")
	k.mustRead("/a/b/f", "x")
}

func deletedIsListedWhereItStood(k *kit) {
	for _, path := range []string{"/a/x", "/a/y", "/b/x", "/ab/x"} {
		k.mustMkdir(path)
		k.mustPut(path+"/f", "x")
		k.mustDelete(path + "/f")
	}
	k.mustPut("/a/z", "x")
	k.mustDelete("/a/z")
	for page := 1; page <= 4; page++ {
		if got := k.deleted("/a", page); !slices.Equal(got, []string{"/a/x/f", "/a/y/f", "/a/z"}) {
			k.Errorf("pages of %d: deleted below /a = %q", page, got)
		}
	}
}

func deletedOfATenantIsNotAnothers(k *kit) {
	k.found("acme")
	k.mustPut("/f", "x")
	k.mustDelete("/f")
	amy := schema.Dir{Address: k.in("acme", "/f")}
	who := k.ann
	who.Tenant, who.Base = "acme", authz.Ref{Type: "user", ID: "acme/amy"}
	_, err := k.files.Undelete(k.Context(), grantTo(k, who, amy.Write()))
	k.mustFail("undelete in another tenant", err, errs.NotFound, errs.FileNotFound)
}

func (k *kit) grantsFor(name string) (n int) {
	for _, r := range k.rels.All() {
		if r.Subject.ID == storage.DefaultTenant+"/"+name && r.Resource.Type == "file" {
			n++
		}
	}
	return n
}

func (k *kit) mustHaveNoGrantsFor(name string) {
	k.Helper()
	if n := k.grantsFor(name); n > 0 {
		k.Errorf("%s has %d grants, want none", name, n)
	}
}
