package rpc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzWalk compares what the walk cuts with what encoding/json decodes.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[1,{"c":"}"}],"c":"\\\"","d":{},"e":[],"f":null,"g":true,"h":-1.5e3}`, `{ }`, `{"a" : 1 , "b":2}`,
		`[1, 2,[3],"]",{"a":[]},null]`, `[ ]`, `["\\"]`, `{"\u0061":1,"":2}`, `{"x":"\\\\\"","y":"\\"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		if !json.Valid(raw) {
			return
		}
		if got, want := depth(raw), slowDepth(t, raw); got != want {
			t.Fatalf("depth(%s) = %d, want %d", raw, got, want)
		}
		switch raw[0] {
		case '{':
			sameMembers(t, raw)
		case '[':
			sameElements(t, raw)
		}
	})
}

func sameMembers(t *testing.T, raw []byte) {
	var want map[string]json.RawMessage
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]json.RawMessage{}
	members(raw, func(name, value []byte) { got[strings.ToValidUTF8(string(name), "\ufffd")] = value })
	if len(want) == 0 && len(got) == 0 {
		return
	}
	for name, value := range want {
		// encoding/json turns each wrong byte of a name into one replacement; the face refuses such bodies before.
		if g, ok := got[name]; !ok && !strings.ContainsRune(name, '\ufffd') || ok && !bytes.Equal(g, value) {
			t.Fatalf("member %q of %s = %s, want %s", name, raw, g, value)
		}
	}
}

func sameElements(t *testing.T, raw []byte) {
	var want []json.RawMessage
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	got := elements(raw, len(want)+1)
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", raw, len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("element %d of %s = %s, want %s", i, raw, got[i], want[i])
		}
	}
}

func slowDepth(t *testing.T, raw []byte) int {
	d := json.NewDecoder(bytes.NewReader(raw))
	deepest, now := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			deepest = max(deepest, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

func TestElementsStopsAtItsBound(t *testing.T) {
	if got := elements([]byte(`[1,2,3]`), 2); !reflect.DeepEqual(got, [][]byte{[]byte("1"), []byte("2")}) {
		t.Errorf("two elements of three = %s", got)
	}
}
