package explain

import "context"

// Reach is how one who has a permission comes to it, as far as the asker may see it.
type Reach struct {
	Direct  bool     // by a relationship on the object itself
	Grant   string   // the relation that gives it; empty where the trace does not tell
	On      Entity   // what that relation is on
	Through []Entity // groups, from the subject's own to the one that has the relation
	Path    []Step   // the whole way, from the subject to the object
	Partial bool     // steps of the path are missing
}

// Reach sums up the way that the engine took to an allowance.
func (a Asker) Reach(ctx context.Context, t Trace) Reach {
	v := a.view(ctx, t, nil)
	r := Reach{Through: []Entity{}}
	r.Path, r.Partial = v.steps(t)
	steps, _ := path(t)
	for i, s := range steps {
		if s.object.Type == "group" && s.object != t.Check.Object() {
			r.Through = append(r.Through, v.entity(s.object))
			continue
		}
		shown := v.step(s)
		r.Grant, r.On, r.Direct = shown.Relation, shown.Object, i == len(steps)-1
		break
	}
	return r
}
