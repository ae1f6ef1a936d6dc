package storagetest

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// Run holds a database against every claim of the suite. open returns a new, empty one each time; Run closes it.
func Run(t *testing.T, open func(t testing.TB) sqldb.DB) {
	for _, claim := range slices.Concat(
		names, lists, writes, folders, reserved, moves, deletes, purges, versions, retention, history, treeHashes, restores, owners, people, agents, tuples, effects,
		groups, sweeps, shared,
		searches, changes,
		blobs, staged,
		keys, transfers,
		namespaces,
	) {
		t.Run(nameOf(claim), func(t *testing.T) {
			k := newKit(t, open(t))
			claim(k)
			k.mustBeConsistent()
		})
	}
}

// nameOf returns the name of a claim's function: the claim.
func nameOf(claim func(*kit)) string {
	full := runtime.FuncForPC(reflect.ValueOf(claim).Pointer()).Name()
	name := full[strings.LastIndexByte(full, '.')+1:]
	return strings.ToUpper(name[:1]) + name[1:]
}

// kit is a store over the database under test, with relationships in memory and everything allowed.
type kit struct {
	*testing.T
	db    sqldb.DB
	blobs *storage.BlobDir
	store *storage.Store
	files *storage.Files
	rels  *Relations
	clock *gatetest.Clock
	gate  *authz.Gate
	notes *gatetest.Recorder
	ann   authz.Principal // of the default tenant
}

func newKit(t *testing.T, db sqldb.DB) *kit {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := storage.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	k := &kit{T: t, db: db, rels: NewRelations(), clock: gatetest.NewClock(), ann: gatetest.User(storage.DefaultTenant, "ann")}
	k.gate, k.notes = gatetest.AllowAll(t)
	k.rels.Clock = k.clock
	var err error
	if k.blobs, err = storage.OpenBlobDir(filepath.Join(t.TempDir(), "blobs")); err != nil {
		t.Fatal(err)
	}
	k.store = storage.New(db, k.blobs, k.rels, k.rels, k.clock)
	k.files = k.store.Files()
	if _, founded, err := k.store.Founding().Found(t.Context()); err != nil || !founded {
		t.Fatalf("Found = %v, %v", founded, err)
	}
	return k
}

// grant returns what n is for, as a gate that allows everything grants it to ann.
func grant[G any](k *kit, n authz.Need[G]) G {
	k.Helper()
	return grantTo(k, k.ann, n)
}

func grantTo[G any](k *kit, who authz.Principal, n authz.Need[G]) G {
	k.Helper()
	g, _, err := authz.Ask(k.Context(), k.gate, who, authz.Act{Op: "test", Durable: true}, n)
	if err != nil {
		k.Fatalf("an allow-all gate refused: %v", err)
	}
	return g
}

// grants returns n grants for need, each of a decision of its own.
func grants[G any](k *kit, n int, need authz.Need[G]) []G {
	k.Helper()
	var all []G
	for range n {
		all = append(all, grant(k, need))
	}
	return all
}

// at resolves a path in the default tenant.
func (k *kit) at(path string) schema.Address {
	k.Helper()
	return k.in(storage.DefaultTenant, path)
}

func (k *kit) in(tenant, path string) schema.Address {
	k.Helper()
	a, err := k.store.Names().Address(k.Context(), tenant, path)
	if err != nil {
		k.Fatalf("Address(%s, %s): %v", tenant, path, err)
	}
	return a
}

func (k *kit) file(path string) schema.File { return schema.File{Address: k.at(path)} }

func (k *kit) dir(path string) schema.Dir { return schema.Dir{Address: k.at(path)} }

// put writes body as an operation does: over what has a row, or into the nearest folder.
func (k *kit) put(path, body string, c storage.Condition) (storage.Entry, error) {
	k.Helper()
	return k.putAs(k.ann, path, body, c)
}

func (k *kit) putAs(who authz.Principal, path, body string, c storage.Condition) (storage.Entry, error) {
	k.Helper()
	a := k.in(who.Tenant, path)
	if a.HasRow() {
		return k.files.Write(k.Context(), grantTo(k, who, schema.File{Address: a}.Write()), []byte(body), c)
	}
	return k.files.Create(k.Context(), grantTo(k, who, schema.Dir{Address: a}.Write()), []byte(body), c)
}

func (k *kit) mustPut(path, body string) storage.Entry {
	k.Helper()
	e, err := k.put(path, body, storage.Condition{})
	if err != nil {
		k.Fatalf("write %s: %v", path, err)
	}
	return e
}

func (k *kit) mkdir(path string, parents bool) error {
	k.Helper()
	return k.files.Mkdir(k.Context(), grant(k, k.dir(path).Write()), parents)
}

func (k *kit) mustMkdir(path string) {
	k.Helper()
	if err := k.mkdir(path, true); err != nil {
		k.Fatalf("mkdir %s: %v", path, err)
	}
}

func (k *kit) read(path string) (string, error) {
	k.Helper()
	_, body, err := k.files.Read(k.Context(), grant(k, k.file(path).Read()))
	return string(body), err
}

func (k *kit) mustRead(path, want string) {
	k.Helper()
	if got, err := k.read(path); err != nil || got != want {
		k.Errorf("read %s = %.60q (%d bytes), %v, want %.60q (%d bytes)", path, got, len(got), err, want, len(want))
	}
}

func (k *kit) stat(path string) storage.Entry {
	k.Helper()
	e, err := k.files.Stat(k.Context(), grant(k, k.file(path).Read()))
	if err != nil {
		k.Fatalf("stat %s: %v", path, err)
	}
	return e
}

func (k *kit) scope() schema.ReadFiles {
	k.Helper()
	return grant(k, schema.ReadFilesWithin(k.gate, schema.Home(k.ann).Access(), "files.read"))
}

// list returns the paths below a folder, folders with a slash at the end.
func (k *kit) list(folder string, o storage.ListOptions) []string {
	k.Helper()
	page, err := k.files.List(k.Context(), k.scope(), k.at(folder), o)
	if err != nil {
		k.Fatalf("list %s: %v", folder, err)
	}
	if o.Limit == 0 && !page.Complete {
		k.Errorf("the whole list of %s is not complete", folder)
	}
	all := []string{}
	for _, e := range page.Entries {
		if e.Folder {
			e.Path += "/"
		}
		all = append(all, e.Path)
	}
	return all
}

func (k *kit) mustList(folder string, o storage.ListOptions, want ...string) {
	k.Helper()
	if got := k.list(folder, o); !slices.Equal(got, want) {
		k.Errorf("list %s %+v = %q, want %q", folder, o, got, want)
	}
}

var whole = storage.ListOptions{Recursive: true}

// exists answers as the operation does to who may read everything.
func (k *kit) exists(path string) bool {
	k.Helper()
	seen, err := k.files.Visible(k.Context(), k.scope(), k.at(path))
	if err != nil {
		k.Fatalf("exists %s: %v", path, err)
	}
	return seen
}

func (k *kit) mustExist(want bool, all ...string) {
	k.Helper()
	for _, path := range all {
		if got := k.exists(path); got != want {
			k.Errorf("exists %s = %v, want %v", path, got, want)
		}
	}
}

func (k *kit) mustFail(what string, err error, want errs.Kind, reason errs.Reason) {
	k.Helper()
	if !errors.Is(err, want) || errs.From(err).Reason != reason {
		k.Errorf("%s: err = %v, want %s %s", what, err, want, reason)
	}
}

func (k *kit) mustBeStale(what string, err error) {
	k.Helper()
	k.mustFail(what, err, errs.Conflict, errs.StaleDecision)
}

// related reports whether the relationship is there.
func (k *kit) related(resource authz.Ref, relation string, subject authz.Ref) bool {
	return slices.ContainsFunc(k.rels.All(), func(r relations.Relationship) bool {
		return r.Resource == resource && r.Relation == relation && r.Subject == subject
	})
}

// statement runs a statement that no façade has.
func (k *kit) statement(s *sqldb.Stmt, args ...any) {
	k.Helper()
	err := k.db.Tx(k.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, s, args...)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
}

var (
	edgesOfDirs  = sqldb.SQL(`SELECT id, parent FROM dirs WHERE parent NOT IN (SELECT id FROM dirs WHERE path = '~/') AND parent <> '' ORDER BY id`)
	edgesOfFiles = sqldb.SQL(`SELECT id, dir FROM files WHERE dir NOT IN (SELECT id FROM dirs WHERE path = '~/') ORDER BY id`)
	bodiless     = sqldb.SQL(`SELECT f.id, f.dir FROM files f WHERE f.version > 0 AND NOT EXISTS (
		SELECT 1 FROM versions v WHERE v.file = f.id AND v.version = f.version AND v.seq = f.seq AND v.seq > 0)`)
	doubled = sqldb.SQL(`SELECT d.path, f.name FROM files f JOIN dirs p ON p.id = f.dir
		JOIN dirs d ON d.tenant = p.tenant AND d.path = p.path || f.name || '/'`)
)

// mustBeConsistent checks what holds whatever a claim did: parent relationships equal the tree, none crosses tenants, every
// file has the contents of its version, and nothing is both a file and a folder.
func (k *kit) mustBeConsistent() {
	k.Helper()
	edges := append(k.pairs(edgesOfDirs), k.pairs(edgesOfFiles)...)
	slices.Sort(edges)
	var parents []string
	for _, r := range k.rels.All() {
		if r.Relation == "parent" {
			parents = append(parents, r.Resource.ID+" in "+r.Subject.ID)
		}
		if from, to := schema.TenantOf(r.Resource), schema.TenantOf(r.Subject); from != to && to != "" {
			k.Errorf("%s crosses tenants", r)
		}
	}
	slices.Sort(parents)
	if !slices.Equal(edges, parents) {
		k.Errorf("the tree has %d edges, the relationships %d, or other ones", len(edges), len(parents))
	}
	if wrong := k.pairs(bodiless); len(wrong) > 0 {
		k.Errorf("files without the contents of their version: %q", wrong)
	}
	if wrong := k.pairs(doubled); len(wrong) > 0 {
		k.Errorf("both file and folder: %q", wrong)
	}
}

func (k *kit) pairs(s *sqldb.Stmt) []string {
	k.Helper()
	var all []string
	err := k.db.Each(k.Context(), s, nil, func(r sqldb.Row) error {
		var one, other string
		err := r.Scan(&one, &other)
		all = append(all, one+" in "+other)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return all
}
