package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"nexus/schema"
)

// defining are two tenants whose admins define types.
type defining struct {
	*wire
	adminA, adminB, alice string // alice is a member of tenant a
}

func newDefining(t *testing.T) *defining {
	t.Helper()
	d := &defining{wire: newWire(t, Config{})}
	d.adminA = d.newKey(`{"user_id":"adam","name":"admin","tenant_id":"a","is_admin":true}`)
	d.adminB = d.newKey(`{"user_id":"beth","name":"admin","tenant_id":"b","is_admin":true}`)
	d.alice = d.userKey("alice", "a")
	d.tuple(d.adminA, `{"subject":["user","alice"],"relation":"member","object":["tenant","a"]}`)
	return d
}

func (d *defining) define(code int, key, name, config string) reply {
	d.t.Helper()
	return d.mustAnswer(code, key, "namespace_create", `{"object_type":"`+name+`","config":`+config+`}`)
}

func (d *defining) may(key, user, permission, typ, id string) bool {
	d.t.Helper()
	r := d.mustAnswer(0, key, "rebac_check", fmt.Sprintf(`{"subject":["user",%q],"permission":%q,"object":[%q,%q]}`, user, permission, typ, id))
	return string(r.Result) == `{"allowed":true}`
}

func (d *defining) relate(key, subject, relation, typ, id string) string {
	d.t.Helper()
	return d.tuple(key, fmt.Sprintf(`{"subject":%s,"relation":%q,"object":[%q,%q]}`, subject, relation, typ, id))
}

// outsider returns the key of somebody in tenant a who may not enter it any more.
func (d *defining) outsider(name string) string {
	d.t.Helper()
	key := d.userKey(name, "a")
	var all []struct {
		ID string `json:"tuple_id"`
	}
	r := d.mustAnswer(0, d.adminA, "rebac_list_tuples", `{"subject":["user","`+name+`"],"object":["tenant","a"]}`)
	if err := json.Unmarshal(r.Result, &all); err != nil || len(all) != 1 {
		d.t.Fatalf("rebac_list_tuples = %s", r.Result)
	}
	d.mustSay("true", d.adminA, "rebac_delete", `{"tuple_id":"`+all[0].ID+`"}`)
	return key
}

// document has a union, an intersection, an exclusion and an inherited permission.
const document = `{
	"relations": {
		"parent": {"subjects": ["folder"]},
		"owner": {"subjects": ["user"]},
		"reader": {},
		"cleared": {"subjects": ["user", "group#member"]},
		"banned": {"subjects": ["user"]}
	},
	"permissions": {
		"read": {"exclusion": [{"union": ["reader", "owner", {"tupleToUserset": {"tupleset": "parent", "computedUserset": "read"}}]}, "banned"]},
		"secret": {"intersection": ["reader", "cleared"]}
	}
}`

const folder = `{"relations":{"reader":{"subjects":["user"]}},"permissions":{"read":["reader"]}}`

func TestTypesOfATenantLiveAndEnd(t *testing.T) {
	d := newDefining(t)
	d.mustSay(`[]`, d.adminA, "namespace_list", `{}`)
	d.mustSay(`null`, d.adminA, "namespace_get", `{"object_type":"doc"}`)
	d.mustSay(`{"success":true}`, d.adminA, "namespace_create", `{"object_type":"folder","config":`+folder+`}`)
	d.define(0, d.adminA, "doc", document)
	var one struct {
		NamespaceID string `json:"namespace_id"`
		ObjectType  string `json:"object_type"`
		Config      struct{ Relations, Permissions map[string]any }
		CreatedAt   string `json:"created_at"`
		UpdatedAt   string `json:"updated_at"`
	}
	for _, method := range []string{"namespace_get", "get_namespace"} {
		r := d.mustAnswer(0, d.alice, method, `{"object_type":"doc"}`)
		if err := json.Unmarshal(r.Result, &one); err != nil || one.NamespaceID == "" || one.ObjectType != "doc" || len(one.Config.Relations) != 5 ||
			len(one.Config.Permissions) != 2 || !strings.HasSuffix(one.CreatedAt, "Z") || one.UpdatedAt != one.CreatedAt {
			t.Errorf("%s = %s, %v", method, r.Result, err)
		}
	}
	d.mustSay(`{"namespaces":["agent","archives","external","file","memory","shared","workspace","doc","folder"]}`, d.alice, "get_available_namespaces", `{}`)

	id := d.relate(d.adminA, `["user","alice"]`, "reader", "doc", "plan 1")
	up := d.relate(d.adminA, `["folder","f"]`, "parent", "doc", "plan 1")
	d.mustAnswer(-32005, d.adminA, "namespace_delete", `{"object_type":"doc"}`)
	d.mustAnswer(-32005, d.adminA, "namespace_delete", `{"object_type":"folder"}`)
	d.mustSay("true", d.adminA, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	d.mustAnswer(-32005, d.adminA, "namespace_delete", `{"object_type":"doc"}`)
	d.mustSay("true", d.adminA, "rebac_delete", `{"tuple_id":"`+up+`"}`)
	d.mustAnswer(-32005, d.adminA, "namespace_delete", `{"object_type":"folder"}`) // doc refers to it
	d.mustSay("true", d.adminA, "namespace_delete", `{"object_type":"doc"}`)
	d.mustSay("true", d.adminA, "namespace_delete", `{"object_type":"folder"}`)
	d.mustSay("false", d.adminA, "namespace_delete", `{"object_type":"folder"}`)
	d.mustSay("null", d.adminA, "namespace_get", `{"object_type":"doc"}`)
	d.mustAnswer(-32005, d.adminA, "rebac_create", `{"subject":["user","alice"],"relation":"reader","object":["doc","plan"]}`)
}

func TestPermissionsOfOwnTypesAreComputed(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "folder", folder)
	d.define(0, d.adminA, "doc", document)
	d.relate(d.adminA, `["user","alice"]`, "reader", "doc", "plan")
	d.relate(d.adminA, `["user","ida"]`, "reader", "folder", "f")
	d.relate(d.adminA, `["folder","f"]`, "parent", "doc", "plan")
	for _, c := range []struct {
		user, permission string
		want             bool
	}{
		{"alice", "read", true}, {"alice", "secret", false}, {"ida", "read", true}, {"ida", "secret", false}, {"bob", "read", false}, {"alice", "reader", true},
	} {
		if got := d.may(d.adminA, c.user, c.permission, "doc", "plan"); got != c.want {
			t.Errorf("%s of %s = %v, want %v", c.permission, c.user, got, c.want)
		}
	}
	d.relate(d.adminA, `["user","alice"]`, "member", "group", "trusted")
	d.relate(d.adminA, `["group","trusted"]`, "cleared", "doc", "plan")
	if !d.may(d.adminA, "alice", "secret", "doc", "plan") {
		t.Error("reader and cleared is not secret")
	}
	ban := d.relate(d.adminA, `["user","ida"]`, "banned", "doc", "plan")
	if d.may(d.adminA, "ida", "read", "doc", "plan") {
		t.Error("who is banned reads")
	}
	d.mustSay(`{"subjects":[["user","alice"]]}`, d.adminA, "rebac_expand", `{"permission":"read","object":["doc","plan"]}`)
	d.mustSay("true", d.adminA, "rebac_delete", `{"tuple_id":"`+ban+`"}`)
	r := d.mustAnswer(0, d.adminA, "rebac_explain", `{"subject":["user","ida"],"permission":"read","object":["doc","plan"],"full":true}`)
	if text := string(r.Result); !strings.Contains(text, `["folder","f"]`) || strings.Contains(text, "t0001") {
		t.Errorf("rebac_explain = %s", text)
	}
	r = d.mustAnswer(0, d.adminA, "rebac_explain", `{"subject":["user","bob"],"permission":"read","object":["doc","plan"]}`)
	if text := string(r.Result); !strings.Contains(text, `"allowed":false`) || strings.Contains(text, "t0001") {
		t.Errorf("rebac_explain = %s", text)
	}
	r = d.mustAnswer(0, d.adminA, "rebac_list_tuples", `{"object":["doc","plan"]}`)
	if text := string(r.Result); strings.Count(text, "tuple_id") != 3 || strings.Contains(text, "t0001") || !strings.Contains(text, `"object_type":"doc"`) {
		t.Errorf("rebac_list_tuples = %s", text)
	}
	if r := d.mustAnswer(0, d.adminA, "rebac_list_tuples", `{}`); strings.Count(string(r.Result), `"object_type":"doc"`) != 3 {
		t.Errorf("rebac_list_tuples of the tenant = %s", r.Result)
	}
}

func TestRelationshipsOfOwnTypesExpire(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", `{"relations":{"reader":{}},"permissions":{"read":["reader"]}}`)
	d.tuple(d.adminA, `{"subject":["user","alice"],"relation":"reader","object":["doc","d"],"expires_at":"2999-01-01T00:00:00Z"}`)
	if !d.may(d.adminA, "alice", "read", "doc", "d") {
		t.Error("alice does not read while it lasts")
	}
}

// TestTenantCannotWidenTheProduct lists what an administrator of a tenant may try to come by more than he has.
func TestTenantCannotWidenTheProduct(t *testing.T) {
	d := newDefining(t)
	for _, name := range append(schema.Definitions(), "workspace", "memory", "t0002/doc", "file ", "x", "nil", "doc\ndefinition evil") {
		raw, _ := json.Marshal(name)
		r := d.mustAnswer(-32005, d.adminA, "namespace_create", `{"object_type":`+string(raw)+`,"config":{"relations":{"reader":{}},"permissions":{}}}`)
		if r.Error != nil && strings.Contains(r.Error.Message, "t0001") {
			t.Errorf("%q: %s", name, r.Error.Message)
		}
	}
	for _, subject := range []string{
		"user:*", "doc:*", "tenant#administer", "tenant#access", "platform", "platform#administer", "key", "service", "file", "file#owner",
		"group", "group#manager", "t0002/doc", "t0001/doc", "t0002/doc#reader", "ghost", "user | file", "user with now",
	} {
		d.define(-32005, d.adminA, "doc", `{"relations":{"reader":{"subjects":["`+subject+`"]}},"permissions":{}}`)
	}
	d.mustSay(`[]`, d.adminA, "namespace_list", `{}`)
	for _, text := range []string{
		`definition file {\n\trelation reader: user\n}`,
		`definition doc {\n\trelation reader: user:*\n}`,
		`caveat now(day string) {\n\tday == \"x\"\n}\ndefinition doc {\n\trelation reader: user with now\n}`,
		`definition doc {\n\trelation reader: t0002/doc\n}`,
		`definition doc {`,
	} {
		d.mustAnswer(-32005, d.adminA, "schema_write", `{"schema":"`+text+`"}`)
	}
	d.define(0, d.adminB, "doc", folder)
	// Theirs are no subjects of ours.
	d.put(d.adminA, "/f", "x")
	d.mustAnswer(-32005, d.adminA, "rebac_create", `{"subject":["doc","d"],"relation":"direct_viewer","object":["file","/f"]}`)
	d.mustAnswer(-32005, d.adminB, "rebac_create", `{"subject":["doc","d","reader"],"relation":"member","object":["group","eng"]}`)
	d.mustAnswer(-32005, d.adminB, "rebac_create", `{"subject":["doc","d"],"relation":"admin","object":["tenant","b"]}`)
}

func TestOnlyAdministratorsDefine(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", folder)
	stranger := d.outsider("stranger")
	for method, params := range map[string]string{
		"namespace_create": `{"object_type":"note","config":` + folder + `}`,
		"namespace_delete": `{"object_type":"doc"}`,
		"schema_write":     `{"schema":""}`,
	} {
		d.mustAnswer(-32004, d.alice, method, params)
		d.mustAnswer(-32004, stranger, method, params)
	}
	for method, params := range map[string]string{
		"namespace_get": `{"object_type":"doc"}`, "namespace_list": `{}`, "get_available_namespaces": `{}`, "schema_read": `{}`,
	} {
		d.mustAnswer(0, d.alice, method, params)
		d.mustAnswer(-32004, stranger, method, params)
	}
	d.mustAnswer(-32602, d.adminA, "namespace_create", `{"object_type":"note","config":{"relations":{}}}`)
	d.mustAnswer(-32602, d.adminA, "namespace_create", `{"object_type":"note"}`)
	d.mustAnswer(-32602, d.adminA, "namespace_create", `{"object_type":"note","config":"x"}`)
}

func TestEqualNamesOfTwoTenantsAreTwoTypes(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", folder)
	d.define(0, d.adminB, "doc", `{"relations":{"writer":{}},"permissions":{"read":["writer"]}}`)
	d.relate(d.adminA, `["user","alice"]`, "reader", "doc", "d")
	d.mustAnswer(-32005, d.adminB, "rebac_create", `{"subject":["user","alice"],"relation":"reader","object":["doc","d"]}`)
	d.relate(d.adminB, `["user","bob"]`, "writer", "doc", "d")
	if !d.may(d.adminA, "alice", "read", "doc", "d") || d.may(d.adminB, "alice", "read", "doc", "d") || d.may(d.adminA, "bob", "read", "doc", "d") {
		t.Error("the documents of two tenants are one")
	}
	d.mustAnswer(-32004, d.adminA, "rebac_create", `{"subject":["user","alice"],"relation":"reader","object":["doc","d"],"tenant_id":"b"}`)
	d.mustSay("true", d.adminB, "rebac_delete", `{"tuple_id":"`+d.relate(d.adminB, `["user","bob"]`, "writer", "doc", "d")+`"}`)
	d.mustSay("true", d.adminB, "namespace_delete", `{"object_type":"doc"}`)
	if !d.may(d.adminA, "alice", "read", "doc", "d") {
		t.Error("one tenant's type went with the other's")
	}
}

func TestDefinitionThatOrphansRelationshipsRefused(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", document2)
	id := d.relate(d.adminA, `["user","alice"]`, "reader", "doc", "d")
	r := d.define(-32005, d.adminA, "doc", `{"relations":{"owner":{"subjects":["user"]}},"permissions":{"read":["owner"]}}`)
	if r.Error != nil && r.Error.Message != "relationships doc#reader@user are stored: delete them first" {
		t.Errorf("the refusal says %q", r.Error.Message)
	}
	d.mustAnswer(-32005, d.adminA, "schema_write", `{"schema":""}`)
	d.mustAnswer(-32005, d.adminA, "schema_write", `{"schema":"","dry_run":true}`)
	if !d.may(d.adminA, "alice", "read", "doc", "d") {
		t.Error("a refused definition took a right")
	}
	d.define(0, d.adminA, "doc", `{"relations":{"reader":{},"owner":{"subjects":["user"]},"banned":{}},"permissions":{"read":{"exclusion":["reader","banned"]}}}`)
	d.mustSay("true", d.adminA, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	d.mustSay(`{"success":true}`, d.adminA, "schema_write", `{"schema":"","dry_run":true}`)
	d.mustSay(`{"success":true}`, d.adminA, "schema_write", `{"schema":""}`)
	d.mustSay(`[]`, d.adminA, "namespace_list", `{}`)
}

func TestSchemaIsWrittenAsAWhole(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "memo", folder)
	text, _ := json.Marshal("/** what we write */\ndefinition doc {\n\trelation reader: user | group#member\n\trelation banned: user\n\tpermission read = reader - banned\n}\n")
	d.mustSay(`{"success":true}`, d.adminA, "schema_write", `{"schema":`+string(text)+`}`)
	d.mustSay("null", d.adminA, "namespace_get", `{"object_type":"memo"}`)
	r := d.mustAnswer(0, d.alice, "namespace_get", `{"object_type":"doc"}`)
	if !strings.Contains(string(r.Result), `"config":{"permissions":{"read":{"exclusion":["reader","banned"]}}`) {
		t.Errorf("namespace_get = %s", r.Result)
	}
	var read struct{ Schema, Product string }
	r = d.mustAnswer(0, d.alice, "schema_read", `{}`)
	if err := json.Unmarshal(r.Result, &read); err != nil || !strings.Contains(read.Schema, "what we write") || read.Product != schema.Text {
		t.Errorf("schema_read = %s", r.Result)
	}
	again, _ := json.Marshal(read.Schema)
	d.mustSay(`{"success":true}`, d.adminA, "schema_write", `{"schema":`+string(again)+`}`)
}

// TestOwnTypesSurviveARestart: nothing of a tenant's is compiled when a server starts, and nothing of it is lost.
func TestOwnTypesSurviveARestart(t *testing.T) {
	k := newKit(t, Config{})
	k.do(k.admin, "namespace_create", `{"object_type":"doc","config":`+document2+`}`)
	k.relate(k.admin, []string{"user", "bob"}, "reader", []string{"doc", "d"})
	k.restart()
	if !k.ask("bob", "read", "doc", "d") || k.ask("carl", "read", "doc", "d") {
		t.Error("a type has changed over a restart")
	}
	k.do(k.admin, "namespace_create", `{"object_type":"doc","config":`+strings.Replace(document2, `["reader","owner"]`, `["owner"]`, 1)+`}`)
	if k.ask("bob", "read", "doc", "d") {
		t.Error("a new definition has no effect")
	}
}
