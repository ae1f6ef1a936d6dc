package cache

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"nexus/authzsvc/authz"
)

// key is a question. A principal nearly always is one subject; more are joined to one text.
type key struct {
	subject    authz.Ref
	more       string
	object     authz.Ref
	permission string
}

func newKey(who subjects, o authz.Ref, permission string) key {
	return key{subject: who.first, more: who.more, object: o, permission: permission}
}

// kept returns k with texts of its own, so that an entry does not keep the request alive that it came in.
func (k key) kept() key {
	k.subject.ID, k.object.ID, k.more = strings.Clone(k.subject.ID), strings.Clone(k.object.ID), strings.Clone(k.more)
	k.subject.Type, k.object.Type = strings.Clone(k.subject.Type), strings.Clone(k.object.Type)
	k.permission = strings.Clone(k.permission)
	return k
}

// subjects are who asks, in a form that can be compared.
type subjects struct {
	all   []authz.Ref
	first authz.Ref
	more  string
}

func whoever(all []authz.Ref) subjects {
	w := subjects{all: all}
	if len(all) == 0 {
		return w
	}
	w.first = all[0]
	for _, s := range all[1:] {
		w.more += s.Type + ":" + s.ID + "\x00"
	}
	return w
}

// entry is what is known of one question. All but used and slot is fixed once it is stored.
type entry struct {
	key    key
	model  *model
	rev    int64   // the answer's
	deps   []*node // what it depends on
	value  bool
	groups *groups     // for the question about groups
	used   atomic.Bool // since the hand last passed
	slot   int         // in the ring of its shard, whose lock guards it
}

// holds reports whether e is the answer at head. It reads stamps, so it comes after whoever asks has read the head.
func (e *entry) holds(m *model, head int64) bool {
	return e.model == m && unchanged(e.deps, min(e.rev, head))
}

const entryShards = 64

// entries is a bounded table. Each shard is a clock: a hand goes round and takes what was not used since it last came by.
type entries struct {
	seed   maphash.Seed
	shards [entryShards]entryShard
}

type entryShard struct {
	hits, misses, evicted atomic.Uint64

	mu    sync.RWMutex // guards what follows
	m     map[key]*entry
	ring  []*entry
	hand  int
	limit int
	_     [40]byte
}

func newEntries(limit int) *entries {
	t := &entries{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].limit = max(1, limit/entryShards)
		t.shards[i].m = map[key]*entry{}
	}
	return t
}

// hash makes one number of a text.
func (t *entries) hash(text string) uint64 { return maphash.String(t.seed, text) }

func (t *entries) shard(k *key) *entryShard {
	h := maphash.String(t.seed, k.object.ID) ^ maphash.String(t.seed, k.subject.ID)
	return &t.shards[h%entryShards]
}

// find returns what is known of k at head, or nil.
func (t *entries) find(k *key, m *model, head int64) *entry {
	s := t.shard(k)
	s.mu.RLock()
	e := s.m[*k]
	s.mu.RUnlock()
	if e == nil || !e.holds(m, head) {
		s.misses.Add(1)
		return nil
	}
	s.hits.Add(1)
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put stores e, in place of an older answer to the same question or of one that was not used lately.
func (t *entries) put(e *entry) {
	e.key = e.key.kept()
	s := t.shard(&e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.m[e.key]; ok {
		if have.model != e.model || have.rev <= e.rev {
			s.place(e, have.slot)
		}
		return
	}
	if len(s.ring) < s.limit {
		s.ring = append(s.ring, nil)
		s.place(e, len(s.ring)-1)
		return
	}
	for s.ring[s.hand].used.Swap(false) {
		s.hand = (s.hand + 1) % len(s.ring)
	}
	delete(s.m, s.ring[s.hand].key)
	s.evicted.Add(1)
	s.place(e, s.hand)
	s.hand = (s.hand + 1) % len(s.ring)
}

func (s *entryShard) place(e *entry, slot int) {
	e.slot = slot
	s.ring[slot] = e
	s.m[e.key] = e
}

// len returns the number of entries, true or not.
func (t *entries) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += len(s.m)
		s.mu.RUnlock()
	}
	return n
}
