package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/client"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
)

// listing is a server that answers audit_list from its entries, oldest first in the slice, as a server does.
type listing struct {
	mu      sync.Mutex // guards what follows
	entries []audit.Entry
	asked   int
}

// add writes n entries, several of them within one microsecond.
func (l *listing) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		i := len(l.entries) + 1
		at := noon.Add(time.Duration(i) * 300 * time.Nanosecond)
		l.entries = append(l.entries, audit.Entry{Seq: uint64(2 * i), At: at, Type: audit.TypeDecided, Decided: &authz.Decided{ID: "d", At: at}})
	}
}

func (l *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	var call struct {
		ID     int64
		Params struct {
			Since, Until *time.Time
			Limit        int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	found := []audit.Entry{}
	for _, e := range slices.Backward(l.entries) {
		p := call.Params
		if (p.Since == nil || !e.At.Before(*p.Since)) && (p.Until == nil || e.At.Before(*p.Until)) && len(found) < p.Limit {
			found = append(found, e)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": map[string]any{"decisions": found}})
}

func record(t *testing.T, l *listing, s selection) *remoteRecord {
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &remoteRecord{c: c, s: s}
}

// numbered fails unless entries are those from first to last, each once and in order.
func numbered(t *testing.T, entries []audit.Entry, first, last int) {
	t.Helper()
	if len(entries) != last-first+1 {
		t.Fatalf("%d entries, want %d", len(entries), last-first+1)
	}
	for i, e := range entries {
		if e.Seq != uint64(2*(first+i)) {
			t.Fatalf("entry %d has number %d, want %d", i, e.Seq, 2*(first+i))
		}
	}
}

func TestNewestDecisionsAreAskedForPageByPage(t *testing.T) {
	l := &listing{}
	l.add(3500)
	for count, pages := range map[int]int{10: 1, 1000: 1, 2500: 4} {
		l.asked = 0
		r := record(t, l, selection{count: count})
		all, err := r.newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		numbered(t, all, 3500-count+1, 3500)
		if l.asked > pages {
			t.Errorf("%d decisions took %d questions", count, l.asked)
		}
	}
}

func TestFollowingMissesNothingAndRepeatsNothing(t *testing.T) {
	l := &listing{}
	l.add(5)
	r := record(t, l, selection{count: 3})
	all, err := r.newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	numbered(t, all, 3, 5)
	for _, more := range []int{0, 1, 2300, 0, 7} {
		before := len(l.entries)
		l.add(more)
		all, err := r.since(t.Context(), r.at, 0)
		if err != nil {
			t.Fatal(err)
		}
		numbered(t, all, before+1, before+more)
	}
}

func TestFollowingFromNowShowsOnlyWhatComes(t *testing.T) {
	for _, there := range []int{0, 4} {
		l := &listing{}
		l.add(there)
		r := record(t, l, selection{})
		if all, err := r.newest(t.Context()); err != nil || len(all) != 0 {
			t.Fatalf("newest = %v, %v, want none", all, err)
		}
		l.add(2)
		all, err := r.since(t.Context(), r.at, 0)
		if err != nil {
			t.Fatal(err)
		}
		numbered(t, all, there+1, there+2)
	}
}
