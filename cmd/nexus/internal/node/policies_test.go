package node

import (
	"encoding/json"
	"sync"
	"testing"

	"nexus/apiserver/api"
)

// closed is a bundle with one rule, which refuses reading files of that name.
func closed(name string) string {
	rule := "# METADATA\n# title: Closed\n# custom:\n#   operations: [files.read]\n#   looks_at: [object]\npackage nexus.rules.closed\n\n" +
		"refuse contains \"closed\" if {\n\tsome object in input.objects\n\tobject.name == \"" + name + "\"\n}\n"
	test := "package nexus.rules.closed_test\n\nimport data.nexus.rules.closed\n\n" +
		"test_closed if count(closed.refuse) == 1 with input as {\"objects\": [{\"name\": \"" + name + "\"}]}\n"
	raw, _ := json.Marshal(map[string]any{"files": map[string]string{"closed.rego": rule, "closed_test.rego": test}})
	return string(raw)
}

func TestPoliciesAreForWhoAdministersThePlatform(t *testing.T) {
	w := newWire(t, Config{})
	tenant := w.newKey(`{"user_id":"adam","name":"admin","tenant_id":"a","is_admin":true}`)
	agent := w.newKey(`{"user_id":"olga","name":"key","tenant_id":"default","subject_type":"agent","subject_id":"bot"}`)
	for _, key := range []string{tenant, agent} {
		w.mustAnswer(-32004, key, "policy_read", `{}`)
		w.mustAnswer(-32004, key, "policy_put", closed("f"))
		w.mustAnswer(-32004, key, "policy_rehearse", closed("f"))
	}
	w.mustAnswer(0, w.root.Secret, "policy_read", `{}`)
}

func TestInstalledPolicyIsInForceAtOnceAndAfterARestart(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/f", "x")
	k.write(k.admin, "/g", "x")
	k.mustRead(k.admin, "/f", "x")
	before := k.do(k.admin, "policy_read", `{}`).(api.Policy)
	put := k.do(k.admin, "policy_put", closed("f")).(api.PutPolicyResult)
	k.mustNotRead(k.admin, "/f")
	if d := k.lastDecision("files.read"); d.Policy != put.Digest || put.Previous != before.Digest {
		t.Errorf("recorded policy %s, installed %+v, before %s", d.Policy, put, before.Digest)
	}
	k.restart()
	k.mustNotRead(k.admin, "/f")
	k.mustRead(k.admin, "/g", "x")
	k.do(k.admin, "policy_put", `{"files":{}}`)
	k.mustRead(k.admin, "/f", "x")
	if after := k.do(k.admin, "policy_read", `{}`).(api.Policy); after.Digest != before.Digest {
		t.Errorf("without own policies the digest is %s, want %s", after.Digest, before.Digest)
	}
}

// TestBundlesInstalledAtOnceLeaveOneInForce: what is in force is what is on disk, whoever came last.
func TestBundlesInstalledAtOnceLeaveOneInForce(t *testing.T) {
	k := newKit(t, Config{})
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		all.Go(func() { k.do(k.admin, "policy_put", closed(name)) })
	}
	all.Wait()
	before := k.do(k.admin, "policy_read", `{}`).(api.Policy)
	k.restart()
	if after := k.do(k.admin, "policy_read", `{}`).(api.Policy); after.Digest != before.Digest || after.Installed != before.Installed {
		t.Errorf("in force was %s, after a restart %s", before.Digest, after.Digest)
	}
}

func TestRehearsalTellsWhatWouldChangeAndChangesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/f", "x")
	k.write(k.admin, "/g", "x")
	k.mustRead(k.admin, "/f", "x")
	k.mustRead(k.admin, "/g", "x")
	k.mustNotRead(user("mallory"), "/f") // relations refuse: no rule is asked
	r := k.do(k.admin, "policy_rehearse", closed("f")).(api.Rehearsal)
	if len(r.Changes) != 1 || r.Asked != 2 || r.Unknown != 0 || r.Changes[0].Objects[0] != "/f" || !r.Changes[0].Was || r.Changes[0].Would {
		t.Errorf("policy_rehearse = %+v", r)
	}
	k.mustRead(k.admin, "/f", "x")
	k.do(k.admin, "policy_put", closed("f"))
	k.mustNotRead(k.admin, "/f")
	r = k.do(k.admin, "policy_rehearse", `{"files":{},"last":1000}`).(api.Rehearsal)
	if len(r.Changes) != 1 || r.Changes[0].Was || !r.Changes[0].Would {
		t.Errorf("policy_rehearse of nothing = %+v", r)
	}
}
