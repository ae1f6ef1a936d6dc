package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/apiserver/op"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// patience is how long an event may take on a busy machine.
const patience = 30 * time.Second

// stream is somebody who follows.
type stream struct {
	t      *testing.T
	events chan api.Event
	ended  chan error
	leave  context.CancelFunc
}

// follow opens a stream with a key and waits until it stands.
func (w *wire) follow(t *testing.T, key string, p api.EventsParams) *stream {
	t.Helper()
	c, err := client.New(strings.TrimSuffix(w.url, "/api/nfs/"), key, client.WithHTTP(w.client))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{t: t, events: make(chan api.Event, 1000), ended: make(chan error, 1), leave: cancel}
	go func() {
		s.ended <- c.Follow(ctx, p, func(e api.Event) error { s.events <- e; return nil })
	}()
	t.Cleanup(func() { cancel() })
	if e := s.next(); e.Kind != api.EventReady || e.ID == "" {
		t.Fatalf("the stream begins with %+v", e)
	}
	return s
}

// next returns the next event; the zero event when the stream has ended.
func (s *stream) next() api.Event {
	s.t.Helper()
	select {
	case e := <-s.events:
		return e
	case err := <-s.ended:
		s.ended <- err
		return api.Event{}
	case <-time.After(patience):
		s.t.Fatal("no event came")
		return api.Event{}
	}
}

func (s *stream) mustTell(want ...string) (last api.Event) {
	s.t.Helper()
	for _, text := range want {
		last = s.next()
		got := last.Kind + " " + last.Path
		if last.OldPath != "" {
			got += " from " + last.OldPath
		}
		if got != text || last.ID == "" || last.At.IsZero() {
			s.t.Fatalf("told is %+v, want %s", last, text)
		}
	}
	return last
}

// mustEnd waits for the end of the stream.
func (s *stream) mustEnd(want errs.Kind) {
	s.t.Helper()
	for {
		select {
		case <-s.events:
		case err := <-s.ended:
			if !errors.Is(err, want) {
				s.t.Errorf("the stream ended with %v, want %s", err, want)
			}
			return
		case <-time.After(patience):
			s.t.Fatal("the stream did not end")
		}
	}
}

// key makes a key for a user, who becomes a member of the default tenant.
func (w *wire) key(name string) string {
	w.t.Helper()
	return w.do(w.admin, "admin_create_key", `{"user_id":"`+name+`","name":"key"}`).(api.NewKey).APIKey
}

func TestChangesAreToldToWhoMayReadThemAsTheyHappen(t *testing.T) {
	w := newWire(t, Config{})
	w.story()
	alice, bob := w.key("alice"), w.key("bob")
	a, b, root := w.follow(t, alice, api.EventsParams{}), w.follow(t, bob, api.EventsParams{}), w.follow(t, w.root.Secret, api.EventsParams{Path: "/src/os"})

	w.write(w.admin, "/src/os/hidden.go", "x")
	w.write(w.admin, "/src/net/new.go", "x")
	w.write(w.admin, "/src/net/new.go", "y")
	w.do(w.admin, "rename", `{"old_path":"/src/net/new.go","new_path":"/src/net/newer.go"}`)
	w.do(w.admin, "delete", `{"path":"/src/net/newer.go"}`)
	id := w.share("bob", "direct_viewer", "/src/os")
	w.write(w.admin, "/src/os/shown.go", "x")
	w.unshare(id)
	w.write(w.admin, "/src/os/hidden.go", "again")
	w.do(w.admin, "rename", `{"old_path":"/src/os/shown.go","new_path":"/src/net/shown.go"}`)

	a.mustTell("created /src/net/new.go", "written /src/net/new.go", "moved /src/net/newer.go from /src/net/new.go", "deleted /src/net/newer.go", "created /src/net/shown.go")
	root.mustTell("created /src/os/hidden.go", "created /src/os/shown.go", "written /src/os/hidden.go", "deleted /src/os/shown.go")
	w.share("bob", "direct_viewer", "/src/os")
	w.write(w.admin, "/src/os/last.go", "x")
	// Whether bob hears of what came while he might depends on when it was told; of what came before and after, he does not.
	for e := b.next(); e.Path != "/src/os/last.go"; e = b.next() {
		if e.Path != "/src/os/shown.go" && !strings.HasPrefix(e.Path, "/src/os/") {
			t.Errorf("bob is told of %+v", e)
		}
	}
}

// TestStreamGoesOnBehindTheLastEventThatWasSeen: nothing is missed, nothing comes twice, and an id is its owner's.
func TestStreamGoesOnBehindTheLastEventThatWasSeen(t *testing.T) {
	w := newWire(t, Config{})
	w.story()
	alice, bob := w.key("alice"), w.key("bob")
	first := w.follow(t, alice, api.EventsParams{})
	w.write(w.admin, "/src/net/1", "x")
	seen := first.mustTell("created /src/net/1").ID
	first.leave()
	for n := 2; n < 600; n++ { // more than a page
		w.write(w.admin, fmt.Sprintf("/src/net/%d", n), "x")
	}
	second := w.follow(t, alice, api.EventsParams{After: seen})
	for n := 2; n < 600; n++ {
		second.mustTell(fmt.Sprintf("created /src/net/%d", n))
	}
	for _, c := range []struct{ key, after, path string }{{bob, seen, "/"}, {alice, seen, "/src"}, {alice, "x" + seen, "/"}, {alice, "1", "/"}} {
		if status, text := w.get(c.key, "/api/events?path="+c.path, header{"Last-Event-ID", c.after}); status != http.StatusBadRequest {
			t.Errorf("an id that is another's, or of another question: %d %s", status, text)
		}
	}
}

// get fetches a route and returns status and body.
func (w *wire) get(key, path string, more ...header) (int, string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(w.url, "/api/nfs/")+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range more {
		r.Header.Set(h.name, h.value)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text := make([]byte, 4096)
	n, _ := answer.Body.Read(text) // a stream does not end
	return answer.StatusCode, string(text[:n])
}

func TestStreamEndsWithTheRightToIt(t *testing.T) {
	w := newWire(t, Config{})
	w.key("carol") // so that the tenant has another member
	w.relate(w.admin, []string{"user", "dave"}, "member", []string{"group", "eng"})
	id := w.relate(w.admin, []string{"group", "eng"}, "member", []string{"tenant", "default"})
	s := w.follow(t, w.root.Secret, api.EventsParams{})
	dave := w.streamOf(user("dave"))
	w.write(w.admin, "/x", "x")
	s.mustTell("created /x")
	w.unshare(id)
	w.write(w.admin, "/y", "x")
	if err := <-dave; !errors.Is(err, errs.Denied) {
		t.Errorf("dave's stream ended with %v, want denied", err)
	}
	s.mustTell("created /y")
	decisions := w.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Op: api.Follow.Name})
	if !slices.ContainsFunc(decisions, func(e audit.Entry) bool { return e.Decided.Listed != nil && e.Decided.Listed.Count == 1 }) {
		t.Errorf("nothing that was told is counted in the record: %d entries", len(decisions))
	}
}

// streamOf follows as somebody without a key, and returns how that ends, once the stream stands.
func (w *wire) streamOf(who authz.Principal) (ended <-chan error) {
	w.t.Helper()
	h := &heard{stands: make(chan struct{})}
	end := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	go func() { end <- w.Table.Named(api.Follow.Name).Send(ctx, who, nil, h) }()
	<-h.stands
	return end
}

// heard is a sink that forgets what it is sent.
type heard struct {
	io.Writer
	once   sync.Once
	stands chan struct{}
}

func (h *heard) Content(op.Content) error { return nil }

func (h *heard) Event(any) error {
	h.once.Do(func() { close(h.stands) })
	return nil
}

func TestForgottenChangesResetAStream(t *testing.T) {
	w := newWire(t, Config{KeepChanges: time.Nanosecond})
	s := w.follow(t, w.root.Secret, api.EventsParams{})
	w.write(w.admin, "/1", "x")
	seen := s.mustTell("created /1").ID
	s.leave()
	w.write(w.admin, "/2", "x")
	w.forgetting().now(t)
	again := w.follow(t, w.root.Secret, api.EventsParams{After: seen})
	reset := again.next()
	if reset.Kind != api.EventReset || reset.ID == "" {
		t.Fatalf("told is %+v, want a reset", reset)
	}
	w.write(w.admin, "/3", "x")
	again.mustTell("created /3")
	w.follow(t, w.root.Secret, api.EventsParams{After: reset.ID}).mustTell("created /3")
	if d := w.lastDecision(forgetChanges); d.Base.Type != "service" || !d.Allowed {
		t.Errorf("forgetting is recorded as %+v", d)
	}
}

// TestIDFromTheFutureIsRefused: one that was given out before the server was put back to a backup.
func TestIDFromTheFutureIsRefused(t *testing.T) {
	w := newWire(t, Config{BackupDir: t.TempDir()})
	b := w.backUp()
	s := w.follow(t, w.root.Secret, api.EventsParams{})
	w.write(w.admin, "/1", "x")
	ahead := s.mustTell("created /1").ID
	c := restored(t, b.Path, w.kit)
	back := &wire{kit: c, client: w.client}
	back.serve(t)
	if status, text := back.get(w.root.Secret, "/api/events", header{"Last-Event-ID", ahead}); status != http.StatusPreconditionFailed || !strings.Contains(text, "earlier state") {
		t.Errorf("an id from the future: %d %s", status, text)
	}
}

func TestStreamsOfAKeyAreLimitedAndWhoIsNobodyGetsNone(t *testing.T) {
	w := newWire(t, Config{})
	alice := w.key("alice")
	first := w.follow(t, alice, api.EventsParams{})
	w.follow(t, alice, api.EventsParams{})
	if status, _ := w.get(alice, "/api/events"); status != http.StatusTooManyRequests {
		t.Errorf("one stream too many: %d", status)
	}
	w.follow(t, w.root.Secret, api.EventsParams{})
	first.leave()
	<-first.ended
	for status := 0; status != http.StatusOK; {
		status, _ = w.get(alice, "/api/events") // once the server has noticed
	}
	for path, want := range map[string]int{"/api/events": 401, "/api/events?path=relative": 401} {
		if status, text := w.get("", path); status != want {
			t.Errorf("%s without a key: %d %s, want %d", path, status, text, want)
		}
	}
	if status, text := w.get(w.root.Secret, "/api/events?path=a/../../b"); status != http.StatusBadRequest {
		t.Errorf("a path that is none: %d %s", status, text)
	}
}

func TestStoppingServerEndsItsStreams(t *testing.T) {
	w := newWire(t, Config{})
	s := w.follow(t, w.root.Secret, api.EventsParams{})
	w.stop()
	s.mustEnd(errs.Unavailable)
}
