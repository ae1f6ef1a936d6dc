package sqlds

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/authz"
	"nexus/internal/sqldb"
)

// collectRows bounds what one transaction of the collector deletes: it must not keep the writer.
const collectRows = 1000

var (
	sqlCollectDeleted = sqldb.OnlySQLite(`DELETE FROM rel WHERE (rt, ro, rr, st, so, sr, created) IN (
		SELECT rt, ro, rr, st, so, sr, created FROM rel WHERE deleted < 9223372036854775807 AND deleted <= $1 LIMIT $2)`)
	sqlCollectExpired = sqldb.OnlySQLite(`DELETE FROM rel WHERE (rt, ro, rr, st, so, sr, created) IN (
		SELECT rt, ro, rr, st, so, sr, created FROM rel WHERE expiry < 9223372036854775807 AND expiry <= $1 LIMIT $2)`)
	sqlCollectDocs = sqldb.OnlySQLite(`DELETE FROM rel_doc WHERE (kind, name, created) IN (
		SELECT kind, name, created FROM rel_doc WHERE deleted <= $1 LIMIT $2)`)
	sqlCollectLog = sqldb.OnlySQLite(`DELETE FROM rel_log WHERE (rev, seq) IN (
		SELECT rev, seq FROM rel_log WHERE rev < $1 AND rev < (SELECT max(rev) FROM rel_log) LIMIT $2)`)
)

// collectForever collects every Options.GCEvery, until the store is closed.
func (d *Datastore) collectForever() {
	defer d.running.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	every := time.NewTicker(d.o.GCEvery)
	defer every.Stop()
	for {
		select {
		case <-d.closing:
			return
		case <-every.C:
		}
		err := datastore.RunGarbageCollection(ctx, d, d.o.Window)
		if d.shut.Load() {
			return
		}
		if err != nil {
			d.o.Log.Error("relationship history was not collected", "error", err)
		}
	}
}

// HasGCRun reports whether a collection has been completed.
func (d *Datastore) HasGCRun() bool { return d.gcDone.Load() }

// MarkGCCompleted notes that a collection has been completed.
func (d *Datastore) MarkGCCompleted() { d.gcDone.Store(true) }

// ResetGCCompleted takes the note back.
func (d *Datastore) ResetGCCompleted() { d.gcDone.Store(false) }

// BuildGarbageCollector returns the collector for one run.
func (d *Datastore) BuildGarbageCollector(context.Context) (datastore.GarbageCollector, error) {
	return &collector{d: d}, d.open()
}

// collector is one run of the collection of history.
type collector struct {
	d     *Datastore
	floor int64 // this run's
}

// LockForGCRun reports whether no other run is going on.
func (c *collector) LockForGCRun(context.Context) (bool, error) { return c.d.gcBusy.TryLock(), nil }

// UnlockAfterGCRun lets the next run begin.
func (c *collector) UnlockAfterGCRun() error {
	c.d.gcBusy.Unlock()
	return nil
}

// Now returns the time by the store's clock.
func (c *collector) Now(context.Context) (time.Time, error) { return c.d.o.Clock.Now(), nil }

// TxIDBefore returns t as a revision.
func (c *collector) TxIDBefore(_ context.Context, t time.Time) (datastore.Revision, error) {
	return revision(t.UnixNano()), nil
}

// DeleteBeforeTx collects what can no longer be seen at r or later. The floor is written down first: from then on nothing
// is read below it, whatever becomes of this run.
func (c *collector) DeleteBeforeTx(ctx context.Context, r datastore.Revision) (datastore.DeletionCounts, error) {
	var n datastore.DeletionCounts
	s, err := c.d.current(ctx)
	if err != nil {
		return n, err
	}
	if err := c.setFloor(ctx, min(int64(number(r)), s.head)); err != nil {
		return n, err
	}
	if n.Relationships, err = c.collect(ctx, sqlCollectDeleted); err != nil {
		return n, err
	}
	if n.Transactions, err = c.collect(ctx, sqlCollectLog); err != nil {
		return n, err
	}
	n.Namespaces, err = c.collect(ctx, sqlCollectDocs)
	return n, err
}

func (c *collector) setFloor(ctx context.Context, floor int64) error {
	floor = max(floor, c.d.floor.Load())
	err := c.d.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return setMeta(ctx, tx, metaFloor, fmt.Sprint(floor))
	})
	if err != nil {
		return err
	}
	c.floor = floor
	c.d.floor.Store(floor)
	return nil
}

// DeleteExpiredRels collects what had expired before the floor.
func (c *collector) DeleteExpiredRels(ctx context.Context) (int64, error) {
	if c.floor == 0 {
		return 0, nil // DeleteBeforeTx has failed
	}
	return c.collect(ctx, sqlCollectExpired)
}

// collect runs s until it finds nothing more, each time in a transaction of its own, so that writers get their turn.
func (c *collector) collect(ctx context.Context, s *sqldb.Stmt) (int64, error) {
	var all int64
	for {
		var n int64
		err := c.d.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) (err error) {
			n, err = tx.Exec(ctx, s, c.floor, collectRows)
			return err
		})
		all += n
		if err != nil || n < collectRows {
			return all, err
		}
		if err := c.d.open(); err != nil {
			return all, err
		}
	}
}

// Close does nothing: a run holds nothing.
func (c *collector) Close() {}

const (
	textNextExpiry = `SELECT expiry FROM rel WHERE expiry < 9223372036854775807 AND expiry > ?
		AND deleted = 9223372036854775807 ORDER BY expiry LIMIT 1`
	textExpired = `SELECT DISTINCT rt, ro FROM rel WHERE expiry < 9223372036854775807 AND expiry > ? AND expiry <= ?
		AND deleted > expiry AND created < expiry`
)

// nextExpiry returns the first expiry after rev, never when nothing expires.
func (d *Datastore) nextExpiry(ctx context.Context, rev int64) (int64, error) {
	next := int64(never)
	err := d.texts.rows(ctx, textNextExpiry, []any{rev}, func(rows *sql.Rows) error { return rows.Scan(&next) })
	return next, err
}

// expiredBetween returns the resources of what was visible until an expiry in (from, to].
func (d *Datastore) expiredBetween(ctx context.Context, from, to int64) ([]authz.Ref, error) {
	var all []authz.Ref
	err := d.texts.rows(ctx, textExpired, []any{from, to}, func(rows *sql.Rows) error {
		var r authz.Ref
		err := rows.Scan(&r.Type, &r.ID)
		all = append(all, r)
		return err
	})
	return all, err
}

// Statistics counts what is stored: versions of relationships that are not collected, and the definitions at the head.
func (d *Datastore) Statistics(ctx context.Context) (datastore.Stats, error) {
	stats := datastore.Stats{UniqueID: d.uid}
	leave, err := d.enter()
	if err != nil {
		return stats, err
	}
	defer leave()
	s, err := d.current(ctx)
	if err != nil {
		return stats, err
	}
	count := d.texts.rows(ctx, `SELECT count(*) FROM rel`, nil, func(rows *sql.Rows) error {
		return rows.Scan(&stats.EstimatedRelationshipCount)
	})
	r := &reader{d: d, rev: s.head, src: d.texts}
	w, err := schemaOf(ctx, r)
	if err := errors.Join(count, err); err != nil {
		return stats, err
	}
	var all []datastore.RevisionedNamespace
	for _, def := range w.schema.Get().GetV1().GetNamespaceDefinitions() {
		all = append(all, datastore.RevisionedNamespace{Definition: def})
	}
	stats.ObjectTypeStatistics = datastore.ComputeObjectTypeStats(all)
	return stats, nil
}
