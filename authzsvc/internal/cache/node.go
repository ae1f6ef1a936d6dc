package cache

import (
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"nexus/authzsvc/authz"
)

// kind says what a node stands for.
type kind uint8

const (
	object kind = iota + 1 // one object of the tree
	others                 // every other object of one tenant: its epoch
	tenant                 // every object of one tenant
)

// name is the key of a node: an object's id, or a tenant.
type name struct {
	kind kind
	id   string
}

// node is what answers depend on. It lives as long as anything points to it: an entry, a decision, another node, the
// journal. While it lives, everybody who looks its name up gets this one, so a stamp reaches all who depend on it.
type node struct {
	name    name
	touched atomic.Int64            // newest revision at which a relationship of it changed
	above   atomic.Pointer[above]   // what it refers to in the tree
	lineage atomic.Pointer[lineage] // it and all it reaches
}

// raise stamps n with rev. It reports whether the stamp was earlier.
func (n *node) raise(rev int64) bool {
	for {
		have := n.touched.Load()
		if have >= rev {
			return false
		}
		if n.touched.CompareAndSwap(have, rev) {
			return true
		}
	}
}

// unchanged reports whether none of nodes has a stamp later than rev.
func unchanged(nodes []*node, rev int64) bool {
	for _, n := range nodes {
		if n.touched.Load() > rev {
			return false
		}
	}
	return true
}

const nodeShards = 64

// nodes finds nodes by name without keeping them alive.
type nodes struct {
	seed    maphash.Seed
	journal *journal
	live    atomic.Int64
	shards  [nodeShards]nodeShard
}

type nodeShard struct {
	mu sync.RWMutex
	m  map[name]weak.Pointer[node]
	_  [32]byte // keeps two locks off one cache line
}

func newNodes(j *journal) *nodes {
	t := &nodes{seed: maphash.MakeSeed(), journal: j}
	for i := range t.shards {
		t.shards[i].m = map[name]weak.Pointer[node]{}
	}
	return t
}

func (t *nodes) shard(id string) *nodeShard {
	return &t.shards[maphash.String(t.seed, id)%nodeShards]
}

// find returns the node of that name if there is one.
func (t *nodes) find(k name) *node {
	s := t.shard(k.id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[k].Value()
}

// get returns the node of that name, and makes it when there is none. A new node carries the journal's floor: its stamp,
// if it ever had a later one, would still be in the journal, and so would the node.
func (t *nodes) get(k name) *node {
	if n := t.find(k); n != nil {
		return n
	}
	s := t.shard(k.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.m[k].Value(); n != nil {
		return n
	}
	n := &node{name: k}
	n.touched.Store(t.journal.floor.Load())
	s.m[k] = weak.Make(n)
	t.live.Add(1)
	runtime.AddCleanup(n, t.forget, k)
	return n
}

// forget removes the name of a node that is gone, unless another node has taken it since.
func (t *nodes) forget(k name) {
	t.live.Add(-1)
	s := t.shard(k.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.m[k]; ok && p.Value() == nil {
		delete(s.m, k)
	}
}

// stamp returns the newest revision at which the object may have changed, without making a node for it.
func (t *nodes) stamp(o authz.Ref) int64 {
	if n := t.find(name{object, o.ID}); n != nil {
		return n.touched.Load()
	}
	return t.journal.floor.Load()
}
