package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// reading is a node with a file of 1 KB that ann may read through the folder it stands in.
type reading struct {
	*kit
	ann    authz.Principal
	key    string
	params json.RawMessage
}

const readPath = "/docs/a.txt"

func newReading(b *testing.B, c Config) *reading {
	b.Helper()
	k := newKit(b, c)
	k.member("ann")
	k.do(k.admin, "mkdir", `{"path":"/docs"}`)
	k.share("ann", "direct_viewer", "/docs")
	k.write(k.admin, readPath, strings.Repeat("x", 1024))
	made := k.do(k.admin, "admin_create_key", `{"user_id":"ann","name":"key"}`).(api.NewKey)
	return &reading{kit: k, ann: user("ann"), key: made.APIKey, params: json.RawMessage(`{"path":"` + readPath + `"}`)}
}

// each runs a benchmark for the two ways a read is recorded: as one of many equal ones within a second, and as an entry of
// its own.
func each(b *testing.B, run func(b *testing.B, r *reading)) {
	for _, way := range []struct {
		name   string
		record audit.Options
	}{{"repeated", audit.Options{}}, {"recorded", audit.Options{CoalesceFor: -1}}} {
		b.Run(way.name, func(b *testing.B) {
			r := newReading(b, Config{Record: way.record})
			b.ReportAllocs()
			run(b, r)
		})
	}
}

// BenchmarkGate decides one cached read: relations from the cache, policy, record.
func BenchmarkGate(b *testing.B) {
	each(b, func(b *testing.B, r *reading) {
		file := r.file(b)
		for b.Loop() {
			r.ask(b, file)
		}
	})
}

func (r *reading) file(b *testing.B) schema.File {
	b.Helper()
	a, err := r.Store.Names().Address(b.Context(), r.ann.Tenant, readPath)
	if err != nil {
		b.Fatal(err)
	}
	return schema.File{Address: a}
}

func (r *reading) ask(b *testing.B, file schema.File) schema.ReadFile {
	b.Helper()
	g, _, err := authz.Ask(b.Context(), r.Service.Gate(), r.ann, authz.Act{Op: api.Read.Name}, file.Read())
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkStorage does what the read does beside its decision: it resolves the name and reads the contents. The decision
// that opens them is made once in a while.
func BenchmarkStorage(b *testing.B) {
	r := newReading(b, Config{})
	files, names := r.Store.Files(), r.Store.Names()
	g := r.ask(b, r.file(b))
	fresh := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if time.Since(fresh) > authz.Lifetime/2 {
			g, fresh = r.ask(b, r.file(b)), time.Now()
		}
		if _, err := names.Address(b.Context(), r.ann.Tenant, readPath); err != nil {
			b.Fatal(err)
		}
		if _, _, err := files.Read(b.Context(), g); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInvoke reads through the operation, as every face does.
func BenchmarkInvoke(b *testing.B) {
	each(b, func(b *testing.B, r *reading) {
		read := r.Table.Named(api.Read.Name)
		for b.Loop() {
			if _, err := read.Invoke(context.Background(), r.ann, r.params); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// discard is a ResponseWriter that keeps nothing but whether the answer is a result.
type discard struct {
	header http.Header
	result bool
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.result = d.result || bytes.Contains(p, []byte(`"result":{"__type__":"bytes"`))
	return len(p), nil
}

// BenchmarkHandler reads through the whole server, from the request's header to the answer's last byte.
func BenchmarkHandler(b *testing.B) {
	each(b, func(b *testing.B, r *reading) {
		server, err := r.Server(Face{Log: slog.New(slog.DiscardHandler), RateKey: -1, RateAddress: -1})
		if err != nil {
			b.Fatal(err)
		}
		body := `{"jsonrpc":"2.0","id":1,"method":"read","params":` + string(r.params) + `}`
		request := httptest.NewRequest(http.MethodPost, "/api/nfs/read", nil)
		request.Header.Set("Authorization", "Bearer "+r.key)
		reader := strings.NewReader(body)
		b.ReportAllocs()
		for b.Loop() {
			reader.Reset(body)
			request.Body, request.ContentLength = io.NopCloser(reader), int64(len(body))
			answer := &discard{header: http.Header{}}
			server.ServeHTTP(answer, request)
			if !answer.result {
				b.Fatal("the answer is no result")
			}
		}
	})
}
