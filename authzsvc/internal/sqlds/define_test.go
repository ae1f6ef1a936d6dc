package sqlds

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/input"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

var (
	acme   = Owner{"t0001", "acme"}
	globex = Owner{"t0002", "globex"}
)

// definitions compiles text, whose names are the engine's.
func definitions(tb testing.TB, text string) Definitions {
	tb.Helper()
	compiled, err := compiler.Compile(compiler.InputSchema{Source: input.Source("schema"), SchemaString: text}, compiler.AllowUnprefixedObjectType())
	if err != nil {
		tb.Fatal(err)
	}
	return Definitions{Objects: compiled.ObjectDefinitions, Caveats: compiled.CaveatDefinitions}
}

func define(d *Datastore, o Owner, defs Definitions) error {
	return d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error { return d.Define(ctx, tx, o, defs) })
}

func mustDefine(tb testing.TB, d *Datastore, o Owner, text string) {
	tb.Helper()
	if err := define(d, o, definitions(tb, text)); err != nil {
		tb.Fatalf("Define(%v) = %v", o, err)
	}
}

// typeDoc makes a type with relations to users.
func typeDoc(o Owner, relations ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "definition %s/doc {\n", o.Prefix)
	for _, r := range relations {
		fmt.Fprintf(&b, "relation %s: user\n", r)
	}
	return b.String() + "}\n"
}

// reads makes doc:TENANT/ID#RELATION@user:TENANT/ann of an owner's type.
func reads(o Owner, tenant, id, relation string) relations.Relationship {
	return relations.Relationship{
		Resource: authz.Ref{Type: o.Prefix + "/doc", ID: tenant + "/" + id}, Relation: relation,
		Subject: authz.Ref{Type: "user", ID: tenant + "/ann"},
	}
}

// inForce returns the names of the definitions in force.
func inForce(tb testing.TB, d *Datastore, at relations.Revision) string {
	tb.Helper()
	stored, err := d.SnapshotReader(revision(at)).ReadStoredSchema(context.Background())
	if errors.Is(err, datastore.ErrSchemaNotFound) {
		return ""
	}
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, own := range []string{"t0001/doc", "t0001/folder", "t0002/doc", "file"} {
		if def := stored.Get().GetV1().GetNamespaceDefinitions()[own]; def != nil {
			all = append(all, fmt.Sprint(own, len(def.GetRelation())))
		}
	}
	return strings.Join(all, " ")
}

func TestOwnersDefinitionsStandBesideOneAnother(t *testing.T) {
	d := productStore(t, Options{})
	before := headOf(t, d)
	product := inForce(t, d, before)
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	first := headOf(t, d)
	mustDefine(t, d, globex, typeDoc(globex, "reader", "writer"))
	mustDefine(t, d, acme, typeDoc(acme, "reader", "writer", "owner"))
	second := headOf(t, d)
	mustDefine(t, d, acme, "")
	for at, want := range map[relations.Revision]string{
		before: product, first: "t0001/doc1 " + product, second: "t0001/doc3 t0002/doc2 " + product, headOf(t, d): "t0002/doc2 " + product,
	} {
		if got := inForce(t, d, at); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestEqualDefinitionsHaveEqualHashes(t *testing.T) {
	d := productStore(t, Options{})
	hash := func() string {
		h, err := d.SchemaHashAt(t.Context(), headOf(t, d))
		if err != nil || h == "" {
			t.Fatalf("hash = %q, %v", h, err)
		}
		return h
	}
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	one := hash()
	mustDefine(t, d, acme, typeDoc(acme, "writer"))
	two := hash()
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	if three := hash(); one == two || one != three {
		t.Errorf("hashes %s, %s, %s: want the first and the last equal", one, two, three)
	}
}

func TestOwnersDefineNothingOfOthers(t *testing.T) {
	d := productStore(t, Options{})
	mustDefine(t, d, globex, typeDoc(globex, "reader"))
	for name, text := range map[string]string{
		"another's type":             typeDoc(globex, "reader"),
		"the product's":              "definition file {\nrelation parent: file\n}",
		"another's type as subject":  "definition t0001/doc {\nrelation reader: t0002/doc\n}",
		"everybody":                  "definition t0001/doc {\nrelation reader: user:*\n}",
		"another's caveat":           "caveat t0002/now(day string) {\nday == 'x'\n}\n",
		"the product's, its caveats": "caveat now(day string) {\nday == 'x'\n}\n",
	} {
		if err := define(d, acme, definitions(t, text)); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: Define = %v, want it refused", name, err)
		}
	}
	if err := define(d, Owner{}, definitions(t, schema.Text+"\ndefinition note {\nrelation reader: t0002/doc\n}\n")); !errors.Is(err, errs.Invalid) {
		t.Errorf("the product admits a tenant's type: %v", err)
	}
}

func TestObjectOfAnotherTenantsTypeRefused(t *testing.T) {
	d := productStore(t, Options{})
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	mustWrite(t, d, touch(reads(acme, "acme", "a", "reader")))
	refused(t, write(d, touch(reads(acme, "globex", "a", "reader"))), errs.CrossTenant)
	refused(t, write(d, touch(reads(globex, "globex", "a", "reader"))), errs.NotValid)
}

func TestDefinitionInUseNotTakenAway(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	text := typeDoc(acme, "reader", "writer") + "definition t0001/folder {\nrelation holds: t0001/doc\nrelation team: t0001/doc#reader\nrelation late: user with expiration\n}\n"
	mustDefine(t, d, acme, "use expiration\n"+text)
	folder := func(relation, typ, id, set string) relations.Relationship {
		return relations.Relationship{
			Resource: authz.Ref{Type: "t0001/folder", ID: "acme/f"}, Relation: relation, Subject: authz.Ref{Type: typ, ID: "acme/" + id}, SubjectRelation: set,
		}
	}
	late := folder("late", "user", "ann", "")
	late.Expires = clock.Now().Add(1000)
	for _, c := range []struct {
		stored relations.Relationship
		left   string // definitions that have no place for it
	}{
		{reads(acme, "acme", "a", "writer"), typeDoc(acme, "reader")},
		{reads(acme, "acme", "a", "reader"), ""},
		{folder("holds", "t0001/doc", "a", ""), typeDoc(acme, "reader", "writer")},
		{folder("team", "t0001/doc", "a", "reader"), "definition t0001/folder {\nrelation holds: t0001/doc\n}\n" + typeDoc(acme, "reader", "writer")},
		{late, typeDoc(acme, "reader", "writer") + "definition t0001/folder {\nrelation late: user\n}\n"},
	} {
		mustWrite(t, d, touch(c.stored))
		err := define(d, acme, definitions(t, c.left))
		if !errors.Is(err, errs.Precondition) || errs.RPC(err) != -32005 || strings.Contains(err.Error(), "t0001") {
			t.Errorf("with %s: Define = %v, want it refused in the tenant's words", c.stored, err)
		}
		mustWrite(t, d, remove(c.stored))
	}
	mustWrite(t, d, touch(late))
	clock.add(2000)
	mustDefine(t, d, acme, "") // what has expired is in nobody's way
}

func TestProductInUseNotTakenAway(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, touch(rel("a", "link", "file", "b", "")))
	without := strings.Replace(schema.Text, "	relation link: file\n", "", 1)
	for _, p := range []string{"owner", "editor", "viewer"} {
		without = strings.ReplaceAll(without, " + link->"+p, "")
	}
	if err := define(d, Owner{}, definitions(t, without)); !errors.Is(err, errs.Precondition) || !strings.Contains(err.Error(), "file#link@file") {
		t.Errorf("Define without link = %v, want it refused while one is stored", err)
	}
	mustWrite(t, d, remove(rel("a", "link", "file", "b", "")))
	if err := define(d, Owner{}, definitions(t, without)); err != nil {
		t.Errorf("Define without link = %v", err)
	}
}

func TestDefinitionsThatRolledBackAreNowhere(t *testing.T) {
	d := productStore(t, Options{})
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	before := inForce(t, d, headOf(t, d))
	failed := errors.New("no")
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		if err := d.Define(ctx, tx, acme, definitions(t, typeDoc(acme, "reader", "writer"))); err != nil {
			return err
		}
		if err := d.Writer().Write(ctx, tx, touch(reads(acme, "acme", "a", "writer"))); err != nil {
			return err // within the transaction it is in force
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if after := inForce(t, d, headOf(t, d)); after != before {
		t.Errorf("in force: %s, want %s", after, before)
	}
	refused(t, write(d, touch(reads(acme, "acme", "a", "writer"))), errs.NotValid)
}

func TestOwnersDefinitionsAreToldBeforeTheCommitAndAlone(t *testing.T) {
	var told []string
	d := productStore(t, Options{
		Defined:       func(_ relations.Revision, tenant string) { told = append(told, tenant) },
		SchemaChanged: func(string) { told = append(told, "everything") },
	})
	told = nil
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	mustDefine(t, d, acme, typeDoc(acme, "reader")) // the same again
	mustDefine(t, d, globex, typeDoc(globex, "reader"))
	if got := strings.Join(told, " "); got != "acme globex" {
		t.Errorf("told of %q, want acme and globex, once each", got)
	}
}

func TestDefinitionsSurviveARestart(t *testing.T) {
	path := t.TempDir() + "/nexus.db"
	d, err := openBoth(path, Options{}, sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSchema(d, schema.Text); err != nil {
		t.Fatal(err)
	}
	mustDefine(t, d, acme, typeDoc(acme, "reader"))
	want := inForce(t, d, headOf(t, d))
	if err := closeBoth(d); err != nil {
		t.Fatal(err)
	}
	if d, err = openBoth(path, Options{}, sqldb.LiteOptions{}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeBoth(d); err != nil {
			t.Error(err)
		}
	}()
	if got := inForce(t, d, headOf(t, d)); got != want {
		t.Errorf("in force: %s, want %s", got, want)
	}
	mustWrite(t, d, touch(reads(acme, "acme", "a", "reader")))
	refused(t, write(d, touch(reads(acme, "globex", "a", "reader"))), errs.CrossTenant)
}

func TestWhetherAKindIsUsedIsSought(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	plan := explain(t, d, sqlUsedOwn.Text(sqldb.SQLite), []any{"t0001/doc", "reader", "user", "...", 1, false, false})
	if !strings.Contains(plan, "rel_kinds (rt=? AND rr=? AND st=? AND sr=? AND deleted=?") || strings.Contains(plan, "SCAN rel") {
		t.Error(plan)
	}
}

// BenchmarkDefine writes one tenant's definitions beside those of so many others. What it costs must not grow as they do.
func BenchmarkDefine(b *testing.B) {
	for _, others := range []int{1, 100} {
		b.Run(fmt.Sprint(others, " others"), func(b *testing.B) {
			d := productStore(b, Options{})
			for i := range others {
				o := Owner{schema.Prefix(int64(100 + i)), fmt.Sprint("tenant", i)}
				var defs Definitions
				for k := range 10 {
					def := definitions(b, typeDoc(o, "reader", "writer", "owner")).Objects[0]
					def.Name = fmt.Sprint(o.Prefix, "/type", k)
					defs.Objects = append(defs.Objects, def)
				}
				if err := define(d, o, defs); err != nil {
					b.Fatal(err)
				}
			}
			two := [2]Definitions{definitions(b, typeDoc(acme, "reader")), definitions(b, typeDoc(acme, "writer"))}
			for i := 0; b.Loop(); i++ {
				if err := define(d, acme, two[i%2]); err != nil {
					b.Fatal(err)
				}
				if _, err := d.SnapshotReader(revision(headOf(b, d))).ReadStoredSchema(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
