package sqlds

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// versions holds, in order, what brings the tables from one version to the next. Entries are never changed, only added.
// The domain's migrations know nothing of these tables, so they are counted apart from them, in rel_meta.
//
// A row of rel is visible at revision r iff created ≤ r < min(deleted, expiry). The order of its key is SpiceDB's order of
// pages; rel_reverse covers every query that begins at the subject. Both partial indexes hold only rows that will go.
var versions = [][]string{{
	`CREATE TABLE rel (
		rt TEXT NOT NULL, ro TEXT NOT NULL, rr TEXT NOT NULL,
		st TEXT NOT NULL, so TEXT NOT NULL, sr TEXT NOT NULL,
		created INTEGER NOT NULL, deleted INTEGER NOT NULL, expiry INTEGER NOT NULL, extra BLOB,
		PRIMARY KEY (rt, ro, rr, st, so, sr, created)
	) WITHOUT ROWID`,
	`CREATE INDEX rel_reverse ON rel (st, so, sr, rt, rr, ro, created, deleted, expiry, extra)`,
	`CREATE INDEX rel_deleted ON rel (deleted) WHERE deleted < 9223372036854775807`,
	`CREATE INDEX rel_expiry ON rel (expiry, deleted) WHERE expiry < 9223372036854775807`,
	// Versions of named documents: definitions, stored schemas, their hashes, counters.
	`CREATE TABLE rel_doc (
		kind TEXT NOT NULL, name TEXT NOT NULL,
		created INTEGER NOT NULL, deleted INTEGER NOT NULL, val BLOB NOT NULL,
		PRIMARY KEY (kind, name, created)
	)`,
	// What each revision changed, for watchers; a revision may have several rows.
	`CREATE TABLE rel_log (
		rev INTEGER NOT NULL, seq INTEGER NOT NULL, rels BLOB, other BLOB,
		PRIMARY KEY (rev, seq)
	) WITHOUT ROWID`,
	// How many edges the longest chain that ends at an object has at most; no row means none.
	`CREATE TABLE rel_node (
		type TEXT NOT NULL, id TEXT NOT NULL, height INTEGER NOT NULL,
		PRIMARY KEY (type, id)
	) WITHOUT ROWID`,
}, {
	// Links are few, and who lists must know all of them: no other index finds a relation without its resource or subject.
	`CREATE INDEX rel_link ON rel (rt, ro, created, deleted, expiry) WHERE rr = 'link'`,
}, {
	// Which kinds of relationships of tenants' types there are: whoever takes one out of a schema asks whether it is in use.
	`CREATE INDEX rel_kinds ON rel (rt, rr, st, sr, deleted, expiry) WHERE instr(rt, '/') > 0`,
}, {
	// No query compares rr like this but the one that reads the index. One that says rr = ? would be planned anew at each run
	// beside an index of rr = 'link', for its parameter may be that.
	`DROP INDEX rel_link`,
	`CREATE INDEX rel_link ON rel (rt, ro, created, deleted, expiry) WHERE rr BETWEEN 'link' AND 'link'`,
}}

const ddlMeta = `CREATE TABLE IF NOT EXISTS rel_meta (name TEXT NOT NULL PRIMARY KEY, val TEXT NOT NULL) WITHOUT ROWID`

// migrate brings the tables to the newest version, in one transaction. Tables of a later program are refused.
func migrate(ctx context.Context, db *sqldb.Lite) error {
	return db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := run(ctx, tx, ddlMeta); err != nil {
			return err
		}
		at, err := metaInt(ctx, tx, metaVersion)
		if err != nil {
			return err
		}
		if at > int64(len(versions)) {
			return errs.New(errs.Precondition, "the relationship tables have version %d, this program knows %d: they need a newer program", at, len(versions))
		}
		for _, steps := range versions[at:] {
			if err := run(ctx, tx, steps...); err != nil {
				return err
			}
		}
		if at == 0 {
			if err := setMeta(ctx, tx, metaUID, uuid.NewString()); err != nil {
				return err
			}
		}
		return setMeta(ctx, tx, metaVersion, fmt.Sprint(len(versions)))
	})
}

func run(ctx context.Context, tx sqldb.Tx, texts ...string) error {
	conn, ok := sqldb.WriterConn(tx)
	if !ok {
		return errs.Bug("a transaction that is not SQLite's")
	}
	for _, text := range texts {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), text); err != nil {
			return sqldb.Translate(err)
		}
	}
	return nil
}

// Names of rows in rel_meta.
const (
	metaVersion = "version"
	metaUID     = "uid"
	metaHead    = "head"  // where the head stood at Close, which an expiry may have moved past the newest commit
	metaFloor   = "floor" // before it history may be missing
)

var (
	sqlMeta    = sqldb.OnlySQLite(`SELECT val FROM rel_meta WHERE name = $1`)
	sqlSetMeta = sqldb.OnlySQLite(`INSERT INTO rel_meta (name, val) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET val = excluded.val`)
	sqlNewest  = sqldb.OnlySQLite(`SELECT coalesce(max(rev), 0) FROM rel_log`)
)

type meta struct {
	uid         string
	head, floor int64
}

func readMeta(ctx context.Context, q sqldb.Q) (meta, error) {
	var m meta
	if err := q.Row(ctx, sqlMeta, metaUID).Scan(&m.uid); err != nil {
		return m, err
	}
	kept, err := metaInt(ctx, q, metaHead)
	if err != nil {
		return m, err
	}
	if m.floor, err = metaInt(ctx, q, metaFloor); err != nil {
		return m, err
	}
	if err := q.Row(ctx, sqlNewest).Scan(&m.head); err != nil {
		return m, err
	}
	m.head = max(m.head, kept, m.floor)
	return m, nil
}

// metaInt returns a number of rel_meta, 0 when there is none.
func metaInt(ctx context.Context, q sqldb.Q, name string) (int64, error) {
	var n int64
	err := q.Row(ctx, sqlMeta, name).Scan(&n)
	if errors.Is(err, sqldb.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

func setMeta(ctx context.Context, tx sqldb.Tx, name, val string) error {
	_, err := tx.Exec(ctx, sqlSetMeta, name, val)
	return err
}

// keepHead writes down a head that only an expiry has moved: after a restart with the clock set back its tokens still hold.
func (d *Datastore) keepHead(ctx context.Context) error {
	s := d.head.now.Load()
	return d.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return setMeta(ctx, tx, metaHead, fmt.Sprint(s.head))
	})
}
