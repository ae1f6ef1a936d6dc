package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

// filesPrefix is what stands before the path of a file in the path of a URL.
const filesPrefix = "/api/files"

// Upload writes a file from body, or appends it to one: contents of any length, in little memory. size is the body's length in bytes,
// or -1 when it is not known beforehand. It is an error when the server has other contents than were sent.
func (c *Client) Upload(ctx context.Context, p api.UploadParams, body io.Reader, size int64) (api.UploadResult, error) {
	method := http.MethodPut
	if p.Append {
		method = http.MethodPatch
	}
	sum := sha256.New()
	r, err := c.transfer(ctx, method, p.Path, io.TeeReader(body, sum))
	if err != nil {
		return api.UploadResult{}, err
	}
	r.ContentLength = size
	if size == 0 {
		r.Body = http.NoBody // otherwise zero means that the length is not known
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	switch {
	case p.IfMatch == api.AnyEtag:
		r.Header.Set("If-Match", p.IfMatch)
	case p.IfMatch != "":
		r.Header.Set("If-Match", `"`+strings.Trim(p.IfMatch, `"`)+`"`)
	}
	if p.IfNoneMatch {
		r.Header.Set("If-None-Match", "*")
	}
	if p.Key != "" {
		r.Header.Set("Idempotency-Key", `"`+p.Key+`"`)
	}
	resp, err := c.fetch(ctx, r, http.StatusOK, http.StatusCreated)
	if err != nil {
		return api.UploadResult{}, err
	}
	defer resp.Body.Close()
	var made api.UploadResult
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil {
		return made, strange(err)
	}
	if sent := hex.EncodeToString(sum.Sum(nil)); !p.Append && made.Etag != sent {
		return made, errs.New(errs.Unavailable, "%s has other contents than were sent", p.Path)
	}
	made.Replayed = resp.Header.Get("Idempotency-Replayed") == "true"
	return made, nil
}

// Download writes the contents of a file to out as they arrive: of any length, in little memory. It returns how many bytes it wrote; it
// is an error when they are not all, or not those that the file's etag names.
func (c *Client) Download(ctx context.Context, path string, out io.Writer) (int64, error) {
	r, err := c.transfer(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.fetch(ctx, r, http.StatusOK)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(out, io.TeeReader(resp.Body, sum))
	if err != nil {
		return n, unreached(ctx, err)
	}
	etag := resp.Header.Get("ETag") // a weak one is of masked contents
	if named := `"` + hex.EncodeToString(sum.Sum(nil)) + `"`; !strings.HasPrefix(etag, "W/") && etag != named {
		return n, errs.New(errs.Unavailable, "%s arrived with other contents than it has", path)
	}
	return n, nil
}

func (c *Client) transfer(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	var at strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		at.WriteString("/" + url.PathEscape(part))
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+filesPrefix+at.String(), body)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the request cannot be made").Because(err)
	}
	r.Header = c.header()
	r.Header.Del("Content-Type")
	r.Header.Del("X-Nexus-Dialect")
	return r, nil
}

// fetch sends r and returns an answer of one of the statuses. The caller closes its body.
func (c *Client) fetch(ctx context.Context, r *http.Request, statuses ...int) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, unreached(ctx, err)
	}
	for _, s := range statuses {
		if resp.StatusCode == s {
			return resp, nil
		}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, unreached(ctx, err)
	}
	return nil, fromProblem(resp.StatusCode, text)
}

// fromProblem returns the error of an answer as RFC 9457 writes it.
func fromProblem(status int, answer []byte) error {
	var all map[string]any
	if json.Unmarshal(answer, &all) != nil {
		return fromStatus(status, nil)
	}
	text := func(member string) string {
		s, _ := all[member].(string)
		delete(all, member)
		return s
	}
	e := &errs.Error{Text: text("detail"), Reason: errs.Reason(text("reason"))}
	kind, ok := kindNamed(strings.TrimPrefix(text("type"), "urn:nexus:problem:"))
	if !ok {
		return fromStatus(status, nil)
	}
	e.Kind = kind
	text("title")
	for member, value := range all {
		if s, ok := value.(string); ok {
			e = e.With(member, s)
		}
	}
	return e
}

// IsTooLong reports whether err says that contents are too long for a call: Upload and Download carry any length.
func IsTooLong(err error) bool {
	var e *errs.Error
	return errors.As(err, &e) && e.Reason == errs.BodyTooLarge
}
