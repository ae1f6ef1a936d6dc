package files_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nexus/apiserver/rest/files"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/storage"
)

func TestContentsGoInAndComeBack(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	for path, body := range map[string]string{"/empty": "", "/short.txt": "short", "/a/b/long.bin": long("long"), "/caf%C3%A9%20%231%3F": "quoted"} {
		made := w.must(http.StatusCreated, http.MethodPut, path, body)
		if made.Header.Get("Location") != files.Prefix+path || made.Header.Get("ETag") != etagOf(body) {
			t.Errorf("PUT %s: Location %q, ETag %q", path, made.Header.Get("Location"), made.Header.Get("ETag"))
		}
		got := w.must(http.StatusOK, http.MethodGet, path, "")
		if got.body != body || got.Header.Get("ETag") != etagOf(body) || got.ContentLength != int64(len(body)) || got.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("GET %s = %d bytes, %v", path, len(got.body), got.Header)
		}
		head := w.must(http.StatusOK, http.MethodHead, path, "")
		if head.body != "" || head.ContentLength != int64(len(body)) || head.Header.Get("ETag") != etagOf(body) || head.Header.Get("Last-Modified") == "" {
			t.Errorf("HEAD %s = %v", path, head.Header)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox; default-src 'none'", "Vary": "Authorization"} {
			if got.Header.Get(name) != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got.Header.Get(name), want)
			}
		}
		over := w.must(http.StatusOK, http.MethodPut, path, body+"2")
		var result struct {
			Version, Size int64
			Created       bool
		}
		if err := json.Unmarshal([]byte(over.body), &result); err != nil || result.Version != 2 || result.Size != int64(len(body)+1) || result.Created || over.Header.Get("Location") != "" {
			t.Errorf("PUT over %s = %s", path, over.body)
		}
	}
}

func TestRangesAreServed(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	for path, body := range map[string]string{"/short": "0123456789", "/long": strings.Repeat("0123456789", 200_000)} {
		w.must(http.StatusCreated, http.MethodPut, path, body)
		n := len(body)
		for asked, want := range map[string]string{
			"bytes=2-4": body[2:5], "bytes=-3": body[n-3:], fmt.Sprintf("bytes=%d-", n-2): body[n-2:], "bytes=0-0": "0",
		} {
			a := w.must(http.StatusPartialContent, http.MethodGet, path, "", header{"Range", asked})
			if a.body != want || !strings.HasSuffix(a.Header.Get("Content-Range"), fmt.Sprintf("/%d", n)) {
				t.Errorf("%s of %s = %q, %s", asked, path, a.body, a.Header.Get("Content-Range"))
			}
		}
		over := w.must(http.StatusRequestedRangeNotSatisfiable, http.MethodGet, path, "", header{"Range", fmt.Sprintf("bytes=%d-", n)})
		if over.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", n) {
			t.Errorf("behind the end: Content-Range %q", over.Header.Get("Content-Range"))
		}
		w.must(http.StatusPartialContent, http.MethodGet, path, "", header{"Range", "bytes=0-1"}, header{"If-Range", etagOf(body)})
		if a := w.must(http.StatusOK, http.MethodGet, path, "", header{"Range", "bytes=0-1"}, header{"If-Range", `"other"`}); a.body != body {
			t.Errorf("If-Range of another etag = %d bytes, want all", len(a.body))
		}
		mustHaveParts(t, w.must(http.StatusPartialContent, http.MethodGet, path, "", header{"Range", "bytes=0-1,4-5,-1"}), "01", "45", "9")
	}
}

func mustHaveParts(t *testing.T, a answer, want ...string) {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("several ranges came as %q", a.Header.Get("Content-Type"))
	}
	parts := multipart.NewReader(strings.NewReader(a.body), parameters["boundary"])
	for _, w := range want {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(p); string(got) != w {
			t.Errorf("part %q, want %q", got, w)
		}
	}
}

func TestConditionsHold(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	one, two := long("one"), long("two")
	w.must(http.StatusPreconditionFailed, http.MethodPut, "/f", one, header{"If-Match", "*"})
	w.must(http.StatusPreconditionFailed, http.MethodPut, "/f", one, header{"If-Match", etagOf(one)})
	w.must(http.StatusCreated, http.MethodPut, "/f", one, header{"If-None-Match", "*"})
	w.must(http.StatusPreconditionFailed, http.MethodPut, "/f", two, header{"If-None-Match", "*"})
	for _, stale := range []string{etagOf(two), "W/" + etagOf(one)} {
		a := w.must(http.StatusPreconditionFailed, http.MethodPut, "/f", two, header{"If-Match", stale})
		if !strings.Contains(a.body, strings.Trim(etagOf(one), `"`)) {
			t.Errorf("the answer does not tell the current etag: %s", a.body)
		}
		w.must(http.StatusPreconditionFailed, http.MethodPatch, "/f", two, header{"If-Match", stale})
		w.must(http.StatusPreconditionFailed, http.MethodGet, "/f", "", header{"If-Match", stale})
	}
	w.must(http.StatusNotModified, http.MethodGet, "/f", "", header{"If-None-Match", etagOf(one)})
	w.must(http.StatusNotModified, http.MethodHead, "/f", "", header{"If-None-Match", `"x", W/` + etagOf(one)})
	w.must(http.StatusOK, http.MethodGet, "/f", "", header{"If-None-Match", etagOf(two)})
	w.must(http.StatusOK, http.MethodPut, "/f", two, header{"If-Match", etagOf(one)})
	w.must(http.StatusOK, http.MethodPut, "/f", one, header{"If-Match", "*"})
	if got := w.must(http.StatusOK, http.MethodGet, "/f", ""); got.body != one {
		t.Errorf("%d bytes at the end", len(got.body))
	}
}

func TestAppendComesBehind(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	w.must(http.StatusCreated, http.MethodPatch, "/log", "one\n")
	w.must(http.StatusOK, http.MethodPatch, "/log", long("two\n"), header{"Content-Type", "application/octet-stream"})
	w.must(http.StatusOK, http.MethodPatch, "/log", "three\n", header{"If-Match", etagOf("one\n" + long("two\n"))})
	if got := w.must(http.StatusOK, http.MethodGet, "/log", ""); got.body != "one\n"+long("two\n")+"three\n" {
		t.Errorf("%d bytes", len(got.body))
	}
}

func TestRequestWithAKeyIsCarriedOutOnce(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	key := header{"Idempotency-Key", `"k1"`}
	first := w.must(http.StatusCreated, http.MethodPut, "/f", long("body"), key)
	again := w.must(http.StatusCreated, http.MethodPut, "/f", long("body"), key, header{"X-Request-ID", "other"})
	if again.body != first.body || again.Header.Get("ETag") != first.Header.Get("ETag") || again.Header.Get("Location") != first.Header.Get("Location") ||
		again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("sent again: %s %v, first %s", again.body, again.Header, first.body)
	}
	w.must(http.StatusUnprocessableEntity, http.MethodPut, "/f", long("other"), key)
	w.must(http.StatusUnprocessableEntity, http.MethodPut, "/g", long("body"), key)
	w.must(http.StatusUnprocessableEntity, http.MethodPatch, "/f", long("body"), key)
	if got := w.must(http.StatusOK, http.MethodGet, "/f", ""); got.body != long("body") {
		t.Errorf("%d bytes", len(got.body))
	}
}

func TestMaskedContentsAreMarkedAndCannotBeWrittenBackByTheirEtag(t *testing.T) {
	oblige := func(op string, _ authz.Named) []authz.Obligation {
		if op == "files.read" {
			return []authz.Obligation{authz.MaskValues}
		}
		return nil
	}
	w := start(t, gatetest.Config{Oblige: oblige}, 0, 0)
	w.must(http.StatusCreated, http.MethodPut, "/.env", "TOKEN=secret\n")
	a := w.must(http.StatusOK, http.MethodGet, "/.env", "")
	if a.body != "TOKEN=********\n" || a.Header.Get("Nexus-Masked") != "values" || !strings.HasPrefix(a.Header.Get("ETag"), `W/"`) {
		t.Errorf("GET = %q, %v", a.body, a.Header)
	}
	if part := w.must(http.StatusPartialContent, http.MethodGet, "/.env", "", header{"Range", "bytes=6-"}); part.body != "********\n" {
		t.Errorf("a range of it = %q", part.body)
	}
	w.must(http.StatusPreconditionFailed, http.MethodPut, "/.env", a.body, header{"If-Match", a.Header.Get("ETag")})
	w.must(http.StatusCreated, http.MethodPut, "/big.env", strings.Repeat("A=b\n", storage.MaxMasked/4+1))
	w.must(http.StatusRequestEntityTooLarge, http.MethodGet, "/big.env", "")
}

func TestRecordSaysHowManyBytesLeft(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	body := long("body")
	w.must(http.StatusCreated, http.MethodPut, "/f", body)
	for _, c := range []struct {
		method string
		more   []header
		status int
		want   int64
	}{
		{"GET", nil, 200, int64(len(body))},
		{"GET", []header{{"Range", "bytes=0-9"}}, 206, 10},
		{"GET", []header{{"If-None-Match", etagOf(body)}}, 304, 0},
		{"HEAD", nil, 200, 0},
	} {
		r := httptest.NewRequest(c.method, files.Prefix+"/f", nil)
		r.Header.Set("Authorization", "Bearer ann")
		for _, h := range c.more {
			r.Header.Set(h.name, h.value)
		}
		answer := httptest.NewRecorder()
		if w.engine.ServeHTTP(answer, r); answer.Code != c.status { // returns when the outcome is recorded
			t.Errorf("%s %v = %d, want %d", c.method, c.more, answer.Code, c.status)
		}
		all := w.recorder.Outcomes()
		if o := all[len(all)-1]; o.Bytes != c.want || o.State != authz.Done {
			t.Errorf("%s %v: the record says %d bytes, %s, want %d", c.method, c.more, o.Bytes, o.State, c.want)
		}
	}
	for _, d := range w.recorder.Decided() {
		if d.Op != "files.read" && d.Op != "files.write" {
			t.Errorf("decided as %s", d.Op)
		}
	}
}
