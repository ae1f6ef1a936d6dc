package ops

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/schema"
	"nexus/storage"
)

// The pace of a stream of events.
const (
	eventPage = 256                   // changes looked at in one go
	gatherFor = 50 * time.Millisecond // after what was sent, more is waited for so long: a busy tenant does not cost a page a change
	lookEvery = 5 * time.Second       // when nothing is heard: another server may have written
	pingEvery = 15 * time.Second
)

func events(t *op.Table, d Deps) {
	e := eventOps{changes: d.Store.Changes(), gate: t.Gate(), cursors: d.Cursors}
	op.HandleFollow(t, api.Follow, func(_ context.Context, who authz.Principal, _ *api.EventsParams) (authz.Need[schema.ReadFiles], error) {
		return schema.ReadFilesWithin(e.gate, schema.Home(who).Access(), api.Read.Name), nil
	}, e.follow)
}

type eventOps struct {
	changes *storage.Changes
	gate    *authz.Gate
	cursors *cursor.Sealer
}

// follow sends what changes until the receiver goes, or may no longer.
func (e eventOps) follow(ctx context.Context, p *api.EventsParams, again func(context.Context) (schema.ReadFiles, error), out op.Sink) error {
	s, err := again(ctx)
	if err != nil {
		return err
	}
	f := &follower{eventOps: e, p: p, out: out, question: asked(api.Follow.Name, s.Decision().Principal(), p.Path)}
	if err := f.begin(ctx, s); err != nil {
		return err
	}
	for err == nil {
		if err = f.turn(ctx, s); err != nil {
			break
		}
		newer, refusal := again(ctx)
		if refusal != nil {
			err = refusal
			break
		}
		s = newer
	}
	if ctx.Err() != nil {
		err = nil // the receiver left
	}
	return cmp.Or(s.Close(context.WithoutCancel(ctx), true), err)
}

// follower is one stream.
type follower struct {
	eventOps
	p        *api.EventsParams
	out      op.Sink
	question string
	at       int64     // sequence up to which was looked
	pinged   time.Time // when an id was last sent
}

// place is what ids hold: where to go on, as long for every place, so that it tells nothing.
type place struct{ Seq string }

func (f *follower) id() (string, error) { return f.idOf(f.at) }

func (f *follower) idOf(seq int64) (string, error) {
	return f.cursors.Seal(f.question, place{fmt.Sprintf("%019d", seq)})
}

// begin finds where to go on from, and says that the stream stands.
func (f *follower) begin(ctx context.Context, s schema.ReadFiles) error {
	span, err := f.changes.Span(ctx, s)
	if err != nil {
		return err
	}
	f.at = span.Last
	if f.p.After != "" {
		if err := f.resume(span); err != nil {
			return err
		}
	}
	return f.mark(api.EventReady, "")
}

func (f *follower) resume(span storage.Span) error {
	var from place
	if err := f.cursors.Open(f.question, f.p.After, &from); err != nil {
		return err
	}
	if _, err := fmt.Sscan(from.Seq, &f.at); err != nil || f.at > span.Last {
		return storage.FromTheFuture()
	}
	return nil
}

// turn sends a page of what has happened, or waits until something may have.
func (f *follower) turn(ctx context.Context, s schema.ReadFiles) error {
	grown, err := f.changes.Grown(s) // before looking: what comes in between is heard
	if err != nil {
		return err
	}
	page, err := f.changes.After(ctx, s, f.at, f.p.Path, eventPage)
	if err != nil {
		return err
	}
	span, err := f.changes.Span(ctx, s) // after looking: what is forgotten in between was missed
	if err != nil {
		return err
	}
	if span.Forgotten > f.at {
		f.at = max(span.Forgotten, page.Next)
		return f.mark(api.EventReset, "changes that you have not seen are forgotten: list again, and go on from here")
	}
	if err := f.send(page); err != nil {
		return err
	}
	switch {
	case page.More:
		return nil
	case len(page.Changes) > 0:
		return pause(ctx, gatherFor)
	case time.Since(f.pinged) >= pingEvery:
		return f.mark(api.EventPing, "")
	}
	return f.wait(ctx, grown)
}

func (f *follower) send(page storage.EventPage) error {
	for _, c := range page.Changes {
		id, err := f.idOf(c.Seq)
		if err != nil {
			return err
		}
		if err := f.out.Event(api.Event{ID: id, Kind: string(c.Kind), Path: c.Path, OldPath: c.Old, At: api.Time{Time: c.At}}); err != nil {
			return err
		}
		f.pinged = time.Now()
	}
	f.at = page.Next
	return nil
}

// mark sends an event that is about the stream itself.
func (f *follower) mark(kind, message string) error {
	id, err := f.id()
	if err != nil {
		return err
	}
	f.pinged = time.Now()
	return f.out.Event(api.Event{ID: id, Kind: kind, Message: message})
}

// wait returns when something may have happened, or it is time for a sign of life.
func (f *follower) wait(ctx context.Context, grown <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, min(lookEvery, max(0, pingEvery-time.Since(f.pinged))))
	defer cancel()
	select {
	case <-grown:
		return pause(ctx, gatherFor/10)
	case <-ctx.Done():
		return nil
	}
}

// pause waits; that ctx ends meanwhile is found by who goes on.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}
