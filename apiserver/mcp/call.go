package mcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// handle returns what runs when the tool of o is called. Whatever goes wrong with the operation is a result that the model
// reads, not an error of the protocol.
func (f *Face) handle(o *op.Operation) sdk.ToolHandler {
	return func(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		req, ok := requestOf(call)
		if !ok {
			return nil, errs.New(errs.Internal, "a call of %s came without its request", o.Name)
		}
		// The SDK's context is that of the session, which outlives the request. An answer that has nowhere to go is not worked on.
		ctx, cancel := context.WithTimeout(authn.WithRequestID(ctx, req.who.Via.Request), f.config.Timeout)
		defer cancel()
		defer context.AfterFunc(req.ctx, cancel)()

		start := time.Now()
		result, err := run(ctx, o, req, call.Params.Arguments)
		err = f.classify(ctx, err)
		f.config.Observe(o.Name, err, time.Since(start))
		if err != nil {
			return f.failed(ctx, o, req, call.Params.Arguments, errs.From(err)), nil
		}
		return result, nil
	}
}

// requestOf returns the HTTP request that a call came with.
func requestOf(call *sdk.CallToolRequest) (*request, bool) {
	if call.Extra == nil || call.Extra.TokenInfo == nil {
		return nil, false
	}
	req, ok := call.Extra.TokenInfo.Extra[extra].(*request)
	return req, ok
}

// run invokes the operation. A panic in it is an internal error: what one call does must not end the server.
func run(ctx context.Context, o *op.Operation, req *request, arguments json.RawMessage) (result *sdk.CallToolResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errs.New(errs.Internal, "").Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	arguments, err = typed(o, arguments)
	if err != nil {
		return nil, err
	}
	value, err := o.Invoke(ctx, req.who, arguments)
	if err != nil {
		return nil, err
	}
	return form(o.Name, arguments, value)
}

// typed returns the arguments with every text in place of bytes in the typed form, which operations take.
func typed(o *op.Operation, arguments json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	for _, p := range op.Params(o.Params) {
		if p.Type != "bytes" {
			continue
		}
		if members == nil && json.Unmarshal(arguments, &members) != nil {
			return arguments, nil // not an object: the operation says so
		}
		var text string
		if value := members[p.Name]; len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
			members[p.Name] = json.RawMessage(`{"__type__":"bytes","data":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"}`)
		}
	}
	if members == nil {
		return arguments, nil
	}
	return json.Marshal(members)
}

// classify gives an error its kind where the call's own end is behind it.
func (f *Face) classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	switch kind := errs.KindOf(err); {
	case kind != errs.Internal && kind != errs.Unavailable:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errs.New(errs.Deadline, "the call took longer than %s", f.config.Timeout).Because(err)
	}
	return errs.New(errs.Canceled, "the caller went away").Because(err)
}

// failure is what a model's program reads of a call that went wrong.
type failure struct {
	Error   told     `json:"error"`
	Missing *missing `json:"missing,omitempty"`
}

type told struct {
	Code    int               `json:"code"` // as JSON-RPC has it elsewhere
	Kind    string            `json:"kind"`
	Message string            `json:"message"`
	Data    map[string]string `json:"data,omitempty"`
}

// failed is the result of a call that went wrong. What a refusal says is made from the call alone.
func (f *Face) failed(ctx context.Context, o *op.Operation, req *request, arguments json.RawMessage, e *errs.Error) *sdk.CallToolResult {
	data := errs.Data(e)
	out := failure{Error: told{Code: errs.RPC(e), Kind: e.Kind.String(), Data: data}}
	out.Error.Message = f.account(ctx, o.Name, e, data)
	text := out.Error.Message
	if e.Kind == errs.Denied && e.Reason != errs.ScopeMissing {
		if out.Missing = whatIsMissing(o, req.who, arguments); out.Missing != nil {
			text += "\n" + out.Missing.text()
		}
	}
	return &sdk.CallToolResult{IsError: true, StructuredContent: out, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}
