package cache

import (
	"context"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// direct sets pass for those rows that have a relationship of their own which grants the permission: to the principal, to
// something the principal is in, or (over a leaf that does not lead up the tree) to something the principal has a
// permission on.
func (s *sifting) direct(ctx context.Context, kind string, leaves []Leaf, rows []row, pass []bool) error {
	var open []int
	for i := range rows {
		if !pass[i] {
			open = append(open, i)
		}
	}
	own := slices.DeleteFunc(slices.Clone(leaves), s.leadsUp)
	if len(open) == 0 || len(own) == 0 {
		return nil
	}
	if err := s.walk(ctx); err != nil {
		return err
	}
	if kind == s.model.shape.Tree {
		done, err := s.fromGrants(ctx, own, rows, open, pass)
		if done || err != nil {
			return err
		}
	}
	return s.fromRows(ctx, kind, own, rows, open, pass)
}

// walk finds the groups of the principal, once.
func (s *sifting) walk(ctx context.Context) (err error) {
	if !s.walked {
		s.grp, err = s.groups(ctx, s.tenant)
		s.walked = err == nil
	}
	return err
}

// What reading from the side of the grants may cost, in units of one grant read: half of what it costs to read the rows, so
// that giving up costs less than what it is for.
const (
	rowCost   = 4  // half of what it costs to find out whether one row is granted
	queryCost = 40 // a query that finds little
	spare     = 256
)

// fromGrants decides from the side of the principal: it reads what is granted to it directly, where that may be one of rows.
// It gives up, and returns false, when reading the rows is cheaper or when not all subject sets that may be granted to are
// known.
func (s *sifting) fromGrants(ctx context.Context, own []Leaf, rows []row, open []int, pass []bool) (bool, error) {
	sought := slices.Clone(open)
	slices.SortFunc(sought, func(a, b int) int { return strings.Compare(rows[a].ref.ID, rows[b].ref.ID) })
	l := leaping{s, rows, sought, pass, rowCost*len(open) + spare}
	for _, leaf := range own {
		holders, known, err := s.holders(ctx, leaf)
		if err != nil || !known {
			return false, err
		}
		for _, h := range holders {
			if done, err := l.through(ctx, Set{s.model.shape.Tree, leaf.Relation}, h); !done || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// leaping looks for rows among what is granted. Ids that were made one after the other follow each other in both, mostly: so
// it reads the grants from a row on and, where they leave the rows behind, leaps to the next row.
type leaping struct {
	*sifting
	rows   []row
	sought []int // places of rows, in order of their ids
	pass   []bool
	budget int // what it may still spend
}

// What one query reads: little after a leap, and more as long as enough of it is sought.
const (
	firstLeap = 64
	fewHits   = 8 // one in so many is enough
)

// through sets pass for the rows that have the relation that of names to m. It returns false when that costs too much.
func (l *leaping) through(ctx context.Context, of Set, m member) (done bool, err error) {
	id := func(place int) string { return l.rows[place].ref.ID }
	last := id(l.sought[len(l.sought)-1])
	for left, n := l.sought, firstLeap; len(left) > 0; {
		if l.budget -= queryCost; l.budget < 0 {
			return false, nil
		}
		page, err := l.cache.grantedPage(ctx, l.rev, of, m, span{id(left[0]), last}, n)
		if err != nil {
			return false, err
		}
		l.budget -= len(page)
		var hits int
		left, hits = l.meet(left, page)
		if len(page) < n {
			return true, nil
		}
		if n = min(2*n, grantPage); hits*fewHits < len(page) {
			n = firstLeap
		}
	}
	return true, nil
}

// meet sets pass for those of the places left whose rows are in page, both in order of ids. It returns the places whose rows
// come behind page, and how many it met.
func (l *leaping) meet(left []int, page []string) (behind []int, hits int) {
	for len(left) > 0 && len(page) > 0 {
		switch strings.Compare(l.rows[left[0]].ref.ID, page[0]) {
		case -1:
			left = left[1:]
		case 0: // an object may be listed twice
			l.pass[left[0]] = true
			left = left[1:]
			hits++
		default:
			page = page[1:]
		}
	}
	return left, hits
}

// holders returns everything that stands for the principal as a subject of leaf's relation, and whether that is all.
func (s *sifting) holders(ctx context.Context, leaf Leaf) (all []member, known bool, err error) {
	if leaf.Through != "" || s.grp == nil {
		return nil, false, nil
	}
	for m := range s.grp.all {
		if m.relation == "" || slices.Contains(leaf.Sets, Set{m.Type, m.relation}) {
			all = append(all, m)
		}
	}
	for _, set := range leaf.Sets {
		if s.model.isGroup(set) {
			continue
		}
		if set.Type != tenantType || s.tenant == "" {
			return nil, false, nil // its objects cannot be named
		}
		own := map[authz.Ref]bool{{Type: tenantType, ID: s.tenant}: false}
		if err := s.hold(ctx, set, own); err != nil {
			return nil, false, err
		}
		for o, holds := range own {
			if holds {
				all = append(all, member{o, set.Relation})
			}
		}
	}
	return all, true, nil
}

// tenantType is the definition of which each tenant has one object: the tenant itself.
const tenantType = "tenant"

// fromRows decides from the side of the rows: it reads their relationships, and asks about what these lead to.
func (s *sifting) fromRows(ctx context.Context, kind string, own []Leaf, rows []row, open []int, pass []bool) error {
	places := make(map[string]int, len(open))
	ids := make([]string, 0, len(open))
	for _, i := range open {
		if _, twice := places[rows[i].ref.ID]; !twice {
			ids = append(ids, rows[i].ref.ID)
		}
		places[rows[i].ref.ID] = i
	}
	holders, err := s.names(ctx, own)
	if err != nil {
		return err
	}
	led := leads{}
	err = s.cache.readMany(ctx, s.rev, kind, ids, relationsOf(own), holders, func(r relations.Relationship) bool {
		i, ok := places[r.Resource.ID]
		if ok && !pass[i] {
			pass[i] = s.weigh(own, r, i, led)
		}
		return true
	})
	if err != nil {
		return err
	}
	if err := s.follow(ctx, led, pass); err != nil {
		return err
	}
	for _, i := range open { // an object that is listed twice
		pass[i] = pass[places[rows[i].ref.ID]]
	}
	return nil
}

// maxNames bounds the subjects that a question about rows names; with more, every relationship is read.
const maxNames = 64

// names returns the ids of everything that stands for the principal as a subject of own; nil when not all of it is known,
// or when it is too much to name in a question.
func (s *sifting) names(ctx context.Context, own []Leaf) ([]string, error) {
	var all []string
	for _, leaf := range own {
		holders, known, err := s.holders(ctx, leaf)
		if err != nil || !known {
			return nil, err
		}
		for _, h := range holders {
			if !slices.Contains(all, h.ID) {
				all = append(all, h.ID)
			}
		}
		if len(all) > maxNames {
			return nil, nil
		}
	}
	return all, nil
}

func relationsOf(leaves []Leaf) []string {
	var all []string
	for _, leaf := range leaves {
		if !slices.Contains(all, leaf.Relation) {
			all = append(all, leaf.Relation)
		}
	}
	return all
}

// leads are questions that decide about rows: for each subject set, object and row.
type leads map[Set]map[authz.Ref][]int

func (l leads) add(p Set, o authz.Ref, place int) {
	if l[p] == nil {
		l[p] = map[authz.Ref][]int{}
	}
	l[p][o] = append(l[p][o], place)
}

// weigh reports whether r grants the permission by itself. What depends on a question is added to led.
func (s *sifting) weigh(own []Leaf, r relations.Relationship, place int, led leads) bool {
	for _, leaf := range own {
		switch {
		case leaf.Relation != r.Relation:
		case leaf.Through != "":
			led.add(Set{r.Subject.Type, leaf.Through}, r.Subject, place)
		case r.SubjectRelation == "":
			if slices.Contains(s.who.all, r.Subject) {
				return true
			}
		case s.grp != nil && s.model.isGroup(Set{r.Subject.Type, r.SubjectRelation}):
			if s.grp.all[member{r.Subject, r.SubjectRelation}] {
				return true
			}
		default:
			led.add(Set{r.Subject.Type, r.SubjectRelation}, r.Subject, place)
		}
	}
	return false
}

// follow answers the questions of led, each object once.
func (s *sifting) follow(ctx context.Context, led leads, pass []bool) error {
	for p, objects := range led {
		wanted := map[authz.Ref]bool{}
		for o, places := range objects {
			if slices.ContainsFunc(places, func(i int) bool { return !pass[i] }) {
				wanted[o] = false
			}
		}
		if err := s.hold(ctx, p, wanted); err != nil {
			return err
		}
		for o := range wanted {
			for _, i := range objects[o] {
				pass[i] = pass[i] || wanted[o]
			}
		}
	}
	return nil
}
