package sqlds

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
)

// A stored schema lies in parts: a head, which holds text and hash, and a document for each definition and caveat. So a
// change of one tenant's definitions writes those alone, however many others there are, and reads them alone.
const (
	kindObject = "object" // a definition of the stored schema
	kindRule   = "rule"   // a caveat of it
	kindOwner  = "owner"  // the tenant that owns the definitions behind a prefix
)

// partKey names a part.
type partKey struct{ kind, name string }

func (k partKey) compare(o partKey) int {
	return cmp.Or(strings.Compare(k.kind, o.kind), strings.Compare(k.name, o.name))
}

// part is one version of a definition or caveat. It does not change.
type part struct {
	created int64
	val     []byte
	digest  [sha256.Size]byte
	object  *core.NamespaceDefinition
	rule    *core.CaveatDefinition
}

// composed is a stored schema put together. It does not change.
type composed struct {
	created int64 // of its head
	text    string
	hash    string
	parts   map[partKey]part
	owners  map[string]string // tenants by the prefix of their definitions
	schema  *datastore.ReadOnlyStoredSchema
}

func objectPart(created int64, def *core.NamespaceDefinition) (part, error) {
	val, err := def.MarshalVT()
	return part{created: created, val: val, digest: sha256.Sum256(val), object: def}, err
}

func rulePart(created int64, rule *core.CaveatDefinition) (part, error) {
	val, err := rule.MarshalVT()
	return part{created: created, val: val, digest: sha256.Sum256(val), rule: rule}, err
}

func partOf(kind string, one doc) (part, error) {
	p := part{created: one.created, val: one.val, digest: sha256.Sum256(one.val)}
	var err error
	switch kind {
	case kindObject:
		p.object = &core.NamespaceDefinition{}
		err = p.object.UnmarshalVT(one.val)
	case kindRule:
		p.rule = &core.CaveatDefinition{}
		err = p.rule.UnmarshalVT(one.val)
	}
	if err != nil {
		return p, fmt.Errorf("%s %q of revision %d: %w", kind, one.name, one.created, err)
	}
	return p, nil
}

// sealed completes w from its parts.
func (w *composed) sealed() *composed {
	v1 := &core.StoredSchema_V1StoredSchema{
		SchemaText: w.text, SchemaHash: w.hash,
		NamespaceDefinitions: make(map[string]*core.NamespaceDefinition, len(w.parts)),
		CaveatDefinitions:    map[string]*core.CaveatDefinition{},
	}
	size := len(w.text)
	for k, p := range w.parts {
		size += len(p.val)
		if k.kind == kindObject {
			v1.NamespaceDefinitions[k.name] = p.object
		} else {
			v1.CaveatDefinitions[k.name] = p.rule
		}
	}
	stored := &core.StoredSchema{Version: 1, VersionOneof: &core.StoredSchema_V1{V1: v1}}
	w.schema = datastore.NewReadOnlyStoredSchemaWithSize(stored, size)
	return w
}

// contentHash names what w says: equal schemas have equal hashes.
func (w *composed) contentHash() string {
	sum := sha256.New()
	for _, k := range slices.SortedFunc(maps.Keys(w.parts), partKey.compare) {
		digest := w.parts[k].digest
		sum.Write(append(append([]byte(k.kind+" "+k.name+" "), digest[:]...), '\n'))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

const (
	textVersions = `SELECT name, created, x'' FROM rel_doc WHERE kind = ? AND created <= ? AND deleted > ?`
	manyMissing  = 32 // from so many on, all parts are read in one go
)

// composedAt returns the schema that holds at the reader's revision, nil when there is none. What base has of it is not read again.
func (r *reader) composedAt(ctx context.Context, base *composed) (*composed, error) {
	heads, err := readDocs(ctx, r.src, textDoc, []any{kindSchema, theSchema, r.rev, r.rev})
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	head := heads[0]
	if base != nil && base.created == head.created && !r.unsettled() {
		return base, nil
	}
	var stored core.StoredSchema
	if err := stored.UnmarshalVT(head.val); err != nil {
		return nil, fmt.Errorf("stored schema of revision %d: %w", head.created, err)
	}
	w := &composed{
		created: head.created, text: stored.GetV1().GetSchemaText(), hash: stored.GetV1().GetSchemaHash(),
		parts: map[partKey]part{}, owners: map[string]string{},
	}
	for _, kind := range []string{kindObject, kindRule} {
		if err := r.readParts(ctx, kind, base, w.parts); err != nil {
			return nil, err
		}
	}
	owners, err := readDocs(ctx, r.src, textDocs, []any{kindOwner, r.rev, r.rev})
	for _, one := range owners {
		w.owners[one.name] = string(one.val)
	}
	return w.sealed(), err
}

// unsettled reports whether r may see a schema that is not committed.
func (r *reader) unsettled() bool { return r.tx && r.d.batch.schema }

// readParts adds the parts of a kind to parts, those that base has in the same version from there.
func (r *reader) readParts(ctx context.Context, kind string, base *composed, parts map[partKey]part) error {
	versions, err := readDocs(ctx, r.src, textVersions, []any{kind, r.rev, r.rev})
	if err != nil {
		return err
	}
	var missing []doc
	for _, v := range versions {
		k := partKey{kind, v.name}
		if p, ok := base.has(k, v.created); ok && v.created < r.rev {
			parts[k] = p
			continue
		}
		missing = append(missing, v)
	}
	if len(missing) >= manyMissing {
		missing, err = readDocs(ctx, r.src, textDocs, []any{kind, r.rev, r.rev})
	} else {
		err = r.fill(ctx, kind, missing)
	}
	if err != nil {
		return err
	}
	for _, one := range missing {
		if parts[partKey{kind, one.name}], err = partOf(kind, one); err != nil {
			return err
		}
	}
	return nil
}

// fill reads the contents of documents of which only the version is known.
func (r *reader) fill(ctx context.Context, kind string, some []doc) error {
	for i, one := range some {
		found, err := readDocs(ctx, r.src, textDoc, []any{kind, one.name, r.rev, r.rev})
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%s %q of revision %d is gone", kind, one.name, one.created)
		}
		some[i] = found[0]
	}
	return nil
}

func (w *composed) has(k partKey, created int64) (part, bool) {
	if w == nil {
		return part{}, false
	}
	p, ok := w.parts[k]
	return p, ok && p.created == created
}

// ReadStoredSchema returns the schema that holds at the reader's revision.
func (r *reader) ReadStoredSchema(ctx context.Context) (*datastore.ReadOnlyStoredSchema, error) {
	w, err := r.composed(ctx)
	if err != nil {
		return nil, err
	}
	return w.schema, nil
}

func (r *reader) composed(ctx context.Context) (*composed, error) {
	done, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	w, err := r.composedAt(ctx, r.d.schemas.newest())
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errors.Join(datastore.ErrSchemaNotFound, r.end())
	}
	if !r.tx {
		r.d.schemas.keep(w)
	}
	return w, r.end()
}

// putSchema makes w the stored schema in place of before, writing what is new of it and dropping what it no longer has.
func (j *join) putSchema(ctx context.Context, before, w *composed) error {
	head := &core.StoredSchema{Version: 1, VersionOneof: &core.StoredSchema_V1{V1: &core.StoredSchema_V1StoredSchema{
		SchemaText: w.text, SchemaHash: w.hash,
	}}}
	val, err := head.MarshalVT()
	if err != nil {
		return err
	}
	if err := j.putDoc(ctx, kindSchema, theSchema, val); err != nil {
		return err
	}
	for k, p := range w.parts {
		if _, ok := before.has(k, p.created); ok && p.created != j.rev {
			continue
		}
		if err := j.putDoc(ctx, k.kind, k.name, p.val); err != nil {
			return err
		}
	}
	if before != nil {
		for k := range before.parts {
			if _, ok := w.parts[k]; ok {
				continue
			}
			if _, err := j.dropDoc(ctx, k.kind, k.name); err != nil {
				return err
			}
		}
	}
	j.composes = w
	return j.putHash(ctx, w.hash)
}

func (j *join) putHash(ctx context.Context, hash string) error {
	j.hash = &hash
	if hash == "" {
		_, err := j.dropDoc(ctx, kindHash, theSchema)
		return err
	}
	return j.putDoc(ctx, kindHash, theSchema, []byte(hash))
}

// put adds a part to w, in before's version when that says the same, so that it is not written again.
func (w *composed) put(before *composed, k partKey, p part) {
	if before != nil {
		if old, ok := before.parts[k]; ok && old.digest == p.digest {
			p = old
		}
	}
	w.parts[k] = p
}

// composed returns the schema that holds within the transaction, nil when there is none.
func (j *join) composed(ctx context.Context) (*composed, error) {
	return j.reader().composedAt(ctx, j.d.schemas.newest())
}
