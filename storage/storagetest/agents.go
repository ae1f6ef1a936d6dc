package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// agents are claims about agents that users register.
var agents = []func(*kit){
	registeredAgentIsAGuest,
	registeringAgainChangesAndShowsNoKeyTwice,
	takenNameIsNotTakenOver,
	whatWaitedForANameIsGoneWhenItIsRegistered,
	deletedAgentLeavesNothingToALaterOne,
	onlyAnAdminsKeyMakesAGuestOneOfTheTenant,
	agentsAreListedInOrderAndInPages,
	mandateIsKeptAsItWasGiven,
	oneOfManyRegistersAName,
}

func (k *kit) agent(name string) schema.Agent {
	k.Helper()
	a, err := schema.AgentOf(storage.DefaultTenant, name)
	if err != nil {
		k.Fatal(err)
	}
	return a
}

func (k *kit) registerAgent(who authz.Principal, name string, spec storage.AgentSpec) (storage.Agent, error) {
	k.Helper()
	return k.store.Agents().Register(k.Context(), grantTo(k, who, schema.Home(who).RegisterAgent()), k.agent(name), spec)
}

func (k *kit) mustRegisterAgent(name string, spec storage.AgentSpec) storage.Agent {
	k.Helper()
	a, err := k.registerAgent(k.ann, name, spec)
	if err != nil {
		k.Fatalf("register %s: %v", name, err)
	}
	return a
}

func (k *kit) deleteAgent(name string) {
	k.Helper()
	if ended, err := k.store.Agents().Delete(k.Context(), grant(k, k.agent(name).Manage())); err != nil || !ended {
		k.Fatalf("delete %s = %v, %v", name, ended, err)
	}
}

// bury sweeps until nothing is left, and returns how often it had to.
func (k *kit) bury() (rounds int) {
	k.Helper()
	sweeper := schema.Servant(storage.DefaultTenant, schema.Sweeper)
	for rounds = range 100 {
		left, err := k.store.Agents().Bury(k.Context(), grantTo(k, sweeper, schema.Home(sweeper).Sweep()))
		if err != nil {
			k.Fatal(err)
		}
		if !left {
			return rounds
		}
	}
	k.Fatal("the sweeper finds no end")
	return rounds
}

// about returns the relationships in which an agent takes part.
func (k *kit) about(name string) (all []string) {
	ref := k.agent(name).Named().Ref
	for _, r := range k.rels.All() {
		if r.Resource == ref || r.Subject == ref {
			all = append(all, r.String())
		}
	}
	return all
}

func registeredAgentIsAGuest(k *kit) {
	k.mustCreateKey(spec("ann")) // who has none is nobody's owner: the agent's key would not stand
	a := k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot", Description: "helps", WithKey: true})
	if !strings.HasPrefix(a.Secret, storage.AgentPrefix) || !a.HasKey || a.Owner != "ann" || a.Name != "Bot" {
		k.Errorf("registered %+v", a)
	}
	want := map[string]bool{
		"agent:default/bot#tenant@tenant:default": true, "agent:default/bot#owner@user:default/ann": true,
		"agent:default/bot#identity@agent:default/bot": true, "tenant:default#guest_agent@agent:default/bot": true,
	}
	got := k.about("bot")
	for _, r := range got {
		if !want[r] {
			k.Errorf("the agent has %s", r)
		}
	}
	if len(got) != len(want) {
		k.Errorf("the agent has %q", got)
	}
	h, err := k.holder(a.Secret)
	if err != nil || h.SubjectType != "agent" || h.Subject != "bot" || h.User != "ann" || h.Admin || h.Platform {
		k.Errorf("its key is held by %+v, %v", h, err)
	}
}

func registeringAgainChangesAndShowsNoKeyTwice(k *kit) {
	k.mustCreateKey(spec("ann"))
	first := k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot", Metadata: json.RawMessage(`{"v":1}`), WithKey: true})
	again, err := k.store.Agents().Update(k.Context(), grant(k, k.agent("bot").Manage()), storage.AgentSpec{Name: "Bot 2", WithKey: true})
	if err != nil || again.Secret != "" || !again.HasKey || again.Name != "Bot 2" || string(again.Metadata) != `{"v":1}` || !again.Created.Equal(first.Created) {
		k.Errorf("registered again = %+v, %v", again, err)
	}
	if _, err := k.holder(first.Secret); err != nil {
		k.Errorf("its first key: %v", err)
	}
	k.mustRegisterAgent("quiet", storage.AgentSpec{Name: "Quiet"})
	got, err := k.store.Agents().Update(k.Context(), grant(k, k.agent("quiet").Manage()), storage.AgentSpec{Name: "Quiet", WithKey: true})
	if err != nil || got.Secret == "" {
		k.Errorf("one without a key got %+v, %v", got, err)
	}
}

func takenNameIsNotTakenOver(k *kit) {
	k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot"})
	mallory := gatetest.User(storage.DefaultTenant, "mallory")
	_, err := k.registerAgent(mallory, "bot", storage.AgentSpec{Name: "Mine", WithKey: true})
	k.mustBeStale("registering a name that was taken since the decision", err)
	if owner, _, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "bot"); err != nil || owner != "ann" {
		k.Errorf("bot belongs to %q, %v", owner, err)
	}
	a, err := k.store.Agents().Get(k.Context(), grant(k, k.agent("bot").View()))
	if err != nil || a == nil || a.Name != "Bot" || a.HasKey {
		k.Errorf("bot = %+v, %v", a, err)
	}
}

func whatWaitedForANameIsGoneWhenItIsRegistered(k *kit) {
	k.enlist("bot", 210)
	k.shareWith("/waiting/f", "bot")
	k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot"})
	if got := k.about("bot"); len(got) != 4 {
		k.Errorf("a new agent has %q", got)
	}
	k.mustExist(false, "/waiting")
}

// enlist makes an agent a member of so many groups.
func (k *kit) enlist(agent string, groups int) {
	k.Helper()
	var all []relations.Update
	for i := range groups {
		all = append(all, relations.Update{Kind: relations.Touch, Relationship: relations.Relationship{
			Resource: authz.Ref{Type: "group", ID: fmt.Sprintf("%s/g%d", storage.DefaultTenant, i)}, Relation: "member", Subject: k.agent(agent).Named().Ref,
		}})
	}
	err := k.db.Tx(k.Context(), func(ctx context.Context, tx sqldb.Tx) error { return k.rels.Write(ctx, tx, all...) })
	if err != nil {
		k.Fatal(err)
	}
}

// shareWith relates an agent to a path, which is reserved when nothing is there.
func (k *kit) shareWith(path, agent string) string {
	k.Helper()
	id, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file(path).Share()), "direct_editor",
		storage.Subject{Ref: k.agent(agent).Named().Ref}, time.Time{})
	if err != nil {
		k.Fatal(err)
	}
	return id
}

func deletedAgentLeavesNothingToALaterOne(k *kit) {
	key := k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot", WithKey: true, Mandate: &authz.Mandate{Permissions: map[string][]string{"file": {"read"}}}})
	k.mustPut("/kept.txt", "x")
	id := k.shareWith("/kept.txt", "bot")
	k.shareWith("/reserved/f", "bot")
	k.enlist("bot", 210)
	k.deleteAgent("bot")
	if _, err := k.holder(key.Secret); !errors.Is(err, errs.NotFound) {
		k.Errorf("its key still works: %v", err)
	}
	if _, _, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "bot"); !errors.Is(err, errs.NotFound) {
		k.Errorf("somebody can still act through it: %v", err)
	}
	if exists, _, err := k.store.Credentials().Subject(k.Context(), storage.DefaultTenant, "agent", "bot"); err != nil || exists {
		k.Errorf("it still exists: %v, %v", exists, err)
	}
	_, err := k.registerAgent(k.ann, "bot", storage.AgentSpec{Name: "Bot"})
	k.mustFail("its owner takes the name before it is free", err, errs.Conflict, errs.NotValid)
	_, err = k.registerAgent(gatetest.User(storage.DefaultTenant, "mallory"), "bot", storage.AgentSpec{Name: "Bot"})
	k.mustFail("another takes the name before it is free", err, errs.Exists, "")
	_, err = k.createKey(agentSpec("bot", "ann"))
	k.mustFail("an admin makes a key for it", err, errs.Conflict, errs.NotValid)
	if rounds := k.bury(); rounds < 2 {
		k.Errorf("212 relationships went in %d transactions", rounds)
	}
	if got := k.about("bot"); len(got) > 0 {
		k.Errorf("left behind: %q", got)
	}
	if _, found, err := k.store.Names().Tuple(k.Context(), storage.DefaultTenant, id); err != nil || found {
		k.Errorf("the id of its relationship is known: %v, %v", found, err)
	}
	k.mustRead("/kept.txt", "x")
	k.mustExist(false, "/reserved")
	later := k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Another"})
	if len(k.about("bot")) != 4 || later.HasKey {
		k.Errorf("a later agent of that name = %+v with %q", later, k.about("bot"))
	}
	if _, m, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "bot"); err != nil || m.Permissions != nil {
		k.Errorf("it inherits the mandate %+v, %v", m, err)
	}
}

func onlyAnAdminsKeyMakesAGuestOneOfTheTenant(k *kit) {
	k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot", WithKey: true})
	tenant, bot := authz.Ref{Type: "tenant", ID: storage.DefaultTenant}, k.agent("bot").Named().Ref
	if k.related(tenant, "agent", bot) {
		k.Error("registering made it one of the tenant's")
	}
	_, err := k.createKey(agentSpec("bot", "mallory"))
	k.mustFail("an admin's key for another user's agent", err, errs.Exists, errs.NotValid)
	k.mustCreateKey(agentSpec("bot", "ann"))
	if !k.related(tenant, "agent", bot) {
		k.Error("an admin's key did not")
	}
}

func agentsAreListedInOrderAndInPages(k *kit) {
	for _, name := range []string{"c", "a", "d", "b"} {
		k.mustRegisterAgent(name, storage.AgentSpec{Name: name})
	}
	bob := gatetest.User(storage.DefaultTenant, "bob")
	if _, err := k.registerAgent(bob, "bobs", storage.AgentSpec{Name: "bobs"}); err != nil {
		k.Fatal(err)
	}
	k.deleteAgent("d")
	names := func(all []storage.Agent, err error) string {
		k.Helper()
		if err != nil {
			k.Fatal(err)
		}
		var list []string
		for _, a := range all {
			list = append(list, a.ID)
		}
		return strings.Join(list, " ")
	}
	g := k.store.Agents()
	own, all := grant(k, schema.Home(k.ann).Access()), grant(k, schema.Home(k.ann).Administer())
	if got := names(g.Own(k.Context(), own, "", 2)); got != "a b" {
		k.Errorf("ann's first page = %q", got)
	}
	if got := names(g.Own(k.Context(), own, "b", 2)); got != "c" {
		k.Errorf("ann's second page = %q", got)
	}
	if got := names(g.In(k.Context(), all, "", 10)); got != "a b bobs c" {
		k.Errorf("all = %q", got)
	}
	bot := authz.Principal{Base: k.agent("a").Named().Ref, Tenant: storage.DefaultTenant}
	if got := names(g.Own(k.Context(), grantTo(k, bot, schema.Home(bot).Access()), "", 10)); got != "" {
		k.Errorf("an agent owns %q", got)
	}
}

func mandateIsKeptAsItWasGiven(k *kit) {
	want := authz.Mandate{Permissions: map[string][]string{"file": {"read", "write"}}, Roots: []authz.Ref{k.file("/").Named().Ref}, Expires: k.clock.Now().Add(time.Hour).UTC()}
	k.mustRegisterAgent("bot", storage.AgentSpec{Name: "Bot", Mandate: &want})
	if _, got, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "bot"); err != nil || !reflect.DeepEqual(got, want) {
		k.Errorf("mandate = %+v, %v, want %+v", got, err, want)
	}
	if _, err := k.store.Agents().Update(k.Context(), grant(k, k.agent("bot").Manage()), storage.AgentSpec{Name: "Bot"}); err != nil {
		k.Fatal(err)
	}
	none := authz.Mandate{Roots: []authz.Ref{}}
	k.mustRegisterAgent("confined", storage.AgentSpec{Name: "Confined", Mandate: &none})
	if _, got, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "confined"); err != nil || got.Roots == nil || len(got.Roots) > 0 {
		k.Errorf("a mandate without any root = %+v, %v, which bounds nothing", got, err)
	}
	if _, got, err := k.store.Credentials().Agent(k.Context(), storage.DefaultTenant, "bot"); err != nil || !reflect.DeepEqual(got, want) {
		k.Errorf("after a change of the name alone the mandate = %+v, %v", got, err)
	}
}

func oneOfManyRegistersAName(k *kit) {
	var needs []schema.RegisterAgentTenant
	for i := range 8 {
		who := gatetest.User(storage.DefaultTenant, fmt.Sprintf("user%d", i))
		needs = append(needs, grantTo(k, who, schema.Home(who).RegisterAgent()))
	}
	won := 0
	for _, err := range race(8, func(i int) error {
		_, err := k.store.Agents().Register(k.Context(), needs[i], k.agent("bot"), storage.AgentSpec{Name: "Bot"})
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		k.mustBeStale("a loser", err)
	}
	owners := 0
	for _, r := range k.rels.All() {
		if r.Resource == k.agent("bot").Named().Ref && r.Relation == "owner" {
			owners++
		}
	}
	if won != 1 || owners != 1 {
		k.Errorf("%d won, the agent has %d owners", won, owners)
	}
}
