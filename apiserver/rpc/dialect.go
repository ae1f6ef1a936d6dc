package rpc

import (
	"net/http"
	"strings"

	"nexus/internal/errs"
)

// Dialect is the form of the answers that differ between nexus-rpc.txt and its Python client.
type Dialect uint8

// The dialects.
const (
	Auto     Dialect = iota // told apart for each call
	Document                // as nexus-rpc.txt shows them
	Client                  // as RemoteNexusFS reads them
)

// DialectHeader forces the dialect of a request: auto, document or client.
const DialectHeader = "X-Nexus-Dialect"

// ParseDialect returns the dialect of that name.
func ParseDialect(name string) (Dialect, error) {
	switch strings.ToLower(name) {
	case "auto":
		return Auto, nil
	case "document":
		return Document, nil
	case "client":
		return Client, nil
	}
	return Auto, errs.New(errs.Invalid, "no dialect %q: there are auto, document and client", name)
}

// String returns the dialect's name.
func (d Dialect) String() string { return [...]string{"auto", "document", "client"}[d] }

// tell notes what the headers say about the dialect.
func (s *session) tell(r *http.Request) error {
	s.forced = s.config.Dialect
	if name := r.Header.Get(DialectHeader); name != "" {
		forced, err := ParseDialect(name)
		if err != nil {
			return invalid("%s", errs.Public(err))
		}
		s.forced = forced
	}
	agent := r.UserAgent()
	s.python = (strings.HasPrefix(agent, "python-httpx/") || strings.HasPrefix(agent, "python-requests/")) &&
		r.Header.Get("Accept-Encoding") == "gzip"
	return nil
}

// dialect returns the dialect of the call with that id. The Python client is known by its headers and by ids that are UUIDs.
func (s *session) dialect(id []byte) Dialect {
	switch {
	case s.forced != Auto:
		return s.forced
	case s.python && isUUID(id):
		return Client
	}
	return Document
}

// isUUID reports whether id is a quoted UUID.
func isUUID(id []byte) bool {
	if len(id) != 38 {
		return false
	}
	for i, c := range id {
		switch i {
		case 0, 37:
			if c != '"' {
				return false
			}
		case 9, 14, 19, 24:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
