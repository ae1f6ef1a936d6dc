package storage

import (
	"context"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Handover says what goes from whom to whom.
type Handover struct {
	Tenant   string // quoted
	From, To string // names of users
	// KeepKeys lets the keys of the agents go on under the new owner. Without it they are revoked: the old owner knows them.
	KeepKeys bool
}

// Transferred is how far a transfer has come.
type Transferred struct {
	Moved                 int64 // by this call
	Files, Groups, Agents int64 // by all calls so far
	Started, Finished     time.Time
	Complete              bool // nothing was left
}

// transferBatch is how many things one call moves: what fits well into the time that a transaction may hold the writer.
const transferBatch = 100

// Transfer moves a batch of what a user owns to another of the same tenant: files and folders, groups he manages, agents.
// It is called again, each time with another grant, until it is complete; a call that was interrupted has done nothing, and
// nothing is moved twice. What had an end keeps it, unless the new owner had it for longer; what ended meanwhile stays ended.
func (u *Users) Transfer(ctx context.Context, reach Reach, h Handover) (Transferred, error) {
	r, err := realmOf(reach)
	if err != nil {
		return Transferred{}, err
	}
	if err := r.enter(h.Tenant); err != nil {
		return Transferred{}, err
	}
	t, err := u.s.transfer(h)
	if err != nil {
		return Transferred{}, err
	}
	if err := t.gather(ctx); err != nil {
		return Transferred{}, err
	}
	err = u.s.act(ctx, r.d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) { return t.run(ctx, tx) })
	return t.told(), err
}

// transfer is one call of Transfer.
type transfer struct {
	s *Store
	Handover
	from, to authz.Ref

	edges  []relations.Relationship // what he has, as it was read
	agents []string

	updates               []relations.Update
	files, groups, beings int64 // moved
	row                   *sqlstore.Transfer
}

func (s *Store) transfer(h Handover) (*transfer, error) {
	from, err := schema.UserOf(h.Tenant, h.From)
	if err != nil {
		return nil, err
	}
	to, err := schema.UserOf(h.Tenant, h.To)
	if err != nil {
		return nil, err
	}
	if from == to {
		return nil, errs.New(errs.Invalid, "from and to are one user").Marked(errs.NotValid)
	}
	return &transfer{s: s, Handover: h, from: from.Named().Ref, to: to.Named().Ref}, nil
}

// gather reads up to a batch of what he owns.
func (t *transfer) gather(ctx context.Context) error {
	head, err := t.s.reader.Head(ctx)
	if err != nil {
		return err
	}
	for _, f := range []relations.Filter{{ResourceType: "file", Relation: "direct_owner"}, {ResourceType: "group", Relation: "manager"}} {
		if t.full() {
			return nil
		}
		f.SubjectType, f.SubjectID = t.from.Type, t.from.ID
		err := t.s.reader.Read(ctx, head, f, func(r relations.Relationship) bool {
			t.edges = append(t.edges, r)
			return !t.full()
		})
		if err != nil {
			return err
		}
	}
	if t.full() {
		return nil
	}
	t.agents, err = sqlstore.AgentsOf(ctx, t.s.db, t.Tenant, t.From, transferBatch-len(t.edges))
	return err
}

// full reports whether there may be more than was gathered.
func (t *transfer) full() bool { return len(t.edges)+len(t.agents) >= transferBatch }

// run moves what was gathered.
func (t *transfer) run(ctx context.Context, tx sqldb.Tx) (changed bool, err error) {
	t.updates, t.files, t.groups, t.beings = nil, 0, 0, 0
	if err := t.between(ctx, tx); err != nil {
		return false, err
	}
	for _, r := range t.edges {
		if err := t.move(ctx, tx, r); err != nil {
			return false, err
		}
	}
	for _, agent := range t.agents {
		if err := t.give(ctx, tx, agent); err != nil {
			return false, err
		}
	}
	if err := t.s.writer.Write(ctx, tx, t.updates...); err != nil {
		return false, err
	}
	if len(t.agents) > 0 {
		t.s.peopleChange(tx)
	}
	return t.note(ctx, tx)
}

// between checks that both users are there, and that the new owner can come in.
func (t *transfer) between(ctx context.Context, tx sqldb.Tx) error {
	if _, err := t.s.user(ctx, tx, t.Tenant, t.From); err != nil {
		return err
	}
	to, err := t.s.user(ctx, tx, t.Tenant, t.To)
	if err == nil && to.Disabled != 0 {
		return errs.New(errs.Precondition, "user %q is disabled", t.To)
	}
	return err
}

// move turns one relationship into the new owner's, if it is still there.
func (t *transfer) move(ctx context.Context, tx sqldb.Tx, r relations.Relationship) error {
	has, there, err := t.s.writer.Find(ctx, tx, r)
	if err != nil || !there {
		return err
	}
	heir := has
	heir.Subject = t.to
	had, already, err := t.s.writer.Find(ctx, tx, heir)
	if err != nil {
		return err
	}
	if already {
		heir.Expires = later(has.Expires, had.Expires)
	}
	t.updates = append(t.updates, relations.Update{Kind: relations.Delete, Relationship: has})
	t.updates = append(t.updates, touch(heir)...)
	if r.Resource.Type == "file" {
		t.files++
	} else {
		t.groups++
	}
	return t.rename(ctx, tx, has, heir)
}

// rename gives the new relationship an id where the old one had one.
func (t *transfer) rename(ctx context.Context, tx sqldb.Tx, has, heir relations.Relationship) error {
	known, err := sqlstore.TupleOf(ctx, tx, has)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := sqlstore.DeleteTuple(ctx, tx, known.ID); err != nil {
		return err
	}
	_, err = t.s.tuple(ctx, tx, t.Tenant, heir)
	return err
}

// give makes an agent the new owner's, if it is still the old one's.
func (t *transfer) give(ctx context.Context, tx sqldb.Tx, name string) error {
	given, err := sqlstore.GiveAgent(ctx, tx, t.Tenant, name, t.From, t.To)
	if err != nil || !given {
		return err
	}
	if !t.KeepKeys {
		if err := sqlstore.EndKeys(ctx, tx, t.Tenant, name, t.From, t.s.now()); err != nil {
			return err
		}
	}
	if err := sqlstore.GiveKeys(ctx, tx, t.Tenant, name, t.From, t.To); err != nil {
		return err
	}
	agent, err := schema.AgentOf(t.Tenant, name)
	if err != nil {
		return err
	}
	ref := agent.Named().Ref
	old := relationship(ref, "owner", Subject{Ref: t.from}, time.Time{})
	t.updates = append(t.updates, relations.Update{Kind: relations.Delete, Relationship: old})
	t.updates = append(t.updates, touch(relationship(ref, "owner", Subject{Ref: t.to}, time.Time{}))...)
	t.beings++
	return nil
}

// note writes how far it has come, and reports whether that is further than before.
func (t *transfer) note(ctx context.Context, tx sqldb.Tx) (changed bool, err error) {
	at := t.s.now()
	t.row, err = sqlstore.TransferOf(ctx, tx, t.Tenant, t.From, t.To)
	if errors.Is(err, sqldb.ErrNoRows) {
		t.row, err = &sqlstore.Transfer{Tenant: t.Tenant, From: t.From, To: t.To, Started: at}, nil
	}
	if err != nil || t.moved() == 0 && t.row.Finished != 0 {
		return false, err
	}
	t.row.Files += t.files
	t.row.Groups += t.groups
	t.row.Agents += t.beings
	t.row.Finished = 0
	if !t.full() {
		t.row.Finished = at
	}
	return true, sqlstore.PutTransfer(ctx, tx, t.row)
}

func (t *transfer) moved() int64 { return t.files + t.groups + t.beings }

func (t *transfer) told() Transferred {
	if t.row == nil {
		return Transferred{}
	}
	return Transferred{
		Moved: t.moved(), Files: t.row.Files, Groups: t.row.Groups, Agents: t.row.Agents,
		Started: micros(t.row.Started), Finished: micros(t.row.Finished), Complete: !t.full(),
	}
}

// later returns the later of two ends; the zero time is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	if a.After(b) {
		return a
	}
	return b
}
