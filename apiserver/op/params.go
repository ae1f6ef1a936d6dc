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
	for _, name := range required(reflect.TypeOf(p).Elem()) {
		if !present(raw, name) {
			return errs.New(errs.Invalid, "missing parameter: %s", name)
		}
	}
	err := json.Unmarshal(raw, p)
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

// present reports whether the object raw has a member name that is not null.
func present(raw []byte, name string) bool {
	if !bytes.Contains(raw, []byte(`"`+name+`"`)) {
		return false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return true // the real decoding says what is wrong
	}
	value, ok := members[name]
	return ok && !bytes.Equal(bytes.TrimSpace(value), []byte("null"))
}

var requiredOf sync.Map // reflect.Type → []string

func required(t reflect.Type) []string {
	if known, ok := requiredOf.Load(t); ok {
		return known.([]string)
	}
	var names []string
	for _, p := range Params(t) {
		if p.Required {
			names = append(names, p.Name)
		}
	}
	requiredOf.Store(t, names)
	return names
}

// recorded returns what the record keeps of p: the tagged fields, and of those only what the tag allows. An untagged field
// is never recorded.
func recorded(p any) map[string]string {
	v := reflect.ValueOf(p).Elem()
	kept := map[string]string{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag, value := f.Tag.Get("audit"), v.FieldByIndex(f.Index)
		if tag == "" || value.IsZero() {
			continue
		}
		kept[jsonName(f)] = keep(tag, value)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

func keep(tag string, v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch tag {
	case "plain":
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
