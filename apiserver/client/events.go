package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

// maxEvent is the longest line of an event that is read, in bytes.
const maxEvent = 1 << 20

// Follow calls f for each event of the stream that p asks for, until f returns an error, ctx ends, or the server ends the
// stream. It does not come back by itself: call it again with the id of the last event as p.After. A stream that the server
// ended because it stops, or that was cut off, is errs.Unavailable.
func (c *Client) Follow(ctx context.Context, p api.EventsParams, f func(api.Event) error) error {
	query := url.Values{"path": {p.Path}}
	if p.After != "" {
		query.Set("after", p.After)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+api.Follow.Get+"?"+query.Encode(), nil)
	if err != nil {
		return errs.New(errs.Invalid, "the request cannot be made").Because(err)
	}
	r.Header = c.header()
	resp, err := c.http.Do(r)
	if err != nil {
		return unreached(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxEvent))
		if err != nil {
			return unreached(ctx, err)
		}
		return fromStatus(resp.StatusCode, answer)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	for id := ""; lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			if err := told(id, value, f); err != nil {
				return err
			}
			id = ""
		}
	}
	if err := lines.Err(); err != nil {
		return unreached(ctx, err)
	}
	return unreached(ctx, io.ErrUnexpectedEOF)
}

// told hands one event to f. The last one is the error that it tells of.
func told(id, data string, f func(api.Event) error) error {
	e := api.Event{ID: id}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return strange(errors.New("an event that is none"))
	}
	if e.Kind != api.EventEnd {
		return f(e)
	}
	kind, known := kindNamed(e.Error)
	if !known {
		kind = errs.Unavailable
	}
	return errs.New(kind, "%s", e.Message)
}
