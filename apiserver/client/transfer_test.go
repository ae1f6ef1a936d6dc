package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

// sha256 of "hello".
const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// against returns a client of a server that answers as the test says.
func against(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestUploadSaysWhatItWasAskedTo(t *testing.T) {
	var got string
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.URL.EscapedPath(), " ", r.ContentLength, " ", string(body), " ", r.Header.Get("Content-Type"), " m=", r.Header.Get("If-Match"),
			" n=", r.Header.Get("If-None-Match"), " k=", r.Header.Get("Idempotency-Key"), " ", r.Header.Get("Authorization"))
		w.Header().Set("Idempotency-Replayed", "true")
		_, _ = io.WriteString(w, `{"etag":"`+hello+`","version":3,"size":5,"created":true}`)
	})
	at := api.PathParams{Path: "/a b/ü#?%"}
	for _, q := range []struct {
		p    api.UploadParams
		size int64
		want string
	}{
		{api.UploadParams{PathParams: at}, 5, "PUT /api/files/a%20b/%C3%BC%23%3F%25 5 hello application/octet-stream m= n= k= Bearer key"},
		{api.UploadParams{PathParams: at, IfMatch: "e", Key: "k"}, -1, `PUT /api/files/a%20b/%C3%BC%23%3F%25 -1 hello application/octet-stream m="e" n= k="k" Bearer key`},
		{api.UploadParams{PathParams: at, IfMatch: "*", Append: true}, 5, "PATCH /api/files/a%20b/%C3%BC%23%3F%25 5 hello application/octet-stream m=* n= k= Bearer key"},
		{api.UploadParams{PathParams: at, IfNoneMatch: true}, 5, "PUT /api/files/a%20b/%C3%BC%23%3F%25 5 hello application/octet-stream m= n=* k= Bearer key"},
	} {
		made, err := c.Upload(t.Context(), q.p, strings.NewReader("hello"), q.size)
		if err != nil || made.Version != 3 || made.Size != 5 || !made.Created || !made.Replayed || got != q.want {
			t.Errorf("Upload = %+v, %v; sent\n%s, want\n%s", made, err, got, q.want)
		}
	}
	if _, err := c.Upload(t.Context(), api.UploadParams{PathParams: at}, strings.NewReader("other"), 5); !errors.Is(err, errs.Unavailable) {
		t.Errorf("the server keeps other contents than were sent: %v", err)
	}
}

func TestErrorsOfTransfersAreTheServers(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, `{"type":"urn:nexus:problem:conflict","title":"conflict","status":412,"detail":"another etag","reason":"ETAG_MISMATCH","current_etag":"c"}`)
	})
	_, err := c.Upload(t.Context(), api.UploadParams{PathParams: api.PathParams{Path: "/f"}}, strings.NewReader("x"), 1)
	_, too := c.Download(t.Context(), "/f", io.Discard)
	for _, err := range []error{err, too} {
		e := errs.From(err)
		if e.Kind != errs.Conflict || e.Reason != errs.EtagMismatch || e.Text != "another etag" || len(e.Fields) != 1 || e.Fields["current_etag"] != "c" {
			t.Errorf("err = %+v", e)
		}
	}
	strange := against(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) })
	if _, err := strange.Download(t.Context(), "/f", io.Discard); !errors.Is(err, errs.Unavailable) {
		t.Errorf("an answer from something in between: %v", err)
	}
}

func TestDownloadIsWholeOrAnError(t *testing.T) {
	for name, c := range map[string]struct {
		length, etag string
		want         error
	}{
		"whole":    {"5", `"` + hello + `"`, nil},
		"masked":   {"5", `W/"other"`, nil},
		"other":    {"5", `"other"`, errs.Unavailable},
		"cut":      {"9", `"` + hello + `"`, errs.Unavailable},
		"no names": {"5", "", errs.Unavailable},
	} {
		server := against(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", c.length)
			if c.etag != "" {
				w.Header().Set("ETag", c.etag)
			}
			_, _ = io.WriteString(w, "hello")
		})
		var out bytes.Buffer
		n, err := server.Download(t.Context(), "/f", &out)
		if n != 5 || out.String() != "hello" || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: Download = %d %q, %v, want %v", name, n, out.String(), err, c.want)
		}
	}
}
