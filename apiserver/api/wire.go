// Package api holds the contracts of every operation: names, parameters, results, words. It has no behaviour and knows no
// storage. To add an operation, declare it beside its noun and list it in All.
package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"nexus/internal/errs"
	"nexus/internal/paths"
)

// Bytes is binary data in the typed form {"__type__":"bytes","data":"<base64>"}. A plain string is refused.
type Bytes []byte

// WireType names the form for help texts.
func (Bytes) WireType() string { return "bytes" }

// MarshalJSON writes the typed form.
func (b Bytes) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, len(bytesHead)+base64.StdEncoding.EncodedLen(len(b))+len(bytesTail))
	out = append(out, bytesHead...)
	out = base64.StdEncoding.AppendEncode(out, b)
	return append(out, bytesTail...), nil
}

// UnmarshalJSON reads the typed form.
func (b *Bytes) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return errs.New(errs.Invalid, "Strings must be encoded before hashing")
	}
	if data, ok := plainBytes(raw); ok {
		*b = data
		return nil
	}
	var typed struct {
		Type string `json:"__type__"`
		Data string `json:"data"`
	}
	if err := json.Unmarshal(raw, &typed); err != nil || typed.Type != "bytes" {
		return errs.New(errs.Invalid, `bytes must be {"__type__":"bytes","data":"<base64>"}`)
	}
	data, err := base64.StdEncoding.DecodeString(typed.Data)
	if err != nil {
		return errs.New(errs.Invalid, "bytes are not valid base64").Because(err)
	}
	*b = data
	return nil
}

// plainBytes reads the form as MarshalJSON writes it, without taking the object apart. Base64 has no byte that JSON escapes.
func plainBytes(raw []byte) ([]byte, bool) {
	text, ok := bytes.CutPrefix(raw, []byte(bytesHead))
	if !ok {
		return nil, false
	}
	if text, ok = bytes.CutSuffix(text, []byte(bytesTail)); !ok {
		return nil, false
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(data, text)
	return data[:n], err == nil
}

const bytesHead, bytesTail = `{"__type__":"bytes","data":"`, `"}`

// Time is an instant: written as RFC 3339 in UTC with Z, read from that or from {"__type__":"datetime","data":"…"}.
type Time struct{ time.Time }

// WireType names the form for help texts.
func (Time) WireType() string { return "datetime" }

// MarshalJSON writes microseconds at the most, and null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().Truncate(time.Microsecond).AppendFormat(nil, `"2006-01-02T15:04:05.999999Z"`), nil
}

// UnmarshalJSON reads either form; a time without offset is UTC.
func (t *Time) UnmarshalJSON(raw []byte) error {
	text, typed := "", struct{ Data string }{}
	switch {
	case string(raw) == "null":
		*t = Time{}
		return nil
	case json.Unmarshal(raw, &text) == nil:
	case json.Unmarshal(raw, &typed) == nil && typed.Data != "":
		text = typed.Data
	default:
		return errs.New(errs.Invalid, "a time must be ISO 8601")
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if parsed, err := time.Parse(layout, text); err == nil {
			*t = Time{parsed.UTC()}
			return nil
		}
	}
	return errs.New(errs.Invalid, "time %q is not ISO 8601", text)
}

// Ref is an object or a subject on the wire: [type, id], or [type, id, relation] for a subject set.
type Ref []string

// WireType names the form for help texts.
func (Ref) WireType() string { return "tuple[type, id]" }

// UnmarshalJSON reads two or three non-empty strings; null is no reference.
func (r *Ref) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*r = nil
		return nil
	}
	var parts []string
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) < 2 || len(parts) > 3 {
		return errs.New(errs.Invalid, "a subject or object must be [type, id] or [type, id, relation]")
	}
	for _, p := range parts {
		if p == "" {
			return errs.New(errs.Invalid, "a subject or object has an empty part")
		}
	}
	*r = parts
	return nil
}

// String returns type:id, for the record.
func (r Ref) String() string {
	if len(r) == 3 {
		return r[0] + ":" + r[1] + "#" + r[2]
	}
	return strings.Join(r, ":")
}

// Type returns the definition.
func (r Ref) Type() string { return r[0] }

// ID returns the name within it.
func (r Ref) ID() string { return r[1] }

// Relation returns the subject's relation, or "".
func (r Ref) Relation() string {
	if len(r) < 3 {
		return ""
	}
	return r[2]
}

// clean brings a file object's path into its one form; other objects stay as they are. "workspace" is another word for file.
func (r Ref) clean() error {
	if len(r) == 0 {
		return nil
	}
	if r[0] != "file" && r[0] != "workspace" {
		return noWildcard(r[1])
	}
	p, err := paths.Clean(r[1])
	if err != nil {
		return err
	}
	r[0], r[1] = "file", p
	return nil
}

// noWildcard refuses the name that means everybody elsewhere: here it would be one strange person, and not what was meant.
func noWildcard(name string) error {
	if name == "*" {
		return errs.New(errs.Invalid, "there is no wildcard: relate [tenant, NAME, access] to mean everybody").Marked(errs.NotValid)
	}
	return nil
}

// Success is the answer of an operation that has nothing to tell.
type Success struct {
	Success bool `json:"success"`
}
