package rpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nexus/apiserver/authn"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/gatetest"
)

func TestWhatIsNoRequestIsAnswered(t *testing.T) {
	s := allowing(t)
	deep := strings.Repeat("[", 101) + strings.Repeat("]", 101)
	for name, c := range map[string]struct {
		path, body string
		want       string // id and code
	}{
		"no JSON":              {"/api/nfs/read", `{"id":1,`, `null -32700`},
		"garbage behind":       {"/api/nfs/read", `{"id":1} x`, `null -32700`},
		"not UTF-8":            {"/api/nfs/read", "{\"id\":\"\xff\"}", `null -32700`},
		"empty body":           {"/api/nfs/read", ``, `null -32600`},
		"blank body":           {"/api/nfs/read", " \n", `null -32600`},
		"a string":             {"/api/nfs/read", `"read"`, `null -32600`},
		"a number":             {"/api/nfs/read", `7`, `null -32600`},
		"null":                 {"/api/nfs/read", `null`, `null -32600`},
		"empty batch":          {"/api/nfs", `[ ]`, `null -32600`},
		"deep nesting":         {"/api/nfs/read", `{"id":1,"method":"read","params":{"x":` + deep + `}}`, `null -32600`},
		"methods differ":       {"/api/nfs/read", `{"id":1,"method":"write"}`, `1 -32600`},
		"no method anywhere":   {"/api/nfs", `{"id":1}`, `1 -32600`},
		"method no string":     {"/api/nfs", `{"id":1,"method":7}`, `1 -32600`},
		"method null":          {"/api/nfs/read", `{"id":1,"method":null}`, `1 -32600`},
		"path without method":  {"/api/nfs/", `{"id":1}`, `1 -32600`},
		"path too long":        {"/api/nfs/read/more", `{"id":1}`, `1 -32600`},
		"other version":        {"/api/nfs/read", `{"jsonrpc":"1.0","id":1}`, `1 -32600`},
		"version no string":    {"/api/nfs/read", `{"jsonrpc":2.0,"id":1}`, `1 -32600`},
		"a member twice":       {"/api/nfs", `{"id":1,"method":"read","method":"write"}`, `1 -32600`},
		"twice, once escaped":  {"/api/nfs", `{"id":1,"method":"read","\u006dethod":"write"}`, `1 -32600`},
		"id an object":         {"/api/nfs/read", `{"id":{}}`, `null -32600`},
		"id a list":            {"/api/nfs/read", `{"id":[]}`, `null -32600`},
		"id a boolean":         {"/api/nfs/read", `{"id":true}`, `null -32600`},
		"id endless":           {"/api/nfs/read", `{"id":"` + strings.Repeat("x", 1024) + `"}`, `null -32600`},
		"unknown method":       {"/api/nfs/open", `{"id":1,"method":"open"}`, `1 -32601`},
		"name of an operation": {"/api/nfs", `{"id":1,"method":"files.read"}`, `1 -32601`},
		"missing parameter":    {"/api/nfs/read", `{"id":1,"params":{}}`, `1 -32602`},
		"missing parameters":   {"/api/nfs/read", `{"id":1}`, `1 -32602`},
		"parameter null":       {"/api/nfs/read", `{"id":1,"params":{"path":null}}`, `1 -32602`},
		"parameters a list":    {"/api/nfs/read", `{"id":1,"params":["/docs/a.txt"]}`, `1 -32602`},
		"a parameter's type":   {"/api/nfs/read", `{"id":1,"params":{"path":7}}`, `1 -32602`},
		"path out of the tree": {"/api/nfs/read", `{"id":1,"params":{"path":"/a/../b"}}`, `1 -32002`},
	} {
		w := s.post(c.path, c.body)
		a := decode(t, w.Body.String())
		if w.Code != http.StatusOK || a.Error == nil || want(a) != c.want {
			t.Errorf("%s: %d %s, want 200 and %s", name, w.Code, w.Body, c.want)
		}
	}
}

func want(a answer) string {
	if a.Error == nil {
		return string(a.ID) + " ok"
	}
	return string(a.ID) + " " + itoa(a.Error.Code)
}

func TestIDIsEchoedAsItWasSent(t *testing.T) {
	s := allowing(t)
	for _, id := range []string{`1`, `-7`, `1.50`, `12345678901234567890`, `"a"`, `"\u00e4\""`, `null`, `""`, `"2f1b4c3e-0000-4000-8000-000000000000"`} {
		for _, method := range []string{"exists", "open"} {
			a := decode(t, s.callAs(t, id, method, `{"path":"/docs/a.txt"}`))
			if string(a.ID) != id {
				t.Errorf("id %s of %s came back as %s", id, method, a.ID)
			}
		}
	}
}

func TestMethodIsTakenFromTheURLWhenTheBodyHasNone(t *testing.T) {
	s := allowing(t)
	if got := s.post("/api/nfs/exists", `{"id":1,"params":{"path":"/docs/a.txt"}}`).Body.String(); got != `{"jsonrpc":"2.0","id":1,"result":true}` {
		t.Errorf("exists by the URL alone = %s", got)
	}
}

func TestUnknownParametersAreIgnored(t *testing.T) {
	s := allowing(t)
	got := s.call(t, "exists", `{"path":"/docs/a.txt","consistency_mode":"eventual","context":{"a":[1]}}`)
	if got != `{"jsonrpc":"2.0","id":1,"result":true}` {
		t.Errorf("exists with parameters of a later client = %s", got)
	}
}

func TestRequestWithoutIDIsANotification(t *testing.T) {
	s := allowing(t)
	w := s.post("/api/nfs", `{"jsonrpc":"2.0","method":"exists","params":{"path":"/docs/a.txt"}}`)
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 || len(s.seen) != 1 || s.seen[0] != "files.exists ok" {
		t.Errorf("notification = %d %q, operations %v, want 204, nothing, files.exists", w.Code, w.Body, s.seen)
	}
	if a := decode(t, s.post("/api/nfs", `{"method":7}`).Body.String()); want(a) != "null -32600" {
		t.Errorf("a request without id that is none = %s, want an answer", want(a))
	}
	if a := decode(t, s.post("/api/nfs/exists", `{"params":{"path":"/docs/a.txt"}}`).Body.String()); want(a) != "null ok" {
		t.Errorf("without id at a method's own URL = %s, want an answer with id null", want(a))
	}
}

func TestNullAndEmptyResultsAreWhatTheyAre(t *testing.T) {
	s := allowing(t)
	for method, want := range map[string]string{"nothing": `[]`, "null": `null`} {
		if got := s.call(t, method, `{}`); got != `{"jsonrpc":"2.0","id":1,"result":`+want+`}` {
			t.Errorf("%s = %s, want result %s", method, got, want)
		}
	}
}

func TestTextIsNotEscapedForHTML(t *testing.T) {
	s := allowing(t)
	if got := s.call(t, "echo", `{"text":"<a href='x'>&</a> ä \u0000"}`); got != `{"jsonrpc":"2.0","id":1,"result":"<a href='x'>&</a> ä \u0000"}` {
		t.Errorf("echo = %s", got)
	}
}

func TestPlainStringAsContentIsRefusedInTheDocumentsWords(t *testing.T) {
	s := allowing(t)
	a := decode(t, s.call(t, "write", `{"path":"/docs/a.txt","content":"SGVsbG8="}`))
	if want(a) != "1 -32602" || a.Error.Message != "Strings must be encoded before hashing" {
		t.Errorf("write of a plain string = %+v", a.Error)
	}
	a = decode(t, s.call(t, "write", `{"path":"/docs/a.txt","content":{"__type__":"bytes","data":"SGVsbG8="},"if_match":null}`))
	if string(a.Result) != `{"etag":"Hello","version":4,"size":5,"modified_at":"2026-06-01T12:00:00Z"}` {
		t.Errorf("write of typed bytes = %s", a.Result)
	}
}

func TestEveryRefusedRequestHasStatus200(t *testing.T) {
	s := allowing(t)
	for name, c := range map[string]struct {
		headers []string
		message string
	}{
		"no key":         {[]string{"Authorization", ""}, "authentication required"},
		"unknown key":    {[]string{"Authorization", "Bearer no-such-key"}, "authentication failed"},
		"other scheme":   {[]string{"Authorization", "Basic YTpi"}, "authentication failed"},
		"foreign tenant": {[]string{"X-Tenant-ID", "globex"}, "header X-Tenant-ID names whom this key cannot stand for"},
		"foreign agent":  {[]string{"X-Agent-ID", "bot"}, "header X-Agent-ID names whom this key cannot stand for"},
	} {
		a := decode(t, s.call(t, "read", `{"path":"/docs/a.txt"}`, c.headers...))
		if want(a) != "1 -32003" || a.Error.Message != c.message || a.Error.Data != nil {
			t.Errorf("%s = %+v, want -32003 %s", name, a.Error, c.message)
		}
	}
}

func TestSyntaxComesBeforeAuthentication(t *testing.T) {
	s := allowing(t)
	for body, code := range map[string]string{`{`: "null -32700", `{"id":1,"method":"open"}`: "1 -32601", `{"id":1,"method":"read"}`: "1 -32602"} {
		a := decode(t, s.post("/api/nfs", body, "Authorization", "").Body.String())
		if want(a) != code {
			t.Errorf("%s without a key = %s, want %s", body, want(a), code)
		}
	}
}

func TestBodyLongerThanTheLimitIsRefused(t *testing.T) {
	s := allowing(t, func(c *rpc.Config) { c.MaxBody = 100_000 })
	fits := `{"id":1,"method":"echo","params":{"text":"` + strings.Repeat("x", 99_000) + `"}}`
	if a := decode(t, s.post("/api/nfs", fits).Body.String()); want(a) != "1 ok" {
		t.Errorf("a body that fits = %s", want(a))
	}
	long := `{"id":1,"method":"echo","params":{"text":"` + strings.Repeat("x", 100_000) + `"}}`
	for _, announced := range []bool{true, false} {
		r := httptest.NewRequest(http.MethodPost, "/api/nfs", strings.NewReader(long))
		r.Header.Set("Authorization", "Bearer alice-key")
		if !announced {
			r.ContentLength = -1
		}
		a := decode(t, s.send(r).Body.String())
		if want(a) != "null -32602" || a.Error.Data["reason"] != "BODY_TOO_LARGE" {
			t.Errorf("announced %t: %+v, want -32602 BODY_TOO_LARGE", announced, a.Error)
		}
	}
	if a := decode(t, s.post("/api/nfs", fits, "Authorization", "").Body.String()); want(a) != "null -32003" {
		t.Errorf("a long body without a key = %s, want it refused unread", want(a))
	}
}

func TestLongAnswersAreCompressedForWhoTakesThat(t *testing.T) {
	s := allowing(t)
	long, short := `{"text":"`+strings.Repeat("x", 2000)+`"}`, `{"text":"x"}`
	plain := s.call(t, "echo", long)
	for accepted, yes := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.000": false, "br": false, "": false,
	} {
		w := s.post("/api/nfs/echo", `{"id":1,"params":`+long+`}`, "Accept-Encoding", accepted)
		body, compressed := w.Body.String(), w.Header().Get("Content-Encoding") == "gzip"
		if compressed {
			body = gunzip(t, w.Body.Bytes())
		}
		if compressed != yes || body != plain {
			t.Errorf("Accept-Encoding %q: compressed %t, want %t, and the same answer", accepted, compressed, yes)
		}
	}
	if w := s.post("/api/nfs/echo", `{"id":1,"params":`+short+`}`, "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
}

func TestLimitedCallsSayWhenToComeBack(t *testing.T) {
	guard, err := authn.New(authn.Config{
		Credentials: directory{}, Clock: gatetest.NewClock(), Rates: authn.Rates{Key: authn.Rate{PerSecond: 0.5, Burst: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := allowing(t, func(c *rpc.Config) { c.Guard = guard })
	item := `{"id":1,"method":"exists","params":{"path":"/docs/a.txt"}}`
	w := s.post("/api/nfs", "["+item+","+item+","+item+"]")
	limited := 0
	for _, a := range decodeAll(t, w.Body.String()) {
		if a.Error != nil && a.Error.Code == -32005 && a.Error.Data["reason"] == "RATE_LIMITED" && a.Error.Data["kind"] == "exhausted" {
			limited++
		}
	}
	if limited != 1 || w.Code != http.StatusOK || w.Header().Get("Retry-After") != "2" {
		t.Errorf("three calls for two: %d limited, status %d, Retry-After %q, want 1, 200, 2", limited, w.Code, w.Header().Get("Retry-After"))
	}
}

func TestOperationEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := allowing(t)
		a := decode(t, s.call(t, "wait", `{}`))
		if want(a) != "1 -32603" || a.Error.Message != "the operation took longer than 1m0s" || a.Error.Data["kind"] != "deadline" {
			t.Errorf("an operation that takes too long = %+v, want -32603 of kind deadline", a.Error)
		}
	})
}

func TestCallerWhoWentAwayIsNoFailureOfTheServer(t *testing.T) {
	s := allowing(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, method := range []string{"wait", "read"} {
		r := httptest.NewRequest(http.MethodPost, "/api/nfs/"+method, strings.NewReader(`{"id":1,"params":{"path":"/docs/a.txt"}}`))
		r.Header.Set("Authorization", "Bearer alice-key")
		a := decode(t, s.send(r.WithContext(ctx)).Body.String())
		if want(a) != "1 -32603" || a.Error.Data["kind"] != "canceled" || s.log.Len() > 0 {
			t.Errorf("%s = %+v, logged %q, want kind canceled and no log", method, a.Error, s.log.String())
		}
	}
}

// lifted is a ResponseWriter that notes the last deadline for reading.
type lifted struct {
	*httptest.ResponseRecorder
	deadline *time.Time
}

func (l lifted) SetReadDeadline(t time.Time) error {
	*l.deadline = t
	return nil
}

func TestDeadlineOfTheBodyDoesNotEndTheOperation(t *testing.T) {
	s := allowing(t)
	deadline := time.Now()
	r := httptest.NewRequest(http.MethodPost, "/api/nfs/null", strings.NewReader(`{"id":1}`))
	r.Header.Set("Authorization", "Bearer alice-key")
	s.handler.ServeHTTP(lifted{httptest.NewRecorder(), &deadline}, r)
	if !deadline.IsZero() {
		t.Errorf("the deadline for reading is still %s when the body has been read", deadline)
	}
}
