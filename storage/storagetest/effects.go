package storagetest

import (
	"context"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// effects are claims about what ties a write to its decision.
var effects = []func(*kit){
	everyWriteLeavesItsEffect,
	everyEffectIsYieldedOnce,
	effectIsToldAfterTheCommitOnly,
	sequencesRiseByTenant,
	versionCarriesTheSequenceOfItsEffect,
	grantServesOneWrite,
}

var versionSeq = sqldb.SQL(`SELECT seq FROM versions WHERE file = $1 AND version = $2`)

func (k *kit) effect(d *authz.Decision) (first, last int64) {
	k.Helper()
	first, last, found, err := k.store.Effect(k.Context(), d.ID())
	if err != nil || !found {
		k.Fatalf("effect of %s: %v, %v", d.ID(), found, err)
	}
	return first, last
}

// told returns the last outcome that the record would get for d.
func (k *kit) told(d *authz.Decision) authz.Outcome {
	k.gate.Conclude(k.Context(), d, nil)
	all := k.notes.Outcomes()
	return all[len(all)-1]
}

func everyEffectIsYieldedOnce(k *kit) {
	var want []string
	for _, path := range []string{"/a", "/b", "/c"} {
		into := grant(k, k.dir(path).Write())
		if _, err := k.files.Create(k.Context(), into, []byte("x"), storage.Condition{}); err != nil {
			k.Fatal(err)
		}
		want = append(want, into.Decision().ID())
	}
	var got []string
	for decision, err := range k.store.Effects(k.Context()) {
		if err != nil {
			k.Fatal(err)
		}
		if slices.Contains(want, decision) {
			got = append(got, decision)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		k.Errorf("effects of %q are yielded, want those of %q", got, want)
	}
}

func everyWriteLeavesItsEffect(k *kit) {
	into := grant(k, k.dir("/f").Write())
	_, err := k.files.Create(k.Context(), into, []byte("x"), storage.Condition{})
	k.mustLeave("create", into.Decision(), err)
	at := grant(k, k.dir("/d").Write())
	k.mustLeave("mkdir", at.Decision(), k.files.Mkdir(k.Context(), at, false))
	on := grant(k, k.file("/f").Share())
	id, err := k.store.Shares().ShareFile(k.Context(), on, "direct_viewer", user("bob"), time.Time{})
	k.mustLeave("share", on.Decision(), err)
	off := grant(k, k.file("/f").Share())
	_, err = k.store.Shares().UnshareFile(k.Context(), off, id)
	k.mustLeave("unshare", off.Decision(), err)
	in := grant(k, schema.Home(k.ann).Administer())
	_, err = k.store.Keys().Create(k.Context(), in, spec("bob"))
	k.mustLeave("create a key", in.Decision(), err)

	nothing := grant(k, k.file("/f").Share())
	if _, err := k.store.Shares().UnshareFile(k.Context(), nothing, id); err != nil {
		k.Fatal(err)
	}
	if _, _, found, err := k.store.Effect(k.Context(), nothing.Decision().ID()); err != nil || found {
		k.Errorf("ending what is not there left an effect: %v, %v", found, err)
	}
}

func (k *kit) mustLeave(what string, d *authz.Decision, err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: %v", what, err)
	}
	first, last := k.effect(d)
	if o := k.told(d); first < 1 || last < first || o.First != first || o.Last != last {
		k.Errorf("%s: effect %d–%d, the decision knows %d–%d", what, first, last, o.First, o.Last)
	}
}

func effectIsToldAfterTheCommitOnly(k *kit) {
	into := grant(k, k.dir("/f").Write())
	var meanwhile authz.Outcome
	store := k.with(func(context.Context, sqldb.Tx) error {
		meanwhile = k.told(into.Decision())
		return nil
	})
	if _, err := store.Files().Create(k.Context(), into, []byte("x"), storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	if after := k.told(into.Decision()); meanwhile.First != 0 || after.First == 0 {
		k.Errorf("told %d in the transaction and %d after it", meanwhile.First, after.First)
	}
}

func sequencesRiseByTenant(k *kit) {
	k.found("other")
	them := gatetest.User("other", "ann")
	previous := map[string]int64{}
	for i := range 6 {
		who := []authz.Principal{k.ann, them}[i%2]
		into := grantTo(k, who, schema.Dir{Address: k.in(who.Tenant, "/f"+string(rune('0'+i)))}.Write())
		if _, err := k.files.Create(k.Context(), into, []byte("x"), storage.Condition{}); err != nil {
			k.Fatal(err)
		}
		first, last := k.effect(into.Decision())
		if p := previous[who.Tenant]; p != 0 && first != p+1 {
			k.Errorf("sequence %d of %s after %d", first, who.Tenant, p)
		}
		previous[who.Tenant] = last
	}
}

func versionCarriesTheSequenceOfItsEffect(k *kit) {
	k.mustPut("/f", "1")
	over := grant(k, k.file("/f").Write())
	if _, err := k.files.Write(k.Context(), over, []byte("2"), storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	var seq int64
	if err := k.db.Row(k.Context(), versionSeq, k.at("/f").Anchor, 2).Scan(&seq); err != nil {
		k.Fatal(err)
	}
	if _, last := k.effect(over.Decision()); seq != last {
		k.Errorf("version has sequence %d, its effect %d", seq, last)
	}
}

func grantServesOneWrite(k *kit) {
	k.mustPut("/f", "1")
	over := grant(k, k.file("/f").Write())
	if _, err := k.files.Write(k.Context(), over, []byte("2"), storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	if _, err := k.files.Write(k.Context(), over, []byte("3"), storage.Condition{}); err == nil {
		k.Error("one decision served two writes: the record could name one of them alone")
	}
	k.mustRead("/f", "2")
}
