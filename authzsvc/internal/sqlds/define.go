package sqlds

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// Owner is who owns definitions: a tenant, by its quoted name and the prefix of its types. The zero Owner is the product.
type Owner struct{ Prefix, Tenant string }

// Definitions are compiled and checked. What they refer to is theirs or the product's.
type Definitions struct {
	Objects []*core.NamespaceDefinition
	Caveats []*core.CaveatDefinition
	Text    string // of the product's, as it was written; the store keeps no other
}

// Define puts an owner's definitions in force, in place of all that it had, when tx commits. Other owners' stay as they are.
// It refuses with errs.Precondition what would leave a relationship behind that the schema does not admit; no writer can
// come in between. It refuses with errs.Invalid a definition that is not its owner's.
func (d *Datastore) Define(ctx context.Context, tx sqldb.Tx, o Owner, defs Definitions) error {
	j, err := d.join(tx)
	if err != nil {
		return err
	}
	before, err := j.composed(ctx)
	if err != nil {
		return err
	}
	after, err := compose(before, o, defs, j.rev)
	if err != nil {
		return err
	}
	if before.says(after) {
		return j.finish(ctx)
	}
	if err := j.notInUse(ctx, before, after, o); err != nil {
		return err
	}
	return j.define(ctx, before, after, o)
}

// compose returns the schema with an owner's definitions in place of those it had.
func compose(before *composed, o Owner, defs Definitions, rev int64) (*composed, error) {
	w := &composed{created: rev, parts: map[partKey]part{}, owners: map[string]string{}}
	if before != nil {
		w.text = before.text
		maps.Copy(w.parts, before.parts)
		maps.Copy(w.owners, before.owners)
	}
	maps.DeleteFunc(w.parts, func(k partKey, _ part) bool { return o.has(k.name) })
	if o == (Owner{}) {
		w.text = defs.Text
	} else {
		w.owners[o.Prefix] = o.Tenant
	}
	for _, def := range defs.Objects {
		p, err := objectPart(rev, def)
		if err := errors.Join(err, o.mayDefine(def)); err != nil {
			return nil, err
		}
		w.put(before, partKey{kindObject, def.GetName()}, p)
	}
	for _, rule := range defs.Caveats {
		if !o.has(rule.GetName()) {
			return nil, foreign(rule.GetName())
		}
		p, err := rulePart(rev, rule)
		if err != nil {
			return nil, err
		}
		w.put(before, partKey{kindRule, rule.GetName()}, p)
	}
	w.hash = w.contentHash()
	return w.sealed(), nil
}

// says reports whether w and o say the same.
func (w *composed) says(o *composed) bool { return w != nil && w.hash == o.hash && w.text == o.text }

// has reports whether a definition of that name is the owner's.
func (o Owner) has(name string) bool {
	prefix, _, own := strings.Cut(name, "/")
	return own == (o.Prefix != "") && (!own || prefix == o.Prefix)
}

// mayDefine refuses a definition that is not the owner's, or that lets in what is another tenant's.
func (o Owner) mayDefine(def *core.NamespaceDefinition) error {
	if !o.has(def.GetName()) {
		return foreign(def.GetName())
	}
	for _, r := range def.GetRelation() {
		for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
			if schema.IsOwn(a.GetNamespace()) && !o.has(a.GetNamespace()) {
				return foreign(a.GetNamespace())
			}
			if a.GetPublicWildcard() != nil && o != (Owner{}) {
				return errs.New(errs.Invalid, "%s:* would be everybody of every tenant", a.GetNamespace()).Marked(errs.NotValid)
			}
			if caveat := a.GetRequiredCaveat().GetCaveatName(); caveat != "" && !o.has(caveat) {
				return foreign(caveat)
			}
		}
	}
	return nil
}

func foreign(name string) error {
	return errs.New(errs.Invalid, "definition %s belongs to somebody else", name).Marked(errs.CrossTenant)
}

func (j *join) define(ctx context.Context, before, after *composed, o Owner) error {
	j.wroteSchema()
	if err := j.putSchema(ctx, before, after); err != nil {
		return err
	}
	if o == (Owner{}) {
		j.product = true
		return j.finish(ctx)
	}
	if before == nil || before.owners[o.Prefix] != o.Tenant {
		if err := j.putDoc(ctx, kindOwner, o.Prefix, []byte(o.Tenant)); err != nil {
			return err
		}
	}
	j.d.batch.raised = j.rev
	j.d.o.Defined(relations.Revision(j.rev), o.Tenant)
	return j.finish(ctx)
}

// kind is one sort of relationship that a schema admits.
type kind struct {
	rt, rr string
	subjectKind
}

// String describes the kind as a schema declares it.
func (k kind) String() string {
	return schema.TypeName(k.rt) + "#" + k.rr + "@" + k.subjectKind.String()
}

// kindsOf returns the kinds of relationships that an owner's definitions admit.
func (w *composed) kindsOf(o Owner) map[kind]struct{} {
	all := map[kind]struct{}{}
	if w == nil {
		return all
	}
	for k, p := range w.parts {
		if k.kind != kindObject || !o.has(k.name) {
			continue
		}
		for _, r := range p.object.GetRelation() {
			for admitted := range newRelation(r).admits {
				all[kind{k.name, r.GetName(), admitted}] = struct{}{}
			}
		}
	}
	return all
}

// notInUse refuses to take a kind of relationship out of the schema while there is one of it. Every stored relationship is
// of a kind that the schema admits, so no other kind need be looked at.
func (j *join) notInUse(ctx context.Context, before, after *composed, o Owner) error {
	stay := after.kindsOf(o)
	gone := slices.DeleteFunc(slices.Collect(maps.Keys(before.kindsOf(o))), func(k kind) bool {
		_, ok := stay[k]
		return ok
	})
	slices.SortFunc(gone, func(a, b kind) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range gone {
		used, err := j.used(ctx, k)
		if err != nil {
			return err
		}
		if used {
			return errs.New(errs.Precondition, "relationships %s are stored: delete them first", k)
		}
	}
	return nil
}

const usedKind = `SELECT count(*) FROM (SELECT 1 FROM rel WHERE rt = $1 AND rr = $2 AND st = $3 AND sr = $4
	AND deleted = 9223372036854775807 AND expiry > $5 AND (expiry < 9223372036854775807) = $6 AND (extra IS NOT NULL) = $7`

var (
	sqlUsed    = sqldb.OnlySQLite(usedKind + ` LIMIT 1)`)
	sqlUsedOwn = sqldb.OnlySQLite(usedKind + ` AND instr(rt, '/') > 0 LIMIT 1)`) // which rel_kinds answers
)

// used reports whether there is a relationship of a kind. Two caveats of one relation count as one kind.
func (j *join) used(ctx context.Context, k kind) (bool, error) {
	s := sqlUsed
	if schema.IsOwn(k.rt) {
		s = sqlUsedOwn
	}
	var n int
	err := j.tx.Row(ctx, s, k.rt, k.rr, k.typ, k.relation, j.rev, k.expires, k.caveat != "").Scan(&n)
	return n > 0, err
}

// InForce reports whether an owner's definitions are these, to the letter.
func (d *Datastore) InForce(ctx context.Context, o Owner, defs Definitions) (bool, error) {
	s, err := d.current(ctx)
	if err != nil {
		return false, err
	}
	now, err := (&reader{d: d, rev: s.head, src: d.texts}).composed(ctx)
	if errors.Is(err, datastore.ErrSchemaNotFound) {
		return false, nil
	}
	if err != nil {
		return false, inWords(err)
	}
	then, err := compose(now, o, defs, s.head)
	return err == nil && now.says(then), err
}
