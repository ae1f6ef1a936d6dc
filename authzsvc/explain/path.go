package explain

import "nexus/authzsvc/authz"

// step is one relationship on the way from the subject to the object, or one that the schema computes from relationships.
type step struct {
	subject  Subject
	relation string
	object   authz.Ref
}

// path returns the way by which the trace's subject holds its permission, from the subject to the object, and whether it
// is the whole way: nodes from a cache or a batch leave a part of it out.
func path(t Trace) (steps []step, whole bool) {
	if t.Root == nil || t.Root.Result == No {
		return nil, true
	}
	return ways(Subject{Ref: t.Subject, Relation: t.Set}, t.Root)
}

func ways(subject Subject, n *Node) (steps []step, whole bool) {
	taken := successes(n)
	whole = !n.Cached && n.Batch == 0
	if len(taken) == 0 {
		if n.Stored || n.Cached {
			steps = append(steps, step{subject, n.Permission, n.Object})
		}
		return steps, whole
	}
	for _, sub := range taken {
		before, exact := ways(subject, sub)
		steps, whole = append(steps, before...), whole && exact
		if sub.Via == "" {
			continue
		}
		steps = append(steps, step{Subject{Ref: sub.Object, Relation: sub.Set}, sub.Via, n.Object})
	}
	return steps, whole
}

// successes returns the parts of n that its answer rests on: the first that holds or, when it takes several, all that do.
func successes(n *Node) []*Node {
	var taken []*Node
	for _, wanted := range []Result{Yes, Conditional} {
		for _, sub := range n.Sub {
			if sub.Result != wanted {
				continue
			}
			if !n.Joint {
				return []*Node{sub}
			}
			taken = append(taken, sub)
		}
	}
	return taken
}

// Mentioned returns every object and subject that an explanation of t could name, without repetition and in the order of
// the trace, so that what the asker may see can be decided in one question.
func Mentioned(t Trace, sharers []Subject) []authz.Ref {
	seen := map[authz.Ref]bool{}
	var refs []authz.Ref
	mention := func(r authz.Ref) {
		if !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	mention(t.Subject)
	mention(t.Check.Object())
	t.Root.each(func(n *Node) { mention(n.Object) })
	for _, s := range sharers {
		mention(s.Ref)
	}
	return refs
}

// each visits n and all below it. A nil node has none.
func (n *Node) each(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, sub := range n.Sub {
		sub.each(visit)
	}
}
