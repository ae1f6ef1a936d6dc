package node

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// image holds every row that operations write, one statement a table.
var image = []*sqldb.Stmt{
	sqldb.SQL(`SELECT 'tenant ' || id FROM tenants ORDER BY id`),
	sqldb.SQL(`SELECT 'dir ' || id || ' ' || parent || ' ' || path || ' ' || state FROM dirs ORDER BY id`),
	sqldb.SQL(`SELECT 'file ' || id || ' ' || dir || ' ' || name || ' ' || version || ' ' || etag || ' ' || seq FROM files ORDER BY id`),
	sqldb.SQL(`SELECT 'version ' || file || ' ' || version || ' ' || etag || ' ' || seq FROM versions ORDER BY file, version`),
	sqldb.SQL(`SELECT 'effect ' || decision || ' ' || first || ' ' || last FROM effects ORDER BY decision`),
	sqldb.SQL(`SELECT 'user ' || tenant || ' ' || id FROM users ORDER BY tenant, id`),
	sqldb.SQL(`SELECT 'agent ' || tenant || ' ' || id || ' ' || owner FROM agents ORDER BY tenant, id`),
	sqldb.SQL(`SELECT 'group ' || tenant || ' ' || id FROM groups ORDER BY tenant, id`),
	sqldb.SQL(`SELECT 'key ' || id || ' ' || hash FROM api_keys ORDER BY id`),
	sqldb.SQL(`SELECT 'tuple ' || id || ' ' || resource_id || ' ' || relation || ' ' || subject_id FROM tuples ORDER BY id`),
	sqldb.SQL(`SELECT 'schema ' || tenant || ' ' || number || ' ' || generation FROM schemas ORDER BY tenant`),
	sqldb.SQL(`SELECT 'namespace ' || tenant || ' ' || name || ' ' || text || ' ' || config || ' ' || updated FROM namespaces ORDER BY tenant, name`),
	sqldb.OnlySQLite(`SELECT 'doc ' || kind || ' ' || name || ' ' || created || ' ' || deleted || ' ' || hex(val) FROM rel_doc ORDER BY kind, name, created`),
	sqldb.OnlySQLite(`SELECT 'rel ' || rt || ro || rr || st || so || sr || ' ' || created || ' ' || deleted || ' ' || expiry FROM rel ORDER BY rt, ro, rr, st, so, sr, created`),
}

func (k *kit) image() string {
	k.t.Helper()
	var all strings.Builder
	for _, s := range image {
		err := k.DB.Each(context.Background(), s, nil, func(r sqldb.Row) error {
			var one string
			err := r.Scan(&one)
			all.WriteString(one + "\n")
			return err
		})
		if err != nil {
			k.t.Fatal(err)
		}
	}
	return all.String()
}

// faulty fails the n-th of the writer's statements from the moment it is armed.
type faulty struct{ left, seen atomic.Int64 }

func (f *faulty) before(int, string) error {
	f.seen.Add(1)
	if f.left.Load() > 0 && f.left.Add(-1) == 0 {
		return errs.New(errs.Unavailable, "the disk refuses")
	}
	return nil
}

func (f *faulty) arm(n int64) { f.seen.Store(0); f.left.Store(n) }

func (f *faulty) disarm() { f.left.Store(0) }

// written are operations that write. prepare makes what one needs and returns its parameters.
var written = []struct {
	name, method, operation string
	who                     func(k *kit) authz.Principal
	prepare                 func(k *kit, n string) (params string)
}{
	{"new file in new folders", "write", api.Write.Name, writer, func(_ *kit, n string) string { return writeParams("/load/a"+n+"/b/f", "x") }},
	{"new version", "write", api.Write.Name, writer, func(k *kit, n string) string {
		k.write(user("writer"), "/load/v"+n, "old")
		return writeParams("/load/v"+n, "new")
	}},
	{"contents beside the database", "write", api.Write.Name, writer, func(_ *kit, n string) string {
		return writeParams("/load/l"+n, strings.Repeat(n, 20_000))
	}},
	{"reserved name made real", "write", api.Write.Name, writer, func(k *kit, n string) string {
		k.share("bob", "direct_viewer", "/load/r"+n+"/f")
		return writeParams("/load/r"+n+"/f", "x")
	}},
	{"folder", "mkdir", api.Mkdir.Name, writer, func(_ *kit, n string) string { return `{"path":"/load/d` + n + `/e","parents":true}` }},
	{"grant on what is missing", "rebac_create", api.Relate.Name, byAdmin, func(_ *kit, n string) string {
		return `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/load/g` + n + `/h/f"]}`
	}},
	{"last grant on what is missing", "rebac_delete", api.Unrelate.Name, byAdmin, func(k *kit, n string) string {
		return `{"tuple_id":"` + k.share("bob", "direct_viewer", "/load/u"+n+"/h/f") + `"}`
	}},
	{"first member of a group", "rebac_create", api.Relate.Name, byAdmin, func(_ *kit, n string) string {
		return `{"subject":["user","bob"],"relation":"member","object":["group","g` + n + `"]}`
	}},
	{"agent's key in a new tenant", "admin_create_key", api.CreateKey.Name, byAdmin, func(_ *kit, n string) string {
		return `{"user_id":"olga","name":"k","subject_type":"agent","subject_id":"bot","tenant_id":"t` + n + `"}`
	}},
	{"type of a tenant", "namespace_create", api.CreateNamespace.Name, byFounder, func(k *kit, n string) string {
		k.found("type" + n)
		return `{"object_type":"doc","config":{"relations":{"reader":{}},"permissions":{}}}`
	}},
	{"type of a tenant, defined anew", "namespace_create", api.CreateNamespace.Name, byFounder, func(k *kit, n string) string {
		k.found("anew" + n)
		k.do(k.founder, "namespace_create", `{"object_type":"doc","config":{"relations":{"reader":{}},"permissions":{}}}`)
		return `{"object_type":"doc","config":{"relations":{"reader":{},"writer":{}},"permissions":{}}}`
	}},
	{"type of a tenant, deleted", "namespace_delete", api.DeleteNamespace.Name, byFounder, func(k *kit, n string) string {
		k.found("gone" + n)
		k.do(k.founder, "namespace_create", `{"object_type":"doc","config":{"relations":{"reader":{}},"permissions":{}}}`)
		return `{"object_type":"doc"}`
	}},
}

func byFounder(k *kit) authz.Principal { return k.founder }

// found makes a tenant whose administrator is k.founder.
func (k *kit) found(tenant string) {
	k.t.Helper()
	key := k.do(k.admin, "admin_create_key", `{"user_id":"adam","name":"admin","is_admin":true,"tenant_id":"`+tenant+`"}`).(api.NewKey)
	k.founder = userOf(tenant, "adam")
	k.founder.Admin = authz.Ref{Type: "key", ID: tenant + "/" + key.KeyID}
}

func writer(*kit) authz.Principal { return user("writer") }

func byAdmin(k *kit) authz.Principal { return k.admin }

// TestWriteThatFailsAtAnyStatementLeavesNothing fails every statement of every operation that writes, COMMIT included.
func TestWriteThatFailsAtAnyStatementLeavesNothing(t *testing.T) {
	f := &faulty{}
	k := newKit(t, Config{Lite: sqldb.LiteOptions{BeforeStatement: f.before}})
	k.member("writer", "bob")
	k.do(k.admin, "mkdir", `{"path":"/load"}`)
	k.share("writer", "direct_editor", "/load")
	for _, w := range written {
		t.Run(w.name, func(t *testing.T) {
			n := int64(1)
			for ; ; n++ {
				params := w.prepare(k, strconv.FormatInt(n, 10))
				before := k.image()
				f.arm(n)
				_, err := k.try(w.who(k), w.method, params)
				f.disarm()
				o := k.outcome(k.lastDecision(w.operation).ID)
				if err == nil {
					if k.image() == before || o == nil || o.State != authz.Done || o.First == 0 {
						t.Errorf("acknowledged without a change, or recorded as %+v", o)
					}
					break
				}
				if !errors.Is(err, errs.Unavailable) || k.image() != before || o == nil || o.State != authz.Failed || o.First != 0 {
					t.Fatalf("statement %d of %s failed: err = %v, changed = %v, recorded as %+v", n, params, err, k.image() != before, o)
				}
			}
			if n < 6 {
				t.Errorf("only %d statements were failed: the test proves nothing", n-1)
			}
			t.Logf("%d statements", n-1)
		})
	}
	k.mustVerify()
}

// TestServerThatDiesAtAnyStatementLeavesAWholeWriteOrNone kills a server before each statement of a write.
func TestServerThatDiesAtAnyStatementLeavesAWholeWriteOrNone(t *testing.T) {
	k := loadKit(t)
	k.close()
	t.Cleanup(k.open)
	for at := 1; ; at++ {
		cmd, out := spawn(t, childSteps, k.config.DataDir, envDieAt+"="+strconv.Itoa(at))
		said := ""
		for out.Scan() {
			said += out.Text()
		}
		lived := cmd.Wait() == nil
		if lived != (said == "written") {
			t.Fatalf("dead before statement %d: lived %v and said %q", at, lived, said)
		}
		k.open()
		o := k.outcome(k.lastDecision(api.Write.Name).ID)
		there := k.do(k.admin, "exists", `{"path":"`+stepsPath+`"}`) == api.Exists{Exists: true}
		if there != lived || o == nil || (o.State == authz.Done) != there {
			t.Errorf("dead before statement %d: lived %v, there %v, recorded as %+v", at, lived, there, o)
		}
		k.mustBeSettled()
		if there {
			k.mustBeWhole(stepsPath, "whole")
		}
		if lived {
			k.mustVerify()
			k.close()
			t.Logf("%d statements", at-1)
			return
		}
		k.close()
	}
}

// mustBeWhole checks that the whole of one write is there.
func (k *kit) mustBeWhole(path, text string) {
	k.t.Helper()
	k.mustRead(user("writer"), path, text)
	if m := k.do(k.admin, "get_metadata", `{"path":"`+path+`"}`).(*api.Metadata); m == nil || m.Version != 1 {
		k.t.Errorf("%s: %+v, want version 1", path, m)
	}
	if !k.may("writer", "owner", path) {
		k.t.Errorf("%s has no owner", path)
	}
}
