package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nexus/apiserver/rest/files"
	"nexus/authzsvc/gatetest"
)

func TestBodyThatBreaksOffLeavesNothing(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	host := strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), files.Prefix)
	for _, text := range []string{
		"Content-Length: 100000\r\n\r\n" + long("cut"),
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "PUT "+files.Prefix+"/f HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\n"+text); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || bytes.HasPrefix(got, []byte("HTTP/1.1 2")) {
			t.Errorf("%.30q was answered %.60q, %v", text, got, err)
		}
		_ = conn.Close()
	}
	w.must(http.StatusNotFound, http.MethodGet, "/f", "")
	w.mustHoldNoTemp()
}

// pipes is a listener whose one connection has been made already. Its deadlines follow the time of a synctest bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.conns) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// slowly serves one request whose body comes in parts, with a wait before each, and returns what is answered.
func slowly(t *testing.T, w *world, method string, wait time.Duration, parts ...string) string {
	t.Helper()
	near, far := net.Pipe()
	l := &pipes{conns: make(chan net.Conn, 1)}
	l.conns <- far
	server := &http.Server{Handler: w.engine, ReadTimeout: 2 * time.Minute, WriteTimeout: 10 * time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = fmt.Fprintf(near, "%s %s/f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ann\r\nContent-Length: %d\r\n\r\n", method, files.Prefix, size)
		for _, p := range parts {
			time.Sleep(wait)
			_, _ = io.WriteString(near, p)
		}
	}()
	got := &bytes.Buffer{}
	for part := make([]byte, 32<<10); ; time.Sleep(wait) { // slow in the other direction, too
		n, err := near.Read(part)
		got.Write(part[:n])
		if err != nil {
			break
		}
	}
	_ = near.Close()
	_ = server.Close()
	<-ended
	<-sent
	return got.String()
}

// TestSlowBodyThatGoesOnIsNotCut: it takes an hour each way, and the server gives two minutes to receive and ten to answer.
func TestSlowBodyThatGoesOnIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, gatetest.Config{}, 0, time.Minute)
		parts := slices.Repeat([]string{strings.Repeat("x", 32<<10)}, 80)
		if got := slowly(t, w, http.MethodPut, 45*time.Second, parts...); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
			t.Errorf("PUT = %.200q", got)
		}
		if got := slowly(t, w, http.MethodGet, 45*time.Second); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, strings.Join(parts, "")) {
			t.Errorf("GET = %.200q, %d bytes", got, len(got))
		}
	})
}

func TestBodyThatStandsStillIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, gatetest.Config{}, 0, time.Minute)
		if got := slowly(t, w, http.MethodPut, 61*time.Second, long("x"), long("y")); !strings.HasPrefix(got, "HTTP/1.1 504 ") {
			t.Errorf("PUT = %.200q", got)
		}
		if got := slowly(t, w, http.MethodGet, 0); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
			t.Errorf("GET = %.200q", got)
		}
		w.mustHoldNoTemp()
	})
}

// TestHalfADownloadIsNoWholeOne: a failure on the way cuts the connection.
func TestHalfADownloadIsNoWholeOne(t *testing.T) {
	w := start(t, gatetest.Config{}, 0, 0)
	body := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB: not compared with its hash when it is opened
	made := w.must(http.StatusCreated, http.MethodPut, "/f", body)
	hash := strings.Trim(made.Header.Get("ETag"), `"`)
	r, err := http.NewRequest(http.MethodGet, w.url+"/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer ann")
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(w.blobs, "default", hash[:2], hash[2:4], hash), 1<<20); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); err == nil && len(got)+1000 != len(body) {
		t.Errorf("%d bytes came as if they were all", len(got)+1000)
	} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v, want an unexpected end", err)
	}
}
