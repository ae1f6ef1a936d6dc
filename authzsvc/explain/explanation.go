package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// Explanation is what one asker gets to know about the answer to one check.
type Explanation struct {
	Subject     Entity             `json:"subject"`
	Permission  string             `json:"permission"`
	Object      Entity             `json:"object"`
	At          relations.Revision `json:"revision,string"`
	Allowed     bool               `json:"allowed"`
	Incomplete  bool               `json:"incomplete,omitempty"`      // the engine gave up; the answer counts as a denial
	Context     []string           `json:"missing_context,omitempty"` // what a caveat would have to be told
	Cached      bool               `json:"cached"`                    // the answer itself came from a cache
	Reason      string             `json:"reason"`                    // one sentence
	Path        []Step             `json:"path"`                      // from the subject to the object; empty for a denial
	Partial     bool               `json:"partial,omitempty"`         // steps of the path are missing
	Paths       []*Branch          `json:"paths"`                     // all that was looked at
	Successful  *Branch            `json:"successful_path"`           // of Paths, only what holds; null for a denial
	Alternative *Alternative       `json:"alternative,omitempty"`     // for a denial: what would change it
}

// Step is one edge of a path: Subject stands in Relation to Object.
type Step struct {
	Subject         Entity `json:"subject"`
	SubjectRelation string `json:"subject_relation,omitempty"` // "member" when the subject is group:eng#member
	Relation        string `json:"relation"`
	Object          Entity `json:"object"`
}

// edge returns the relation for reading aloud: parent of.
func (s Step) edge() string {
	if s.Relation == hidden {
		return "related to"
	}
	return s.Relation + " of"
}

// Entity is an object or subject as the asker may see it: by type and the name people know it by, or as Hidden.
type Entity struct{ Type, Name string }

// Hidden stands in for what the asker may not see. Every hidden thing looks the same.
var Hidden = Entity{Type: hidden}

const hidden = "hidden"

// String returns type:name, or hidden.
func (e Entity) String() string {
	if e == Hidden {
		return hidden
	}
	return e.Type + ":" + e.Name
}

// words returns the entity for reading aloud: file /a/b.
func (e Entity) words() string {
	if e == Hidden {
		return "something hidden"
	}
	return e.Type + " " + e.Name
}

// MarshalJSON writes the pair [type, name].
func (e Entity) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{e.Type, e.Name}) }

// UnmarshalJSON reads the pair [type, name].
func (e *Entity) UnmarshalJSON(data []byte) error {
	var pair [2]string
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	e.Type, e.Name = pair[0], pair[1]
	return nil
}

// Asker is who gets the explanation. The zero Asker sees the question, which he asked, and nothing else.
type Asker struct {
	// Visible reports whether the asker may read r. Nil: nothing.
	Visible func(r authz.Ref) bool
	// Names returns the names that people know objects by, such as the paths of files. What it leaves out keeps the name
	// in its id. Nil: no names.
	Names func(ctx context.Context, refs []authz.Ref) map[authz.Ref]string
}

// Why explains an answer by the way the engine took.
func (a Asker) Why(ctx context.Context, t Trace) Explanation {
	return a.view(ctx, t, nil).explanation(t)
}

// WhyNot explains an answer like Why and, if it is a denial, adds which relations would allow it, and who could write them:
// sharers is the expansion of the permission s.Sharing(type) on the object. When the engine gave up it adds nothing, for
// nobody knows whether the subject lacks anything.
func (a Asker) WhyNot(ctx context.Context, t Trace, s *Schema, sharers []Subject) Explanation {
	v := a.view(ctx, t, sharers)
	e := v.explanation(t)
	if !t.Allowed && !t.Incomplete {
		e.Alternative = v.alternative(t, s, sharers)
	}
	return e
}

// view is an asker's sight of one trace.
type view struct {
	visible map[authz.Ref]bool
	names   map[authz.Ref]string
}

func (a Asker) view(ctx context.Context, t Trace, sharers []Subject) view {
	asked := map[authz.Ref]bool{t.Subject: true, t.Check.Object(): true} // the asker named them
	v := view{visible: map[authz.Ref]bool{}}
	var shown []authz.Ref
	for _, r := range Mentioned(t, sharers) {
		if asked[r] || a.Visible != nil && a.Visible(r) {
			v.visible[r] = true
			shown = append(shown, r)
		}
	}
	if a.Names != nil {
		v.names = a.Names(ctx, shown)
	}
	return v
}

func (v view) entity(r authz.Ref) Entity {
	if !v.visible[r] {
		return Hidden
	}
	if name, ok := v.names[r]; ok {
		return Entity{schema.TypeName(r.Type), name}
	}
	return Entity{schema.TypeName(r.Type), schema.NameOf(r)}
}

func (v view) explanation(t Trace) Explanation {
	e := Explanation{
		Subject: v.entity(t.Subject), Permission: t.Check.Permission, Object: v.entity(t.Check.Object()),
		At: t.At, Allowed: t.Allowed, Incomplete: t.Incomplete, Path: []Step{}, Paths: []*Branch{},
	}
	if t.Root != nil {
		e.Cached, e.Context = t.Root.Cached, missing(t.Root)
		e.Paths = append(e.Paths, v.branch(t.Root, e.Subject, everything))
	}
	if t.Allowed {
		e.Path, e.Partial = v.steps(t)
		e.Successful = v.branch(t.Root, e.Subject, successes)
	}
	e.Reason = reason(e)
	return e
}

// steps returns the path as the asker may see it. Of a stretch that is hidden from him, its two ends are left.
func (v view) steps(t Trace) (shown []Step, partial bool) {
	steps, whole := path(t)
	shown = make([]Step, 0, len(steps))
	for _, s := range steps {
		if next := v.step(s); next.Subject != Hidden || next.Object != Hidden {
			shown = append(shown, next)
		}
	}
	return shown, !whole
}

// step hides with an object what it says about others, and with a subject what it is to the object's group.
func (v view) step(s step) Step {
	out := Step{Subject: v.entity(s.subject.Ref), SubjectRelation: s.subject.Relation, Relation: s.relation, Object: v.entity(s.object)}
	if out.Subject == Hidden {
		out.SubjectRelation = ""
	}
	if out.Object == Hidden {
		out.Relation = hidden
	}
	return out
}

// missing returns what caveats would have to be told, of all nodes, without repetition.
func missing(root *Node) []string {
	var names []string
	seen := map[string]bool{}
	root.each(func(n *Node) {
		for _, name := range n.Missing {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	})
	return names
}

// reason says the answer in one sentence.
func reason(e Explanation) string {
	question := fmt.Sprintf("%s on %s", e.Permission, e.Object)
	switch {
	case e.Allowed && len(e.Path) == 0:
		return fmt.Sprintf("%s has %s", e.Subject, question)
	case e.Allowed:
		hops := make([]string, len(e.Path))
		for i, s := range e.Path {
			hops[i] = s.edge() + " " + s.Object.String()
		}
		return fmt.Sprintf("%s has %s: %s", e.Subject, question, strings.Join(hops, ", "))
	case e.Incomplete:
		return fmt.Sprintf("%s is refused %s: the relationships are nested too deep to follow", e.Subject, question)
	case len(e.Context) > 0:
		return fmt.Sprintf("%s has %s only under a condition that was not given: %s", e.Subject, question, strings.Join(e.Context, ", "))
	}
	return fmt.Sprintf("%s does not have %s: no relation leads from one to the other", e.Subject, question)
}
