package files

import (
	"net/http"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// get carries a download from its operation.
func (f *Face) get(c *call) error {
	raw, err := params(api.PathParams{Path: c.path()})
	if err != nil {
		return err
	}
	out := &departing{call: c, control: http.NewResponseController(c.Writer)}
	if err := c.download.Send(c.Request.Context(), c.who, raw, out); err != nil {
		return err
	}
	if out.refused != 0 {
		c.problem(out.problem())
	}
	return nil
}

// departing is the sink of a download: net/http chooses the ranges. It keeps back answers that net/http words by itself.
type departing struct {
	*call
	control *http.ResponseController
	refused int   // status of such an answer
	broken  error // why not everything has left
}

// Content sends what the request asks for of c: all of it, ranges, or nothing when the conditions say so.
func (d *departing) Content(c op.Content) error {
	etag := `"` + c.Etag + `"`
	if c.Weak {
		etag = "W/" + etag
		d.Header("Nexus-Masked", "values")
	}
	d.Header("ETag", etag)
	d.Header("Content-Type", c.Type)
	d.Header("Last-Modified", c.Modified.UTC().Format(http.TimeFormat))
	// What may be read is decided each time, and for each caller.
	d.Header("Cache-Control", "private, no-cache")
	d.Context.Writer.Header().Add("Vary", "Authorization")
	// Whatever a file claims to be, it is no page of this origin.
	d.Header("X-Content-Type-Options", "nosniff")
	d.Header("Content-Security-Policy", "sandbox; default-src 'none'")
	// Without a time: seconds do not tell versions apart, so that only etags decide what has changed.
	http.ServeContent(sending{d}, d.Request, "", time.Time{}, c.Body)
	return d.broken
}

// Write is of streams without a length.
func (d *departing) Write([]byte) (int, error) { return 0, errs.Bug("a download without a length") }

// Event is of streams of events.
func (d *departing) Event(any) error { return errs.Bug("a download with events") }

// problem is what is answered in place of net/http's own words.
func (d *departing) problem() problem {
	if d.refused == http.StatusRequestedRangeNotSatisfiable {
		return problem{status: d.refused, name: "range_not_satisfiable", text: "no byte of " + d.path() + " is in the range"}
	}
	return problem{status: d.refused, name: errs.Precondition.String(), text: d.path() + " has another etag than expected"}
}

// sending is where net/http writes a download. Each write may take as long as the peer may stand still.
type sending struct{ d *departing }

func (s sending) Header() http.Header { return s.d.Context.Writer.Header() }

func (s sending) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		s.d.refused = status
		return
	}
	s.d.Context.Writer.WriteHeader(status)
	s.d.Context.Writer.WriteHeaderNow()
}

func (s sending) Write(p []byte) (int, error) {
	if s.d.refused != 0 {
		return len(p), nil
	}
	_ = s.d.control.SetWriteDeadline(time.Now().Add(s.d.config.Idle)) // a writer without deadlines does not stand still
	n, err := s.d.Context.Writer.Write(p)
	if err != nil {
		s.d.broken = errs.New(errs.Canceled, "the caller went away").Because(err)
	}
	return n, err
}
