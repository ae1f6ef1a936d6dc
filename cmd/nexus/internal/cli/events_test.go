package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFollowerComesBackWhereItWas: to a server that went, with the id of the last event.
func TestFollowerComesBackWhereItWas(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("path")+" after "+r.URL.Query().Get("after"))
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "retry: 2000\nid: ready%d\nevent: ready\ndata: {\"kind\":\"ready\"}\n\n", len(asked))
		if len(asked) == 1 {
			fmt.Fprint(w, "id: one\nevent: moved\ndata: {\"kind\":\"moved\",\"path\":\"/b c\",\"old_path\":\"/a\",\"at\":\"2026-01-02T03:04:05Z\"}\n\n")
			fmt.Fprint(w, "event: end\ndata: {\"kind\":\"end\",\"message\":\"the server stops\"}\n\n")
			return
		}
		fmt.Fprint(w, "id: two\nevent: reset\ndata: {\"kind\":\"reset\",\"message\":\"list again\"}\n\n")
		fmt.Fprint(w, "id: three\nevent: deleted\ndata: {\"kind\":\"deleted\",\"path\":\"/d\",\"at\":\"2026-01-02T03:04:06Z\"}\n\n")
		w.(http.Flusher).Flush()
		interrupt()
		<-r.Context().Done()
	}))
	defer server.Close()
	var out, complaints bytes.Buffer
	world := World{Out: &out, Err: &complaints, Environ: []string{"NEXUS_API_KEY=k", "NEXUS_URL=" + server.URL}}
	if status := Run(ctx, []string{"events", "/x", "--after", "zero"}, world); status != 0 {
		t.Errorf("interrupted, the exit status is %d: %s", status, complaints.String())
	}
	if want := "/x after zero|/x after one"; strings.Join(asked, "|") != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if first := "2026-01-02T03:04:05.000Z moved    \"/b c\" from /a\n"; !strings.HasPrefix(out.String(), first) {
		t.Errorf("printed %q, want %q first", out.String(), first)
	}
	if !strings.Contains(complaints.String(), "the server stops; waiting") {
		t.Errorf("said %q", complaints.String())
	}
}

func TestRefusedFollowerDoesNotComeBack(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusPreconditionFailed)
		fmt.Fprint(w, `{"error":"precondition","message":"from the future"}`)
	}))
	defer server.Close()
	var out, complaints bytes.Buffer
	world := World{Out: &out, Err: &complaints, Environ: []string{"NEXUS_API_KEY=k", "NEXUS_URL=" + server.URL}}
	if status := Run(t.Context(), []string{"events"}, world); status != 8 || asked != 1 || !strings.Contains(complaints.String(), "from the future") {
		t.Errorf("status %d after %d requests: %s", status, asked, complaints.String())
	}
}
