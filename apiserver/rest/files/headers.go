package files

import (
	"net/http"
	"strings"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

// appendType is the one type of a PATCH: bytes that come behind those that are there.
const appendType = "application/octet-stream"

// conditions reads what a write depends on. What cannot be honoured is refused, because ignoring it would overwrite what the caller
// wants to keep.
func conditions(r *http.Request) (p api.UploadParams, err error) {
	for _, header := range []string{"Content-Range", "If-Unmodified-Since", "If-Modified-Since", "If-Range", "Range"} {
		if len(r.Header.Values(header)) > 0 {
			return p, errs.New(errs.Invalid, "header %s is not served with %s", header, r.Method)
		}
	}
	if r.URL.RawQuery != "" {
		return p, errs.New(errs.Invalid, "a %s takes no query: PATCH appends, PUT replaces", r.Method)
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return p, errs.New(errs.Invalid, "contents are stored as they are sent: Content-Encoding %q is not served", coding).Marked(errs.MediaType)
	}
	if p.IfMatch, err = etag(r.Header, "If-Match"); err != nil {
		return p, err
	}
	none, err := single(r.Header, "If-None-Match")
	if err != nil {
		return p, err
	}
	if none != "" && none != api.AnyEtag {
		return p, errs.New(errs.Invalid, "a %s takes no If-None-Match but *", r.Method)
	}
	p.IfNoneMatch = none != ""
	key, err := single(r.Header, "Idempotency-Key")
	p.Key = strings.Trim(key, `"`)
	if err == nil && key != "" && p.Key == "" {
		err = errs.New(errs.Invalid, "the Idempotency-Key is empty")
	}
	return p, err
}

// etag returns the etag that a header names, without quotes; a weak one as it stands: it equals none, as RFC 9110 says.
func etag(h http.Header, name string) (string, error) {
	value, err := single(h, name)
	if err != nil || value == "" || value == api.AnyEtag || strings.HasPrefix(value, "W/") {
		return value, err
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
	if bare == "" || strings.ContainsAny(bare, `", `) {
		return "", errs.New(errs.Invalid, "%s takes one etag", name)
	}
	return bare, nil
}

// single returns the value of a header that may be given once.
func single(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", errs.New(errs.Invalid, "header %s is given twice", name)
	case strings.TrimSpace(values[0]) == "":
		return "", errs.New(errs.Invalid, "header %s is empty", name)
	}
	return strings.TrimSpace(values[0]), nil
}
