package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

// folder is where the schema and what is made of it stand.
var folder = filepath.Join("..", "..", "..", "schema")

func current(t *testing.T) []definition {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, source))
	if err != nil {
		t.Fatal(err)
	}
	defs, err := read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func TestGeneratedIsCurrent(t *testing.T) {
	want, err := generate(current(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, target))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not follow from %s: run go generate ./schema", target, source)
	}
}

// The golden file is for people: its diff shows what a change of the schema lets new subjects do.
func TestDefinitionsAreAsReviewed(t *testing.T) {
	var b strings.Builder
	for _, d := range current(t) {
		fmt.Fprintf(&b, "%s\n", d.Name)
		for _, r := range d.Relations {
			fmt.Fprintf(&b, "  relation   %-14s %s\n", r.Name, strings.Join(r.Subjects, " | "))
		}
		for _, p := range d.Permissions {
			fmt.Fprintf(&b, "  permission %s\n", p.Name)
		}
	}
	golden := filepath.Join(folder, "testdata", "definitions.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("definitions are\n%s\nwant\n%s", b.String(), want)
	}
}

func TestNoRelationAdmitsEverybody(t *testing.T) {
	for _, d := range current(t) {
		for _, r := range d.Relations {
			for _, s := range r.Subjects {
				if strings.Contains(s, ":*") {
					t.Errorf("%s#%s admits %s: everybody is tenant:T#access", d.Name, r.Name, s)
				}
			}
		}
	}
}

func TestWildcardsCaveatsAndExpiriesAreSeen(t *testing.T) {
	defs, err := read(`use expiration

caveat office(ip string) { ip == "home" }

definition user {}

definition doc {
	relation reader: user:* | user with office | user with office and expiration | doc#reader with expiration
}`)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(defs[1].Relations[0].Subjects, " | ")
	want := "user:* | user with office | user with office and expiration | doc#reader with expiration"
	if got != want {
		t.Errorf("subjects are %q, want %q", got, want)
	}
}

func TestUnknownDefinitionIsRefused(t *testing.T) {
	defs, err := read("definition planet {}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generate(defs); err == nil || !strings.Contains(err.Error(), "planet") {
		t.Errorf("generate = %v, want an error that names the definition", err)
	}
}

func TestBrokenSchemaIsRefused(t *testing.T) {
	for _, text := range []string{"definition {", "definition a { relation b: user ", "definition a {}\ndefinition a {}"} {
		if _, err := read(text); err == nil {
			t.Errorf("%q is read without an error", text)
		}
	}
}

func TestCommentsBecomeOneLine(t *testing.T) {
	defs, err := read(`
/**
 * a place
 *   of many lines
 */
definition user {
	// kept short
	relation friend: user
	/** who may
	    look */
	permission see = friend
}`)
	if err != nil {
		t.Fatal(err)
	}
	d := defs[0]
	for got, want := range map[string]string{
		d.Doc:                "a place of many lines",
		d.Relations[0].Doc:   "kept short",
		d.Permissions[0].Doc: "who may look",
	} {
		if got != want {
			t.Errorf("comment is %q, want %q", got, want)
		}
	}
}
