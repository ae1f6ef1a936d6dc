package sqlds

import (
	"context"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// Settled returns the newest revision once every COMMIT whose rows could be seen when it was called is in it. Between a COMMIT
// and the publication of its revision, a reader of the domain's tables can meet a row whose relationships the head does not
// have yet. Who was denied something on such a row asks again at the settled revision. It waits for the running batch, if
// that writes relationships: one fsync.
func (d *Datastore) Settled(ctx context.Context) (relations.Revision, error) {
	d.head.mu.Lock()
	running, moved := d.head.first != 0, d.head.moved
	d.head.mu.Unlock()
	if running {
		select {
		case <-moved:
		case <-d.closing:
			return 0, d.open()
		case <-ctx.Done():
			return 0, sqldb.Translate(ctx.Err())
		}
	}
	s, err := d.current(ctx)
	if err != nil {
		return 0, err
	}
	return relations.Revision(s.head), nil
}
