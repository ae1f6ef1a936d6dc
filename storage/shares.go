package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Shares is the façade of relationships that people make and end. It is safe for concurrent use.
type Shares struct{ s *Store }

// Shares returns the façade.
func (s *Store) Shares() *Shares { return &Shares{s} }

// Subject is who gets a relation: one, or with a relation of its own every one who has that.
type Subject struct {
	authz.Ref
	Relation string
}

// ShareFile relates subject to the granted file or folder and returns the relationship's id. One that is there keeps its id
// and ends when expires says. A path without a row gets one, reserved until the file is made or the last of its grants goes;
// errs.Exhausted when the tenant has as many of those as it may.
func (h *Shares) ShareFile(ctx context.Context, on schema.ShareFile, relation string, subject Subject, expires time.Time) (string, error) {
	file, err := on.Use()
	if err != nil {
		return "", err
	}
	return h.relateFile(ctx, on.Decision(), file.Address, relation, subject, expires)
}

// LinkGrant is what linking needs: to share what is linked, and to write the folder it becomes visible in.
type LinkGrant struct {
	Child schema.ShareFile
	Into  schema.WriteDir
}

// Link makes whoever may see the folder see the child, too.
func (h *Shares) Link(ctx context.Context, g LinkGrant, expires time.Time) (string, error) {
	child, err := g.Child.Use()
	if err != nil {
		return "", err
	}
	into, err := g.Into.Use()
	if err != nil {
		return "", err
	}
	if !child.Exists() {
		return "", missing(child.Path)
	}
	if !into.Exists() {
		return "", missing(into.Path)
	}
	if !into.Folder {
		return "", errs.New(errs.Invalid, "%s is a file, not a folder", into.Path).Marked(errs.NotValid)
	}
	if !expires.IsZero() {
		return "", errs.New(errs.Invalid, "a link does not expire").Marked(errs.NotValid)
	}
	return h.relateFile(ctx, g.Child.Decision(), child.Address, "link", Subject{Ref: into.Named().Ref}, expires, into.Address)
}

// relateFile relates subject to what stands at a, where neither that nor what stands at others has changed since the decision.
func (h *Shares) relateFile(ctx context.Context, d *authz.Decision, a schema.Address, relation string, subject Subject, expires time.Time, others ...schema.Address) (id string, err error) {
	err = h.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		for _, other := range others {
			if _, err := same(ctx, tx, other); err != nil {
				return false, err
			}
		}
		place, err := same(ctx, tx, a)
		if err != nil {
			return false, err
		}
		w := &writing{s: h.s, tx: tx, d: d, at: h.s.now(), seq: seq}
		target, err := w.reserve(ctx, place, a)
		if err != nil {
			return false, err
		}
		id, err = h.bind(ctx, tx, d, relationship(fileRef(target), relation, subject, expires), w.updates)
		return true, err
	})
	return id, err
}

// reserve returns the id of the row at a, making one that is reserved where there is none.
func (w *writing) reserve(ctx context.Context, place sqlstore.Place, a schema.Address) (string, error) {
	if a.HasRow() {
		return a.Anchor, nil
	}
	if err := w.affordable(ctx, a); err != nil {
		return "", err
	}
	dir := place.Dir
	if place.File != nil {
		made, err := w.toFolder(ctx, place.File, a, sqlstore.Reserved)
		if err != nil {
			return "", err
		}
		dir = made
	}
	folder, name := paths.Split(paths.Root + place.Rest)
	dir, err := w.folders(ctx, dir, folder, sqlstore.Reserved)
	if err != nil {
		return "", err
	}
	row := &sqlstore.File{ID: newID(a.Tenant), Dir: dir.ID, Name: name, Created: w.at, Modified: w.at}
	w.parent(row.ID, dir.ID)
	return row.ID, sqlstore.InsertFile(ctx, w.tx, row)
}

// affordable refuses to reserve the rows that a lacks when its tenant would have more than it may.
func (w *writing) affordable(ctx context.Context, a schema.Address) error {
	most := w.s.limits.Reserved
	reserved, err := sqlstore.ReservedIn(ctx, w.tx, a.Tenant, most)
	if err != nil || reserved+strings.Count(a.Rest, "/")+1 <= most {
		return err
	}
	return errs.New(errs.Exhausted, "grants on what does not exist yet keep %d paths, and no more than %d are kept: make %s first, or end other grants",
		reserved, most, a.Path).Marked(errs.NotValid)
}

// Appoint relates subject to the granted tenant itself.
func (h *Shares) Appoint(ctx context.Context, in schema.AdministerTenant, relation string, subject Subject, expires time.Time) (string, error) {
	tenant, err := in.Use()
	if err != nil {
		return "", err
	}
	return h.relate(ctx, in.Decision(), relationship(tenant.Named().Ref, relation, subject, expires), nil)
}

func (h *Shares) relate(ctx context.Context, d *authz.Decision, r relations.Relationship, before func(context.Context, sqldb.Tx) ([]relations.Update, error)) (id string, err error) {
	err = h.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		var updates []relations.Update
		if before != nil {
			if updates, err = before(ctx, tx); err != nil {
				return false, err
			}
		}
		id, err = h.bind(ctx, tx, d, r, updates)
		return true, err
	})
	return id, err
}

// bind writes r beside what must come before it, and returns its id: the one it has, or a new random one.
func (h *Shares) bind(ctx context.Context, tx sqldb.Tx, d *authz.Decision, r relations.Relationship, before []relations.Update) (string, error) {
	if err := groupStands(ctx, tx, d.Principal().Tenant, r.Subject); err != nil {
		return "", err
	}
	if err := h.s.writer.Write(ctx, tx, append(before, touch(r)...)...); err != nil {
		return "", err
	}
	t, err := h.s.tuple(ctx, tx, d.Principal().Tenant, r)
	if err != nil {
		return "", err
	}
	if t.Author == "" {
		t.Author = d.Principal().Base.String()
	}
	t.Expires = expiry(r)
	return t.ID, sqlstore.KeepTuple(ctx, tx, t)
}

// tuple returns what r is known by, giving it an id when it has none.
func (s *Store) tuple(ctx context.Context, tx sqldb.Tx, tenant string, r relations.Relationship) (*sqlstore.Tuple, error) {
	known, err := sqlstore.TupleOf(ctx, tx, r)
	if !errors.Is(err, sqldb.ErrNoRows) {
		return known, err
	}
	t := &sqlstore.Tuple{ID: ids.Random(), Tenant: tenant, Relationship: r, Created: s.now(), Expires: expiry(r)}
	return t, sqlstore.InsertTuple(ctx, tx, t)
}

// expiry returns when r ends as rows keep it: the microsecond by which it has.
func expiry(r relations.Relationship) int64 {
	if r.Expires.IsZero() {
		return 0
	}
	return r.Expires.Add(time.Microsecond - time.Nanosecond).UnixMicro()
}

func touch(r relations.Relationship) []relations.Update {
	return []relations.Update{{Kind: relations.Touch, Relationship: r}}
}

func relationship(resource authz.Ref, relation string, subject Subject, expires time.Time) relations.Relationship {
	return relations.Relationship{
		Resource: resource, Relation: relation, Subject: subject.Ref, SubjectRelation: subject.Relation, Expires: expires,
	}
}
