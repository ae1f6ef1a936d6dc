package sqldb

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/internal/sqldb/pgtest"
)

const socketName = ".s.PGSQL.5432"

// proxy stands between a client and a server, and can break a connection at its COMMIT.
type proxy struct {
	dsn       string
	breakNext atomic.Bool
	forward   bool // whether the COMMIT at which it breaks still reaches the server
	target    string
}

func startProxy(t *testing.T, dsn string, forward bool) *proxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("host") == "" {
		t.Skip("needs a server behind a socket, not the one of ", pgtest.EnvDSN)
	}
	dir, err := os.MkdirTemp("", "proxy-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &proxy{forward: forward, target: filepath.Join(q.Get("host"), socketName)}
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	p.dsn = u.String()
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.serve(l, &wg) })
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return p
}

func (p *proxy) serve(l net.Listener, wg *sync.WaitGroup) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.target)
		if err != nil {
			client.Close()
			return
		}
		wg.Go(func() { p.upstream(client, server) })
		wg.Go(func() { p.downstream(client, server) })
	}
}

// upstream carries what the client says.
func (p *proxy) upstream(client, server net.Conn) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT")) && p.breakNext.CompareAndSwap(true, false) {
			client.Close()
			if p.forward {
				_, _ = server.Write(buf[:n]) // read by the server before it notices the end
			}
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// downstream carries what the server says.
func (p *proxy) downstream(client, server net.Conn) {
	defer client.Close()
	_, _ = io.Copy(client, server)
}
