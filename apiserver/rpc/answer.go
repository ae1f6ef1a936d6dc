package rpc

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strconv"

	"nexus/apiserver/authn"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// succeed writes the answer to a call whose operation returned result.
func (s *session) succeed(out *bytes.Buffer, c *call, operation string, result any) error {
	if form, ok := shapes[operation]; ok {
		shaped, err := form(ask{client: s.dialect(c.id) == Client, uuid: isUUID(c.id)}, result)
		if err != nil {
			return err
		}
		result = shaped
	}
	head(out, c.id)
	out.WriteString(`,"result":`)
	if err := encode(out, result); err != nil {
		return errs.New(errs.Internal, "").Because(err)
	}
	out.WriteByte('}')
	return nil
}

// hybridBytes are bytes in the typed form and in the document's at once.
type hybridBytes []byte

// appendTo appends the object by hand: contents are large, and need no escaping.
func (b hybridBytes) appendTo(dst []byte) []byte {
	dst = append(dst, `{"__type__":"bytes","data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	dst = append(dst, `","content":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, `","encoding":"base64"}`...)
}

// encode writes v as JSON. A slice that is nil is an empty list.
func encode(out *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		out.WriteString("null")
		return nil
	case bool:
		out.Write(strconv.AppendBool(out.AvailableBuffer(), v))
		return nil
	case hybridBytes:
		out.Grow(2*base64.StdEncoding.EncodedLen(len(v)) + 80)
		out.Write(v.appendTo(out.AvailableBuffer()))
		return nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice && r.IsNil() {
		out.WriteString("[]")
		return nil
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the encoder ends with a newline
	return nil
}

// fail writes the answer to a call that went wrong.
func (s *session) fail(ctx context.Context, out *bytes.Buffer, id []byte, operation string, err error) {
	e := errs.From(err)
	text, data := s.account(ctx, operation, e)
	head(out, id)
	out.WriteString(`,"error":`)
	_ = encode(out, problem{errs.RPC(e), text, data}) // of strings and a number
	out.WriteByte('}')
}

// account returns what the caller may know of e, and logs what is the server's fault. An internal error gets an id that
// stands in both.
func (s *session) account(ctx context.Context, operation string, e *errs.Error) (text string, data map[string]string) {
	text, data = errs.Public(e), errs.Data(e)
	switch e.Kind {
	case errs.Internal:
		incident := ids.New()
		s.log(ctx, operation).Error("operation failed", "error_id", incident, "error", e.Error())
		return text + " " + incident, map[string]string{"error_id": incident}
	case errs.Unavailable:
		s.log(ctx, operation).Warn("operation unavailable", "error", e.Error())
	case errs.Exhausted:
		s.limited(e)
	}
	return text, data
}

func (s *session) log(ctx context.Context, operation string) *slog.Logger {
	return s.config.Log.With("operation", operation, "request_id", authn.RequestID(ctx))
}

// problem is the error member of an answer.
type problem struct {
	Code    int               `json:"code"`
	Message string            `json:"message"`
	Data    map[string]string `json:"data,omitempty"`
}

// limited notes when a call that met a limit may come again.
func (s *session) limited(e *errs.Error) {
	seconds, err := strconv.ParseInt(e.Fields["retry_after"], 10, 64)
	if err == nil && seconds > s.retry.Load() {
		s.retry.Store(seconds)
	}
}

// classify gives an error its kind where the request's own end is behind it.
func (s *session) classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	kind := errs.KindOf(err)
	if kind != errs.Internal && kind != errs.Unavailable {
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errs.New(errs.Deadline, "the operation took longer than %s", s.config.Timeout).Because(err)
	case errors.Is(err, context.Canceled):
		return errs.New(errs.Canceled, "the caller went away").Because(err)
	}
	return err
}

// head writes what every answer begins with. An id that is not there is null.
func head(out *bytes.Buffer, id []byte) {
	out.WriteString(`{"jsonrpc":"2.0","id":`)
	if id == nil {
		out.WriteString("null")
		return
	}
	out.Write(id)
}
