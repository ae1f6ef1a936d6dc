package events_test

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/events"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody has a key.
type nobody struct{ authn.Credentials }

// streaming is a face over a stream that does what the test says, for anybody.
func streaming(t *testing.T, c events.Config, do func(ctx context.Context, out op.Sink) error) *events.Face {
	t.Helper()
	gate, _ := gatetest.AllowAll(t)
	table := op.NewTable(gate)
	contract := &op.Contract[api.EventsParams, struct{}]{Decl: api.Follow.Decl}
	contract.Public = true
	op.HandleStream(table, contract,
		func(context.Context, authz.Principal, *api.EventsParams) (authz.Need[authz.None], error) {
			return authz.Public(), nil
		},
		func(ctx context.Context, _ *api.EventsParams, _ authz.None, _ func(context.Context) error, out op.Sink) error {
			return do(ctx, out)
		})
	guard, err := authn.New(authn.Config{Credentials: nobody{}})
	if err != nil {
		t.Fatal(err)
	}
	c.Table, c.Guard, c.Log = table, guard, slog.New(slog.DiscardHandler)
	f, err := events.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestReceiverWhoTakesNothingIsGivenUp: what he does not take is not kept for him.
func TestReceiverWhoTakesNothingIsGivenUp(t *testing.T) {
	gone := make(chan error, 1)
	f := streaming(t, events.Config{Patient: 100 * time.Millisecond}, func(_ context.Context, out op.Sink) error {
		for {
			if err := out.Event(api.Event{Kind: "created", Path: strings.Repeat("x", 64<<10)}); err != nil {
				gone <- err
				return err
			}
		}
	})
	server := httptest.NewServer(f)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-gone:
		if !errors.Is(err, errs.Canceled) {
			t.Errorf("the stream ended with %v, want canceled", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the stream waits for ever")
	}
}

func TestEventsAreSentAtOnceAndInTheirForm(t *testing.T) {
	taken := make(chan struct{})
	f := streaming(t, events.Config{}, func(_ context.Context, out op.Sink) error {
		if err := out.Event(api.Event{ID: "1", Kind: "created", Path: "/a\nb"}); err != nil {
			return err
		}
		<-taken // what was sent arrives before the stream goes on
		return errs.New(errs.Denied, "permission denied: tenant x")
	})
	server := httptest.NewServer(f)
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if h := answer.Header; h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", h)
	}
	lines := bufio.NewScanner(answer.Body)
	var got []string
	for lines.Scan() {
		if got = append(got, lines.Text()); len(got) == 5 {
			close(taken)
		}
	}
	want := []string{
		"retry: 2000", "id: 1", "event: created", `data: {"kind":"created","path":"/a\nb"}`, "",
		"event: end", `data: {"kind":"end","error":"denied","message":"permission denied: tenant x"}`, "",
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestStreamThatDoesNotBeginIsAnsweredAsAnyRequest(t *testing.T) {
	f := streaming(t, events.Config{}, func(context.Context, op.Sink) error {
		return errs.New(errs.Precondition, "from the future").Because(errors.New("SELECT secret"))
	})
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/events", nil))
	if w.Code != 412 || w.Body.String() != `{"error":"precondition","message":"from the future"}` {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

func TestStoppedFaceEndsStreamsThatWait(t *testing.T) {
	f := streaming(t, events.Config{}, func(ctx context.Context, out op.Sink) error {
		if err := out.Event(api.Event{Kind: api.EventReady}); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	server := httptest.NewServer(f)
	defer server.Close()
	for range 2 { // the second comes to a face that has stopped
		answer, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		f.Stop()
		lines := bufio.NewScanner(answer.Body)
		last := ""
		for lines.Scan() {
			if lines.Text() != "" {
				last = lines.Text()
			}
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if want := `data: {"kind":"end","message":"the server stops"}`; last != want {
			t.Errorf("the last line is %q, want %q", last, want)
		}
	}
}
