package node

import (
	"strings"
	"testing"
)

// tenants are two organisations on one server, with a platform admin above both.
type tenants struct {
	*wire
	alice, adminA string // of tenant a; alice owns /a
	adminB        string
	idB           string // of a relationship in tenant b
}

func newTenants(t *testing.T) *tenants {
	t.Helper()
	s := &tenants{wire: newWire(t, Config{})}
	s.alice, s.adminA = s.userKey("alice", "a"), s.newKey(`{"user_id":"adam","name":"admin","tenant_id":"a","is_admin":true}`)
	s.adminB = s.newKey(`{"user_id":"beth","name":"admin","tenant_id":"b","is_admin":true}`)
	s.put(s.adminA, "/a/f", "of a")
	s.tuple(s.adminA, `{"subject":["user","alice"],"relation":"direct_owner","object":["file","/a"]}`)
	s.put(s.adminB, "/a/f", "of b")
	s.put(s.adminB, "/b/f", "secret of b")
	s.tuple(s.adminB, `{"subject":["user","bob"],"relation":"member","object":["group","eng"]}`)
	s.idB = s.tuple(s.adminB, `{"subject":["user","alice"],"relation":"direct_viewer","object":["file","/b/f"]}`) // b's own alice
	return s
}

func TestNothingOfAnotherTenantCanBeNamed(t *testing.T) {
	s := newTenants(t)
	for _, key := range []string{s.alice, s.adminA} {
		s.mustAnswer(0, key, "read", `{"path":"/a/f"}`)
		if answer := s.post(key, "read", `{"path":"/a/f"}`); !strings.Contains(answer, "b2YgYQ==") { // "of a"
			t.Errorf("read /a/f = %s", answer)
		}
		s.mustSay(`["/a/","/a/f"]`, key, "list", `{}`)
		s.mustSay(`false`, key, "exists", `{"path":"/b/f"}`)
		s.mustSay(`null`, key, "get_metadata", `{"path":"/b/f"}`)
		s.mustSay(`false`, key, "rebac_delete", `{"tuple_id":"`+s.idB+`"}`)
		s.mustSay(`{"allowed":false}`, key, "rebac_check", `{"subject":["user","alice"],"permission":"read","object":["file","/a/f"],"tenant_id":"b"}`)
		s.mustSay(`{"allowed":false}`, key, "rebac_check", `{"subject":["user","bob"],"permission":"member","object":["group","eng"]}`)
		s.mustSay(`{"subjects":[]}`, key, "rebac_expand", `{"permission":"access","object":["tenant","b"]}`)
		s.mustSay(`[]`, key, "rebac_list_tuples", `{"object":["tenant","b"]}`)
		s.mustAnswer(-32004, key, "rebac_create", `{"subject":["user","alice"],"relation":"member","object":["tenant","b"]}`)
		s.mustAnswer(-32004, key, "rebac_create", `{"subject":["user","alice"],"relation":"direct_viewer","object":["file","/a/f"],"tenant_id":"b"}`)
		s.mustAnswer(-32004, key, "rebac_create", `{"subject":["tenant","b","access"],"relation":"direct_viewer","object":["file","/a/f"]}`)
		for _, tenant := range []string{"b", "default", "missing", "*"} {
			s.mustAnswer(-32004, key, "admin_create_key", `{"user_id":"x","name":"x","tenant_id":"`+tenant+`"}`)
			s.mustAnswer(-32003, key, "read", `{"path":"/a/f"}`, header{"X-Nexus-Tenant-ID", tenant})
			s.mustAnswer(-32003, key, "read", `{"path":"/a/f"}`, header{"X-Tenant-ID", tenant})
		}
	}
	s.mustAnswer(-32000, s.adminA, "read", `{"path":"/b/f"}`)
	s.mustAnswer(-32004, s.alice, "read", `{"path":"/b/f"}`)
	if answer := s.post(s.adminB, "read", `{"path":"/b/f"}`); !strings.Contains(answer, `"result"`) {
		t.Errorf("b's own admin: %s", answer)
	}
	s.mustSay(`{"allowed":true}`, s.adminB, "rebac_check", `{"subject":["user","alice"],"permission":"read","object":["file","/b/f"]}`)
}

func TestTuplesAndRecordShowOneTenant(t *testing.T) {
	s := newTenants(t)
	for _, c := range []struct{ key, own, other string }{{s.adminA, `"tenant_id":"a"`, `"tenant_id":"b"`}, {s.adminB, `"tenant_id":"b"`, `"tenant_id":"a"`}} {
		for _, params := range []string{`{}`, `{"subject":["user","alice"]}`, `{"relation":"direct_owner"}`} {
			answer := s.post(c.key, "rebac_list_tuples", params)
			if !strings.Contains(answer, c.own) || strings.Contains(answer, c.other) {
				t.Errorf("tuples %s = %s, want only %s", params, answer, c.own)
			}
		}
	}
	of := func(key string) string { return s.post(key, "audit_list", `{"limit":1000}`) }
	if a := of(s.adminA); !strings.Contains(a, `"/a/f"`) || strings.Contains(a, "/b/f") || strings.Contains(a, `"b/`) {
		t.Errorf("a's record shows b: %s", a)
	}
	s.mustAnswer(-32004, s.alice, "audit_list", `{}`)
	decision := s.lastDecision("files.write").ID // b's: the last file was its own
	s.mustSay(`null`, s.adminA, "audit_explain", `{"decision_id":"`+decision+`"}`)
	if r := s.mustAnswer(0, s.adminB, "audit_explain", `{"decision_id":"`+decision+`"}`); string(r.Result) == "null" {
		t.Error("b's admin is not told of b's decision")
	}
}

func TestPlatformAdminWorksInTheTenantHeNames(t *testing.T) {
	s := newTenants(t)
	in := func(tenant string) header { return header{"X-Nexus-Tenant-ID", tenant} }
	root := s.root.Secret
	s.put(root, "/by/root", "made by root", in("b"))
	s.mustSay(`["/a/","/a/f","/b/","/b/f","/by/","/by/root"]`, root, "list", `{}`, in("b"))
	s.mustSay(`["/a/","/a/f"]`, root, "list", `{}`, in("a"))
	s.mustSay(`[]`, root, "list", `{}`)
	s.mustAnswer(0, root, "mkdir", `{"path":"/by/dir"}`, in("b"))
	id := s.tuple(root, `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/by"]}`, in("b"))
	s.mustSay(`{"allowed":true}`, s.adminB, "rebac_check", `{"subject":["user","bob"],"permission":"read","object":["file","/by/root"]}`)
	s.mustSay("true", root, "rebac_delete", `{"tuple_id":"`+id+`"}`, in("b"))
	s.mustAnswer(-32003, root, "list", `{}`, in("missing"))
	s.mustAnswer(0, s.adminB, "read", `{"path":"/by/root"}`)
	s.mustAnswer(-32000, s.adminA, "read", `{"path":"/by/root"}`)
}

func TestTenantAdminMakesKeysOfHisTenantAlone(t *testing.T) {
	s := newTenants(t)
	for _, params := range []string{`{"user_id":"ann","name":"k"}`, `{"user_id":"ann","name":"k","tenant_id":"a"}`} {
		key := s.keyBy(s.adminA, params)
		s.mustSay(`[]`, key, "list", `{}`)
		s.mustAnswer(-32004, key, "admin_create_key", params)
	}
	second := s.keyBy(s.adminA, `{"user_id":"ann","name":"k","is_admin":true}`)
	s.mustSay(`["/a/","/a/f"]`, second, "list", `{}`)
	s.mustAnswer(-32004, second, "admin_create_key", `{"user_id":"ann","name":"k","tenant_id":"b"}`)
	s.mustAnswer(-32004, s.alice, "admin_create_key", `{"user_id":"alice","name":"k"}`)
	s.mustAnswer(-32003, "nxk_live_unknown", "list", `{}`)
	s.mustAnswer(-32003, "", "list", `{}`)
}

// TestAdminOfATenantCannotLockThePlatformOut: what ties a tenant to the deployment belongs to the store.
func TestAdminOfATenantCannotLockThePlatformOut(t *testing.T) {
	s := newTenants(t)
	r := s.call(s.adminA, "rebac_list_tuples", `{"object":["tenant","a"]}`)
	for _, one := range strings.Split(string(r.Result), `"tuple_id":"`)[1:] {
		id, rest, _ := strings.Cut(one, `"`)
		if strings.Contains(rest, `"relation":"member"`) {
			continue
		}
		s.mustAnswer(-32005, s.adminA, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	}
	s.mustSay(`["/a/","/a/f"]`, s.root.Secret, "list", `{}`, header{"X-Nexus-Tenant-ID", "a"})
}
