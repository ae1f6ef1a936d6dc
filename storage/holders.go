package storage

import (
	"sync"

	"nexus/internal/sqldb"
)

// peopleChange makes what is remembered of keys and users void once tx has committed, before its caller hears of it. Every
// change of a key or user that could end somebody's right to come in calls it.
func (s *Store) peopleChange(tx sqldb.Tx) {
	tx.OnEnd(func(committed bool) {
		if committed {
			s.people.Add(1)
		}
	})
}

// holders remembers holders of keys as of one state of the people. A nil one remembers nothing.
//
// It is exact. An entry is made of what was read after its state was: a change that commits later moves the state on before
// it is acknowledged, and from then on nobody asks for the old one.
type holders struct {
	most int

	mu    sync.RWMutex // guards what follows
	state uint64
	by    map[holderKey]Holder
}

// holderKey is what a holder is looked up by: the hash of the key, or its id.
type holderKey struct {
	sum [32]byte
	id  string
}

func newHolders(most int) *holders { return &holders{most: most, by: map[holderKey]Holder{}} }

func (k *holders) get(state uint64, key holderKey) (Holder, bool) {
	if k == nil {
		return Holder{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.state != state {
		return Holder{}, false
	}
	h, ok := k.by[key]
	return h, ok
}

// put remembers what was read in a state. When there is no room, all is forgotten: that costs each key one question.
func (k *holders) put(state uint64, key holderKey, h Holder) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case state < k.state:
		return
	case state > k.state, len(k.by) >= k.most:
		k.state = state
		clear(k.by)
	}
	k.by[key] = h
}
