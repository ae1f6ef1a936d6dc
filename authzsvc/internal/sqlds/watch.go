package sqlds

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"nexus/authzsvc/relations"
)

// writeTimeout is how long a watcher may keep its channel full when it names no time.
const writeTimeout = time.Second

const textLog = `SELECT rev, seq, rels, other FROM rel_log WHERE (rev, seq) > (?, ?) AND rev <= ? ORDER BY rev, seq LIMIT +?`

// Watch sends the changes of each revision after a given one, in order. An expiry is no change: it was told when it was written.
func (d *Datastore) Watch(ctx context.Context, after datastore.Revision, o datastore.WatchOptions) (<-chan datastore.RevisionChanges, <-chan error) {
	n := o.WatchBufferLength
	if n == 0 {
		n = d.o.WatchBuffer
	}
	updates, failed := make(chan datastore.RevisionChanges, n), make(chan error, 1)
	refuse := func(err error) (<-chan datastore.RevisionChanges, <-chan error) {
		failed <- err
		close(updates)
		return updates, failed
	}
	if o.EmissionStrategy == datastore.EmitImmediatelyStrategy {
		return refuse(errors.New("emit immediately strategy is unsupported"))
	}
	from, ok := after.(revision)
	if !ok {
		return refuse(datastore.NewInvalidRevisionErr(after, datastore.CouldNotDetermineRevision))
	}
	leave, err := d.enter()
	if err != nil {
		return refuse(err)
	}
	w := &watcher{d: d, o: o, at: int64(from), updates: updates}
	go func() {
		defer leave()
		defer close(failed)
		defer close(updates)
		failed <- w.run(ctx)
	}()
	return updates, failed
}

// watcher follows the log for one caller of Watch.
type watcher struct {
	d       *Datastore
	o       datastore.WatchOptions
	at      int64 // everything up to here has been sent
	updates chan<- datastore.RevisionChanges
}

// run sends until it fails; it never returns nil.
func (w *watcher) run(ctx context.Context) error {
	for {
		moved := w.d.head.waitForMove()
		if err := w.catchUp(ctx); err != nil {
			return w.why(ctx, err)
		}
		select {
		case <-moved:
		case <-w.d.closing:
			return w.d.open()
		case <-ctx.Done():
			return datastore.NewWatchCanceledErr()
		}
	}
}

func (w *watcher) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return datastore.NewWatchCanceledErr()
	}
	return err
}

// waitForMove returns a channel that is closed when the head moves next.
func (h *head) waitForMove() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moved
}

// catchUp sends what lies between the watcher and the head.
func (w *watcher) catchUp(ctx context.Context) error {
	s, err := w.d.current(ctx)
	if err != nil {
		return err
	}
	if w.at < w.d.floor.Load() {
		return datastore.NewInvalidRevisionErr(revision(w.at), datastore.RevisionStale)
	}
	entries := &entries{d: w.d, rev: w.at, until: s.head, seq: never}
	for {
		rev, changes, err := entries.next(ctx)
		if err != nil || rev == 0 {
			return err
		}
		if err := w.send(ctx, rev, changes); err != nil {
			return err
		}
		w.at = rev
	}
}

// send sends one revision, as far as the caller has asked for it.
func (w *watcher) send(ctx context.Context, rev int64, changes datastore.RevisionChanges) error {
	if w.o.Content&datastore.WatchRelationships == 0 {
		changes.RelationshipChanges = nil
	}
	if w.o.Content&datastore.WatchSchema == 0 {
		changes.ChangedDefinitions, changes.DeletedNamespaces, changes.DeletedCaveats = nil, nil, nil
	}
	if len(changes.RelationshipChanges)+len(changes.ChangedDefinitions)+len(changes.DeletedNamespaces)+len(changes.DeletedCaveats) > 0 {
		if err := w.put(ctx, changes); err != nil {
			return err
		}
	}
	if w.o.Content&datastore.WatchCheckpoints == 0 {
		return nil
	}
	return w.put(ctx, datastore.RevisionChanges{Revision: revision(rev), IsCheckpoint: true})
}

// put waits for room in the channel, but not for long.
func (w *watcher) put(ctx context.Context, changes datastore.RevisionChanges) error {
	select {
	case w.updates <- changes:
		return nil
	default:
	}
	timeout := w.o.WatchBufferWriteTimeout
	if timeout == 0 {
		timeout = writeTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case w.updates <- changes:
		return nil
	case <-timer.C:
		return datastore.NewWatchDisconnectedErr()
	case <-w.d.closing:
		return w.d.open()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entries reads the log page by page and gives the revisions one by one.
type entries struct {
	d        *Datastore
	rev, seq int64 // read up to here
	until    int64
	page     []entry
	ended    bool
}

type entry struct {
	rev, seq    int64
	rels, other []byte
}

// next returns the next revision with all it changed; 0 when there is none up to e.until.
func (e *entries) next(ctx context.Context) (int64, datastore.RevisionChanges, error) {
	var merged merger
	for {
		if len(e.page) == 0 {
			if err := e.load(ctx); err != nil {
				return 0, datastore.RevisionChanges{}, err
			}
		}
		if len(e.page) == 0 || merged.rev != 0 && e.page[0].rev != merged.rev {
			changes, err := merged.changes()
			return merged.rev, changes, err
		}
		if err := merged.add(e.page[0]); err != nil {
			return 0, datastore.RevisionChanges{}, err
		}
		e.page = e.page[1:]
	}
}

func (e *entries) load(ctx context.Context) error {
	if e.ended {
		return nil
	}
	err := e.d.texts.rows(ctx, textLog, []any{e.rev, e.seq, e.until, pageRows}, func(rows *sql.Rows) error {
		var one entry
		err := rows.Scan(&one.rev, &one.seq, &one.rels, &one.other)
		e.page = append(e.page, one)
		e.rev, e.seq = one.rev, one.seq
		return err
	})
	e.ended = len(e.page) < pageRows
	return err
}

// merger puts the entries of one revision together: of two changes of one relationship the later counts.
type merger struct {
	rev   int64
	order []key
	rels  map[key]change
	other otherEntry
}

func (m *merger) add(e entry) error {
	m.rev = e.rev
	if m.rels == nil {
		m.rels = map[key]change{}
	}
	changes, err := unpackChanges(e.rels)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, ok := m.rels[c.key]; !ok {
			m.order = append(m.order, c.key)
		}
		m.rels[c.key] = c
	}
	if len(e.other) == 0 {
		return nil
	}
	return json.Unmarshal(e.other, &m.other)
}

func (m *merger) changes() (datastore.RevisionChanges, error) {
	all := datastore.RevisionChanges{Revision: revision(m.rev)}
	for _, k := range m.order {
		c := m.rels[k]
		one := row{key: k, expiry: c.expiry, extra: c.extra}
		rel, err := one.tuple()
		if err != nil {
			return all, err
		}
		update := tuple.Touch(rel)
		if c.kind == relations.Delete {
			update = tuple.Delete(rel)
		}
		all.RelationshipChanges = append(all.RelationshipChanges, update)
	}
	return all, m.other.into(&all)
}

// otherEntry is the log's other column, in JSON.
type otherEntry struct {
	Definitions []definitionChange `json:"defs,omitempty"`
	Metadata    []byte             `json:"meta,omitempty"` // a structpb.Struct
}

func packOther(definitions []definitionChange, metadata *structpb.Struct) ([]byte, error) {
	if len(definitions) == 0 && len(metadata.GetFields()) == 0 {
		return nil, nil
	}
	o := otherEntry{Definitions: definitions}
	if len(metadata.GetFields()) > 0 {
		var err error
		if o.Metadata, err = proto.Marshal(metadata); err != nil {
			return nil, err
		}
	}
	return json.Marshal(o)
}

func (o *otherEntry) into(all *datastore.RevisionChanges) error {
	for _, d := range o.Definitions {
		switch {
		case d.Val == nil && d.Kind == kindCaveat:
			all.DeletedCaveats = append(all.DeletedCaveats, d.Name)
		case d.Val == nil:
			all.DeletedNamespaces = append(all.DeletedNamespaces, d.Name)
		default:
			def, err := d.definition()
			if err != nil {
				return err
			}
			all.ChangedDefinitions = append(all.ChangedDefinitions, def)
		}
	}
	if len(o.Metadata) == 0 {
		return nil
	}
	var s structpb.Struct
	err := proto.Unmarshal(o.Metadata, &s)
	all.Metadatas = append(all.Metadatas, &s)
	return err
}

func (d *definitionChange) definition() (datastore.SchemaDefinition, error) {
	if d.Kind == kindCaveat {
		var c core.CaveatDefinition
		return &c, c.UnmarshalVT(d.Val)
	}
	var n core.NamespaceDefinition
	return &n, n.UnmarshalVT(d.Val)
}
