package apiserver

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"

	"nexus/internal/errs"
)

// Probe asks whether a part of the server can do its work. Ask is called for every GET of /readyz; its context ends with the
// time there is for the answer. What it returns is logged, not shown.
type Probe struct {
	Name string
	Ask  func(ctx context.Context) error
}

// readiness asks the probes.
type readiness struct {
	probes  []Probe
	busy    []atomic.Bool // whether a probe has not come back yet
	timeout time.Duration
	log     *slog.Logger
	asking  singleflight.Group // those who ask at the same time get one answer
}

func newReadiness(probes []Probe, timeout time.Duration, log *slog.Logger) (*readiness, error) {
	for _, p := range probes {
		if p.Name == "" || p.Ask == nil {
			return nil, errs.New(errs.Internal, "a probe needs a name and a question")
		}
	}
	return &readiness{probes: probes, busy: make([]atomic.Bool, len(probes)), timeout: timeout, log: log}, nil
}

// finding is what a probe says.
type finding struct {
	probe int
	err   error
}

// check reports for each probe whether it passed, and whether all did.
func (r *readiness) check() (passed map[string]bool, all bool) {
	answer, _, _ := r.asking.Do("", func() (any, error) { return r.ask(), nil })
	passed, _ = answer.(map[string]bool)
	for _, ok := range passed {
		if !ok {
			return passed, false
		}
	}
	return passed, true
}

// ask asks every probe at once. A probe that ignores its context does not hold up the answer, and is not asked again before
// it has come back.
func (r *readiness) ask() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	passed := make(map[string]bool, len(r.probes))
	found := make(chan finding, len(r.probes))
	asked := 0
	for i, p := range r.probes {
		passed[p.Name] = false
		if !r.busy[i].CompareAndSwap(false, true) {
			continue
		}
		asked++
		go func() {
			err := p.Ask(ctx)
			r.busy[i].Store(false)
			found <- finding{i, err}
		}()
	}
	for range asked {
		select {
		case f := <-found:
			passed[r.probes[f.probe].Name] = f.err == nil
			r.note(ctx, f)
		case <-ctx.Done():
			r.log.Warn("probes took too long", "timeout", r.timeout)
			return passed
		}
	}
	return passed
}

func (r *readiness) note(ctx context.Context, f finding) {
	if f.err != nil {
		r.log.WarnContext(ctx, "probe failed", "probe", r.probes[f.probe].Name, "error", f.err)
	}
}

// healthz says that the process answers.
func (s *Server) healthz(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) }

// readyz says whether requests should be sent here: not before every probe passes, and not while the server stops. A server
// that refuses some operations is ready for the others, and says so.
func (s *Server) readyz(c *gin.Context) {
	if s.stopping.Load() {
		c.JSON(http.StatusServiceUnavailable, gin.H{"status": "stopping"})
		return
	}
	passed, all := s.ready.check()
	answer, status := gin.H{"status": "ready", "probes": passed}, http.StatusOK
	if !all {
		answer["status"], status = "not ready", http.StatusServiceUnavailable
	}
	if notice := s.config.Notice(); notice != "" {
		answer["notice"] = notice
	}
	c.JSON(status, answer)
}
