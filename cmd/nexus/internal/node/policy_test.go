package node

import (
	"errors"
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

const dotenv = "# settings\nAPI_KEY=s3cret\nexport TOKEN='two\nlines=1'\n"

// policed is a node with an agent that may read /w, and files that the shipped rules are about.
func policed(t *testing.T, disabled ...string) (*kit, authz.Principal) {
	t.Helper()
	k := newKit(t, Config{Disabled: disabled})
	bot := k.newAgent("bot", "olga")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_editor", []string{"file", "/w"})
	k.share("olga", "direct_owner", "/w")
	k.write(user("olga"), "/w/id_rsa", "private")
	k.write(user("olga"), "/w/.env", dotenv)
	k.write(user("olga"), "/w/plain.txt", "plain")
	return k, bot
}

func TestAgentDoesNotReadPrivateKeys(t *testing.T) {
	k, bot := policed(t)
	k.mustNotRead(bot, "/w/id_rsa")
	if d := k.lastDecision("files.read"); d.Allowed || d.Reason != string(errs.PolicyRefused) || !slices.Contains(d.Rules, "private_keys") {
		t.Errorf("recorded %+v, want a refusal by rule private_keys", d)
	}
	k.mustFail(bot, "write", writeParams("/w/id_rsa", "mine"), errs.Denied)
	k.mustFail(bot, "write", writeParams("/w/new/id_ed25519", "mine"), errs.Denied)
	if got, want := k.paths(bot, "/w"), []string{"/w/.env", "/w/plain.txt"}; !slices.Equal(got, want) {
		t.Errorf("the agent lists %q, want %q", got, want)
	}
	k.mustRead(bot, "/w/plain.txt", "plain")
	k.mustRead(user("olga"), "/w/id_rsa", "private")
	if got := k.paths(user("olga"), "/w"); !slices.Contains(got, "/w/id_rsa") {
		t.Errorf("the owner lists %q", got)
	}
	_, there := k.try(bot, "read", `{"path":"/w/id_rsa"}`)
	_, missing := k.try(bot, "read", `{"path":"/w/id_dsa"}`)
	if !errors.Is(missing, errs.Denied) || len(errs.Public(there)) != len(errs.Public(missing)) {
		t.Errorf("there: %v; missing: %v", there, missing)
	}
}

func TestAgentReadsMaskedValues(t *testing.T) {
	k, bot := policed(t)
	k.mustRead(bot, "/w/.env", "# settings\nAPI_KEY=********\nexport TOKEN=********\n")
	if d := k.lastDecision("files.read"); !d.Allowed || !slices.Contains(d.Obligations, string(authz.MaskValues)) || !slices.Contains(d.Rules, "mask_env") {
		t.Errorf("recorded %+v, want the obligation of rule mask_env", d)
	}
	k.mustRead(user("olga"), "/w/.env", dotenv)
}

func TestDisabledRuleRefusesNothing(t *testing.T) {
	k, bot := policed(t, "private_keys")
	k.mustRead(bot, "/w/id_rsa", "private")
	if got := k.paths(bot, "/w"); !slices.Contains(got, "/w/id_rsa") {
		t.Errorf("the agent lists %q", got)
	}
	k.mustRead(bot, "/w/.env", "# settings\nAPI_KEY=********\nexport TOKEN=********\n")
}

func TestDisabledRuleObligesToNothing(t *testing.T) {
	k, bot := policed(t, "mask_env")
	k.mustRead(bot, "/w/.env", dotenv)
	k.mustNotRead(bot, "/w/id_rsa")
}

func TestAgentHasNothingFromItsOwner(t *testing.T) {
	k, bot := policed(t)
	k.write(user("olga"), "/w/plain.txt", "olga's")
	k.share("olga", "direct_owner", "/olga")
	k.write(user("olga"), "/olga/f", "hers")
	k.mustNotRead(bot, "/olga/f")
	k.write(bot, "/w/by-bot", "made")
	for _, who := range []authz.Principal{bot, user("olga")} {
		k.mustRead(who, "/w/by-bot", "made")
	}
	if !k.may("olga", "owner", "/w/by-bot") {
		t.Error("the owner of the agent does not own what it made")
	}
}
