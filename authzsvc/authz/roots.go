package authz

import "context"

// inside reports for each of leaves whether it lies within the roots of every actor's mandate; nil when no mandate has any.
func (g *Gate) inside(ctx context.Context, who Principal, revision string, leaves []*leaf) ([]bool, error) {
	if !who.rooted() {
		return nil, nil
	}
	objects := make([]Ref, len(leaves))
	for i, l := range leaves {
		objects[i] = l.check.Object()
	}
	inside, err := g.within(ctx, who, revision, objects)
	for i, l := range leaves {
		if err == nil && l.opens && l.check.Type == "tenant" {
			inside[i] = true
		}
	}
	return inside, err
}

// keepInside takes out of pass the members that lie outside the roots of an actor's mandate.
func (g *Gate) keepInside(ctx context.Context, who Principal, members []Member, pass []bool) error {
	if !who.rooted() {
		return nil
	}
	var objects []Ref
	var places []int
	for i, m := range members {
		if pass[i] {
			objects, places = append(objects, m.Object), append(places, i)
		}
	}
	inside, err := g.within(ctx, who, "", objects)
	if err != nil {
		return err
	}
	for i, place := range places {
		pass[place] = inside[i]
	}
	return nil
}

// within reports for each of objects whether every actor's mandate has it at or below a root.
func (g *Gate) within(ctx context.Context, who Principal, revision string, objects []Ref) ([]bool, error) {
	within := make([]bool, len(objects))
	for i := range within {
		within[i] = true
	}
	for _, a := range who.Actors {
		if a.Mandate.Roots == nil {
			continue
		}
		below, err := g.tree.Below(ctx, revision, a.Mandate.Roots, objects)
		if err != nil {
			return nil, err
		}
		if len(below) != len(objects) {
			return nil, unanswered("the tree", len(below), len(objects))
		}
		for i := range within {
			within[i] = within[i] && below[i]
		}
	}
	return within, nil
}

// rooted reports whether any actor's mandate is limited to roots.
func (p Principal) rooted() bool {
	for _, a := range p.Actors {
		if a.Mandate.Roots != nil {
			return true
		}
	}
	return false
}
