package op

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"nexus/internal/errs"
)

// decode turns raw into *P: defaults, then what the caller sent, then the clean form. Parameters nobody knows are ignored:
// later clients send more of them.
func decode[P any](raw json.RawMessage) (*P, error) {
	p := new(P)
	if d, ok := any(p).(Defaulter); ok {
		d.Defaults()
	}
	if err := fill(raw, p); err != nil {
		return nil, err
	}
	if c, ok := any(p).(Cleaner); ok {
		if err := c.Clean(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func fill(raw json.RawMessage, p any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		raw = []byte("{}")
	}
	if raw[0] != '{' {
		return errs.New(errs.Invalid, "params must be an object")
	}
	err := json.Unmarshal(raw, p)
	if name := missing(raw, p); name != "" {
		return errs.New(errs.Invalid, "missing parameter: %s", name)
	}
	if err == nil {
		return nil
	}
	var own *errs.Error
	if errors.As(err, &own) {
		return own
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return errs.New(errs.Invalid, "parameter %s must not be a %s", wrong.Field, wrong.Value)
	}
	return errs.New(errs.Invalid, "params cannot be read").Because(err)
}

// missing returns a required parameter that the object raw, which was read into p, does not have or has as null. Only what
// came out as a zero value can be missing, so the object is looked at again in that case alone.
func missing(raw []byte, p any) string {
	v := reflect.ValueOf(p).Elem()
	var members map[string]json.RawMessage
	for _, f := range fieldsOf(v.Type()) {
		if !f.required || !v.FieldByIndex(f.index).IsZero() {
			continue
		}
		if members == nil {
			if members = membersOf(raw); members == nil {
				return ""
			}
		}
		if value, ok := members[f.name]; !ok || bytes.Equal(bytes.TrimSpace(value), []byte("null")) {
			return f.name
		}
	}
	return ""
}

// membersOf returns the members of the object raw; nil when it cannot be read.
func membersOf(raw []byte) (members map[string]json.RawMessage) {
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// field is a parameter and where it stands in its struct.
type field struct {
	name     string
	index    []int
	required bool
	audit    string
}

var knownFields sync.Map // reflect.Type → []field

func fieldsOf(t reflect.Type) []field {
	if known, ok := knownFields.Load(t); ok {
		return known.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" {
			fields = append(fields, field{name, f.Index, f.Tag.Get("need") == "required", f.Tag.Get("audit")})
		}
	}
	knownFields.Store(t, fields)
	return fields
}

// recorded returns what the record keeps of p: the tagged fields, and of those only what the tag allows. An untagged field
// is never recorded.
func recorded(p any) map[string]string {
	v := reflect.ValueOf(p).Elem()
	kept := map[string]string{}
	for _, f := range fieldsOf(v.Type()) {
		if value := v.FieldByIndex(f.index); f.audit != "" && !value.IsZero() {
			kept[f.name] = keep(f.audit, value)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

var stringType = reflect.TypeFor[string]()

func keep(tag string, v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch tag {
	case "plain":
		if v.Type() == stringType { // what most of them are
			return v.String()
		}
		return fmt.Sprint(v.Interface())
	case "hash":
		sum := sha256.Sum256(fmt.Append(nil, v.Interface()))
		return "sha256:" + hex.EncodeToString(sum[:])
	case "count":
		return fmt.Sprint(v.Len())
	}
	return ""
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || f.Anonymous {
		return ""
	}
	return name
}
