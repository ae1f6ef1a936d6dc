package storagetest

import (
	"slices"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/schema"
	"nexus/storage"
)

// owners are claims about who owns what is made.
var owners = []func(*kit){
	makerOwnsFilesAndFolders,
	implicitFoldersHaveNoOwner,
	agentAndItsOwnerOwnWhatItMakes,
	overwritingChangesNoOwner,
	strangerOwnsNothingInAnotherTenant,
}

// owned returns the owners of a path.
func (k *kit) owned(tenant, path string) []string {
	k.Helper()
	object, all := k.in(tenant, path).Named().Ref, []string{}
	for _, r := range k.rels.All() {
		if r.Resource == object && r.Relation == "direct_owner" {
			all = append(all, r.Subject.String())
		}
	}
	slices.Sort(all)
	return all
}

func (k *kit) mustBeOwned(path string, want ...string) {
	k.Helper()
	if got := k.owned(storage.DefaultTenant, path); !slices.Equal(got, want) {
		k.Errorf("%s belongs to %q, want %q", path, got, want)
	}
}

func makerOwnsFilesAndFolders(k *kit) {
	k.mustPut("/f", "x")
	k.mustMkdir("/d")
	k.mustBeOwned("/f", "user:default/ann")
	k.mustBeOwned("/d", "user:default/ann")
	k.mustBeOwned("/", "tenant:default")
}

func implicitFoldersHaveNoOwner(k *kit) {
	k.mustPut("/a/b/f", "x")
	k.mustMkdir("/c/d/e")
	for _, path := range []string{"/a", "/a/b", "/c", "/c/d"} {
		k.mustBeOwned(path)
	}
	k.mustBeOwned("/c/d/e", "user:default/ann")
}

func agentAndItsOwnerOwnWhatItMakes(k *kit) {
	bot := gatetest.Agent(storage.DefaultTenant, "bot")
	bot.Owner = gatetest.User(storage.DefaultTenant, "olga").Base
	if _, err := k.putAs(bot, "/f", "x", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	if err := k.files.Mkdir(k.Context(), grantTo(k, bot, k.dir("/d").Write()), false); err != nil {
		k.Fatal(err)
	}
	k.mustBeOwned("/f", "agent:default/bot", "user:default/olga")
	k.mustBeOwned("/d", "agent:default/bot", "user:default/olga")
}

func overwritingChangesNoOwner(k *kit) {
	k.mustPut("/f", "ann's")
	bob := gatetest.User(storage.DefaultTenant, "bob")
	if _, err := k.putAs(bob, "/f", "bob's", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	k.mustBeOwned("/f", "user:default/ann")
}

// strangerOwnsNothingInAnotherTenant: who administers the deployment works in trees of tenants he is not of. What he makes
// there belongs to those who administer the tenant, as the whole tree does.
func strangerOwnsNothingInAnotherTenant(k *kit) {
	k.found("other")
	admin := gatetest.User(storage.DefaultTenant, "admin")
	admin.Admin, admin.Tenant = authz.Ref{Type: "key", ID: "k"}, "other"
	if _, err := k.putAs(admin, "/f", "x", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	if err := k.files.Mkdir(k.Context(), grantTo(k, admin, schema.Dir{Address: k.in("other", "/d")}.Write()), false); err != nil {
		k.Fatal(err)
	}
	for _, path := range []string{"/f", "/d"} {
		if got := k.owned("other", path); len(got) != 0 {
			k.Errorf("%s belongs to %q", path, got)
		}
	}
}
