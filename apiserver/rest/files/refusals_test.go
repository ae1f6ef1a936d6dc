package files_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
)

func TestWhatCannotBeHonouredIsRefusedAndNotIgnored(t *testing.T) {
	w := start(t, gatetest.Config{}, 1<<20, 0)
	w.must(http.StatusCreated, http.MethodPut, "/f", "kept")
	for _, c := range []struct {
		status int
		method string
		path   string
		body   string
		more   []header
	}{
		{400, "PUT", "/f", "x", []header{{"Content-Range", "bytes 0-0/4"}}},
		{400, "PUT", "/f?append=true", "x", nil},
		{400, "PUT", "/f", "x", []header{{"If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"}}},
		{400, "PUT", "/f", "x", []header{{"If-None-Match", `"a"`}}},
		{400, "PUT", "/f", "x", []header{{"If-Match", `"a", "b"`}}},
		{400, "PUT", "/f", "x", []header{{"If-Match", ""}}},
		{400, "PUT", "/f", "x", []header{{"If-Match", `"a"`}, {"If-Match", `"b"`}}},
		{400, "PUT", "/f", "x", []header{{"If-Match", `"a"`}, {"If-None-Match", "*"}}},
		{400, "PUT", "/f", "x", []header{{"Idempotency-Key", ""}}},
		{400, "PUT", "/f", "x", []header{{"Idempotency-Key", `""`}}},
		{400, "PUT", "/f", "x", []header{{"Idempotency-Key", strings.Repeat("k", 256)}}},
		{400, "PUT", "/f", "x", []header{{"X-Nexus-Subject", "user:bob"}}},
		{400, "GET", "/f", "", []header{{"X-Tenant-ID", "other"}}},
		{415, "PUT", "/f", "x", []header{{"Content-Encoding", "gzip"}}},
		{415, "PATCH", "/f", "{}", []header{{"Content-Type", "application/json-patch+json"}}},
		{413, "PUT", "/f", strings.Repeat("x", 1<<20+1), nil},
		{400, "PUT", "/a/%2e%2e/f", "x", nil},
		{400, "GET", "/a%00b", "", nil},
		{400, "PUT", "/", "x", nil},
		{400, "GET", "/", "", nil},
	} {
		w.must(c.status, c.method, c.path, c.body, c.more...)
	}
	if a := w.as("ann", http.MethodPut, "/f", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1)))); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of unknown length that is too long = %d", a.StatusCode)
	}
	if got := w.must(http.StatusOK, http.MethodGet, "/f", ""); got.body != "kept" {
		t.Errorf("the file holds %q", got.body)
	}
	w.mustHoldNoTemp()
}

func TestWhoHasNoKeyIsTurnedAwayBeforeHisBody(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	for _, key := range []string{"", "nobody"} {
		body := &watched{Reader: strings.NewReader(long("body"))}
		a := w.as(key, http.MethodPut, "/f", body, header{"Expect", "100-continue"})
		if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("PUT with key %q = %d", key, a.StatusCode)
		}
		if w.mustBeProblem(a); body.read {
			t.Errorf("PUT with key %q: the body was sent for", key)
		}
		if a := w.as(key, http.MethodGet, "/f", nil); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("GET with key %q = %d", key, a.StatusCode)
		}
	}
	a := w.as("bob", http.MethodPut, "/f", strings.NewReader("x"))
	if w.mustBeProblem(a); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "SCOPE_MISSING") {
		t.Errorf("PUT with a key that reads = %d %s", a.StatusCode, a.body)
	}
	if n := len(w.recorder.Decided()); n != 0 || len(w.turned) != 5 || w.turned[4].Key != "k-bob" {
		t.Errorf("%d decisions, turned away %+v", n, w.turned)
	}
	w.mustHoldNoTemp()
}

// watched is a body that tells whether it was read.
type watched struct {
	io.Reader
	read bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.read = true
	return w.Reader.Read(p)
}

// TestRefusedAndMissingAreOneAnswer: byte for byte, headers included, but for the time and the request's id.
func TestRefusedAndMissingAreOneAnswer(t *testing.T) {
	may := true
	w := start(t, gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { return may }}, 0, 0)
	w.must(http.StatusCreated, http.MethodPut, "/there", "x")
	shown := func(a answer) string {
		a.Header.Del("Date")
		return fmt.Sprint(a.StatusCode, a.Header, strings.ReplaceAll(a.body, "/there", "/other"))
	}
	missing := shown(w.must(http.StatusNotFound, http.MethodGet, "/other", ""))
	may = false
	for _, path := range []string{"/there", "/other"} {
		if got := shown(w.must(http.StatusNotFound, http.MethodGet, path, "")); len(got) != len(missing) || got != missing {
			t.Errorf("refused %s:\n%s\nmissing:\n%s", path, got, missing)
		}
		w.must(http.StatusNotFound, http.MethodHead, path, "")
	}
	over := shown(w.must(http.StatusForbidden, http.MethodPut, "/there", "y", header{"If-Match", etagOf("x")}))
	into := shown(w.must(http.StatusForbidden, http.MethodPut, "/other", "y", header{"If-Match", etagOf("x")}))
	if over != into {
		t.Errorf("PUT refused over a file:\n%s\nwhere there is none:\n%s", over, into)
	}
}

func TestRightThatGoesWhileABodyArrivesIsGoneAtTheCommit(t *testing.T) {
	var mu sync.Mutex
	may := true
	set := func(b bool) { mu.Lock(); defer mu.Unlock(); may = b }
	w := start(t, gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { mu.Lock(); defer mu.Unlock(); return may }}, 0, 0)
	w.must(http.StatusCreated, http.MethodPut, "/f", "before")
	r, send := io.Pipe()
	done := make(chan answer)
	go func() { done <- w.as("ann", http.MethodPut, "/f", r) }()
	if _, err := io.WriteString(send, long("part")); err != nil {
		t.Fatal(err)
	}
	set(false)
	if err := send.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-done; a.StatusCode != http.StatusForbidden {
		t.Errorf("PUT = %d %s, want 403", a.StatusCode, a.body)
	}
	set(true)
	if got := w.must(http.StatusOK, http.MethodGet, "/f", ""); got.body != "before" {
		t.Errorf("the file holds %.20q", got.body)
	}
	w.mustHoldNoTemp()
}

func TestPagesOfAnyOriginMayCall(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	a := w.as("", http.MethodOptions, "/a/b", nil)
	if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "PATCH") || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "If-Match") {
		t.Errorf("preflight = %d %v", a.StatusCode, a.Header)
	}
	if a := w.must(http.StatusNotFound, http.MethodGet, "/f", ""); a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("an error cannot be read by a page")
	}
}
