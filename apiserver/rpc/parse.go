package rpc

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"nexus/internal/errs"
)

// call is one request of a body. Its slices point into the body.
type call struct {
	id      []byte // as it was sent; nil when there is none
	method  string
	params  json.RawMessage
	problem error // why it cannot be dispatched
}

// notification reports whether the call wants no answer. One that cannot be understood gets its answer.
func (c *call) notification() bool { return c.id == nil && c.problem == nil }

// parse returns the calls in body, and whether it is a batch.
func parse(body []byte, url urlMethod) (calls []call, batch bool, err error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil, false, invalid("the body is empty")
	case !utf8.Valid(body) || !json.Valid(body):
		return nil, false, errs.New(errs.Invalid, "the body is not valid JSON").Marked(errs.ParseFailed)
	case depth(body) > maxDepth:
		return nil, false, invalid("the body is nested deeper than %d", maxDepth)
	case body[0] != '[':
		return []call{parseCall(body, url)}, false, nil
	}
	items := elements(body, maxBatch+1)
	switch {
	case len(items) == 0:
		return nil, true, invalid("the batch is empty")
	case len(items) > maxBatch:
		return nil, true, invalid("the batch has more than %d requests", maxBatch)
	}
	calls = make([]call, len(items))
	for i, item := range items {
		calls[i] = parseCall(item, url)
	}
	return calls, true, nil
}

// parseCall reads one request; raw is valid JSON.
func parseCall(raw []byte, url urlMethod) (c call) {
	if raw[0] != '{' {
		return call{problem: invalid("a request must be an object")}
	}
	var version, method []byte
	twice := false
	members(raw, func(name, value []byte) {
		var into *[]byte
		switch string(name) {
		case "jsonrpc":
			into = &version
		case "id":
			into = &c.id
		case "method":
			into = &method
		case "params":
			into = (*[]byte)(&c.params)
		default:
			return
		}
		twice = twice || *into != nil
		*into = value
	})
	c.problem = c.check(version, twice)
	if c.problem == nil {
		c.method, c.problem = choose(method, url)
	}
	return c
}

// check returns what is wrong with the members of a request other than its method. An id that cannot be echoed is dropped.
func (c *call) check(version []byte, twice bool) error {
	id := c.id
	if !echoes(id) {
		c.id = nil
	}
	switch {
	case twice:
		return invalid("a member of the request stands in it twice")
	case version != nil && string(version) != `"2.0"`:
		return invalid(`jsonrpc must be "2.0"`)
	case !echoes(id):
		return invalid("id must be a string or a number of at most %d bytes, or null", maxID)
	}
	return nil
}

// echoes reports whether id is nothing, a string, a number or null.
func echoes(id []byte) bool {
	if len(id) == 0 {
		return true
	}
	switch id[0] {
	case '{', '[', 't', 'f':
		return false
	}
	return len(id) <= maxID
}

// choose returns the method: the body's, or the URL's where the body has none. They must not differ.
func choose(raw []byte, url urlMethod) (string, error) {
	if url.given && (url.name == "" || strings.Contains(url.name, "/")) {
		return "", invalid("the path names no method")
	}
	if raw == nil {
		if url.name == "" {
			return "", invalid("the request names no method")
		}
		return url.name, nil
	}
	var method string
	if raw[0] != '"' || json.Unmarshal(raw, &method) != nil {
		return "", invalid("method must be a string")
	}
	if url.given && url.name != method {
		return "", invalid("the method of the URL and that of the body differ")
	}
	return method, nil
}

func invalid(format string, args ...any) *errs.Error {
	return errs.New(errs.Invalid, format, args...).Marked(errs.InvalidRequest)
}
