// Package storage keeps the files and rows of Nexus. No method of a façade takes an id or a path: each takes a Grant, and
// works on what was granted. To add a noun, write its façade here and its rows in internal/sqlstore.
//
// Four types work without a Grant, and each gives nothing away that a decision should guard: Names resolves what requests
// call things, Credentials answers who holds a key, Founding sets up an empty store, and Chores tells where work waits, as
// Search.Waiting does.
package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/clock"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// Store opens the façades over one database.
type Store struct {
	db        sqldb.DB
	blobs     *BlobDir
	harm      harm
	writer    relations.Writer
	reader    relations.Reader
	clock     clock.Clock
	limits    Limits
	trashKeep time.Duration // how long what was deleted can be brought back; 0: for ever
	people    atomic.Uint64 // rises with every change of a key or user that could end a right to come in
	bell      *bell
}

// Limits bound what a tenant may make the store keep.
type Limits struct {
	Reserved int // paths that are kept because of a grant on what does not exist yet
}

// DefaultLimits are those of a store that was told none.
var DefaultLimits = Limits{Reserved: 10_000}

// Limit sets the limits. It is called before the store serves.
func (s *Store) Limit(l Limits) { s.limits = l }

// Migrate brings the tables of db to their newest form.
func Migrate(ctx context.Context, db sqldb.DB) error { return sqlstore.Migrate(ctx, db) }

// CheckVersion refuses with errs.Precondition a database whose tables are newer than this program, and writes nothing: for
// asking before any part of the program writes.
func CheckVersion(ctx context.Context, db *sqldb.Lite) error { return sqlstore.CheckVersion(ctx, db) }

// New returns the store over db, whose tables Migrate made, and over the directory of longer contents that belongs to it. writer
// writes relationships in db's transactions. The caller closes db.
func New(db sqldb.DB, blobs *BlobDir, writer relations.Writer, reader relations.Reader, c clock.Clock) *Store {
	return &Store{db: db, blobs: blobs, writer: writer, reader: reader, clock: c, limits: DefaultLimits, trashKeep: DefaultTrashKeep, bell: newBell()}
}

// now returns the time as rows keep it: microseconds since 1970.
func (s *Store) now() int64 { return s.clock.Now().UnixMicro() }

// act runs f in a transaction in which d still holds, and notes its effect there: what f did and the proof that it was
// decided commit together. f gets the sequence of its change in d's tenant and returns whether it changed anything; a change
// that did not come to be leaves no effect, and its sequence unused.
//
// Taking the sequence comes first, because it locks the tenant's row: on PostgreSQL, too, the changes of a tenant come one
// after the other, and each sees what those before it left.
func (s *Store) act(ctx context.Context, d *authz.Decision, f func(ctx context.Context, tx sqldb.Tx, seq int64) (changed bool, err error)) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		tenant := d.Principal().Tenant
		seq, err := sqlstore.NextSeq(ctx, tx, tenant)
		if err != nil {
			return err
		}
		if err := d.Hold(); err != nil {
			return err
		}
		changed, err := f(ctx, tx, seq)
		if err != nil || !changed {
			return err
		}
		tx.OnEnd(func(committed bool) {
			if committed {
				d.Effect(seq, seq)
			}
		})
		return sqlstore.InsertEffect(ctx, tx, d.ID(), tenant, seq, seq, s.now())
	})
}

// Effect returns the sequences that a decision's writes got, and whether it wrote anything: for closing the record at start.
func (s *Store) Effect(ctx context.Context, decision string) (first, last int64, found bool, err error) {
	first, last, err = sqlstore.EffectOf(ctx, s.db, decision)
	if errors.Is(err, sqldb.ErrNoRows) {
		return 0, 0, false, nil
	}
	return first, last, err == nil, err
}

// effectsPage is how many effects are read at a time: little enough for whoever waits for a reader.
const effectsPage = 4096

// Effects yields the decision of every effect that was committed: for comparing them with the record.
func (s *Store) Effects(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for after := ""; ; {
			page, err := sqlstore.EffectsAfter(ctx, s.db, after, effectsPage)
			if err != nil {
				yield("", err)
				return
			}
			for _, decision := range page {
				if !yield(decision, nil) {
					return
				}
			}
			if len(page) < effectsPage {
				return
			}
			after = page[len(page)-1]
		}
	}
}

// Ready reports whether the store answers.
func (s *Store) Ready(ctx context.Context) error {
	_, err := sqlstore.HasKeys(ctx, s.db)
	return err
}

// micros turns a row's time into Go's; 0 is no time.
func micros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// stale is what a writing method returns when the tree is not as it was when the decision was made.
func stale() error {
	return errs.New(errs.Conflict, "what this was decided on has changed").Marked(errs.StaleDecision)
}

// missing is the answer to what does not exist where the caller may look.
func missing(path string) error {
	return errs.New(errs.NotFound, "File not found: %s", path).Marked(errs.FileNotFound).With("path", path)
}

func taken(path string) error {
	return errs.New(errs.Exists, "File already exists: %s", path).Marked(errs.FileExists).With("path", path)
}

// cursorKey names the setting that keeps the key of cursors.
const cursorKey = "cursor_key"

// Cursors returns the sealer of this installation's cursors: every server over the same database opens those of the others.
func (s *Store) Cursors(ctx context.Context) (*cursor.Sealer, error) {
	err := s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return sqlstore.KeepSetting(ctx, tx, cursorKey, base64.StdEncoding.EncodeToString(cursor.NewKey()))
	})
	if err != nil {
		return nil, err
	}
	kept, err := sqlstore.Setting(ctx, s.db, cursorKey)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(kept)
	if err != nil {
		return nil, errs.New(errs.Internal, "the key of cursors cannot be read").Because(err)
	}
	return cursor.New(key)
}
