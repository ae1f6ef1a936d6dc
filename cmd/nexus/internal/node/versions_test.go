package node

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func TestVersionsAreAnsweredAsTheFileIs(t *testing.T) {
	k := newKit(t, Config{})
	k.member("eve")
	k.write(k.admin, "/a/f", "one\ntwo\n")
	k.write(k.admin, "/a/f", "one\nTWO\n")
	for method, params := range map[string]string{
		"get_version":   `{"path":"/a/f","version":1}`,
		"list_versions": `{"path":"/a/f"}`,
		"rollback":      `{"path":"/a/f","version":1}`,
		"diff_versions": `{"path":"/a/f","v1":1,"v2":2}`,
	} {
		_, there := k.try(user("eve"), method, params)
		_, missing := k.try(user("eve"), method, strings.Replace(params, "/a/f", "/a/g", 1))
		if !errors.Is(there, errs.Denied) || strings.Replace(there.Error(), "/a/f", "/a/g", 1) != missing.Error() {
			t.Errorf("%s: %v, and of nothing %v", method, there, missing)
		}
	}
	r := k.do(k.admin, "diff_versions", `{"path":"/a/f","v1":1,"v2":2,"mode":"content"}`).(api.DiffResult)
	if !strings.Contains(r.Text, "-two\n+TWO\n") || !r.Changed {
		t.Errorf("diff = %q", r.Text)
	}
	if _, err := k.try(k.admin, "diff_versions", `{"path":"/a/f","v1":1,"v2":2,"mode":"colour"}`); errs.RPC(err) != -32602 {
		t.Errorf("an unknown mode: %v", err)
	}
}

func TestAgentSeesNoValuesInVersions(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/app/.env", "TOKEN=hunter2")
	k.write(k.admin, "/app/.env", "TOKEN=hunter3")
	bot := k.newAgent("bot", "ann")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_owner", []string{"file", "/app"})
	got := string(k.do(bot, "get_version", `{"path":"/app/.env","version":1}`).([]byte))
	diff := k.do(bot, "diff_versions", `{"path":"/app/.env","v1":1,"v2":2,"mode":"content"}`).(api.DiffResult)
	if all := got + diff.Text; strings.Contains(all, "hunter") || !strings.Contains(got, "TOKEN=") {
		t.Errorf("the agent sees %q", all)
	}
}

// TestRulesAboutContentsNameEveryWayToThem: a rule that hides or masks what files.read shows must do so for every other
// operation that shows contents, and for what would give them another name.
func TestRulesAboutContentsNameEveryWayToThem(t *testing.T) {
	k := newKit(t, Config{})
	bot := authz.Principal{Base: authz.Ref{Type: "agent", ID: "default/bot"}, Tenant: "default"}
	ways := []string{api.Rename.Name}
	for _, d := range api.All() {
		if d.Contents {
			ways = append(ways, d.DecidedAs())
		}
	}
	if !slices.Contains(ways, api.Read.Name) {
		t.Fatal("files.read does not say that it shows contents")
	}
	for _, op := range ways {
		for _, path := range []string{"/a/.env", "/a/id_rsa"} {
			object := authz.Named{Ref: authz.Ref{Type: "file", ID: "default/x"}, Name: path}
			v, err := k.Service.Rules().Evaluate(t.Context(), bot, op, []authz.Named{object})
			if err != nil || len(v) != 1 || !v[0].Refused && len(v[0].Obligations) == 0 {
				t.Errorf("%s of %s by an agent: %+v, %v, want it refused or masked", op, path, v, err)
			}
		}
	}
}
