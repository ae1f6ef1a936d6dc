package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"nexus/internal/errs"
)

// request and response are the envelopes of JSON-RPC 2.0.
type request struct {
	Version string `json:"jsonrpc"`
	ID      int64  `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

type response struct {
	ID     *int64          `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *problem        `json:"error"`
}

type problem struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (r response) outcome() (json.RawMessage, error) {
	if r.Error != nil {
		return nil, r.Error.err()
	}
	if r.Result == nil {
		r.Result = json.RawMessage("null")
	}
	return r.Result, nil
}

// err returns the error that the server meant.
func (p *problem) err() error {
	e := &errs.Error{Kind: kindOf(p.Code), Text: p.Message}
	var fields map[string]string
	if json.Unmarshal(p.Data, &fields) != nil {
		return e // the data of another server
	}
	if kind, ok := kindNamed(fields["kind"]); ok {
		e.Kind = kind
	}
	e.Reason = errs.Reason(fields["reason"])
	delete(fields, "kind")
	delete(fields, "reason")
	if len(fields) > 0 {
		e.Fields = fields
	}
	return e
}

// kindOf returns the kind that a JSON-RPC code means when nothing else is known.
func kindOf(code int) errs.Kind {
	switch code {
	case -32700, -32600, -32002: // have no kind of their own
		return errs.Invalid
	}
	for _, k := range errs.Kinds() {
		if k.RPC() == code {
			return k
		}
	}
	return errs.Internal
}

func kindNamed(name string) (errs.Kind, bool) {
	for _, k := range errs.Kinds() {
		if k.String() == name {
			return k, true
		}
	}
	return errs.Internal, false
}

// fromStatus returns the error of an answer that is no JSON-RPC: of a plain route, or of something between here and the server.
func fromStatus(status int, answer []byte) error {
	var plain struct{ Error, Message string }
	_ = json.Unmarshal(answer, &plain) // anything else says nothing
	if kind, ok := kindNamed(plain.Error); ok {
		return &errs.Error{Kind: kind, Text: plain.Message}
	}
	kind := errs.Unavailable
	for _, k := range errs.Kinds() {
		if k.HTTP() == status {
			kind = k
			break
		}
	}
	return errs.New(kind, "the server answered %d %s", status, http.StatusText(status))
}

// unreached returns the error of a request that got no answer.
func unreached(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errs.New(errs.Deadline, "no answer in time").Because(err)
	case ctx.Err() != nil:
		return errs.New(errs.Canceled, "the call was cancelled").Because(err)
	}
	return errs.New(errs.Unavailable, "the server cannot be reached").Because(err)
}

// strange returns the error of an answer that makes no sense.
func strange(err error) error {
	return errs.New(errs.Unavailable, "the answer is not that of a Nexus server").Because(fmt.Errorf("decode the answer: %w", err))
}
