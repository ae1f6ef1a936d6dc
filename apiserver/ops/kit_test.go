package ops_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/apiserver/ops"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/clock"
	"nexus/internal/cursor"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
	"nexus/storage/storagetest"
)

// kit is a store that notes what is done to it, below operations that any gate can decide.
type kit struct {
	watched *watched
	blobs   string
	store   *storage.Store
	search  *storage.Search
	asked   *asked
	definer *storagetest.Definer
	cursors *cursor.Sealer
	owner   authz.Principal
}

func newKit(t *testing.T) *kit {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.OpenLite(ctx, filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := &kit{watched: &watched{DB: db}, asked: &asked{}, definer: storagetest.NewDefiner(), owner: gatetest.User(storage.DefaultTenant, "sample-owner")}
	rels := storagetest.NewRelations()
	if err := storage.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	blobs, err := storage.OpenBlobDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	k.blobs = blobs.Dir()
	k.store = storage.New(k.watched, blobs, rels, rels, clock.System{})
	if _, _, err := k.store.Founding().Found(ctx); err != nil {
		t.Fatal(err)
	}
	if k.cursors, err = k.store.Cursors(ctx); err != nil {
		t.Fatal(err)
	}
	if k.search, err = k.store.OpenSearch(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.search.Close)
	return k
}

// countBlobs counts the files beside the database.
func (k *kit) countBlobs() (n int) {
	_ = filepath.WalkDir(k.blobs, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return nil
	})
	return n
}

// table returns the operations, decided by gate.
func (k *kit) table(t *testing.T, gate *authz.Gate) *op.Table {
	t.Helper()
	table := op.NewTable(gate)
	if err := ops.Fill(table, ops.Deps{
		Store: k.store, Search: k.search, Inquiry: k.asked, Definer: k.definer, Policies: governed{k.asked}, Record: told{k.asked},
		Backups: copied{k.asked}, Cursors: k.cursors,
	}); err != nil {
		t.Fatal(err)
	}
	return table
}

// fixture makes what the samples of the contracts are about, and returns the parameters that only it knows.
func (k *kit) fixture(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	// Who manages a group enrols in it; who administers the tenant alone founds it.
	gate, _ := gatetest.DenyOne(t, authz.Check{Type: "group", ID: "default/sample-group", Permission: "manage"})
	table := k.table(t, gate)
	do := func(method, params string) any {
		t.Helper()
		r, err := table.Method(method).Invoke(context.Background(), k.owner, json.RawMessage(params))
		if err != nil {
			t.Fatalf("%s %s: %v", method, params, err)
		}
		return r
	}
	do("namespace_create", `{"object_type":"sample_doc","config":{"relations":{"owner":{}},"permissions":{}}}`)
	do("mkdir", `{"path":"/sample/folder","parents":true}`)
	do("write", `{"path":"/sample/file.txt","content":{"__type__":"bytes","data":"c2FtcGxl"}}`)
	do("write", `{"path":"/sample/deleted.txt","content":{"__type__":"bytes","data":"c2FtcGxl"}}`)
	do("delete", `{"path":"/sample/deleted.txt"}`)
	do("register_workspace", `{"path":"/sample/workspace"}`)
	do("workspace_snapshot", `{"workspace_path":"/sample/workspace"}`)
	do("rebac_create", `{"subject":["user","sample-reader"],"relation":"member","object":["group","sample-group"]}`)
	id := do("rebac_create", `{"subject":["user","sample-editor"],"relation":"direct_editor","object":["file","/sample/file.txt"]}`).(api.TupleID)
	do("register_agent", `{"agent_id":"sample-agent","name":"Sample"}`)
	do("admin_create_key", `{"user_id":"sample-heir","name":"sample key"}`)
	key := do("admin_create_key", `{"user_id":"sample-user","name":"sample key"}`).(api.NewKey).KeyID
	return map[string]json.RawMessage{
		api.Unrelate.Name:  json.RawMessage(`{"tuple_id":"` + string(id) + `"}`),
		api.GetKey.Name:    json.RawMessage(`{"key_id":"` + key + `"}`),
		api.RevokeKey.Name: json.RawMessage(`{"key_id":"` + key + `"}`),
		api.UpdateKey.Name: json.RawMessage(`{"key_id":"` + key + `","name":"another name"}`),
	}
}

// params returns the sample of an operation, or what the fixture says instead.
func params(t *testing.T, o *op.Operation, instead map[string]json.RawMessage) json.RawMessage {
	t.Helper()
	if raw, ok := instead[o.Name]; ok {
		return raw
	}
	raw, err := json.Marshal(o.Sample)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// watched is a database that notes which statements run.
type watched struct {
	sqldb.DB
	mu     sync.Mutex // guards what follows
	reads  []string
	writes int
}

func (w *watched) note(s *sqldb.Stmt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads = append(w.reads, s.Text(sqldb.SQLite))
}

func (w *watched) Row(ctx context.Context, s *sqldb.Stmt, args ...any) sqldb.Row {
	w.note(s)
	return w.DB.Row(ctx, s, args...)
}

func (w *watched) Each(ctx context.Context, s *sqldb.Stmt, args []any, f func(sqldb.Row) error) error {
	w.note(s)
	return w.DB.Each(ctx, s, args, f)
}

func (w *watched) Tx(ctx context.Context, f func(context.Context, sqldb.Tx) error) error {
	w.mu.Lock()
	w.writes++
	w.mu.Unlock()
	return w.DB.Tx(ctx, f)
}

// asked answers questions about relationships and the record, and counts them.
type asked struct {
	mu    sync.Mutex // guards count
	count int
}

func (a *asked) one() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
}

func (a *asked) Check(context.Context, authz.Proof, ops.Question) (bool, error) {
	a.one()
	return true, nil
}

func (a *asked) Explain(context.Context, authz.Proof, ops.Question, bool) (api.Explanation, error) {
	a.one()
	return api.Explanation{}, nil
}

func (a *asked) Expand(context.Context, authz.Proof, authz.Ref, string) ([]storage.Subject, error) {
	a.one()
	return []storage.Subject{{Ref: authz.Ref{Type: "user", ID: "default/x"}}}, nil
}

func (a *asked) Access(context.Context, authz.Proof, authz.Ref, string, storage.Subject, int) ([]ops.Accessor, bool, error) {
	a.one()
	return nil, false, nil
}

// governed has policies, and counts what is done with them.
type governed struct{ *asked }

func (g governed) Read(_ context.Context, may schema.AdministerPlatform) (api.Policy, error) {
	g.one()
	_, err := may.Use()
	return api.Policy{}, err
}

func (g governed) Put(_ context.Context, may schema.AdministerPlatform, _ *api.PutPolicyParams) (api.PutPolicyResult, error) {
	g.one()
	_, err := may.Use()
	return api.PutPolicyResult{}, err
}

func (g governed) Rehearse(_ context.Context, may schema.AdministerPlatform, _ *api.RehearsePolicyParams) (api.Rehearsal, error) {
	g.one()
	_, err := may.Use()
	return api.Rehearsal{}, err
}

// told reads the decision record, and counts that, too.
type told struct{ *asked }

func (t told) Decisions(context.Context, authz.Proof, string, api.DecisionsParams) ([]json.RawMessage, error) {
	t.one()
	return nil, nil
}

func (t told) Explain(context.Context, authz.Proof, string, string) (*api.DecisionExplained, error) {
	t.one()
	return nil, nil
}

// copied makes no backups, and counts those who ask for one.
type copied struct{ *asked }

func (c copied) Start(context.Context, schema.AdministerPlatform, string) (api.Backup, error) {
	c.one()
	return api.Backup{State: api.BackupRunning}, nil
}

func (c copied) Status(context.Context, schema.AdministerPlatform, string) (api.Backup, error) {
	c.one()
	return api.Backup{State: api.BackupDone}, nil
}
