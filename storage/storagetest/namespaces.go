package storagetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// namespaces are claims about the types that tenants define.
var namespaces = []func(*kit){
	definedTypesAreListed,
	typeDefinedAnewKeepsItsID,
	typesOfAnotherTenantAreItsOwn,
	refusedDefinitionLeavesNoRow,
	wholeSchemaReplacesTypes,
	schemasAreWrittenAtAPace,
	triedSchemaLeavesNoRow,
	tenantsGetNumbersOfTheirOwn,
}

// defining is a façade of the types of ann's tenant.
type defining struct {
	*storage.Namespaces
	k       *kit
	definer *Definer
}

func newDefining(k *kit) defining {
	d := NewDefiner()
	return defining{k.store.Namespaces(d), k, d}
}

func (d defining) put(name, config string) error {
	return d.Put(d.k.Context(), grant(d.k, schema.Home(d.k.ann).Administer()), name, json.RawMessage(config))
}

func (d defining) mustPut(name, config string) {
	d.k.Helper()
	if err := d.put(name, config); err != nil {
		d.k.Fatalf("Put(%s) = %v", name, err)
	}
}

func (d defining) list() []storage.Namespace {
	d.k.Helper()
	all, err := d.List(d.k.Context(), grant(d.k, schema.Home(d.k.ann).Access()))
	if err != nil {
		d.k.Fatal(err)
	}
	return all
}

// mustBe checks which types there are: by their rows, by what was defined, and by what names mean.
func (d defining) mustBe(want ...string) {
	d.k.Helper()
	var rows, kinds []string
	for _, one := range d.list() {
		rows = append(rows, one.Type)
	}
	all, err := d.k.store.Names().Kinds(d.k.Context(), d.k.ann.Tenant)
	if err != nil {
		d.k.Fatal(err)
	}
	for _, k := range all {
		kinds = append(kinds, schema.TypeName(k.Type))
	}
	if defined := d.definer.Defined[d.k.ann.Tenant]; !slices.Equal(rows, want) || !slices.Equal(defined, want) || !slices.Equal(kinds, want) {
		d.k.Errorf("rows of %q, definitions of %q, kinds of %q, want %q", rows, defined, kinds, want)
	}
}

const twoRelations = `{"relations":{"reader":{}, "owner":{}}}`

func definedTypesAreListed(k *kit) {
	d := newDefining(k)
	d.mustBe()
	d.mustPut("doc", twoRelations)
	d.mustPut("folder", `{"relations":{"reader":{}}}`)
	d.mustBe("doc", "folder")
	if got := d.list()[0]; string(got.Config) != `{"relations":{"reader":{},"owner":{}}}` || got.ID == "" || got.Created.IsZero() {
		k.Errorf("listed %+v", got)
	}
	kind, found, err := k.store.Names().Kind(k.Context(), k.ann.Tenant, "doc")
	if err != nil || !found || kind.Sharing() != "owner" || kind.Type != schema.OwnType(1, "doc") {
		k.Errorf("Kind = %+v, %v, %v", kind, found, err)
	}
	one, err := d.Get(k.Context(), grant(k, schema.Home(k.ann).Access()), "doc")
	if err != nil || one == nil || one.Type != "doc" {
		k.Errorf("Get = %+v, %v", one, err)
	}
	none, err := d.Get(k.Context(), grant(k, schema.Home(k.ann).Access()), "nothing")
	if err != nil || none != nil {
		k.Errorf("Get(nothing) = %+v, %v", none, err)
	}
}

func typeDefinedAnewKeepsItsID(k *kit) {
	d := newDefining(k)
	d.mustPut("doc", twoRelations)
	before := d.list()[0]
	k.clock.Advance(time.Second)
	d.mustPut("doc", twoRelations)
	if same := d.list()[0]; !same.Updated.Equal(before.Updated) {
		k.Error("the same definition counts as a change")
	}
	d.mustPut("doc", `{"relations":{"reader":{}}}`)
	after := d.list()[0]
	if after.ID != before.ID || !after.Created.Equal(before.Created) || !after.Updated.After(before.Updated) {
		k.Errorf("%+v became %+v", before, after)
	}
}

func typesOfAnotherTenantAreItsOwn(k *kit) {
	d := newDefining(k)
	d.mustPut("doc", twoRelations)
	bob := gatetest.User("globex", "bob")
	if _, err := k.store.Keys().CreateIn(k.Context(), grant(k, schema.ThePlatform.Administer()), "globex", storage.KeySpec{User: "bob", Name: "key", SubjectType: "user", Subject: "bob"}); err != nil {
		k.Fatal(err)
	}
	if all, err := d.List(k.Context(), grantTo(k, bob, schema.Home(bob).Access())); err != nil || len(all) != 0 {
		k.Errorf("another tenant lists %+v, %v", all, err)
	}
	if dropped, err := d.Drop(k.Context(), grantTo(k, bob, schema.Home(bob).Administer()), "doc"); err != nil || dropped {
		k.Errorf("another tenant drops it: %v, %v", dropped, err)
	}
	d.mustBe("doc")
}

func refusedDefinitionLeavesNoRow(k *kit) {
	d := newDefining(k)
	d.mustPut("doc", twoRelations)
	if err := d.put("file", twoRelations); !errors.Is(err, errs.Invalid) {
		k.Errorf("Put(file) = %v", err)
	}
	d.definer.Refuse = errs.New(errs.Precondition, "in use")
	if err := d.put("folder", twoRelations); !errors.Is(err, errs.Precondition) {
		k.Errorf("Put = %v", err)
	}
	if dropped, err := d.Drop(k.Context(), grant(k, schema.Home(k.ann).Administer()), "doc"); dropped || !errors.Is(err, errs.Precondition) {
		k.Errorf("Drop = %v, %v", dropped, err)
	}
	d.mustBe("doc")
}

func wholeSchemaReplacesTypes(k *kit) {
	d := newDefining(k)
	d.mustPut("doc", twoRelations)
	d.mustPut("folder", twoRelations)
	kept := d.list()[0]
	text, err := d.Text(k.Context(), grant(k, schema.Home(k.ann).Access()))
	if err != nil {
		k.Fatal(err)
	}
	replace := func(text string) error {
		return d.Replace(k.Context(), grant(k, schema.Home(k.ann).Administer()), text)
	}
	if err := replace(text); err != nil {
		k.Fatal(err)
	}
	if again := d.list()[0]; string(again.Config) != string(kept.Config) {
		k.Errorf("the same text has another configuration: %s", again.Config)
	}
	if err := replace("definition doc {\n\trelation writer: user\n}\ndefinition team {\n}"); err != nil {
		k.Fatal(err)
	}
	d.mustBe("doc", "team")
	if changed := d.list()[0]; changed.ID != kept.ID || string(changed.Config) != "{}" {
		k.Errorf("%+v became %+v", kept, changed)
	}
	if err := replace(""); err != nil {
		k.Fatal(err)
	}
	d.mustBe()
}

func schemasAreWrittenAtAPace(k *kit) {
	d := newDefining(k)
	for i := range 10 {
		d.mustPut(fmt.Sprintf("type_%d", i), twoRelations)
	}
	if err := d.put("one_more", twoRelations); !errors.Is(err, errs.Exhausted) {
		k.Errorf("the eleventh write = %v, want it refused", err)
	}
	k.clock.Advance(61 * time.Second)
	d.mustPut("one_more", twoRelations)
}

func triedSchemaLeavesNoRow(k *kit) {
	d := newDefining(k)
	admin := grant(k, schema.Home(k.ann).Administer())
	try := func() error { return d.Try(k.Context(), admin, "definition doc {\n}") }
	if err := try(); err != nil {
		k.Error(err)
	}
	d.mustPut("team", twoRelations)
	if err := try(); err != nil {
		k.Error(err)
	}
	d.mustBe("team")
	d.definer.Refuse = errs.New(errs.Precondition, "in use")
	if err := try(); !errors.Is(err, errs.Precondition) {
		k.Errorf("Try = %v", err)
	}
}

func tenantsGetNumbersOfTheirOwn(k *kit) {
	d := newDefining(k)
	seen := map[string]bool{}
	for _, tenant := range []string{"one", "two", "three"} {
		who := gatetest.User(tenant, "ann")
		if _, err := k.store.Keys().CreateIn(k.Context(), grant(k, schema.ThePlatform.Administer()), tenant, storage.KeySpec{User: "ann", Name: "key", SubjectType: "user", Subject: "ann"}); err != nil {
			k.Fatal(err)
		}
		for range 2 {
			if err := d.Put(k.Context(), grantTo(k, who, schema.Home(who).Administer()), "doc", json.RawMessage(twoRelations)); err != nil {
				k.Fatal(err)
			}
		}
		kind, _, err := k.store.Names().Kind(k.Context(), tenant, "doc")
		if err != nil || seen[kind.Type] {
			k.Errorf("tenant %s has type %q, %v", tenant, kind.Type, err)
		}
		seen[kind.Type] = true
	}
}
