package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Namespaces is the façade of the types that tenants define. A tenant's definitions and its rows change in one transaction.
// It is safe for concurrent use.
type Namespaces struct {
	s       *Store
	definer relations.Definer
	limiter limiter
}

// Namespaces returns the façade, with d to compile definitions.
func (s *Store) Namespaces(d relations.Definer) *Namespaces {
	return &Namespaces{s: s, definer: d, limiter: limiter{last: map[string][]time.Time{}}}
}

// Namespace is a type that a tenant defined.
type Namespace struct {
	ID               string
	Type             string
	Config           json.RawMessage
	Created, Updated time.Time
}

// Get returns a type of the granted tenant; nil when it defines none of that name.
func (n *Namespaces) Get(ctx context.Context, in schema.AccessTenant, objectType string) (*Namespace, error) {
	tenant, err := in.Use()
	if err != nil {
		return nil, err
	}
	row, err := sqlstore.NamespaceBy(ctx, n.s.db, tenant.Named().ID, objectType)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && row.Caveat {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := namespace(row)
	return &out, nil
}

// List returns the types of the granted tenant, by name.
func (n *Namespaces) List(ctx context.Context, in schema.AccessTenant) ([]Namespace, error) {
	tenant, err := in.Use()
	if err != nil {
		return nil, err
	}
	rows, err := sqlstore.Namespaces(ctx, n.s.db, tenant.Named().ID)
	all := []Namespace{}
	for i := range rows {
		if !rows[i].Caveat {
			all = append(all, namespace(&rows[i]))
		}
	}
	return all, err
}

// Text returns all definitions of the granted tenant in SpiceDB's language.
func (n *Namespaces) Text(ctx context.Context, in schema.AccessTenant) (string, error) {
	tenant, err := in.Use()
	if err != nil {
		return "", err
	}
	rows, err := sqlstore.Namespaces(ctx, n.s.db, tenant.Named().ID)
	return n.definer.Join(texts(rows, "")), err
}

func namespace(row *sqlstore.Namespace) Namespace {
	return Namespace{ID: row.ID, Type: row.Name, Config: row.Config, Created: micros(row.Created), Updated: micros(row.Updated)}
}

// texts returns the texts of rows, caveats first, without the type called except.
func texts(rows []sqlstore.Namespace, except string) []string {
	var caveats, types []string
	for _, row := range rows {
		switch {
		case row.Caveat:
			caveats = append(caveats, row.Text)
		case row.Name == except:
		default:
			types = append(types, row.Text)
		}
	}
	return append(caveats, types...)
}

// Put defines a type in the granted tenant by its configuration, in place of one of that name.
func (n *Namespaces) Put(ctx context.Context, in schema.AdministerTenant, objectType string, config json.RawMessage) error {
	tenant, err := in.Use()
	if err != nil {
		return err
	}
	text, err := n.definer.Translate(objectType, config)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, config); err != nil {
		return errs.New(errs.Invalid, "config is not JSON").Because(err)
	}
	return n.change(ctx, in.Decision(), tenant.Named().ID, func(now []sqlstore.Namespace) (string, map[string]json.RawMessage) {
		return n.definer.Join(append(texts(now, objectType), text)), map[string]json.RawMessage{objectType: compact.Bytes()}
	})
}

// Drop deletes a type of the granted tenant; false when there is none of that name.
func (n *Namespaces) Drop(ctx context.Context, in schema.AdministerTenant, objectType string) (dropped bool, err error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	err = n.change(ctx, in.Decision(), tenant.Named().ID, func(now []sqlstore.Namespace) (string, map[string]json.RawMessage) {
		dropped = false
		for _, row := range now {
			dropped = dropped || row.Name == objectType && !row.Caveat
		}
		return n.definer.Join(texts(now, objectType)), nil
	})
	return dropped && err == nil, err
}

// Replace makes text all that the granted tenant defines.
func (n *Namespaces) Replace(ctx context.Context, in schema.AdministerTenant, text string) error {
	tenant, err := in.Use()
	if err != nil {
		return err
	}
	return n.change(ctx, in.Decision(), tenant.Named().ID, func([]sqlstore.Namespace) (string, map[string]json.RawMessage) { return text, nil })
}

// Try reports what Replace would: it holds text against everything and writes nothing.
func (n *Namespaces) Try(ctx context.Context, in schema.AdministerTenant, text string) error {
	tenant, err := in.Use()
	if err != nil {
		return err
	}
	of := tenant.Named().ID
	if err := n.limiter.step(of, n.s.clock.Now()); err != nil {
		return err
	}
	now, err := sqlstore.SchemaOf(ctx, n.s.db, of)
	if err != nil {
		return err
	}
	draft, err := n.definer.Compile(ctx, text)
	if err != nil || now.Number == 0 {
		return err
	}
	tried := errors.New("tried") // takes back what was written
	err = n.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := in.Decision().Hold(); err != nil {
			return err
		}
		if err := n.definer.Define(ctx, tx, of, now.Number, draft); err != nil {
			return err
		}
		return tried
	})
	if errors.Is(err, tried) {
		return nil
	}
	return err
}

// edit returns the text of all definitions that are to be, given those that are, with configurations as they were written.
type edit func(now []sqlstore.Namespace) (text string, configs map[string]json.RawMessage)

func (n *Namespaces) change(ctx context.Context, d *authz.Decision, tenant string, to edit) error {
	if err := n.limiter.step(tenant, n.s.clock.Now()); err != nil {
		return err
	}
	before, err := sqlstore.SchemaOf(ctx, n.s.db, tenant)
	if err != nil {
		return err
	}
	text, configs := to(before.Namespaces)
	draft, err := n.definer.Compile(ctx, text) // before the transaction, which everybody waits for
	if err != nil {
		return err
	}
	put, drop := n.difference(before.Namespaces, draft.Definitions(), configs)
	if len(put)+len(drop) == 0 {
		return d.Hold()
	}
	return n.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		number, current, err := sqlstore.ClaimSchema(ctx, tx, tenant, before)
		if err != nil {
			return false, err
		}
		if !current {
			return false, stale()
		}
		if err := n.definer.Define(ctx, tx, tenant, number, draft); err != nil {
			return false, err
		}
		for i := range put {
			if err := sqlstore.PutNamespace(ctx, tx, tenant, &put[i]); err != nil {
				return false, err
			}
		}
		for _, name := range drop {
			if err := sqlstore.DropNamespace(ctx, tx, tenant, name, schema.OwnType(number, name)); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// difference returns the rows that must be written and the names that must go. A configuration stays as it was written while
// its definition does.
func (n *Namespaces) difference(before []sqlstore.Namespace, after []relations.Definition, configs map[string]json.RawMessage) (put []sqlstore.Namespace, drop []string) {
	old := make(map[string]*sqlstore.Namespace, len(before))
	for i := range before {
		old[before[i].Name] = &before[i]
	}
	at := n.s.now()
	for _, def := range after {
		row := sqlstore.Namespace{
			ID: ids.Random(), Name: def.Name, Caveat: def.Caveat, Text: def.Text, Config: def.Config, Kind: def.Kind, Created: at, Updated: at,
		}
		was := old[def.Name]
		delete(old, def.Name)
		if was != nil && was.Text == def.Text && was.Caveat == def.Caveat {
			row.Config = was.Config
		}
		if written, ok := configs[def.Name]; ok {
			row.Config = written
		}
		if was == nil || was.Text != row.Text || was.Caveat != row.Caveat || !bytes.Equal(was.Config, row.Config) {
			put = append(put, row)
		}
	}
	for name := range old {
		drop = append(drop, name)
	}
	return put, drop
}

// Limits of how often a tenant's definitions are compiled.
const (
	paceWrites = 10
	paceTime   = time.Minute
)

// limiter keeps each tenant to its limit of writes. A restart forgets them.
type limiter struct {
	mu   sync.Mutex
	last map[string][]time.Time // guarded by mu; writes within paceTime
}

// step counts a write of a tenant, or refuses it.
func (l *limiter) step(tenant string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for of, times := range l.last {
		for len(times) > 0 && now.Sub(times[0]) >= paceTime {
			times = times[1:]
		}
		if l.last[of] = times; len(times) == 0 {
			delete(l.last, of)
		}
	}
	if len(l.last[tenant]) >= paceWrites {
		return errs.New(errs.Exhausted, "a tenant's definitions are written at most %d times a minute", paceWrites).Marked(errs.RateLimited)
	}
	l.last[tenant] = append(l.last[tenant], now)
	return nil
}
