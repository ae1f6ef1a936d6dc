package sqlds

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"

	"nexus/internal/sqldb"
)

// Kinds of documents.
const (
	kindDefinition = "definition"
	kindCaveat     = "caveat"
	kindSchema     = "schema" // the head of the stored schema; it has one document
	kindHash       = "hash"   // of that schema
	kindCounter    = "counter"
)

var (
	sqlDocRetire = sqldb.OnlySQLite(`UPDATE rel_doc SET deleted = $3 WHERE kind = $1 AND name = $2 AND deleted = 9223372036854775807
		AND created = (SELECT max(created) FROM rel_doc WHERE kind = $1 AND name = $2)`)
	sqlDocErase  = sqldb.OnlySQLite(`DELETE FROM rel_doc WHERE kind = $1 AND name = $2 AND created = $3`)
	sqlDocInsert = sqldb.OnlySQLite(`INSERT INTO rel_doc (kind, name, created, deleted, val) VALUES ($1, $2, $3, 9223372036854775807, $4)`)
)

// Versions of one document follow one another, so that the newest of them is the only one that can be visible.
const (
	textDoc = `SELECT name, created, val FROM (
		SELECT name, created, deleted, val FROM rel_doc WHERE kind = ? AND name = ? AND created <= ? ORDER BY created DESC LIMIT 1
	) WHERE deleted > ?`
	textDocs = `SELECT name, created, val FROM rel_doc WHERE kind = ? AND created <= ? AND deleted > ? ORDER BY name`
)

// doc is one version of a document.
type doc struct {
	name    string
	created int64
	val     []byte
}

// putDoc stores a new version of a document.
func (j *join) putDoc(ctx context.Context, kind, name string, val []byte) error {
	if _, err := j.dropDoc(ctx, kind, name); err != nil {
		return err
	}
	_, err := j.tx.Exec(ctx, sqlDocInsert, kind, name, j.rev, val)
	return err
}

// dropDoc deletes a document and reports whether there was one. A version of the same revision goes without a trace.
func (j *join) dropDoc(ctx context.Context, kind, name string) (bool, error) {
	own, err := j.tx.Exec(ctx, sqlDocErase, kind, name, j.rev)
	if err != nil {
		return false, err
	}
	old, err := j.tx.Exec(ctx, sqlDocRetire, kind, name, j.rev)
	return own+old > 0, err
}

// docs returns the documents of a kind that are visible at the reader's revision; name "" means all.
func (r *reader) docs(ctx context.Context, kind, name string) ([]doc, error) {
	done, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	text, args := textDoc, []any{kind, name, r.rev, r.rev}
	if name == "" {
		text, args = textDocs, []any{kind, r.rev, r.rev}
	}
	all, err := readDocs(ctx, r.src, text, args)
	if err == nil {
		err = r.end()
	}
	return all, err
}

func readDocs(ctx context.Context, src source, text string, args []any) ([]doc, error) {
	var all []doc
	err := src.rows(ctx, text, args, func(rows *sql.Rows) error {
		var one doc
		err := rows.Scan(&one.name, &one.created, &one.val)
		all = append(all, one)
		return err
	})
	return all, err
}

// hashAt returns the hash of the schema at rev, "" when there is none.
func (d *Datastore) hashAt(ctx context.Context, rev int64) (string, error) {
	found, err := readDocs(ctx, d.texts, textDoc, []any{kindHash, theSchema, rev, rev})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return string(found[0].val), nil
}

// theSchema is the name of the one document of kindSchema and of kindHash.
const theSchema = "schema"

// schemas keeps the newest schema that was read or written: it is large, and most of it stays from one version to the next.
type schemas struct {
	mu   sync.Mutex
	last *composed
}

func (s *schemas) newest() *composed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// keep keeps w unless a newer one is kept.
func (s *schemas) keep(w *composed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || s.last.created < w.created {
		s.last = w
	}
}

// definition is a definition or a caveat.
type definition[T any] interface {
	*T
	datastore.SchemaDefinition
	UnmarshalVT([]byte) error
}

// list returns the single definitions of a kind; with names only those.
func list[T any, P definition[T]](ctx context.Context, r *reader, kind string, names []string) ([]datastore.RevisionedDefinition[P], error) {
	all, err := r.docs(ctx, kind, "")
	if err != nil {
		return nil, err
	}
	var some []datastore.RevisionedDefinition[P]
	for _, one := range all {
		if names != nil && !slices.Contains(names, one.name) {
			continue
		}
		p := P(new(T))
		if err := p.UnmarshalVT(one.val); err != nil {
			return nil, fmt.Errorf("%s %q: %w", kind, one.name, err)
		}
		some = append(some, datastore.RevisionedDefinition[P]{Definition: p, LastWrittenRevision: revision(one.created)})
	}
	return some, nil
}

// single returns one definition; ok is false when there is none.
func single[T any, P definition[T]](ctx context.Context, r *reader, kind, name string) (p P, at datastore.Revision, ok bool, err error) {
	found, err := r.docs(ctx, kind, name)
	if err != nil || len(found) == 0 {
		return nil, datastore.NoRevision, false, err
	}
	p = P(new(T))
	if err := p.UnmarshalVT(found[0].val); err != nil {
		return nil, datastore.NoRevision, false, fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return p, revision(found[0].created), true, nil
}

// LegacyReadCaveatByName returns one caveat that was stored singly.
func (r *reader) LegacyReadCaveatByName(ctx context.Context, name string) (*core.CaveatDefinition, datastore.Revision, error) {
	c, at, ok, err := single[core.CaveatDefinition](ctx, r, kindCaveat, name)
	if err == nil && !ok {
		err = datastore.NewCaveatNameNotFoundErr(name)
	}
	return c, at, err
}

// LegacyListAllCaveats returns the caveats that were stored singly.
func (r *reader) LegacyListAllCaveats(ctx context.Context) ([]datastore.RevisionedCaveat, error) {
	return list[core.CaveatDefinition](ctx, r, kindCaveat, nil)
}

// LegacyLookupCaveatsWithNames returns those of names that there are.
func (r *reader) LegacyLookupCaveatsWithNames(ctx context.Context, names []string) ([]datastore.RevisionedCaveat, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return list[core.CaveatDefinition](ctx, r, kindCaveat, names)
}

// LegacyReadNamespaceByName returns one definition that was stored singly.
func (r *reader) LegacyReadNamespaceByName(ctx context.Context, name string) (*core.NamespaceDefinition, datastore.Revision, error) {
	n, at, ok, err := single[core.NamespaceDefinition](ctx, r, kindDefinition, name)
	if err == nil && !ok {
		err = datastore.NewNamespaceNotFoundErr(name)
	}
	return n, at, err
}

// LegacyListAllNamespaces returns the definitions that were stored singly.
func (r *reader) LegacyListAllNamespaces(ctx context.Context) ([]datastore.RevisionedNamespace, error) {
	return list[core.NamespaceDefinition](ctx, r, kindDefinition, nil)
}

// LegacyLookupNamespacesWithNames returns those of names that there are.
func (r *reader) LegacyLookupNamespacesWithNames(ctx context.Context, names []string) ([]datastore.RevisionedNamespace, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return list[core.NamespaceDefinition](ctx, r, kindDefinition, names)
}
