package files

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"nexus/apiserver/authn"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// statuses are those of reasons whose kind has another status.
var statuses = map[errs.Reason]int{
	errs.BodyTooLarge: http.StatusRequestEntityTooLarge,
	errs.DiskFull:     http.StatusInsufficientStorage,
	errs.EtagMismatch: http.StatusPreconditionFailed,
	errs.FileExists:   http.StatusPreconditionFailed, // only where the request is to make the file
	errs.MediaType:    http.StatusUnsupportedMediaType,
	errs.KeyReused:    http.StatusUnprocessableEntity,
}

// fail answers with an error. Where an answer has begun, the connection is cut: half of it must not look like the whole.
func (c *call) fail(operation string, e *errs.Error) {
	text := errs.Public(e)
	switch e.Kind {
	case errs.Internal:
		incident := ids.New()
		c.config.Log.Error("operation failed", "operation", operation, "request_id", authn.RequestID(c.Request.Context()),
			"error_id", incident, "error", e.Error())
		text += " " + incident
	case errs.Unavailable:
		c.config.Log.Warn("operation unavailable", "operation", operation, "request_id", authn.RequestID(c.Request.Context()), "error", e.Error())
	}
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	status, ok := statuses[e.Reason]
	if !ok {
		status = e.Kind.HTTP()
	}
	p := problem{status: status, name: e.Kind.String(), text: text, more: map[string]string{}}
	if e.Kind != errs.Denied {
		maps.Copy(p.more, e.Fields)
	}
	if e.Reason != "" && (e.Kind != errs.Denied || e.Reason == errs.ScopeMissing) {
		p.more["reason"] = string(e.Reason)
	}
	if c.hides(e) {
		p = c.nothing()
	}
	c.problem(p)
}

// hides reports whether e would tell what the caller may not know. To who reads, what does not exist and what he may not read are one
// answer. Who writes is refused alike whether there is something or not: by the file's nearest folder.
func (c *call) hides(e *errs.Error) bool {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return false
	}
	return e.Kind == errs.NotFound || e.Kind == errs.Denied && e.Reason != errs.ScopeMissing
}

// nothing is the answer to who asks for what is not there for him, made from the request alone.
func (c *call) nothing() problem {
	return problem{status: http.StatusNotFound, name: errs.NotFound.String(), text: "there is no file " + c.path() + " that you may read"}
}

// problem is an error as RFC 9457 writes it.
type problem struct {
	status int
	name   string // stable, for programs
	text   string
	more   map[string]string
}

// problemType stands before a problem's name in its type.
const problemType = "urn:nexus:problem:"

// problem sends p.
func (c *call) problem(p problem) {
	all := map[string]any{}
	for name, value := range p.more {
		all[name] = value
	}
	title := strings.ReplaceAll(p.name, "_", " ")
	all["type"], all["title"], all["status"], all["detail"] = problemType+p.name, title, p.status, p.text
	raw, err := json.Marshal(all)
	if err != nil {
		raw = nil // of strings and a number
	}
	if p.status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", "Bearer")
	}
	if after := p.more["retry_after"]; after != "" {
		c.Header("Retry-After", after)
	}
	if p.status == http.StatusUnsupportedMediaType {
		c.Header("Accept-Patch", appendType)
	}
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Type", "application/problem+json") // here: what a download has set stays otherwise
	c.extend()
	c.Data(p.status, "application/problem+json", raw)
}
