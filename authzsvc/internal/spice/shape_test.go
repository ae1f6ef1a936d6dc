package spice_test

import (
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/internal/spice"
	"nexus/schema"
)

// shapeOf lets a definition stand on one line, which SpiceDB's language does not.
func shapeOf(t *testing.T, text string) cache.Shape {
	t.Helper()
	lines := strings.NewReplacer("{ ", "{\n", " }", "\n}", "; ", "\n").Replace(text)
	if text == schema.Text {
		lines = text
	}
	s, err := spice.ShapeOf(lines, "digest")
	if err != nil {
		t.Fatalf("ShapeOf: %v", err)
	}
	return s
}

func TestProductSchemaIsSoundThroughout(t *testing.T) {
	s := shapeOf(t, schema.Text)
	if s.Tree != "file" || s.Parent != "parent" || !slices.Equal(s.Up, []string{"link", "parent"}) {
		t.Errorf("tree %q by %q over %v, want file by parent over link and parent", s.Tree, s.Parent, s.Up)
	}
	if !slices.Contains(s.Groups, cache.Set{Type: "group", Relation: "member"}) {
		t.Errorf("groups %v lack group#member", s.Groups)
	}
	for _, want := range []string{"file#read", "file#write", "file#share", "file#delete", "file#execute", "tenant#access", "tenant#administer", "agent#act", "group#member"} {
		if !s.Sound[setNamed(want)] {
			t.Errorf("%s is not sound", want)
		}
	}
	for _, want := range []string{"file#read", "file#write", "file#delete", "tenant#access", "agent#view"} {
		if s.Unions[setNamed(want)] == nil {
			t.Errorf("%s is not taken apart", want)
		}
	}
}

func TestDeleteIsTakenApartIntoItsLeaves(t *testing.T) {
	leaves := shapeOf(t, schema.Text).Unions[setNamed("file#delete")]
	var got []string
	for _, l := range leaves {
		text := l.Relation
		if l.Through != "" {
			text += "->" + l.Through
		}
		got = append(got, text)
	}
	slices.Sort(got)
	want := []string{"direct_owner", "link->owner", "parent->editor", "parent->owner"}
	if !slices.Equal(got, want) {
		t.Errorf("leaves of delete are %v, want %v", got, want)
	}
}

const treeOfFiles = `
definition user {}
definition group { relation member: user | group#member }
definition file {
	relation parent: file
	relation viewer: user | group#member
	permission view = viewer + parent->view
	EXTRA
}
`

func TestWhatCannotBeProvenIsLeftOut(t *testing.T) {
	cases := map[string]struct {
		extra, more string
		unsound     string // a permission that must not be remembered
	}{
		"another type refers to the tree": {more: "definition album { relation item: file\n permission view = item->view }", unsound: "album#view"},
		"the tree over another type":      {extra: "relation album: album\n permission seen = album->view", more: "definition album { relation item: file\n permission view = item->view }", unsound: "file#seen"},
		"a set of the tree as subject":    {extra: "relation like: file#view\n permission seen = like", unsound: "file#seen"},
		"a wildcard":                      {extra: "relation anyone: user:*\n permission seen = anyone", unsound: "file#seen"},
		"a wildcard far away":             {extra: "relation club: club#all\n permission seen = club", more: "definition club { relation all: user:* }", unsound: "file#seen"},
		"a condition":                     {extra: "relation now: user with late\n permission seen = now", more: "caveat late(x int) { x > 1 }", unsound: "file#seen"},
		"a mixed way up":                  {extra: "relation over: file | user\n permission seen = over", unsound: "file#seen"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := shapeOf(t, strings.Replace(treeOfFiles, "EXTRA", c.extra, 1)+c.more)
			if s.Sound[setNamed(c.unsound)] || s.Unions[setNamed(c.unsound)] != nil {
				t.Errorf("%s is taken for sound", c.unsound)
			}
			if !s.Sound[setNamed("file#view")] || s.Unions[setNamed("file#view")] == nil {
				t.Errorf("file#view, which has nothing to do with it, is not sound")
			}
		})
	}
}

func TestOnlyUnionsAreTakenApart(t *testing.T) {
	cases := map[string]string{
		"intersection": "relation other: user\n permission seen = viewer & other",
		"exclusion":    "relation other: user\n permission seen = viewer - other",
		"all":          "permission seen = parent.all(view)",
		"below":        "relation other: user\n permission both = viewer & other\n permission seen = viewer + both",
	}
	for name, extra := range cases {
		t.Run(name, func(t *testing.T) {
			s := shapeOf(t, strings.Replace(treeOfFiles, "EXTRA", extra, 1))
			if !s.Sound[setNamed("file#seen")] {
				t.Error("is not sound, though nothing leaves the tree")
			}
			if s.Unions[setNamed("file#seen")] != nil {
				t.Error("is taken apart, though it is no union")
			}
		})
	}
}

func TestGroupsAdmitGroupsOnly(t *testing.T) {
	text := `
definition user {}
definition team { relation lead: user
	permission leads = lead }
definition group { relation member: user | group#member | mixed#member }
definition mixed { relation member: user | team#leads }
definition plain { relation member: user | plain#member }
definition file { relation parent: file
	relation viewer: group#member | plain#member
	permission view = viewer + parent->view }`
	if got := shapeOf(t, text).Groups; !slices.Equal(got, []cache.Set{{Type: "plain", Relation: "member"}}) {
		t.Errorf("groups are %v, want plain#member alone: the others lead to a permission", got)
	}
}

func TestSchemaWithoutTreeHasAShape(t *testing.T) {
	s := shapeOf(t, "definition user {}\ndefinition doc { relation reader: user\n permission read = reader }")
	if s.Tree != "" || !s.Sound[setNamed("doc#read")] {
		t.Errorf("tree %q, doc#read sound: %v", s.Tree, s.Sound[setNamed("doc#read")])
	}
}

func setNamed(text string) cache.Set {
	kind, relation, _ := strings.Cut(text, "#")
	return cache.Set{Type: kind, Relation: relation}
}
