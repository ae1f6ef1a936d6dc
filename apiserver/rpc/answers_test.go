package rpc_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nexus/apiserver/rpc"
	"nexus/authzsvc/gatetest"
)

const uuid = `"2f1b4c3e-9a4d-4c4e-8d5e-0123456789ab"`

var python = []string{"User-Agent", "python-httpx/0.27.0", "Accept-Encoding", "gzip"}

func TestAnswersInBothDialects(t *testing.T) {
	s := allowing(t)
	const meta = `"path":"/docs/a.txt","size":5,"etag":"e1","version":3,"created_at":"2026-06-01T11:00:00Z",` +
		`"modified_at":"2026-06-01T12:00:00Z","content_type":"text/plain","is_directory":false,"tenant_id":"acme","mime_type":"text/plain"`
	const sub = `"size":0,"created_at":"2026-06-01T11:00:00Z","modified_at":"2026-06-01T12:00:00Z","is_directory":true,"tenant_id":"acme"`
	const bytes = `{"__type__":"bytes","data":"aGVsbG8=","content":"aGVsbG8=","encoding":"base64"}`
	const line = `{"file":"/a.py","line":42,"content":"# NOTE","match":"NOTE"}`
	const contents = `{"content":"aGVsbG8=","encoding":"base64","metadata":{` + meta + `},"etag":"e1","version":3,"size":5,"modified_at":"2026-06-01T12:00:00Z"}`
	for name, c := range map[string]struct{ method, params, document, client string }{
		"read":             {"read", `{"path":"/docs/a.txt"}`, bytes, bytes},
		"read, metadata":   {"read", `{"path":"/docs/a.txt","return_metadata":true}`, contents, contents},
		"exists":           {"exists", `{"path":"/docs/a.txt"}`, `true`, `{"exists":true}`},
		"exists, not":      {"exists", `{"path":"/docs/b.txt"}`, `false`, `{"exists":false}`},
		"metadata":         {"get_metadata", `{"path":"/docs/a.txt"}`, `{` + meta + `,"metadata":{` + meta + `}}`, `{` + meta + `,"metadata":{` + meta + `}}`},
		"metadata, none":   {"get_metadata", `{"path":"/docs/b.txt"}`, `null`, `{"metadata":null}`},
		"list":             {"list", `{"path":"/docs"}`, `["/docs/a.txt","/docs/sub/"]`, `{"files":["/docs/a.txt","/docs/sub"]}`},
		"list, empty":      {"list", `{}`, `[]`, `{"files":[]}`},
		"list, details":    {"list", `{"path":"/docs","details":true}`, `[{` + meta + `},{"path":"/docs/sub/",` + sub + `}]`, `{"files":[{` + meta + `},{"path":"/docs/sub",` + sub + `}]}`},
		"list, no details": {"list", `{"path":"/","details":true}`, `[]`, `{"files":[]}`},
		"glob":             {"glob", `{"pattern":"*.py"}`, `["/a.py"]`, `{"matches":["/a.py"],"complete":true}`},
		"glob, none":       {"glob", `{"pattern":"none"}`, `[]`, `{"matches":[],"complete":true}`},
		"glob, a page":     {"glob", `{"pattern":"*","limit":1}`, `{"matches":["/a.py"],"next_cursor":"c","complete":false}`, `{"matches":["/a.py"],"next_cursor":"c","complete":false}`},
		"grep":             {"grep", `{"pattern":"all"}`, `[` + line + `]`, `{"results":[` + line + `],"truncated":false}`},
		"grep, none":       {"grep", `{"pattern":"none","file_pattern":null,"search_mode":"auto"}`, `[]`, `{"results":[],"truncated":false}`},
		"grep, full":       {"grep", `{"pattern":"max_results"}`, `[` + line + `]`, `{"results":[` + line + `],"truncated":true,"reason":"max_results","next_cursor":"c"}`},
		"grep, a page":     {"grep", `{"pattern":"time","paged":true}`, `{"results":[` + line + `],"truncated":true,"reason":"time","next_cursor":"c"}`, `{"results":[` + line + `],"truncated":true,"reason":"time","next_cursor":"c"}`},
		"list, page":       {"list", `{"path":"/docs","limit":2}`, `{"files":["/docs/a.txt","/docs/sub/"],"next_cursor":"more","complete":false}`, `{"files":["/docs/a.txt","/docs/sub"],"next_cursor":"more","complete":false}`},
		"list, last page":  {"list", `{"path":"/docs","cursor":"more"}`, `{"files":[],"complete":true}`, `{"files":[],"complete":true}`},
		"check, allowed":   {"rebac_check", `{"subject":["user","a"],"permission":"read","object":["file","/a"]}`, `{"allowed":true}`, `true`},
		"check, refused":   {"rebac_check", `{"subject":["user","a"],"permission":"write","object":["file","/a"]}`, `{"allowed":false}`, `false`},
		"expand":           {"rebac_expand", `{"permission":"read","object":["file","/a"]}`, `{"subjects":[["user","alice"],["group","eng","member"]]}`, `[["user","alice"],["group","eng","member"]]`},
		"delete":           {"rebac_delete", `{"tuple_id":"t1"}`, `true`, `true`},
		"delete, none":     {"rebac_delete", `{"tuple_id":"t2"}`, `false`, `false`},
	} {
		if got := s.callAs(t, "7", c.method, c.params); got != `{"jsonrpc":"2.0","id":7,"result":`+c.document+`}` {
			t.Errorf("%s in the document's dialect = %s, want %s", name, got, c.document)
		}
		if got := s.callAs(t, uuid, c.method, c.params, python...); got != `{"jsonrpc":"2.0","id":`+uuid+`,"result":`+c.client+`}` {
			t.Errorf("%s in the client's dialect = %s, want %s", name, got, c.client)
		}
	}
}

// TestCutSearchNeverLooksWhole: a bare list has no place to say that it was cut, so there is none.
func TestCutSearchNeverLooksWhole(t *testing.T) {
	s := allowing(t)
	for _, why := range []string{"time", "bytes", "unreadable"} {
		if got := decode(t, s.call(t, "grep", `{"pattern":"`+why+`"}`)); want(got) != "1 -32005" {
			t.Errorf("a search cut by %s = %s, want -32005", why, want(got))
		}
	}
}

func TestPythonClientIsToldByAllItsMarks(t *testing.T) {
	const path = `{"path":"/docs/a.txt"}`
	s := allowing(t)
	for name, c := range map[string]struct {
		id      string
		headers []string
		client  bool
	}{
		"httpx":             {uuid, python, true},
		"requests":          {uuid, []string{"User-Agent", "python-requests/2.31", "Accept-Encoding", "gzip"}, true},
		"a number as id":    {`1`, python, false},
		"a word as id":      {`"1"`, python, false},
		"almost a UUID":     {`"2f1b4c3e-9a4d-4c4e-8d5e-0123456789ag"`, python, false},
		"other agent":       {uuid, []string{"User-Agent", "curl/8.5", "Accept-Encoding", "gzip"}, false},
		"no agent":          {uuid, []string{"User-Agent", "", "Accept-Encoding", "gzip"}, false},
		"more encodings":    {uuid, []string{"User-Agent", "python-httpx/0.27", "Accept-Encoding", "gzip, deflate"}, false},
		"no encoding":       {uuid, []string{"User-Agent", "python-httpx/0.27", "Accept-Encoding", ""}, false},
		"forced client":     {`1`, []string{"X-Nexus-Dialect", "client"}, true},
		"forced document":   {uuid, append([]string{"X-Nexus-Dialect", "Document"}, python...), false},
		"forced to be told": {uuid, append([]string{"X-Nexus-Dialect", "auto"}, python...), true},
	} {
		got := decode(t, s.callAs(t, c.id, "exists", path, c.headers...))
		if (string(got.Result) == `{"exists":true}`) != c.client {
			t.Errorf("%s: exists = %s, in the client's dialect: want %t", name, got.Result, c.client)
		}
	}
	forced := allowing(t, func(c *rpc.Config) { c.Dialect = rpc.Client })
	if got := decode(t, forced.call(t, "exists", path)); string(got.Result) != `{"exists":true}` {
		t.Errorf("exists of a server set to the client's dialect = %s", got.Result)
	}
	if got := decode(t, forced.call(t, "exists", path, "X-Nexus-Dialect", "document")); string(got.Result) != `true` {
		t.Errorf("exists of a request that forces the document's dialect = %s", got.Result)
	}
	if got := decode(t, s.call(t, "exists", path, "X-Nexus-Dialect", "latin")); want(got) != "null -32600" {
		t.Errorf("an unknown dialect = %s, want -32600", want(got))
	}
}

func TestRefusedCheckNeverLooksTrueToAClientOfAnyDialect(t *testing.T) {
	s := allowing(t)
	const refused = `{"subject":["user","a"],"permission":"write","object":["file","/a"]}`
	for _, headers := range [][]string{nil, {"X-Nexus-Dialect", "document"}, {"X-Nexus-Dialect", "client"}, python} {
		if got := decode(t, s.callAs(t, uuid, "rebac_check", refused, headers...)); string(got.Result) != `false` {
			t.Errorf("a refused check with a UUID as id and %v = %s, want false", headers, got.Result)
		}
	}
}

func TestRefusalAndMissAreTheSameByteForByte(t *testing.T) {
	s := allowing(t)
	refusal := s.call(t, "fail", `{"how":"refusal"}`)
	if refusal != `{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"permission denied: test.fail /secret"}}` {
		t.Errorf("refusal = %s", refusal)
	}
	if got := s.call(t, "fail", `{"how":"refused miss"}`); got != refusal {
		t.Errorf("a refusal with a reason and fields = %s, want %s", got, refusal)
	}
}

func TestWhatTheCallerMayNotSeeIsHidden(t *testing.T) {
	gate, _ := gatetest.DenyAll(t)
	s := onStage(t, gate)
	const params = `{"path":"/docs/a.txt"}`
	for method, wants := range map[string][2]string{
		"exists":       {`false`, `{"exists":false}`},
		"get_metadata": {`null`, `{"metadata":null}`},
	} {
		if got := decode(t, s.call(t, method, params)); string(got.Result) != wants[0] {
			t.Errorf("%s refused = %s, want %s", method, got.Result, wants[0])
		}
		if got := decode(t, s.callAs(t, uuid, method, params, python...)); string(got.Result) != wants[1] {
			t.Errorf("%s refused, to the client = %s, want %s", method, got.Result, wants[1])
		}
	}
	if got := decode(t, s.call(t, "read", params)); want(got) != "1 -32004" {
		t.Errorf("read refused = %s, want -32004", want(got))
	}
}

func TestErrorsCarryTheDataOfTheirKind(t *testing.T) {
	s := allowing(t)
	for how, c := range map[string]struct{ method, params, want string }{
		"missing":     {"read", `{"path":"docs//none/"}`, `{"code":-32000,"message":"no file \"/docs/none\"","data":{"path":"/docs/none","reason":"FILE_NOT_FOUND"}}`},
		"conflict":    {"write", `{"path":"/a","content":{"__type__":"bytes","data":""},"if_match":"old"}`, `{"code":-32006,"message":"the file has changed","data":{"current_etag":"e1","expected_etag":"old","path":"/a","reason":"ETAG_MISMATCH"}}`},
		"exists":      {"fail", `{"how":"exists"}`, `{"code":-32001,"message":"there is one","data":{"path":"/a","reason":"FILE_EXISTS"}}`},
		"validation":  {"fail", `{"how":"validation"}`, `{"code":-32005,"message":"a rule is broken","data":{"kind":"invalid","reason":"VALIDATION"}}`},
		"quota":       {"fail", `{"how":"quota"}`, `{"code":-32005,"message":"too much","data":{"kind":"exhausted"}}`},
		"path":        {"fail", `{"how":"path"}`, `{"code":-32002,"message":"path is odd","data":{"reason":"INVALID_PATH"}}`},
		"unavailable": {"fail", `{"how":"unavailable"}`, `{"code":-32603,"message":"the decision could not be made","data":{"kind":"unavailable"}}`},
	} {
		if got := s.call(t, c.method, c.params); got != `{"jsonrpc":"2.0","id":1,"error":`+c.want+`}` {
			t.Errorf("%s = %s, want %s", how, got, c.want)
		}
	}
	if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "closed pipe") {
		t.Errorf("log %q, want one line, about what was unavailable", log)
	}
}

func TestInternalErrorsShowAnIDAndNothingElse(t *testing.T) {
	for how, inside := range map[string]string{
		`fail {"how":"foreign"}`: "unexpected EOF",
		`fail {"how":"panic"}`:   "the roof is on fire",
		`unsayable {}`:           "chan int",
	} {
		s := allowing(t)
		method, params, _ := strings.Cut(how, " ")
		a := decode(t, s.call(t, method, params))
		if want(a) != "1 -32603" || len(a.Error.Data) != 1 {
			t.Fatalf("%s = %+v, want -32603 with an id", how, a.Error)
		}
		id, log := a.Error.Data["error_id"], s.log.String()
		if id == "" || a.Error.Message != "internal error "+id {
			t.Errorf("%s says %q with id %q", how, a.Error.Message, id)
		}
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, id) || !strings.Contains(log, inside) || !strings.Contains(log, "operation=test."+method) {
			t.Errorf("%s is logged as %q, want one line with the id, the operation and the cause", how, log)
		}
	}
}

func TestPlainRoutesAnswerPlainJSON(t *testing.T) {
	s := allowing(t)
	get := func(path, key string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		return s.send(r)
	}
	for _, c := range []struct {
		path, key string
		status    int
		body      string
	}{
		{"/health", "", 200, `{"status":"healthy","service":"nexus-rpc"}`},
		{"/health", "no-such-key", 200, `{"status":"healthy","service":"nexus-rpc"}`},
		{"/api/auth/whoami", "alice-key", 200, `{"authenticated":true,"subject_type":"user","subject_id":"alice","tenant_id":"acme","is_admin":false,"user":"alice"}`},
		{"/api/auth/whoami", "", 401, `{"error":"unauthenticated","message":"authentication required"}`},
		{"/api/auth/whoami", "no-such-key", 401, `{"error":"unauthenticated","message":"authentication failed"}`},
	} {
		w := get(c.path, c.key)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("GET %s with key %q = %d %s, want %d %s", c.path, c.key, w.Code, w.Body, c.status, c.body)
		}
	}
}

func TestPagesOfOtherOriginsMayCall(t *testing.T) {
	s := allowing(t)
	for _, path := range []string{"/api/nfs", "/api/nfs/read", "/api/nfs/status", "/api/auth/whoami", "/health"} {
		w := s.send(httptest.NewRequest(http.MethodOptions, path, nil))
		h := w.Header()
		if w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Max-Age") != "86400" ||
			h.Get("Access-Control-Allow-Headers") != "Content-Type, Authorization" || h.Get("Access-Control-Allow-Methods") != "GET, POST, OPTIONS" {
			t.Errorf("OPTIONS %s = %d %v", path, w.Code, h)
		}
	}
	if w := s.post("/api/nfs/null", `{"id":1}`); w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("an answer lacks Access-Control-Allow-Origin")
	}
}

func TestEveryCallIsObserved(t *testing.T) {
	s := allowing(t)
	s.call(t, "null", `{}`)
	s.call(t, "fail", `{"how":"quota"}`)
	s.call(t, "open", `{}`)
	s.send(httptest.NewRequest(http.MethodGet, "/health", nil))
	if got := strings.Join(s.seen, ", "); got != "test.null ok, test.fail exhausted, unknown unsupported, server.health ok" {
		t.Errorf("observed %s", got)
	}
}

func TestFaceWithoutItsPartsIsRefused(t *testing.T) {
	if _, err := rpc.New(rpc.Config{}); err == nil {
		t.Error("New without a table and a guard succeeded")
	}
}
