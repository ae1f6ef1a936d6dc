package trigram

import "slices"

// few is so small a number of contents that looking at them costs less than reading more postings.
const few = 16

// search is one query in one segment.
type search struct {
	s     *segment
	spans map[Gram]span
}

// find returns the ordinals that q admits, in order; all says that it admits every one.
func (s *segment) search(q *Query) (found []uint32, all bool, err error) {
	if q == nil {
		return nil, true, nil
	}
	r := search{s, map[Gram]span{}}
	if found, err = r.eval(q); err != nil {
		return nil, false, err
	}
	always, err := r.postings(anything)
	if err != nil {
		return nil, false, err
	}
	return union(found, always), false, nil
}

func (r search) eval(q *Query) ([]uint32, error) {
	switch q.op {
	case and:
		return r.every(q)
	case or:
		var found []uint32
		for _, sub := range q.subs {
			some, err := r.eval(sub)
			if err != nil {
				return nil, err
			}
			found = union(found, some)
		}
		return found, nil
	}
	return nil, nil
}

// every is the contents that all parts of q admit. The rarest gram is read first; when few are left, they are all looked at.
func (r search) every(q *Query) (found []uint32, err error) {
	spans := make([]span, len(q.all))
	for i, g := range q.all {
		if spans[i], err = r.span(g); err != nil || spans[i].length == 0 {
			return nil, err
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.length - b.length) })
	for i, at := range spans {
		some, err := r.s.read(nil, at)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			found = some
		} else {
			found = intersection(found, some)
		}
		if len(found) <= few {
			return found, nil
		}
	}
	for i, sub := range q.subs {
		some, err := r.eval(sub)
		if err != nil {
			return nil, err
		}
		if i == 0 && len(spans) == 0 {
			found = some
		} else {
			found = intersection(found, some)
		}
	}
	return found, nil
}

func (r search) span(g Gram) (span, error) {
	if at, ok := r.spans[g]; ok {
		return at, nil
	}
	at, err := r.s.find(g)
	r.spans[g] = at
	return at, err
}

func (r search) postings(g Gram) ([]uint32, error) {
	at, err := r.span(g)
	if err != nil || at.length == 0 {
		return nil, err
	}
	return r.s.read(nil, at)
}

// intersection is what a and b share, both in order. It reuses a.
func intersection(a, b []uint32) []uint32 {
	out, j := a[:0], 0
	for _, x := range a {
		for j < len(b) && b[j] < x {
			j++
		}
		if j < len(b) && b[j] == x {
			out = append(out, x)
		}
	}
	return out
}

// union is what a or b holds, both in order.
func union(a, b []uint32) []uint32 {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
