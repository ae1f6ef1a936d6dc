package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// RestoreGrant is what planning a restore and each step of it need: to write the workspace; the scope in which what a step
// changes is asked one by one; and the scope in which what has left the workspace since must be readable.
type RestoreGrant struct {
	Root    schema.WriteFile
	Changed schema.WriteFiles
	Source  schema.ReadFiles
}

// Restore is a workspace on its way to what a snapshot holds, and who is at it. What is to be done is planned from what differs, and
// done in steps, each of which is decided for itself. One that ended early is gone on with by restoring the same snapshot again:
// what others change after it began stays as they leave it, whichever call meets it. It is for one goroutine; who got it closes it.
type Restore struct {
	Snapshot Snapshot

	w    *Workspaces
	root schema.Address
	seq  int64 // of the snapshot
	row  sqlstore.Restore
	plan *plan
	own  map[int64]bool // sequences of the steps since it was planned
}

const (
	// restoreStep is how many files and folders one step changes at the most: a transaction is to be short.
	restoreStep = 100
	// restoreFor is after how long a step's transaction begins nothing more.
	restoreFor = 10 * time.Millisecond
	// restoreLease is after which time a call that does not show itself counts as gone. It is longer than a call may take.
	restoreLease = 2 * time.Minute
)

// Restore begins to make the granted workspace what a snapshot holds, or goes on where the last call for the same snapshot ended
// early, and plans what is to be done. While another call is at it that is a conflict.
func (w *Workspaces) Restore(ctx context.Context, g RestoreGrant, number int64) (*Restore, error) {
	root, err := g.Root.Use(authz.MaskValues) // it shows no contents
	if err != nil {
		return nil, err
	}
	s, err := snapshotAt(ctx, w.s.db, root.Address, number)
	if err != nil {
		return nil, err
	}
	row, err := w.unfinished(ctx, w.s.db, root.Path, s)
	if err != nil {
		return nil, err
	}
	r := &Restore{Snapshot: snapshotFrom(s), w: w, root: root.Address, seq: s.Seq, row: *row}
	if err := r.compare(ctx); err != nil {
		return nil, err
	}
	if err := firstErr(g.Changed.Close(ctx, true), g.Source.Close(ctx, true)); err != nil {
		return nil, err
	}
	return r, w.s.act(ctx, g.Root.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		return true, r.begin(ctx, tx, s, g.Root.Decision().Principal().Base)
	})
}

// unfinished returns the restore of a snapshot of the workspace at path that is to be gone on with; without an id when there is none.
func (w *Workspaces) unfinished(ctx context.Context, q sqldb.Q, path string, s *sqlstore.Snapshot) (*sqlstore.Restore, error) {
	row, err := sqlstore.RestoreOf(ctx, q, s.Workspace)
	if err := unlessMissing(err); err != nil {
		return nil, err
	}
	if err == nil && running(row, w.s.now()) {
		return nil, errs.New(errs.Conflict, "a restore of %s is going on: %d files and folders are left", path, row.Remaining).
			With("path", path).With("snapshot_number", fmt.Sprint(row.Number)).With("left", fmt.Sprint(row.Remaining))
	}
	if err != nil || row.Finished > 0 || row.Number != s.Number {
		row = &sqlstore.Restore{Workspace: s.Workspace, Number: s.Number}
	}
	return row, nil
}

// begin makes the restore that of this call, unless another one has come first.
func (r *Restore) begin(ctx context.Context, tx sqldb.Tx, s *sqlstore.Snapshot, who authz.Ref) error {
	if _, err := same(ctx, tx, r.root); err != nil {
		return err
	}
	if now, err := snapshotAt(ctx, tx, r.root, s.Number); err != nil || now.Workspace != s.Workspace {
		return cmp.Or(err, stale())
	}
	last, err := r.w.unfinished(ctx, tx, r.root.Path, s)
	if err != nil {
		return err
	}
	if last.ID != r.row.ID {
		return stale() // one has begun meanwhile, or come to its end
	}
	r.row.Author, r.row.Holder = who.String(), ids.New()
	if r.row.ID == "" {
		r.row.ID, r.row.Started = ids.New(), r.w.s.now()
	}
	r.show(&r.row)
	return sqlstore.PutRestore(ctx, tx, &r.row)
}

// show notes that the call is at it, and that it is done when nothing is left.
func (r *Restore) show(row *sqlstore.Restore) {
	row.Updated = r.w.s.now()
	row.Until = row.Updated + restoreLease.Microseconds()
	if row.Remaining == 0 {
		row.Finished = row.Updated
	}
}

// compare plans what is to be done.
func (r *Restore) compare(ctx context.Context) (err error) {
	if r.plan, err = r.w.plan(ctx, r.root, r.seq, r.row.Seq); err != nil {
		return err
	}
	r.own = map[int64]bool{}
	r.row.Seq = cmp.Or(r.row.Seq, r.plan.seen)
	r.row.Hidden, r.row.Kept, r.row.Remaining = 0, r.plan.kept, int64(len(r.plan.todo))
	return nil
}

// running reports whether a call is at a restore.
func running(row *sqlstore.Restore, now int64) bool {
	return row.Finished == 0 && row.Holder != "" && row.Until > now
}

// Plan compares the workspace with the snapshot anew.
func (r *Restore) Plan(ctx context.Context, g RestoreGrant) error {
	if err := r.granted(g); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := firstErr(g.Changed.Close(ctx, true), g.Source.Close(ctx, true)); err != nil {
		return err
	}
	row := r.row
	err := r.w.s.act(ctx, g.Root.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		return true, r.note(ctx, tx, &row)
	})
	if err == nil {
		r.row = row
	}
	return err
}

// granted returns nil when g is for the workspace that is being restored.
func (r *Restore) granted(g RestoreGrant) error {
	root, err := g.Root.Use(authz.MaskValues)
	if err == nil && root.Address != r.root {
		err = stale()
	}
	return err
}

// note writes how far it has come, unless it is another call's, or there is no workspace any more.
func (r *Restore) note(ctx context.Context, tx sqldb.Tx, row *sqlstore.Restore) error {
	if _, err := same(ctx, tx, r.root); err != nil {
		return err
	}
	held, err := sqlstore.HoldsRestore(ctx, tx, row.Workspace, row.Holder)
	if err != nil {
		return err
	}
	if !held {
		return errs.New(errs.Conflict, "this restore of %s was ended: the workspace is not registered any more, or another call goes on with it", r.root.Path)
	}
	r.show(row)
	return sqlstore.PutRestore(ctx, tx, row)
}

// Done reports whether everything is as it is to be, as far as it was not left out.
func (r *Restore) Done() bool { return r.row.Finished > 0 }

// State returns how far it has come.
func (r *Restore) State() RestoreState { return restoreState(&r.row, r.w.s.now()) }

// Step does the next few things of the plan. On an error of reason StaleDecision
// somebody has changed what was planned: plan again.
func (r *Restore) Step(ctx context.Context, g RestoreGrant) error {
	if err := r.granted(g); err != nil {
		return err
	}
	todo, err := r.allowed(ctx, g, r.plan.next())
	if err != nil {
		return err
	}
	if err := firstErr(g.Changed.Close(ctx, true), g.Source.Close(ctx, true)); err != nil {
		return err
	}
	row, n := r.row, 0
	var seq int64
	err = r.w.s.act(ctx, g.Root.Decision(), func(ctx context.Context, tx sqldb.Tx, at int64) (_ bool, err error) {
		c := &writing{s: r.w.s, tx: tx, d: g.Root.Decision(), at: r.w.s.now(), seq: at}
		row, seq = r.row, at
		if n, err = r.apply(ctx, c, todo, &row); err != nil {
			return false, err
		}
		return true, r.note(ctx, tx, &row)
	})
	if err != nil {
		return err
	}
	r.row, r.plan.todo, r.own[seq] = row, r.plan.todo[n:], true
	return nil
}

// apply does what is allowed of todo, as much as a transaction has the time for, and counts it. It returns how many it came past.
func (r *Restore) apply(ctx context.Context, c *writing, todo []deed, row *sqlstore.Restore) (n int, err error) {
	if err := r.undisturbed(ctx, c.tx, todo); err != nil {
		return 0, err
	}
	before := row.Restored + row.Deleted
	for ends := time.Now().Add(restoreFor); n < len(todo) && (n == 0 || time.Now().Before(ends)); n++ {
		one := &todo[n]
		switch one.verdict {
		case hidden:
			row.Hidden++
		case doing:
			if err := one.do(ctx, c, r.root); err != nil {
				return 0, err
			}
			one.count(row)
		}
	}
	row.Remaining -= int64(n)
	if row.Restored+row.Deleted == before {
		return n, nil
	}
	return n, c.done(ctx, sqlstore.Reworked, r.root.Anchor, r.root.Path)
}

// undisturbed returns nil when nobody has changed anything in the folders that are to be discarded since that was planned.
func (r *Restore) undisturbed(ctx context.Context, tx sqldb.Tx, do []deed) error {
	var folders []string
	for i := range do {
		if do[i].kind == discarding && do[i].folder && do[i].verdict == doing {
			folders = append(folders, do[i].now.Path)
		}
	}
	for after, more := r.plan.seen, len(folders) > 0; more; {
		page, err := sqlstore.ChangesAfter(ctx, tx, r.root.Tenant, after, listPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			after = c.Seq
			if !r.own[c.Seq] && touches(c, folders) {
				return stale()
			}
		}
		more = len(page) == listPage
	}
	return nil
}

// touches reports whether a change may have changed what lies in one of folders.
func touches(c sqlstore.Change, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return within(c.Path, folder) || c.Kind == sqlstore.Reworked && within(folder, c.Path)
	})
}

// Close ends the call: another one may go on with what is left. It is called once, with a context that has not ended.
func (r *Restore) Close(ctx context.Context) error {
	return r.w.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return sqlstore.ReleaseRestore(ctx, tx, r.row.Workspace, r.row.Holder)
	})
}

// RestoreState is how far a restore has come.
type RestoreState struct {
	ID                         string
	Number                     int64     // of the snapshot
	Author                     authz.Ref // who called last
	Running, Done              bool      // neither: it ended early, and can be gone on with
	Started, Updated, Finished time.Time // Finished is zero until it is done
	Changed                    int64     // files brought back, files given the contents that they had, and folders made
	Deleted                    int64     // files and folders put into the trash
	Left                       int64     // files and folders to look at yet
	Hidden                     int64     // what the caller may not change, or read where it is now: left as it is, counted and not named
	Kept                       int64     // what others have changed since it began, and what that is in the way of: left as it is
}

func restoreState(row *sqlstore.Restore, now int64) RestoreState {
	return RestoreState{
		ID: row.ID, Number: row.Number, Author: refOf(row.Author), Running: running(row, now), Done: row.Finished > 0,
		Started: micros(row.Started), Updated: micros(row.Updated), Finished: micros(row.Finished),
		Changed: row.Restored, Deleted: row.Deleted, Left: row.Remaining, Hidden: row.Hidden, Kept: row.Kept,
	}
}

// Restoring returns how far the last restore of the granted workspace has come; nil when there was none.
func (w *Workspaces) Restoring(ctx context.Context, g schema.ReadFile) (*RestoreState, error) {
	folder, err := g.Use(authz.MaskValues) // it shows no values
	if err != nil {
		return nil, err
	}
	at, err := mustBeRegistered(ctx, w.s.db, folder.Address)
	if err != nil {
		return nil, err
	}
	row, err := sqlstore.RestoreOf(ctx, w.s.db, at.ID)
	if err != nil {
		return nil, unlessMissing(err)
	}
	s := restoreState(row, w.s.now())
	return &s, nil
}

// releaseRestores notes that nobody is at any restore: where one process alone opens the database, none is when it starts.
func (f Founding) releaseRestores(ctx context.Context) error {
	if f.s.db.Dialect() != sqldb.SQLite {
		return nil // other servers may be at theirs; a call that is gone is found by its time
	}
	return f.s.db.Tx(ctx, sqlstore.ReleaseRestores)
}
