package sqlds

import (
	"context"
	"database/sql"
	"maps"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// join is the share that one closure of a group commit has in the store. All it writes carries one revision of its own.
type join struct {
	d    *Datastore
	tx   sqldb.Tx
	conn *sql.Conn
	rev  int64
	seq  int // of the next row of the log

	touched  map[authz.Ref]struct{} // resources whose relationships it has changed
	soonest  int64                  // the first expiry among what it has written
	hash     *string                // of the schema it has written
	composes *composed              // that schema
	schema   bool                   // it has written definitions
	product  bool                   // and not those of one tenant alone
	model    *model                 // the schema it validates against
	learned  map[authz.Ref]int      // lengths of chains that its walks have found out; see graph
	heights  map[authz.Ref]int      // what rel_node holds, as far as it has been read or written
	logged   bool
}

// batch gathers what the closures of one COMMIT have done. It belongs to whoever has the writer's turn.
type batch struct {
	running  *join // the newest closure that has joined
	touched  []authz.Ref
	rev      int64 // the newest revision that committed
	raised   int64 // the newest revision whose changes were told, committed or not
	soonest  int64
	hash     *string
	composed *composed
	schema   bool              // some closure, be it rolled back, has written definitions
	product  bool              // a closure has written others than those of one tenant
	learned  map[authz.Ref]int // what closures that are over and stand have found out; see graph
}

// join returns tx's share in the store. The first call of a closure gives it its revision.
func (d *Datastore) join(tx sqldb.Tx) (*join, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	if j := d.batch.running; j != nil && j.tx == tx {
		return j, nil
	}
	conn, ok := sqldb.WriterConn(tx)
	if !ok {
		return nil, errs.Bug("a transaction that is not SQLite's, or is over")
	}
	d.batch.learn()
	j := &join{
		d: d, tx: tx, conn: conn, rev: d.assign(), soonest: never,
		touched: map[authz.Ref]struct{}{}, learned: map[authz.Ref]int{}, heights: map[authz.Ref]int{},
	}
	d.batch.running = j
	tx.OnEnd(j.ended)
	return j, nil
}

// learn keeps what the closure before this one has found out. It stands: a closure that fails is taken back before the next runs.
func (b *batch) learn() {
	if b.running == nil || len(b.running.learned) == 0 {
		return
	}
	if b.learned == nil {
		b.learned = map[authz.Ref]int{}
	}
	maps.Copy(b.learned, b.running.learned)
}

// ended takes the join into its batch once its fate is known.
func (j *join) ended(committed bool) {
	b := &j.d.batch
	if b.running == j {
		b.running = nil
	}
	if !committed {
		return
	}
	for r := range j.touched {
		b.touched = append(b.touched, r)
	}
	b.rev = max(b.rev, j.rev)
	b.soonest = min(b.soonest, j.soonest)
	if j.hash != nil {
		b.hash, b.composed, b.product = j.hash, j.composes, b.product || j.product
	}
	j.d.graph.learn(j.learned, j.heights)
}

// endBatch publishes what has committed. The order is the object cache's proof: COMMIT, drop, publish.
func (d *Datastore) endBatch(bool) {
	b := d.batch
	d.batch = batch{soonest: never}
	d.graph.endBatch()
	if b.schema {
		d.models.forget()
	}
	d.objects.drop(b.touched)
	if b.composed != nil {
		d.schemas.keep(b.composed)
	}
	if b.hash != nil && b.product {
		d.o.SchemaChanged(*b.hash)
	}
	h := &d.head
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first == 0 {
		return
	}
	h.first = 0
	// Whoever keeps stamps was told of raised revisions and waits for a head that has passed them, committed or not.
	if rev := max(b.rev, b.raised); rev != 0 {
		h.committed(rev, b.soonest, b.hash)
		return
	}
	h.publish(h.now.Load()) // all rolled back: wakes those who waited for the batch
}

// reader returns a reader that sees what the closure has written.
func (j *join) reader() *reader {
	return &reader{d: j.d, rev: j.rev, src: writerSource{j.conn}, tx: true}
}

// changed notes that r's relationships are no longer what they were.
func (j *join) changed(r authz.Ref) { j.touched[r] = struct{}{} }

// raise tells whoever keeps stamps, before the COMMIT, what the closure has changed so far.
func (j *join) raise(resources []authz.Ref) {
	if len(resources) > 0 {
		j.d.batch.raised = j.rev
		j.d.o.Touched(relations.Revision(j.rev), resources)
	}
}

// finish writes the closure's entry of the log if nothing has: every revision that was given out and committed has one.
func (j *join) finish(ctx context.Context) error {
	if j.logged {
		return nil
	}
	return j.log(ctx, nil, nil)
}
