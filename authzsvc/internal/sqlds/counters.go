package sqlds

import (
	"context"
	"encoding/binary"

	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
)

// counter is the document of a registered counter: the value last stored, the revision it was computed at (0: never), and
// the filter it counts.
type counter struct {
	value, at int64
	filter    *core.RelationshipFilter
}

func (c *counter) pack() ([]byte, error) {
	filter, err := c.filter.MarshalVT()
	b := binary.AppendVarint(nil, c.value)
	b = binary.AppendVarint(b, c.at)
	return append(b, filter...), err
}

func unpackCounter(b []byte) (*counter, error) {
	u := unpacker{b: b}
	c := &counter{value: u.number(), at: u.number(), filter: &core.RelationshipFilter{}}
	if u.bad {
		return nil, errLog
	}
	return c, c.filter.UnmarshalVT(u.b)
}

// find returns a registered counter, nil when there is none of that name.
func (r *reader) counter(ctx context.Context, name string) (*counter, error) {
	found, err := r.docs(ctx, kindCounter, name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return unpackCounter(found[0].val)
}

// CountRelationships counts what a registered counter selects.
func (r *reader) CountRelationships(ctx context.Context, name string) (int, error) {
	c, err := r.counter(ctx, name)
	if err != nil {
		return 0, err
	}
	if c == nil {
		return 0, datastore.NewCounterNotRegisteredErr(name)
	}
	f, err := datastore.RelationshipsFilterFromCoreFilter(c.filter)
	if err != nil {
		return 0, err
	}
	found, err := r.QueryRelationships(ctx, f)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, err := range found {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// LookupCounters returns the registered counters.
func (r *reader) LookupCounters(ctx context.Context) ([]datastore.RelationshipCounter, error) {
	found, err := r.docs(ctx, kindCounter, "")
	if err != nil {
		return nil, err
	}
	var all []datastore.RelationshipCounter
	for _, one := range found {
		c, err := unpackCounter(one.val)
		if err != nil {
			return nil, err
		}
		at := datastore.NoRevision
		if c.at != 0 {
			at = revision(c.at)
		}
		all = append(all, datastore.RelationshipCounter{Name: one.name, Filter: c.filter, Count: int(c.value), ComputedAtRevision: at})
	}
	return all, nil
}

// RegisterCounter registers a counter.
func (t *transaction) RegisterCounter(ctx context.Context, name string, f *core.RelationshipFilter) error {
	old, err := t.counter(ctx, name)
	if err != nil {
		return err
	}
	if old != nil {
		return datastore.NewCounterAlreadyRegisteredErr(name, f)
	}
	return t.putCounter(ctx, name, &counter{filter: f})
}

// UnregisterCounter forgets a counter.
func (t *transaction) UnregisterCounter(ctx context.Context, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ok, err := t.j.dropDoc(ctx, kindCounter, name)
	if err == nil && !ok {
		err = datastore.NewCounterNotRegisteredErr(name)
	}
	return err
}

// StoreCounterValue stores what a counter came to at a revision.
func (t *transaction) StoreCounterValue(ctx context.Context, name string, value int, at datastore.Revision) error {
	c, err := t.counter(ctx, name)
	if err != nil {
		return err
	}
	if c == nil {
		return datastore.NewCounterNotRegisteredErr(name)
	}
	c.value, c.at = int64(value), int64(number(at))
	return t.putCounter(ctx, name, c)
}

func (t *transaction) putCounter(ctx context.Context, name string, c *counter) error {
	val, err := c.pack()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.j.putDoc(ctx, kindCounter, name, val)
}
