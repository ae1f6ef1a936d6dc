package apiserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"nexus/apiserver"
	"nexus/apiserver/authn"
	"nexus/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// routes is a face made of a function.
type routes func(r gin.IRouter)

func (f routes) Routes(r gin.IRouter) { f(r) }

func server(t *testing.T, c apiserver.Config) (*apiserver.Server, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	s, err := apiserver.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequestIDIsTakenOrMadeAndSentBack(t *testing.T) {
	var seen string
	s, _ := server(t, apiserver.Config{Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(c *gin.Context) { seen = authn.RequestID(c.Request.Context()) })
	})}})
	if w := get(s, "/x", "X-Request-ID", "trace-1"); w.Header().Get("X-Request-ID") != "trace-1" || seen != "trace-1" {
		t.Errorf("a sane id: sent back %q, seen %q, want trace-1", w.Header().Get("X-Request-ID"), seen)
	}
	for _, path := range []string{"/x", "/nowhere", "/healthz"} {
		if id := get(s, path, "X-Request-ID", "no\tgood").Header().Get("X-Request-ID"); id == "" || id == "no\tgood" {
			t.Errorf("%s: id %q, want a fresh one", path, id)
		}
	}
}

func TestWhatNoFaceServesIsAnswered(t *testing.T) {
	s, _ := server(t, apiserver.Config{Faces: []apiserver.Face{routes(func(r gin.IRouter) { r.POST("/x", func(*gin.Context) {}) })}})
	if w := get(s, "/nowhere"); w.Code != 404 || w.Body.String() != `{"error":"not_found","message":"no such route"}` {
		t.Errorf("GET /nowhere = %d %s", w.Code, w.Body)
	}
	if w := get(s, "/x"); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET of a POST route = %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestPanicIsAnswered(t *testing.T) {
	s, log := server(t, apiserver.Config{Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(*gin.Context) { panic("the roof is on fire") })
	})}})
	w := get(s, "/x", "X-Request-ID", "r-1")
	var answer struct{ Error, Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 500 || answer.Error != "internal" {
		t.Fatalf("GET /x = %d %s", w.Code, w.Body)
	}
	id := strings.TrimPrefix(answer.Message, "internal error ")
	if l := log.String(); id == "" || !strings.Contains(l, id) || !strings.Contains(l, "roof is on fire") || !strings.Contains(l, "request_id=r-1") {
		t.Errorf("log %q, want id %s, the panic and the request", l, id)
	}
}

func TestHalfAnAnswerIsCutOff(t *testing.T) {
	s, _ := server(t, apiserver.Config{Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(c *gin.Context) {
			c.String(200, "half of")
			panic("the roof is on fire")
		})
	})}})
	web := httptest.NewServer(s)
	defer web.Close()
	resp, err := web.Client().Get(web.URL + "/x")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks like a whole one")
	}
}

func TestTooManyRequestsAtOnceAreRefused(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	s, _ := server(t, apiserver.Config{MaxInFlight: 1, Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(*gin.Context) { enter <- struct{}{}; <-leave })
	})}})
	var first sync.WaitGroup
	first.Go(func() { get(s, "/x") })
	<-enter
	if w := get(s, "/x"); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("the second request at once = %d, Retry-After %q, want 503 and 1", w.Code, w.Header().Get("Retry-After"))
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if w := get(s, path); w.Code != 200 {
			t.Errorf("%s when it is crowded = %d, want 200", path, w.Code)
		}
	}
	close(leave)
	first.Wait()
	first.Go(func() { get(s, "/x") })
	<-enter
	first.Wait()
}

func TestReadyWhenEveryProbePasses(t *testing.T) {
	var broken error
	s, log := server(t, apiserver.Config{Probes: []apiserver.Probe{
		{Name: "store", Ask: func(context.Context) error { return broken }},
		{Name: "policy", Ask: func(context.Context) error { return nil }},
	}})
	if w := get(s, "/readyz"); w.Code != 200 || w.Body.String() != `{"probes":{"policy":true,"store":true},"status":"ready"}` {
		t.Errorf("/readyz = %d %s", w.Code, w.Body)
	}
	broken = errors.New("disk on fire")
	w := get(s, "/readyz")
	if w.Code != 503 || w.Body.String() != `{"probes":{"policy":true,"store":false},"status":"not ready"}` {
		t.Errorf("/readyz with a broken store = %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("log %q, want the cause", log)
	}
	if w := get(s, "/healthz"); w.Code != 200 {
		t.Errorf("/healthz with a broken store = %d, want 200", w.Code)
	}
}

func TestProbeThatHangsDoesNotHoldUpTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		leave := make(chan struct{})
		s, _ := server(t, apiserver.Config{Probes: []apiserver.Probe{
			{Name: "store", Ask: func(context.Context) error { asked.Add(1); <-leave; return nil }},
		}})
		start := time.Now()
		for range 3 {
			if w := get(s, "/readyz"); w.Code != 503 {
				t.Errorf("/readyz with a probe that hangs = %d, want 503", w.Code)
			}
		}
		if took := time.Since(start); took != 2*time.Second || asked.Load() != 1 {
			t.Errorf("three answers took %s and asked %d times, want 2 s and once", took, asked.Load())
		}
		close(leave)
		synctest.Wait()
		if w := get(s, "/readyz"); w.Code != 200 {
			t.Errorf("/readyz after the probe came back = %d, want 200", w.Code)
		}
	})
}

func TestProbeWithoutAQuestionIsRefused(t *testing.T) {
	if _, err := apiserver.New(apiserver.Config{Probes: []apiserver.Probe{{Name: "store"}}}); err == nil {
		t.Error("New with half a probe succeeded")
	}
}

func TestMetricsCountRequestsAndOperationsAlone(t *testing.T) {
	m := apiserver.NewMetrics()
	s, _ := server(t, apiserver.Config{Metrics: m, Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x/:id", func(c *gin.Context) { c.Status(204) })
	})}})
	for _, path := range []string{"/x/1", "/x/2", "/wp-login.php"} {
		get(s, path)
	}
	m.Operation("files.read", nil, time.Millisecond)
	m.Operation("files.read", errs.New(errs.Denied, "no"), time.Millisecond)
	text := get(s, "/metrics").Body.String()
	for _, line := range []string{
		`nexus_http_requests_total{method="GET",route="/x/:id",status="204"} 2`,
		`nexus_http_requests_total{method="any",route="none",status="404"} 1`,
		`nexus_operations_total{code="ok",operation="files.read"} 1`,
		`nexus_operations_total{code="denied",operation="files.read"} 1`,
		`nexus_operation_duration_seconds_count{operation="files.read"} 2`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if strings.Contains(text, "wp-login") {
		t.Error("/metrics holds what a client invented")
	}
}

// running is a server that serves on a port of its own.
type running struct {
	url   string
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, s *apiserver.Server) running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := running{url: "http://" + l.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx, l) }()
	return r
}

func TestStoppingServerFinishesWhatRuns(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	s, _ := server(t, apiserver.Config{Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(c *gin.Context) {
			close(enter)
			<-leave
			if c.Request.Context().Err() != nil {
				c.Status(500)
				return
			}
			c.String(200, "done")
		})
	})}})
	r := serve(t, s)
	answer := make(chan string, 1)
	go func() { answer <- fetch(r.url + "/x") }()
	<-enter
	r.stop()
	for get(s, "/readyz").Code != 503 { // until the stop is noticed
	}
	close(leave)
	if got := <-answer; got != "200 done" {
		t.Errorf("a request that ran when the server stopped = %s, want 200 done", got)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if got := fetch(r.url + "/healthz"); !strings.Contains(got, "refused") {
		t.Errorf("a request after the stop = %s, want it refused", got)
	}
}

func TestRequestThatOutstaysTheDrainIsCancelled(t *testing.T) {
	enter, cancelled := make(chan struct{}), make(chan struct{})
	s, _ := server(t, apiserver.Config{DrainTimeout: time.Millisecond, Faces: []apiserver.Face{routes(func(r gin.IRouter) {
		r.GET("/x", func(c *gin.Context) {
			close(enter)
			<-c.Request.Context().Done()
			close(cancelled)
		})
	})}})
	r := serve(t, s)
	answer := make(chan string, 1)
	go func() { answer <- fetch(r.url + "/x") }()
	<-enter
	r.stop()
	if err := <-r.ended; !errors.Is(err, errs.Deadline) {
		t.Errorf("Serve = %v, want a deadline error", err)
	}
	select {
	case <-cancelled:
	default:
		t.Error("Serve returned before the request had ended")
	}
	<-answer
}

// fetch returns status and body of a GET, or the error.
func fetch(url string) string {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return strings.Fields(resp.Status)[0] + " " + string(text)
}
