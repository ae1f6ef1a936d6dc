package events

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// sink writes events to one receiver, each at once.
type sink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	patient time.Duration
	begun   bool
}

var _ op.Sink = (*sink)(nil)

// retryAfter is how many milliseconds a receiver waits before it comes back by itself.
const retryAfter = 2000

// Event sends one event. A receiver who does not take it in time is given up.
func (s *sink) Event(v any) error {
	e, ok := v.(api.Event)
	if !ok {
		return errs.Bug("%T is no event", v)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return errs.New(errs.Internal, "an event cannot be encoded").Because(err)
	}
	var out bytes.Buffer
	if !s.begun {
		out.WriteString("retry: " + strconv.Itoa(retryAfter) + "\n")
	}
	if e.ID != "" {
		out.WriteString("id: " + e.ID + "\n")
	}
	out.WriteString("event: " + e.Kind + "\ndata: ")
	out.Write(data)
	out.WriteString("\n\n")
	_, err = s.Write(out.Bytes())
	return err
}

// Content is refused: what is followed is events.
func (s *sink) Content(op.Content) error {
	return errs.Bug("contents among events")
}

// Write sends p at once.
func (s *sink) Write(p []byte) (int, error) {
	if !s.begun {
		s.begin()
	}
	// Without deadlines, as in tests, the write takes as long as it takes.
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patient))
	n, err := s.w.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		return n, errs.New(errs.Canceled, "the receiver takes no more").Because(err)
	}
	return n, nil
}

func (s *sink) begin() {
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // for proxies that would keep it until it is whole, which it never is
	s.w.WriteHeader(http.StatusOK)
}

// refuse answers a request of which no stream came.
func (s *sink) refuse(e *errs.Error, message string) {
	h := s.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if seconds := e.Fields["retry_after"]; seconds != "" && strings.Trim(seconds, "0123456789") == "" {
		h.Set("Retry-After", seconds)
	}
	if e.Kind == errs.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	text, err := json.Marshal(map[string]string{"error": e.Kind.String(), "message": message})
	if err != nil {
		return // of strings
	}
	s.w.WriteHeader(errs.HTTP(e))
	_, _ = s.w.Write(text)
}
