package storagetest

import (
	"time"

	"github.com/google/uuid"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// tuples are claims about relationships as people know them: by an id.
var tuples = []func(*kit){
	sameRelationshipHasOneID,
	idsOfRelationshipsTellNothing,
	idsOfAnotherTenantAreNotFound,
	listingGivesMissingIDsOnce,
	endedRelationshipIsGone,
	relationshipsOfTheStoreCannotBeEnded,
	onlyWhatExistsIsLinked,
	groupsAreFoundedOnce,
}

func sameRelationshipHasOneID(k *kit) {
	k.mustPut("/f", "x")
	first := k.share("/f", "bob")
	if again := k.share("/f", "bob"); again != first {
		k.Errorf("the same relationship has ids %s and %s", first, again)
	}
	for _, other := range []string{k.share("/f", "carl"), k.shareAs("/f", "direct_editor", "bob"), k.share("/", "bob")} {
		if other == first {
			k.Error("two relationships have one id")
		}
	}
}

func idsOfRelationshipsTellNothing(k *kit) {
	k.mustPut("/f", "x")
	first := k.share("/f", "bob")
	k.unshare("/f", first)
	again := k.share("/f", "bob")
	if again == first {
		k.Error("the id follows from the relationship")
	}
	for _, id := range []string{first, again} {
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 {
			k.Errorf("%s is no random UUID: %v", id, err)
		}
	}
}

func idsOfAnotherTenantAreNotFound(k *kit) {
	k.found("other")
	k.mustPut("/f", "x")
	id := k.share("/f", "bob")
	object, relation, found, err := k.store.Names().Tuple(k.Context(), storage.DefaultTenant, id)
	if err != nil || !found || relation != "direct_viewer" || object != k.at("/f").Named().Ref {
		k.Errorf("Tuple = %v, %s, %v, %v", object, relation, found, err)
	}
	for _, tenant := range []string{"other", "", "nowhere"} {
		if object, _, found, err := k.store.Names().Tuple(k.Context(), tenant, id); err != nil || found || !object.IsZero() {
			k.Errorf("in %q: %v, %v, %v", tenant, object, found, err)
		}
	}
	theirs := gatetest.User("other", "ann")
	if _, err := k.putAs(theirs, "/f", "x", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	on := grantTo(k, theirs, schema.File{Address: k.in("other", "/f")}.Share())
	if ended, err := k.store.Shares().UnshareFile(k.Context(), on, id); err != nil || ended {
		k.Errorf("ended through another tenant's file: %v, %v", ended, err)
	}
	if !k.related(object, "direct_viewer", user("bob").Ref) {
		k.Error("the relationship is gone")
	}
}

func (k *kit) tuplesOn(path string) map[string]storage.Tuple {
	k.Helper()
	all, err := k.store.Shares().OnFile(k.Context(), grant(k, k.file(path).Share()))
	if err != nil {
		k.Fatal(err)
	}
	byName := map[string]storage.Tuple{}
	for _, t := range all {
		byName[t.Relation+"@"+t.Subject.ID] = t
	}
	return byName
}

func listingGivesMissingIDsOnce(k *kit) {
	k.mustPut("/f", "x")
	shared := k.share("/f", "bob")
	first, again := k.tuplesOn("/f"), k.tuplesOn("/f")
	if len(first) != 3 || first["direct_viewer@default/bob"].ID != shared {
		k.Errorf("listed %v, want parent, owner and the one with id %s", first, shared)
	}
	for name, t := range first {
		if t.ID == "" || again[name].ID != t.ID || !again[name].Created.Equal(t.Created) {
			k.Errorf("%s was %+v and is %+v", name, t, again[name])
		}
	}
	for _, err := range race(4, func(int) error {
		_, err := k.store.Shares().In(k.Context(), grant(k, schema.Home(k.ann).Administer()), relations.Filter{ResourceType: "file"})
		return err
	}) {
		if err != nil {
			k.Errorf("listing at once: %v", err)
		}
	}
	if all, err := k.store.Shares().OnFile(k.Context(), grant(k, k.file("/missing").Share())); err != nil || len(all) != 0 {
		k.Errorf("of what has no row: %v, %v", all, err)
	}
}

func endedRelationshipIsGone(k *kit) {
	k.mustPut("/f", "x")
	id := k.share("/f", "bob")
	k.unshare("/f", id)
	if k.related(k.at("/f").Named().Ref, "direct_viewer", user("bob").Ref) {
		k.Error("the relationship is still there")
	}
	ended, err := k.store.Shares().UnshareFile(k.Context(), grant(k, k.file("/f").Share()), id)
	if err != nil || ended {
		k.Errorf("ended twice: %v, %v", ended, err)
	}
}

func relationshipsOfTheStoreCannotBeEnded(k *kit) {
	k.mustPut("/f", "x")
	s := spec("bob")
	s.Admin = true
	k.mustCreateKey(s)
	k.mustCreateKey(agentSpec("bot", "olga"))
	parent := k.tuplesOn("/f")["parent@"+k.at("/").Anchor].ID
	_, err := k.store.Shares().UnshareFile(k.Context(), grant(k, k.file("/f").Share()), parent)
	k.mustFail("end the place in the tree", err, errs.Invalid, errs.NotValid)

	administer := schema.Home(k.ann).Administer()
	all, err := k.store.Shares().In(k.Context(), grant(k, administer), relations.Filter{ResourceType: "tenant", ResourceID: "default"})
	if err != nil {
		k.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, t := range all {
		if t.Relation == "member" {
			continue
		}
		kinds[t.Relation] = true
		_, err := k.store.Shares().Dismiss(k.Context(), grant(k, administer), t.ID)
		k.mustFail("end "+t.String(), err, errs.Invalid, errs.NotValid)
	}
	for _, want := range []string{"platform", "admin", "agent"} {
		if !kinds[want] {
			k.Errorf("the tenant has no relation %s to try", want)
		}
	}
}

func onlyWhatExistsIsLinked(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustMkdir("/b")
	k.share("/r/s/f", "bob")
	link := func(child, into string) error {
		_, err := k.store.Shares().Link(k.Context(), storage.LinkGrant{
			Child: grant(k, k.file(child).Share()), Into: grant(k, k.dir(into).Write()),
		}, time.Time{})
		return err
	}
	for _, c := range [][2]string{{"/missing", "/b"}, {"/a/f", "/missing"}, {"/r/s/f", "/b"}, {"/r/s", "/b"}, {"/a/f", "/r/s"}, {"/b", "/a/f"}} {
		if err := link(c[0], c[1]); !anyOf(err, errs.NotFound, errs.Invalid) {
			k.Errorf("link %s into %s: %v", c[0], c[1], err)
		}
	}
	if err := link("/a/f", "/b"); err != nil {
		k.Errorf("link what exists: %v", err)
	}
	if !k.related(k.at("/a/f").Named().Ref, "link", k.at("/b").Named().Ref) {
		k.Error("the link is not there")
	}
}

func anyOf(err error, kinds ...errs.Kind) bool {
	for _, kind := range kinds {
		if err != nil && errs.KindOf(err) == kind {
			return true
		}
	}
	return false
}

func groupsAreFoundedOnce(k *kit) {
	eng, err := schema.GroupOf(storage.DefaultTenant, "eng")
	if err != nil {
		k.Fatal(err)
	}
	found := func(name string) (string, error) {
		return k.store.Shares().Found(k.Context(), grant(k, schema.Home(k.ann).Administer()), eng, "member", user(name), time.Time{})
	}
	for _, name := range []string{"ann", "bob"} {
		if _, err := found(name); err != nil {
			k.Fatal(err)
		}
	}
	home := authz.Ref{Type: "tenant", ID: "default"}
	n := 0
	for _, r := range k.rels.All() {
		if r.Resource == eng.Named().Ref && r.Relation == "tenant" {
			n++
		}
	}
	if n != 1 || !k.related(eng.Named().Ref, "tenant", home) {
		k.Errorf("the group belongs to %d tenants", n)
	}
	tenants, err := k.store.Shares().OnGroup(k.Context(), grant(k, eng.Manage()))
	if err != nil {
		k.Fatal(err)
	}
	for _, t := range tenants {
		if t.Relation == "tenant" {
			_, err := k.store.Shares().Expel(k.Context(), grant(k, eng.Manage()), t.ID)
			k.mustFail("end the group's tenant", err, errs.Invalid, errs.NotValid)
		}
	}
}
