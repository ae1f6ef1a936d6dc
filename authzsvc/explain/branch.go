package explain

// Branch is a node of the tree of questions, in the words of the documented answer of rebac_explain.
type Branch struct {
	Subject    string    `json:"subject"`
	Permission string    `json:"permission"`
	Object     string    `json:"object"`
	Depth      int       `json:"depth"`
	Granted    bool      `json:"granted"`
	Direct     bool      `json:"direct_relation,omitempty"` // the relationship is written on this very object
	ViaUserset string    `json:"via_userset,omitempty"`     // the relation or permission of the same object that decided
	Arrow      *Over     `json:"tupleToUserset,omitempty"`  // the relation to another object that decided
	Cached     bool      `json:"cached,omitempty"`
	Expanded   []string  `json:"expanded_to,omitempty"` // what was looked at on the same object
	Sub        []*Branch `json:"sub_paths,omitempty"`
	Truncated  bool      `json:"truncated,omitempty"` // more was looked at than is shown
}

// Over is a step from an object to another.
type Over struct {
	Relation   string   `json:"tupleset"`
	Permission string   `json:"computedUserset"`
	Found      []Entity `json:"found_parents"`
}

// maxBranches bounds a tree: a denial may have looked at thousands of groups.
const maxBranches = 1000

// choose says which parts of a node a tree shows.
type choose func(*Node) []*Node

func everything(n *Node) []*Node { return n.Sub }

// branch returns the tree below root, as the asker may see it: below a hidden object nothing is shown.
func (v view) branch(root *Node, subject Entity, parts choose) *Branch {
	b := brancher{view: v, subject: subject.String(), parts: parts, left: maxBranches}
	return b.branch(root, 0)
}

type brancher struct {
	view
	subject string
	parts   choose
	left    int // how many more branches may be made
}

func (b *brancher) branch(n *Node, depth int) *Branch {
	b.left--
	object := b.entity(n.Object)
	out := &Branch{Subject: b.subject, Permission: n.Permission, Object: object.String(), Depth: depth, Granted: n.Result == Yes}
	if object == Hidden {
		out.Permission = hidden
		return out
	}
	out.Cached = n.Cached
	out.Direct = n.Stored && n.Result == Yes && len(successes(n)) == 0 && !n.Cached
	b.decided(out, n)
	for _, sub := range b.parts(n) {
		if sub.Via == "" {
			out.Expanded = append(out.Expanded, sub.Permission)
		}
		if b.left <= 0 {
			out.Truncated = true
			break
		}
		out.Sub = append(out.Sub, b.branch(sub, depth+1))
	}
	return out
}

// decided notes on out by which part n holds.
func (b *brancher) decided(out *Branch, n *Node) {
	taken := successes(n)
	if n.Result != Yes || len(taken) == 0 {
		return
	}
	sub := taken[0]
	if sub.Via == "" {
		out.ViaUserset = sub.Permission
		return
	}
	found := b.entity(sub.Object)
	permission := sub.Permission
	if found == Hidden {
		permission = hidden
	}
	out.Arrow = &Over{Relation: sub.Via, Permission: permission, Found: []Entity{found}}
}
