package storagetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
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
	listRacingAnUnshareLeavesNoID,
	pagesOfTuplesJoinToTheWhole,
	listsOfATenantAreOfThatTenantAlone,
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
	known, found, err := k.store.Names().Tuple(k.Context(), storage.DefaultTenant, id)
	object := known.Resource
	if err != nil || !found || known.Relation != "direct_viewer" || object != k.at("/f").Named().Ref {
		k.Errorf("Tuple = %v, %v, %v", known, found, err)
	}
	for _, tenant := range []string{"other", "", "nowhere"} {
		if r, found, err := k.store.Names().Tuple(k.Context(), tenant, id); err != nil || found || !r.Resource.IsZero() {
			k.Errorf("in %q: %v, %v, %v", tenant, r, found, err)
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

// page is one that holds all there is.
var page = storage.Page{Limit: storage.MaxPage}

func (k *kit) tuplesOn(path string) map[string]storage.Tuple {
	k.Helper()
	all, err := k.store.Shares().OnFile(k.Context(), grant(k, k.file(path).Share()), relations.Filter{}, page)
	if err != nil {
		k.Fatal(err)
	}
	byName := map[string]storage.Tuple{}
	for _, t := range all.Tuples {
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
		_, err := k.store.Shares().In(k.Context(), grant(k, schema.Home(k.ann).Administer()), relations.Filter{ResourceType: "file"}, page)
		return err
	}) {
		if err != nil {
			k.Errorf("listing at once: %v", err)
		}
	}
	if all, err := k.store.Shares().OnFile(k.Context(), grant(k, k.file("/missing").Share()), relations.Filter{}, page); err != nil || len(all.Tuples) != 0 {
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
	all, err := k.store.Shares().In(k.Context(), grant(k, administer), relations.Filter{ResourceType: "tenant", ResourceID: "default"}, page)
	if err != nil {
		k.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, t := range all.Tuples {
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

func listRacingAnUnshareLeavesNoID(k *kit) {
	k.mustPut("/f", "x")
	id := k.share("/f", "bob")
	k.statement(forgetIDs)
	raced := false
	k.rels.AfterRead = func() {
		if k.rels.AfterRead = nil; !raced {
			raced = true
			k.endByHand(k.at("/f").Named().Ref, "direct_viewer", user("bob").Ref)
		}
	}
	if _, listed := k.tuplesOn("/f")["direct_viewer@default/bob"]; listed {
		k.Error("what was ended is listed")
	}
	k.mustKnow(id, false)
	if left := k.pairs(idsOfViewers); len(left) > 0 || !raced {
		k.Errorf("%d ids of what is gone; raced: %v", len(left), raced)
	}
}

var (
	forgetIDs    = sqldb.SQL(`DELETE FROM tuples`)
	idsOfViewers = sqldb.SQL(`SELECT id, id FROM tuples WHERE relation = 'direct_viewer'`)
)

// endByHand ends a relationship as another server's transaction would.
func (k *kit) endByHand(resource authz.Ref, relation string, subject authz.Ref) {
	k.Helper()
	r := relations.Relationship{Resource: resource, Relation: relation, Subject: subject}
	err := k.db.Tx(k.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		return k.rels.Write(ctx, tx, relations.Update{Kind: relations.Delete, Relationship: r})
	})
	if err != nil {
		k.Fatal(err)
	}
}

// walk lists page by page and returns the ids, in order.
func (k *kit) walk(limit int, list func(storage.Page) (storage.Tuples, error)) (ids []string) {
	k.Helper()
	for p := (storage.Page{Limit: limit}); ; {
		part, err := list(p)
		if err != nil {
			k.Fatal(err)
		}
		if len(part.Tuples) > limit || part.More && len(part.Tuples) < limit {
			k.Errorf("a page of %d has %d, more to come: %v", limit, len(part.Tuples), part.More)
		}
		for _, t := range part.Tuples {
			ids = append(ids, t.ID)
		}
		if !part.More {
			return ids
		}
		p.After = part.Last
	}
}

func pagesOfTuplesJoinToTheWhole(k *kit) {
	k.mustPut("/f", "x")
	for i := range 98 { // with parent and owner: 100 on the file
		k.share("/f", fmt.Sprint("u", i))
	}
	k.mustEnrol("bob", "eng")
	file, administer := grant(k, k.file("/f").Share()), grant(k, schema.Home(k.ann).Administer())
	for name, list := range map[string]func(storage.Page) (storage.Tuples, error){
		"file": func(p storage.Page) (storage.Tuples, error) {
			return k.store.Shares().OnFile(k.Context(), file, relations.Filter{}, p)
		},
		"tenant": func(p storage.Page) (storage.Tuples, error) {
			return k.store.Shares().In(k.Context(), administer, relations.Filter{}, p)
		},
		"own": func(p storage.Page) (storage.Tuples, error) {
			return k.store.Shares().Of(k.Context(), grant(k, schema.Home(k.ann).Access()), relations.Filter{}, p)
		},
	} {
		whole := k.walk(storage.MaxPage, list)
		if name == "file" && len(whole) != 100 || name == "tenant" && len(whole) <= 100 || len(whole) == 0 {
			k.Errorf("%s: %d relationships", name, len(whole))
		}
		for _, limit := range []int{1, 99, 100, 101, len(whole)} {
			if got := k.walk(limit, list); !slices.Equal(got, whole) {
				k.Errorf("%s in pages of %d: %d, the whole has %d", name, limit, len(got), len(whole))
			}
		}
	}
}

func listsOfATenantAreOfThatTenantAlone(k *kit) {
	k.found("other")
	theirs := gatetest.User("other", "ann")
	for _, who := range []authz.Principal{k.ann, theirs} {
		if _, err := k.putAs(who, "/f", "x", storage.Condition{}); err != nil {
			k.Fatal(err)
		}
	}
	all, err := k.store.Shares().In(k.Context(), grantTo(k, theirs, schema.Home(theirs).Administer()), relations.Filter{}, page)
	if err != nil || len(all.Tuples) == 0 {
		k.Fatalf("%v, %v", all, err)
	}
	for _, t := range all.Tuples {
		if schema.TenantOf(t.Resource) != "other" {
			k.Errorf("%s is listed", t)
		}
	}
	for _, f := range []relations.Filter{
		{ResourceType: "file", ResourceID: k.at("/f").Anchor}, {ResourceType: "tenant", ResourceID: "default"}, {SubjectType: "user", SubjectID: "default/ann"},
	} {
		if all, err := k.store.Shares().In(k.Context(), grantTo(k, theirs, schema.Home(theirs).Administer()), f, page); err != nil || len(all.Tuples) > 0 {
			k.Errorf("%+v: %v, %v", f, all.Tuples, err)
		}
	}
}
