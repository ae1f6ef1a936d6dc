package storagetest

import (
	"time"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// reserved are claims about grants on what does not exist yet.
var reserved = []func(*kit){
	grantOnAMissingPathShowsNothing,
	writtenReservedNameKeepsItsGrants,
	reservedNameBecomesAFolderByMkdir,
	reservedNameBecomesAFolderByWhatIsBelow,
	reservationGoesWithItsLastGrant,
	reservationStaysWhileSomethingKeepsIt,
	reservingBelowAReservedNameShowsNothing,
	grantBelowAFileRefused,
	revokingAReservationThatBecameAFileDeletesNothing,
	revokingAReservationThatBecameAFolderDeletesNothing,
	grantOnAMissingPathIsOneRow,
}

func user(name string) storage.Subject {
	u, err := schema.UserOf(storage.DefaultTenant, name)
	if err != nil {
		panic(err) // names in this suite are short
	}
	return storage.Subject{Ref: u.Named().Ref}
}

func (k *kit) share(path, name string) string {
	k.Helper()
	return k.shareAs(path, "direct_viewer", name)
}

func (k *kit) shareAs(path, relation, name string) string {
	k.Helper()
	id, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file(path).Share()), relation, user(name), time.Time{})
	if err != nil {
		k.Fatalf("share %s: %v", path, err)
	}
	return id
}

// unshare ends a grant on path, as the operation does.
func (k *kit) unshare(path, id string) {
	k.Helper()
	if ended, err := k.store.Shares().UnshareFile(k.Context(), grant(k, k.file(path).Share()), id); err != nil || !ended {
		k.Fatalf("unshare %s = %v, %v", path, ended, err)
	}
}

func grantOnAMissingPathShowsNothing(k *kit) {
	before := k.stat("/")
	k.share("/r/s/f", "bob")
	a := k.at("/r/s/f")
	if !a.HasRow() || !a.Reserved || a.Exists() {
		k.Errorf("address = %+v, want a reserved row", a)
	}
	k.mustExist(false, "/r", "/r/s", "/r/s/f")
	k.mustList("/", whole)
	k.mustList("/", storage.ListOptions{})
	k.mustList("/r", whole)
	k.mustList("/r/s", storage.ListOptions{})
	for _, path := range []string{"/r", "/r/s", "/r/s/f"} {
		_, err := k.read(path)
		k.mustFail("read "+path, err, errs.NotFound, errs.FileNotFound)
		_, err = k.files.Stat(k.Context(), grant(k, k.file(path).Read()))
		k.mustFail("stat "+path, err, errs.NotFound, errs.FileNotFound)
	}
	_, err := k.put("/r/s/f", "x", storage.Condition{Match: "etag"})
	k.mustFail("write over an etag", err, errs.Conflict, errs.EtagMismatch)
	if after := k.stat("/"); after != before {
		k.Errorf("the root was %+v and is %+v", before, after)
	}
}

func writtenReservedNameKeepsItsGrants(k *kit) {
	k.share("/r/s/f", "bob")
	reserved := k.at("/r/s/f")
	e, err := k.put("/r/s/f", "real", storage.Condition{Absent: true})
	if err != nil || e.Version != 1 {
		k.Fatalf("write = %+v, %v", e, err)
	}
	if a := k.at("/r/s/f"); a.Anchor != reserved.Anchor || !a.Exists() {
		k.Errorf("address = %+v, was %+v", a, reserved)
	}
	file := k.at("/r/s/f").Named().Ref
	if !k.related(file, "direct_viewer", user("bob").Ref) || !k.related(file, "direct_owner", k.ann.Base) {
		k.Errorf("relationships = %v", k.rels.All())
	}
	k.mustList("/", whole, "/r/", "/r/s/", "/r/s/f")
}

func reservedNameBecomesAFolderByMkdir(k *kit) {
	k.share("/r/s", "bob")
	id := k.at("/r/s").Anchor
	k.mustMkdir("/r/s")
	if a := k.at("/r/s"); a.Anchor != id || !a.Folder || !a.Exists() {
		k.Errorf("address = %+v, want folder %s", a, id)
	}
	if !k.related(k.at("/r/s").Named().Ref, "direct_viewer", user("bob").Ref) {
		k.Error("the grant is lost")
	}
	k.mustList("/", whole, "/r/", "/r/s/")
}

func reservedNameBecomesAFolderByWhatIsBelow(k *kit) {
	k.share("/r/s", "bob")
	id := k.at("/r/s").Anchor
	k.mustPut("/r/s/t/f", "x")
	if a := k.at("/r/s"); a.Anchor != id || !a.Folder || !a.Exists() {
		k.Errorf("address = %+v, want folder %s", a, id)
	}
	k.mustList("/", whole, "/r/", "/r/s/", "/r/s/t/", "/r/s/t/f")
}

func reservationGoesWithItsLastGrant(k *kit) {
	before := len(k.rels.All())
	bob, carl := k.share("/r/s/f", "bob"), k.share("/r/s/f", "carl")
	k.unshare("/r/s/f", bob)
	if a := k.at("/r/s/f"); !a.HasRow() {
		k.Fatal("the row went with the first of two grants")
	}
	k.unshare("/r/s/f", carl)
	if a := k.at("/r/s/f"); a.Rest != "r/s/f" {
		k.Errorf("address = %+v, want nothing below the root", a)
	}
	if after := len(k.rels.All()); after != before {
		k.Errorf("%d relationships are left, there were %d", after, before)
	}
}

func reservationStaysWhileSomethingKeepsIt(k *kit) {
	deep, middle, beside := k.share("/r/s/f", "bob"), k.share("/r/s", "bob"), k.share("/r/g", "bob")
	k.unshare("/r/s/f", deep)
	if a := k.at("/r/s/f"); a.Rest != "f" {
		k.Errorf("after its last grant: %+v, want the folder above", a)
	}
	k.unshare("/r/s", middle)
	if a := k.at("/r/s"); a.Rest != "s" {
		k.Errorf("after the folder's last grant: %+v", a)
	}
	if a := k.at("/r/g"); !a.Reserved || !a.HasRow() {
		k.Errorf("the sibling: %+v", a)
	}
	k.unshare("/r/g", beside)
	if a := k.at("/r"); a.HasRow() {
		k.Errorf("nothing keeps it: %+v", a)
	}

	again := k.share("/q/f", "bob")
	k.mustPut("/q/real", "x")
	k.unshare("/q/f", again)
	k.mustList("/", whole, "/q/", "/q/real")
}

func reservingBelowAReservedNameShowsNothing(k *kit) {
	upper := k.share("/r/s", "bob")
	lower := k.share("/r/s/t/f", "carl")
	k.mustExist(false, "/r", "/r/s", "/r/s/t", "/r/s/t/f")
	k.mustList("/", whole)
	if !k.related(k.at("/r/s").Named().Ref, "direct_viewer", user("bob").Ref) {
		k.Error("the upper grant is lost")
	}
	k.unshare("/r/s", upper)
	k.unshare("/r/s/t/f", lower)
	if a := k.at("/r/s/t/f"); a.Rest != "r/s/t/f" {
		k.Errorf("address = %+v, want nothing below the root", a)
	}
}

func grantBelowAFileRefused(k *kit) {
	k.mustPut("/f", "x")
	_, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file("/f/below").Share()), "direct_viewer", user("bob"), time.Time{})
	k.mustFail("grant below a file", err, errs.Invalid, errs.NotValid)
	k.mustRead("/f", "x")
}

// The grant that made the name also is what its writer gets as an owner, so writing changes no relationship.
func revokingAReservationThatBecameAFileDeletesNothing(k *kit) {
	id := k.shareAs("/f", "direct_owner", "ann")
	on := grant(k, k.file("/f").Share()) // decided while it is reserved
	k.mustPut("/f", "precious")
	_, err := k.store.Shares().UnshareFile(k.Context(), on, id)
	k.mustBeStale("unshare what has become real", err)
	k.mustRead("/f", "precious")
	k.unshare("/f", id)
	k.mustRead("/f", "precious")
}

func revokingAReservationThatBecameAFolderDeletesNothing(k *kit) {
	id := k.shareAs("/d", "direct_owner", "ann")
	on := grant(k, k.file("/d").Share())
	k.mustMkdir("/d")
	_, err := k.store.Shares().UnshareFile(k.Context(), on, id)
	k.mustBeStale("unshare what has become real", err)
	k.mustExist(true, "/d")
}

func grantOnAMissingPathIsOneRow(k *kit) {
	const sharers = 8
	grants := grants(k, sharers, k.file("/r/f").Share())
	won := 0
	for _, err := range race(sharers, func(i int) error {
		_, err := k.store.Shares().ShareFile(k.Context(), grants[i], "direct_viewer", user("bob"), time.Time{})
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		k.mustBeStale("a grant that came second", err)
	}
	if won != 1 {
		k.Errorf("%d of %d made the row", won, sharers)
	}
}
