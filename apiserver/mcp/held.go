package mcp

import (
	"net/http"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/internal/errs"
)

// How much one key, and all of them, may keep open at once.
const (
	keySessions = 64
	allSessions = 4096
	keyStreams  = 16
)

// held counts what outlives a request, or makes one last: sessions and streams. It is safe for concurrent use.
type held struct {
	server *sdk.Server

	mu       sync.Mutex        // guards what follows
	sessions map[string]string // id → key
	opening  map[string]int    // key → sessions on their way
	streams  map[string]int    // key → streams
}

func newHeld(s *sdk.Server) *held {
	return &held{server: s, sessions: map[string]string{}, opening: map[string]int{}, streams: map[string]int{}}
}

// hold takes room for what a request opens. release gives it back, or keeps the session that the answer's header names.
func (f *Face) hold(r *http.Request, req *request) (release func(http.Header), err error) {
	key := req.who.Via.Key
	switch {
	case req.streams(r):
		return f.held.stream(key)
	case req.message.method == "initialize" && !req.message.stateless(r) && r.Header.Get(sessionHeader) == "":
		return f.held.session(key)
	}
	return func(http.Header) {}, nil
}

const sessionHeader = "Mcp-Session-Id"

func (h *held) stream(key string) (func(http.Header), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[key] >= keyStreams {
		return nil, crowded("streams", keyStreams)
	}
	h.streams[key]++
	return func(http.Header) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.streams[key]--; h.streams[key] == 0 {
			delete(h.streams, key)
		}
	}, nil
}

func (h *held) session(key string) (func(http.Header), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget()
	own, all := h.opening[key], len(h.sessions)
	for _, k := range h.sessions {
		if k == key {
			own++
		}
	}
	for _, n := range h.opening {
		all += n
	}
	if own >= keySessions || all >= allSessions {
		return nil, crowded("sessions", keySessions)
	}
	h.opening[key]++
	return func(answer http.Header) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.opening[key]--; h.opening[key] == 0 {
			delete(h.opening, key)
		}
		if id := answer.Get(sessionHeader); id != "" {
			h.sessions[id] = key
		}
	}, nil
}

// forget drops the sessions that have ended. Callers hold mu.
func (h *held) forget() {
	live := make(map[string]bool, len(h.sessions))
	for s := range h.server.Sessions() {
		live[s.ID()] = true
	}
	for id := range h.sessions {
		if !live[id] {
			delete(h.sessions, id)
		}
	}
}

func crowded(what string, n int) error {
	return errs.New(errs.Exhausted, "too many %s at once: a key may hold %d", what, n).Marked(errs.RateLimited).With("retry_after", "1")
}
