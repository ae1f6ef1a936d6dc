package explain

import (
	"cmp"
	"slices"
	"strings"
)

// Alternative is what would turn a denial into an allowance.
type Alternative struct {
	Ways    []Way          `json:"ways"`              // any one is enough; the one that gives least comes first
	Sharing string         `json:"sharing,omitempty"` // the permission that lets its holder write them
	Sharers []SharerEntity `json:"sharers"`           // who holds it, as far as the asker may see, at most 20
	More    bool           `json:"more_sharers"`      // there are others: too many, or not for the asker to see
}

// Way is a relation that, written between the subject and the object, allows what was denied.
type Way struct {
	Relation string   `json:"relation"`
	Gives    []string `json:"gives"` // every permission that comes with it
}

// SharerEntity is a subject who could write the relation.
type SharerEntity struct {
	Entity   Entity `json:"subject"`
	Relation string `json:"subject_relation,omitempty"`
}

// String returns the sharer as relationships are written.
func (s SharerEntity) String() string {
	if s.Relation == "" {
		return s.Entity.words()
	}
	return s.Entity.words() + "#" + s.Relation
}

// maxSharers is how many sharers an explanation names.
const maxSharers = 20

func (v view) alternative(t Trace, s *Schema, sharers []Subject) *Alternative {
	alt := &Alternative{Ways: Ways(s, t), Sharing: s.Sharing(t.Check.Type), Sharers: []SharerEntity{}}
	for _, sharer := range sharers {
		entity := v.entity(sharer.Ref)
		if entity == Hidden || len(alt.Sharers) == maxSharers {
			alt.More = true
			continue
		}
		alt.Sharers = append(alt.Sharers, SharerEntity{entity, sharer.Relation})
	}
	return alt
}

// Ways returns the relations of the object that admit the trace's subject by itself and of which any one would be enough,
// the one that gives least first.
func Ways(s *Schema, t Trace) []Way {
	ways := []Way{}
	for _, relation := range s.Direct(t.Check.Type, t.Check.Permission) {
		if s.Admits(t.Check.Type, relation, t.Subject.Type) {
			ways = append(ways, Way{relation, s.Grants(t.Check.Type, relation)})
		}
	}
	slices.SortFunc(ways, func(a, b Way) int {
		return cmp.Or(cmp.Compare(len(a.Gives), len(b.Gives)), strings.Compare(a.Relation, b.Relation))
	})
	return ways
}
