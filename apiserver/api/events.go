package api

import (
	"nexus/apiserver/op"
	"nexus/internal/paths"
)

// EventsParams are those of events.follow.
type EventsParams struct {
	Path  string `json:"path" audit:"plain" doc:"only what changes at or below this (default: /)"`
	After string `json:"after" doc:"id of the last event that was seen: what came behind it is sent first; without it, what happens from now on"`
}

// Defaults follows the whole tree.
func (p *EventsParams) Defaults() { p.Path = paths.Root }

// Clean brings the path into the form used inside.
func (p *EventsParams) Clean() (err error) {
	p.Path, err = paths.Clean(p.Path)
	return err
}

// The kinds of events. Those of changes are created, written, moved, deleted and reworked; a folder's stands for all in it.
const (
	EventReady = "ready" // the stream stands; what happens from here on is sent
	EventPing  = "ping"  // nothing has happened that you may know of, and where to go on from has moved
	EventReset = "reset" // changes behind the id given are forgotten: list again, then go on from here
	EventEnd   = "end"   // the server ends the stream, and says why
)

// Event is one event of a stream.
type Event struct {
	ID      string `json:"-"` // to go on behind it; "" where one cannot
	Kind    string `json:"kind"`
	Path    string `json:"path,omitempty"`     // where it stands after the change; of something deleted, where it stood
	OldPath string `json:"old_path,omitempty"` // of something moved, where it stood before
	At      Time   `json:"at,omitzero"`        // of a change
	Error   string `json:"error,omitempty"`    // of an end: the kind of the error; "" when the server stops
	Message string `json:"message,omitempty"`  // of an end or a reset, for people
}

// Follow is the stream of what changes.
var Follow = &op.Contract[EventsParams, struct{}]{
	Sample: EventsParams{Path: "/sample"},
	Decl: op.Decl{
		Name: "events.follow", Get: "/api/events", Access: op.Reads, Prompt: true,
		Summary: "Follow what changes, as server-sent events.",
		Doc: "An event is sent only to who may read what it is about: what stands there, or the folder that something deleted or moved\n" +
			"away stood in. What you see by a grant of its own below folders that you may not read is not followed when those move.\n" +
			"Needs access to the tenant. The header Last-Event-ID is the parameter after.",
	},
}
