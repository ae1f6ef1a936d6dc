package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

// made is a key with its id.
type made struct{ id, key string }

// makeKey makes a key by another one.
func (w *wire) makeKey(by, params string, more ...header) made {
	w.t.Helper()
	var k api.NewKey
	r := w.mustAnswer(0, by, "admin_create_key", params, more...)
	if err := json.Unmarshal(r.Result, &k); err != nil || k.APIKey == "" {
		w.t.Fatalf("admin_create_key %s = %s, %v", params, r.Result, err)
	}
	return made{k.KeyID, k.APIKey}
}

func named(id string) string { return `{"key_id":"` + id + `"}` }

// listed returns what admin_list_keys answers.
func (w *wire) listed(by, params string, more ...header) (out api.KeyList) {
	w.t.Helper()
	r := w.mustAnswer(0, by, "admin_list_keys", params, more...)
	if err := json.Unmarshal(r.Result, &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func idsOf(l api.KeyList) (all []string) {
	for _, k := range l.Keys {
		all = append(all, k.KeyID)
	}
	return all
}

func TestKeyIsShownAsDocumented(t *testing.T) {
	w := newWire(t, Config{})
	k := w.makeKey(w.root.Secret, `{"user_id":"alice","name":"Alice's API Key","expires_days":365,"prefix":"nxk_test_","scopes":["read"]}`)
	w.mustAnswer(0, k.key, "list", `{}`)
	if err := w.Credentials.Run(canceled(t), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	r := w.mustAnswer(0, w.root.Secret, "admin_get_key", named(k.id))
	var fields map[string]any
	if err := json.Unmarshal(r.Result, &fields); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"key_id": k.id, "user_id": "alice", "subject_type": "user", "subject_id": "alice", "name": "Alice's API Key", "tenant_id": "default",
		"is_admin": false, "revoked": false, "revoked_at": nil, "prefix": "nxk_test_", "last4": k.key[len(k.key)-4:],
	} {
		if got, there := fields[name]; !there || got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"created_at", "expires_at", "last_used_at"} {
		if text, _ := fields[name].(string); !strings.HasSuffix(text, "Z") || !strings.HasPrefix(text, "20") {
			t.Errorf("%s = %v, want a time", name, fields[name])
		}
	}
	for _, answer := range []string{string(r.Result), w.post(w.root.Secret, "admin_list_keys", `{}`)} {
		if strings.Contains(answer, k.key) || strings.Contains(answer, "hash") {
			t.Errorf("the key is shown: %s", answer)
		}
	}
	w.mustSay(`{"success":true,"key_id":"`+k.id+`"}`, w.root.Secret, "admin_revoke_key", named(k.id))
	w.mustSay(`{"success":true,"key_id":"`+k.id+`"}`, w.root.Secret, "admin_revoke_key", named(k.id))
	w.mustAnswer(-32003, k.key, "list", `{}`)
	w.mustAnswer(-32005, w.root.Secret, "admin_update_key", `{"key_id":"`+k.id+`","name":"x"}`)
}

func TestListOfKeysIsFilteredAndPaged(t *testing.T) {
	now := gatetest.NewClock()
	w := newWire(t, Config{Clock: now})
	root := w.root.Secret
	var alices []string
	for i := range 5 {
		now.Advance(time.Second)
		alices = append([]string{w.makeKey(root, fmt.Sprintf(`{"user_id":"alice","name":"k%d"}`, i)).id}, alices...)
	}
	chief := w.makeKey(root, `{"user_id":"chief","name":"k","is_admin":true}`)
	short := w.makeKey(root, `{"user_id":"bob","name":"k","expires_days":1}`)
	ended := w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	other := w.makeKey(root, `{"user_id":"alice","name":"k","tenant_id":"other"}`)
	w.mustAnswer(0, root, "admin_revoke_key", named(ended.id))
	now.Advance(25 * time.Hour)

	for params, want := range map[string][]string{
		`{"user_id":"alice","tenant_id":"default"}`:                      alices,
		`{"user_id":"alice","tenant_id":"default","limit":2}`:            alices[:2],
		`{"user_id":"alice","tenant_id":"default","limit":2,"offset":3}`: alices[3:],
		`{"user_id":"alice","tenant_id":"default","limit":2,"offset":9}`: nil,
		`{"user_id":"bob"}`:                                                    nil,
		`{"user_id":"bob","include_revoked":true}`:                             {ended.id},
		`{"user_id":"bob","include_expired":true}`:                             {short.id},
		`{"user_id":"bob","include_expired":true,"include_revoked":true}`:      {ended.id, short.id},
		`{"tenant_id":"default","is_admin":true}`:                              {chief.id},
		`{"tenant_id":"other"}`:                                                {other.id},
		`{"tenant_id":"*"}`:                                                    {w.root.ID},
		`{"is_admin":true}`:                                                    {chief.id, w.root.ID},
		`{"user_id":"alice","tenant_id":"default","is_admin":true,"limit":10}`: nil,
	} {
		if got := idsOf(w.listed(root, params)); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("keys %s = %v, want %v", params, got, want)
		}
	}
	if l := w.listed(root, `{"user_id":"alice","tenant_id":"default","limit":2,"offset":1}`); l.Total != 5 {
		t.Errorf("total = %d, want all five that match", l.Total)
	}
	if l := w.listed(root, `{}`, header{"X-Nexus-Tenant-ID", "other"}); l.Total != 1 || l.Keys[0].KeyID != other.id {
		t.Errorf("in the tenant that the header names: %+v", l)
	}
	for _, params := range []string{`{"limit":0}`, `{"limit":-1}`, `{"limit":1001}`, `{"offset":-1}`} {
		w.mustAnswer(-32005, root, "admin_list_keys", params)
	}
}

// TestKeyOutOfReachReadsAsMissing attacks by id: keys of another tenant, and platform keys whose user is of one's own.
func TestKeyOutOfReachReadsAsMissing(t *testing.T) {
	s := newTenants(t)
	chief := s.makeKey(s.root.Secret, `{"user_id":"chief","name":"k","is_admin":true}`)
	bobs := s.makeKey(s.adminB, `{"user_id":"bob","name":"k"}`)
	for _, c := range []struct{ by, id string }{{s.adminA, bobs.id}, {chief.key, s.root.ID}, {chief.key, bobs.id}} {
		for method, params := range map[string]string{
			"admin_get_key": "", "admin_revoke_key": "", "admin_update_key": `,"name":"mine","is_admin":true,"expires_days":1`,
		} {
			real := s.post(c.by, method, `{"key_id":"`+c.id+`"`+params+`}`)
			none := s.post(c.by, method, `{"key_id":"key-missing"`+params+`}`)
			if strings.ReplaceAll(real, c.id, "ID") != strings.ReplaceAll(none, "key-missing", "ID") || !strings.Contains(real, "-32000") {
				t.Errorf("%s of a key out of reach = %s, of a missing one %s", method, real, none)
			}
		}
		for _, k := range s.listed(c.by, `{"include_revoked":true,"include_expired":true}`).Keys {
			if k.KeyID == c.id {
				t.Errorf("a key out of reach is listed: %+v", k)
			}
		}
	}
	s.mustAnswer(0, bobs.key, "list", `{}`)
	s.mustAnswer(0, s.root.Secret, "list", `{}`)
	for _, tenant := range []string{"b", "missing", "*"} {
		for method, params := range map[string]string{
			"admin_list_keys": `{}`, "admin_list_users": `{}`, "admin_disable_user": `{"user_id":"bob"}`, "admin_enable_user": `{"user_id":"bob"}`,
			"admin_transfer_user": `{"from_user":"bob","to_user":"beth"}`,
		} {
			params = strings.Replace(params, "{", `{"tenant_id":"`+tenant+`",`, 1)
			s.mustAnswer(-32004, s.adminA, method, strings.Replace(params, ",}", "}", 1))
		}
	}
}

func TestTenantThatCannotBeIsRefused(t *testing.T) {
	w := newWire(t, Config{})
	long := `{"tenant_id":"` + strings.Repeat("x", 2000) + `","user_id":"bob","name":"k","from_user":"bob","to_user":"beth"}`
	for _, method := range []string{
		"admin_create_key", "admin_list_keys", "admin_list_users", "admin_disable_user", "admin_enable_user", "admin_transfer_user",
	} {
		w.mustAnswer(-32005, w.root.Secret, method, long)
	}
}

func TestOnlyWhoAdministersManagesKeysAndUsers(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	victim := w.makeKey(root, `{"user_id":"victim","name":"k"}`)
	w.makeKey(root, `{"user_id":"heir","name":"k"}`)
	reader := w.makeKey(root, `{"user_id":"chief","name":"k","is_admin":true,"scopes":["read"]}`)
	stale := w.makeKey(root, `{"user_id":"stale","name":"k","is_admin":true}`)
	w.mustAnswer(0, stale.key, "admin_get_key", named(victim.id))
	w.mustAnswer(0, root, "admin_update_key", `{"key_id":"`+stale.id+`","is_admin":false}`)
	who := map[string]string{
		"user":  w.makeKey(root, `{"user_id":"alice","name":"k"}`).key,
		"self":  victim.key,
		"agent": w.makeKey(root, `{"user_id":"admin","name":"k","subject_type":"agent","subject_id":"bot"}`).key,
		"stale": stale.key,
	}
	reads := map[string]string{"admin_list_keys": `{}`, "admin_get_key": named(victim.id), "admin_list_users": `{}`}
	writes := map[string]string{
		"admin_revoke_key": named(victim.id), "admin_update_key": `{"key_id":"` + victim.id + `","is_admin":true}`,
		"admin_disable_user": `{"user_id":"victim"}`, "admin_enable_user": `{"user_id":"victim"}`,
		"admin_transfer_user": `{"from_user":"victim","to_user":"heir"}`, "admin_create_key": `{"user_id":"x","name":"x","is_admin":true}`,
	}
	for name, key := range who {
		for _, methods := range []map[string]string{reads, writes} {
			for method, params := range methods {
				if r := w.mustAnswer(-32004, key, method, params); r.Error != nil && r.Error.Data["reason"] != "" {
					t.Errorf("%s: %s tells %v", name, method, r.Error.Data)
				}
			}
		}
	}
	for method, params := range reads {
		w.mustAnswer(0, reader.key, method, params)
	}
	for method, params := range writes {
		if r := w.mustAnswer(-32004, reader.key, method, params); r.Error != nil && r.Error.Data["reason"] != "SCOPE_MISSING" {
			t.Errorf("a key that only reads: %s = %+v", method, r.Error)
		}
		w.mustAnswer(-32004, root, method, params, header{"X-Nexus-Subject", "user:victim"})
		w.mustAnswer(-32003, "", method, params)
	}
	w.mustAnswer(0, victim.key, "list", `{}`)
}

func TestLastAdminKeepsItsRight(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	lastOnes := func(by, id string) {
		t.Helper()
		for method, params := range map[string]string{
			"admin_revoke_key": named(id), "admin_update_key": `{"key_id":"` + id + `","is_admin":false}`,
		} {
			if r := w.mustAnswer(-32005, by, method, params); r.Error != nil && r.Error.Data["reason"] != "LAST_ADMIN" {
				t.Errorf("%s = %+v", method, r.Error)
			}
		}
		w.mustAnswer(-32005, by, "admin_update_key", `{"key_id":"`+id+`","expires_days":1}`)
		w.mustAnswer(0, by, "admin_update_key", `{"key_id":"`+id+`","name":"still here"}`)
	}
	lastOnes(root, w.root.ID)
	chief := w.makeKey(root, `{"user_id":"chief","name":"k","is_admin":true}`)
	lastOnes(root, w.root.ID) // a tenant's admin does not administer the platform
	lastOnes(chief.key, chief.id)
	w.mustAnswer(-32005, chief.key, "admin_disable_user", `{"user_id":"chief"}`)

	second := w.makeKey(root, `{"user_id":"second","name":"k","tenant_id":"*"}`)
	w.mustAnswer(0, second.key, "admin_update_key", `{"key_id":"`+w.root.ID+`","expires_days":1}`)
	w.mustAnswer(0, second.key, "admin_update_key", `{"key_id":"`+w.root.ID+`","is_admin":false}`)
	w.mustAnswer(-32004, root, "admin_list_keys", `{}`) // at once, with a key that is good still
	w.mustAnswer(0, root, "list", `{}`)
	lastOnes(second.key, second.id)
	w.mustAnswer(-32005, second.key, "admin_disable_user", `{"user_id":"second"}`)
	w.mustAnswer(0, second.key, "admin_revoke_key", named(chief.id)) // the platform's admins can make the tenant another
}

// TestTwoAdminsRevokingEachOtherLeaveOne makes two admins end each other at the same time, again and again: of the platform,
// and of a tenant.
func TestTwoAdminsRevokingEachOtherLeaveOne(t *testing.T) {
	const rounds = 20 / slower
	w := newWire(t, Config{})
	for _, tenant := range []string{"*", "acme"} {
		survivor := made{w.root.ID, w.root.Secret}
		if tenant != "*" {
			survivor = w.makeKey(w.anyRoot(), `{"user_id":"first","name":"k","is_admin":true,"tenant_id":"acme"}`)
		}
		for round := range rounds {
			params := fmt.Sprintf(`{"user_id":"u%d","name":"k","is_admin":true`, round)
			if tenant == "*" {
				params += `,"tenant_id":"*"`
			}
			rival := w.makeKey(survivor.key, params+"}")
			end := func(id string) (method, params string) {
				switch round % 3 {
				case 0:
					return "admin_revoke_key", named(id)
				case 1:
					return "admin_update_key", `{"key_id":"` + id + `","is_admin":false}`
				}
				return "admin_update_key", `{"key_id":"` + id + `","is_admin":false,"expires_days":1}`
			}
			var codes [2]int
			var both sync.WaitGroup
			for i, c := range []struct{ by, id string }{{survivor.key, rival.id}, {rival.key, survivor.id}} {
				both.Go(func() {
					method, params := end(c.id)
					codes[i] = w.call(c.by, method, params).code()
				})
			}
			both.Wait()
			first, second := w.call(survivor.key, "admin_list_keys", `{}`).code(), w.call(rival.key, "admin_list_keys", `{}`).code()
			if (first == 0) == (second == 0) || (codes[0] == 0) == (codes[1] == 0) {
				t.Fatalf("%s, round %d: answered %v, and then the admins got %d and %d: one must stay", tenant, round, codes, first, second)
			}
			if second == 0 {
				survivor = rival
			}
		}
		w.roots = append(w.roots, survivor.key)
	}
}

// anyRoot returns the newest platform key that is known to work.
func (w *wire) anyRoot() string {
	if len(w.roots) == 0 {
		return w.root.Secret
	}
	return w.roots[len(w.roots)-1]
}

func TestAdminRightEndsWithItsKeyWithoutAnyWrite(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now})
	tenant := k.do(k.admin, "admin_create_key", `{"user_id":"chief","name":"k","is_admin":true,"expires_days":1}`).(api.NewKey)
	platform := k.do(k.admin, "admin_create_key", `{"user_id":"root","name":"k","tenant_id":"*","expires_days":2}`).(api.NewKey)
	chief, root := user("chief"), user("root")
	chief.Admin = authz.Ref{Type: "key", ID: "default/" + tenant.KeyID}
	root.Admin = authz.Ref{Type: "key", ID: platform.KeyID}
	may := func(who authz.Principal) bool {
		_, err := k.try(who, "admin_list_users", `{}`)
		return err == nil
	}
	now.Advance(24*time.Hour - time.Nanosecond)
	if !may(chief) || !may(root) {
		t.Error("an admin key lost its right before its end")
	}
	now.Advance(time.Nanosecond)
	if may(chief) || !may(root) {
		t.Error("the tenant's key has its right after its end, or the platform's lost it")
	}
	k.do(k.admin, "admin_update_key", `{"key_id":"`+tenant.KeyID+`","expires_days":3}`) // an ended key gets another end
	k.do(k.admin, "admin_update_key", `{"key_id":"`+platform.KeyID+`","never_expires":true}`)
	now.Advance(48 * time.Hour)
	if !may(chief) || !may(root) {
		t.Error("a key that was given more time has no right")
	}
	k.do(k.admin, "admin_update_key", `{"key_id":"`+platform.KeyID+`","expires_days":1}`)
	now.Advance(24 * time.Hour)
	if may(chief) || may(root) {
		t.Error("keys that ended have their right")
	}
	k.mustFail(k.admin, "admin_revoke_key", named(k.root.ID), errs.Precondition) // those that have ended do not count
}

func TestExpiryIsChangedInOneUnmistakableWay(t *testing.T) {
	w := newWire(t, Config{})
	k := w.makeKey(w.root.Secret, `{"user_id":"alice","name":"k","expires_days":5}`)
	expires := func() string {
		var got struct {
			At *string `json:"expires_at"`
		}
		r := w.mustAnswer(0, w.root.Secret, "admin_get_key", named(k.id))
		if err := json.Unmarshal(r.Result, &got); err != nil {
			t.Fatal(err)
		}
		if got.At == nil {
			return ""
		}
		return *got.At
	}
	before := expires()
	w.mustAnswer(0, w.root.Secret, "admin_update_key", `{"key_id":"`+k.id+`","expires_days":null,"is_admin":null,"name":null}`)
	if got := expires(); got != before || got == "" {
		t.Errorf("null moved the end from %s to %s", before, got)
	}
	for _, params := range []string{`"expires_days":0`, `"expires_days":-1`, `"expires_days":36501`, `"expires_days":3,"never_expires":true`, `"name":""`} {
		w.mustAnswer(-32005, w.root.Secret, "admin_update_key", `{"key_id":"`+k.id+`",`+params+`}`)
	}
	w.mustAnswer(0, w.root.Secret, "admin_update_key", `{"key_id":"`+k.id+`","never_expires":true}`)
	if got := expires(); got != "" {
		t.Errorf("a key that never expires ends at %s", got)
	}
	bot := w.makeKey(w.root.Secret, `{"user_id":"alice","name":"k","subject_type":"agent","subject_id":"bot"}`)
	w.mustAnswer(-32005, w.root.Secret, "admin_update_key", `{"key_id":"`+bot.id+`","is_admin":true}`)
	w.mustAnswer(-32602, w.root.Secret, "admin_update_key", `{}`)
}
