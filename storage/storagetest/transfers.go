package storagetest

import (
	"context"
	"fmt"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// transfers are claims about moving what a user owns.
var transfers = []func(*kit){
	transferGoesOnWhereItStopped,
	whatEndedMeanwhileIsNotMoved,
	transferBrokenHalfWayMovesNothing,
}

// hands makes bob, who owns n files, and ann.
func (k *kit) hands(n int) storage.Handover {
	k.Helper()
	k.mustCreateKey(spec("bob"))
	k.mustCreateKey(spec("ann"))
	bob := gatetest.User("default", "bob")
	for i := range n {
		if _, err := k.putAs(bob, fmt.Sprintf("/b/f%03d", i), "x", storage.Condition{}); err != nil {
			k.Fatal(err)
		}
	}
	return storage.Handover{Tenant: "default", From: "bob", To: "ann"}
}

func (k *kit) transfer(s *storage.Store, h storage.Handover) (storage.Transferred, error) {
	k.Helper()
	return s.Users().Transfer(k.Context(), k.platform(), h)
}

// ownedBy counts the files of a user.
func (k *kit) ownedBy(name string) (n int) {
	for _, r := range k.rels.All() {
		if r.Relation == "direct_owner" && r.Subject == (authz.Ref{Type: "user", ID: "default/" + name}) {
			n++
		}
	}
	return n
}

func transferGoesOnWhereItStopped(k *kit) {
	h := k.hands(150)
	first, err := k.transfer(k.store, h)
	if err != nil || first.Complete || first.Moved != 100 || k.ownedBy("bob") != 50 || k.ownedBy("ann") != 100 {
		k.Fatalf("the first call: %+v, %v; bob owns %d, ann %d", first, err, k.ownedBy("bob"), k.ownedBy("ann"))
	}
	k.clock.Advance(time.Minute)
	second, err := k.transfer(storage.New(k.db, k.blobs, k.rels, k.rels, k.clock), h) // another process
	if err != nil || !second.Complete || second.Moved != 50 || second.Files != 150 || k.ownedBy("ann") != 150 ||
		!second.Started.Equal(first.Started) || !second.Finished.Equal(k.clock.Now()) {
		k.Errorf("the second call: %+v, %v; ann owns %d", second, err, k.ownedBy("ann"))
	}
}

// behind reads relationships as they were.
type behind struct {
	*Relations
	was []relations.Relationship
}

func (b behind) Read(_ context.Context, _ relations.Revision, f relations.Filter, yield func(relations.Relationship) bool) error {
	for _, r := range b.was {
		if r.Resource.Type == f.ResourceType && r.Relation == f.Relation && r.Subject.ID == f.SubjectID && !yield(r) {
			return nil
		}
	}
	return nil
}

// whatEndedMeanwhileIsNotMoved: a right that was taken away between reading and moving must not come to life for another.
func whatEndedMeanwhileIsNotMoved(k *kit) {
	h := k.hands(3)
	was := k.rels.All()
	gone := k.at("/b/f001").Named().Ref
	k.tx(func(ctx context.Context, tx sqldb.Tx) error {
		return k.rels.Write(ctx, tx, relations.Update{Kind: relations.Delete, Relationship: relations.Relationship{
			Resource: gone, Relation: "direct_owner", Subject: authz.Ref{Type: "user", ID: "default/bob"},
		}})
	})
	t, err := k.transfer(storage.New(k.db, k.blobs, k.rels, behind{k.rels, was}, k.clock), h)
	if err != nil || t.Moved != 2 || k.ownedBy("ann") != 2 || k.related(gone, "direct_owner", authz.Ref{Type: "user", ID: "default/ann"}) {
		k.Errorf("transfer = %+v, %v; ann owns %d", t, err, k.ownedBy("ann"))
	}
}

// tx runs f in a transaction.
func (k *kit) tx(f func(context.Context, sqldb.Tx) error) {
	k.Helper()
	if err := k.db.Tx(k.Context(), f); err != nil {
		k.Fatal(err)
	}
}

func transferBrokenHalfWayMovesNothing(k *kit) {
	h := k.hands(3)
	h.KeepKeys = true
	bot := k.mustCreateKey(agentSpec("bot", "bob"))
	store := k.with(func(context.Context, sqldb.Tx) error { return errs.New(errs.Unavailable, "the disk is gone") })
	if _, err := k.transfer(store, h); err == nil {
		k.Fatal("a broken transaction moved")
	}
	if k.ownedBy("bob") != 3 || k.ownedBy("ann") != 0 {
		k.Errorf("bob owns %d, ann %d", k.ownedBy("bob"), k.ownedBy("ann"))
	}
	if holder, err := k.holder(bot.Secret); err != nil || holder.User != "bob" {
		k.Errorf("the agent's key is %+v, %v", holder, err)
	}
	if t, err := k.transfer(k.store, h); err != nil || t.Files != 3 || t.Agents != 1 || !t.Complete {
		k.Errorf("once more: %+v, %v", t, err)
	}
	if holder, err := k.holder(bot.Secret); err != nil || holder.User != "ann" {
		k.Errorf("the agent's key is %+v, %v", holder, err)
	}
}
