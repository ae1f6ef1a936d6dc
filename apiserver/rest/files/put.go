package files

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

func (f *Face) put(c *call) error { return c.receive(false) }

func (f *Face) patch(c *call) error {
	if given := c.GetHeader("Content-Type"); given != "" {
		if t, _, err := mime.ParseMediaType(given); err != nil || t != appendType {
			return errs.New(errs.Invalid, "a PATCH appends bytes: its Content-Type is %s", appendType).Marked(errs.MediaType)
		}
	}
	return c.receive(true)
}

// receive carries an upload to its operation, and answers with the version that it made.
func (c *call) receive(appends bool) error {
	p, err := conditions(c.Request)
	if err != nil {
		return err
	}
	if c.Request.ContentLength > c.config.MaxBody {
		return tooLarge(c.config.MaxBody)
	}
	p.Path, p.Append = c.path(), appends
	raw, err := params(p)
	if err != nil {
		return err
	}
	body := &arriving{body: c.Request.Body, control: http.NewResponseController(c.Writer), idle: c.config.Idle, left: c.config.MaxBody, limit: c.config.MaxBody}
	result, err := c.upload.Receive(c.Request.Context(), c.who, raw, body)
	if err != nil {
		return err
	}
	made, ok := result.(api.UploadResult)
	if !ok {
		return errs.Bug("operation %s answers a %T", c.upload.Name, result)
	}
	status := http.StatusOK
	if made.Created {
		status = http.StatusCreated
		c.Header("Location", location(c.path()))
	}
	if made.Replayed {
		c.Header("Idempotency-Replayed", "true")
	}
	c.Header("ETag", `"`+made.Etag+`"`)
	c.extend()
	c.JSON(status, made)
	return nil
}

// extend gives the answer its time: that of the server began with the request, and the body may have taken longer.
func (c *call) extend() {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(c.config.Idle)) // a writer without deadlines has none to pass
}

// arriving is a body that may take as long as it takes, as long as it goes on.
type arriving struct {
	body    io.Reader
	control *http.ResponseController
	idle    time.Duration
	left    int64
	limit   int64
}

func (a *arriving) Read(p []byte) (int, error) {
	_ = a.control.SetReadDeadline(time.Now().Add(a.idle)) // a reader without deadlines does not stand still
	n, err := a.body.Read(p)
	a.left -= int64(n)
	if a.left < 0 {
		return 0, tooLarge(a.limit)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		// Left in place, the deadline would cancel the operation.
		_ = a.control.SetReadDeadline(time.Time{})
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errs.New(errs.Deadline, "the body stood still for %s", a.idle).Because(err)
	}
	return n, errs.New(errs.Invalid, "the body ended early").Marked(errs.InvalidRequest).Because(err)
}

func tooLarge(limit int64) error {
	return errs.New(errs.Invalid, "the body is longer than %d bytes", limit).Marked(errs.BodyTooLarge)
}
