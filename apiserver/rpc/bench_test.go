package rpc_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/schema"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkRead1KB reads a file of 1 KB through the whole face, under a gate that allows all.
func BenchmarkRead1KB(b *testing.B) {
	const body = `{"jsonrpc":"2.0","id":1,"method":"read","params":{"path":"/docs/a.txt"}}`
	benchmark(b, bytes.Repeat([]byte("x"), 1024), body, nil)
}

// BenchmarkRead1KBCompressed is the same for a client that takes gzip.
func BenchmarkRead1KBCompressed(b *testing.B) {
	const body = `{"jsonrpc":"2.0","id":1,"method":"read","params":{"path":"/docs/a.txt"}}`
	benchmark(b, bytes.Repeat([]byte("x"), 1024), body, http.Header{"Accept-Encoding": {"gzip"}})
}

// BenchmarkBatch256 reads that file 256 times in one batch.
func BenchmarkBatch256(b *testing.B) {
	item := `{"jsonrpc":"2.0","id":1,"method":"read","params":{"path":"/docs/a.txt"}},`
	benchmark(b, bytes.Repeat([]byte("x"), 1024), "["+strings.TrimSuffix(strings.Repeat(item, 256), ",")+"]", nil)
}

func benchmark(b *testing.B, content []byte, body string, headers http.Header) {
	gate, _ := gatetest.AllowAll(b)
	table := op.NewTable(gate)
	op.Handle(table, api.Read,
		func(_ context.Context, who authz.Principal, p *api.ReadParams) (authz.Need[schema.ReadFile], error) {
			return fileNeed(who, p.Path).Read(), nil
		},
		func(_ context.Context, _ authz.Principal, _ *api.ReadParams, g schema.ReadFile) (api.ReadResult, error) {
			_, err := g.Use()
			return api.ReadResult{Content: content}, err
		})
	off := authn.Rate{PerSecond: -1}
	guard, err := authn.New(authn.Config{Credentials: directory{}, Rates: authn.Rates{Key: off, Address: off}})
	if err != nil {
		b.Fatal(err)
	}
	face, err := rpc.New(rpc.Config{Table: table, Guard: guard})
	if err != nil {
		b.Fatal(err)
	}
	engine := gin.New()
	face.Routes(engine)
	r := httptest.NewRequest(http.MethodPost, "/api/nfs/read", nil)
	r.URL.Path = "/api/nfs"
	for name, values := range headers {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer alice-key")
	reader := strings.NewReader(body)
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
		engine.ServeHTTP(discard{http.Header{}}, r)
	}
}
