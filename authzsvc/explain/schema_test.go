package explain_test

import (
	"slices"
	"testing"

	"nexus/authzsvc/explain"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/schema"
)

// product returns the product's schema as data.
func product(t *testing.T) *explain.Schema {
	t.Helper()
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), schema.Text, spice.Options{})
	s, err := f.Schema(t.Context(), f.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDirectRelationsOfProductPermissions(t *testing.T) {
	s := product(t)
	for _, c := range []struct {
		definition, permission string
		want                   []string
	}{
		{"file", "read", []string{"direct_editor", "direct_owner", "direct_viewer"}},
		{"file", "write", []string{"direct_editor", "direct_owner"}},
		{"file", "delete", []string{"direct_owner"}},
		{"file", "direct_viewer", []string{"direct_viewer"}},
		{"tenant", "access", []string{"admin", "agent", "member"}},
		{"agent", "view", []string{"identity", "owner"}},
		{"file", "fly", nil},
		{"ghost", "read", nil},
	} {
		if got := s.Direct(c.definition, c.permission); !slices.Equal(got, c.want) {
			t.Errorf("Direct(%s, %s) = %v, want %v", c.definition, c.permission, got, c.want)
		}
	}
}

func TestHoldersOfProductPermissions(t *testing.T) {
	s := product(t)
	want := []explain.SubjectType{
		{Type: "agent"}, {Type: "key"}, {Type: "user"},
		{Type: "group", Relation: "member"}, {Type: "tenant", Relation: "access"}, {Type: "tenant", Relation: "administer"},
	}
	got := s.Holders("file", "read")
	slices.SortStableFunc(got, func(a, b explain.SubjectType) int { return len(a.Relation) - len(b.Relation) })
	slices.SortStableFunc(want, func(a, b explain.SubjectType) int { return len(a.Relation) - len(b.Relation) })
	if !slices.Equal(got, want) {
		t.Errorf("Holders(file, read) = %v, want %v", got, want)
	}
}

func TestSharingPermissionOfEachDefinition(t *testing.T) {
	s := product(t)
	for definition, want := range map[string]string{
		"file": "share", "group": "manage", "agent": "manage", "tenant": "administer", "platform": "administer", "user": "", "ghost": "",
	} {
		if got := s.Sharing(definition); got != want {
			t.Errorf("Sharing(%s) = %q, want %q", definition, got, want)
		}
	}
}

func TestJointPermissionHasNoSingleWay(t *testing.T) {
	s := &explain.Schema{Definitions: map[string]*explain.Definition{"box": {
		Relations: map[string][]explain.SubjectType{"owner": {{Type: "user"}}, "cleared": {{Type: "user"}}},
		Permissions: map[string]explain.Term{
			"open": {Op: explain.Intersection, Terms: []explain.Term{{Op: explain.Same, Name: "owner"}, {Op: explain.Same, Name: "cleared"}}},
		},
	}}}
	if got := s.Direct("box", "open"); len(got) != 0 || !s.Joint("box", "open") {
		t.Errorf("Direct(open) = %v, joint %t, want none of a joint permission", got, s.Joint("box", "open"))
	}
}
