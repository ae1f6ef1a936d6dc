package rego

import (
	"context"
	"reflect"
	"strings"
	"testing"
)

// Whatever people call things: no panic, no error with the shipped rules, a key is a key under every folder, a list says what a single question
// says, and nothing is said against a person.
func FuzzInputNeverPermitsOnError(f *testing.F) {
	for _, name := range []string{
		"/a/id_rsa", "id_rsa\x00", "/a/\u202eyek.x", "/ä/ß/K.pem", "/\xff\xfe/.ssh/x", ".env\n", "İ.KEY", "a/../id_rsa", strings.Repeat("a/", 500), "[*]{}\"\\", "",
	} {
		f.Add("agent", name, "rest", "id")
	}
	b := load(f, shipped())
	f.Fuzz(func(t *testing.T, kind, name, rest, id string) {
		o := Object{Type: kind, Tenant: id, ID: id, Path: name, Name: name, Rest: rest}
		who := Principal{Base: Subject{Type: kind, ID: id, Tenant: id}, Actors: []Subject{{Type: "agent", ID: id}}, Key: id, Scopes: []string{id}}
		in := &Input{Principal: who, Operation: "files.read", Objects: []Object{o}, Context: Context{Tier: kind, Counts: map[string]int64{id: -1}}}
		v, err := b.Evaluate(context.Background(), in)
		if err != nil && !v.Refused {
			t.Fatalf("%q: permitted beside %v", name, err)
		}
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		list, err := b.EvaluateObjects(context.Background(), in, in.Objects)
		if err != nil || !reflect.DeepEqual(list[0], v) {
			t.Fatalf("%q: in a list %+v, %v, alone %+v", name, list[0], err, v)
		}
		if strings.HasSuffix(strings.ToLower(o.name(o.path())), ".pem") && !v.Refused {
			t.Fatalf("%q is not refused", o.path())
		}
		in.Principal = person()
		if v, err := b.Evaluate(context.Background(), in); err != nil || !reflect.DeepEqual(v, Verdict{}) {
			t.Fatalf("%q for a person = %+v, %v", name, v, err)
		}
	})
}

// Any text at all as a module is loaded or refused with an error.
func FuzzLoadNeverPanics(f *testing.F) {
	for _, text := range shipped() {
		f.Add(text)
	}
	for _, way := range manyWays {
		f.Add(way.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Load(context.Background(), map[string]string{"x.rego": text}, config())
		if (b == nil) == (err == nil) {
			t.Fatalf("Load = %v, %v", b, err)
		}
	})
}
