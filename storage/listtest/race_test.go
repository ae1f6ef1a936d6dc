package listtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// moving is a tree that is written to while it is listed.
type moving struct {
	*house
	who    authz.Principal
	refs   map[string]authz.Ref
	always []string // keys that can be read all the time
	never  []string // and those that never can

	mu   sync.Mutex // guards gone
	gone map[string]bool
}

const perFolder = 12

// hops is how often a file moves into a folder, and out again before the folder is granted.
const hops = 25

// newMoving makes /m/always, whose folder is granted; /m/either, which is granted now as a folder and now file by file, but
// always one of them; /m/never; and /m/once, whose files are granted one by one, and revoked for good.
func newMoving(t *testing.T) *moving {
	m := &moving{house: openHouse(t, clock.System{}), refs: map[string]authz.Ref{}, gone: map[string]bool{}}
	m.who = m.person()
	m.always = []string{"/m/", "/m/always/", "/m/always/in/", "/m/either/"}
	for _, folder := range []string{"always", "always/in", "either", "never", "never/in", "once"} {
		for i := range perFolder {
			key := fmt.Sprintf("/m/%s/f%02d", folder, i)
			m.put(key)
			m.refs[key] = m.at(key).Named().Ref
			switch folder[:2] {
			case "al", "ei":
				m.always = append(m.always, key)
			case "ne":
				m.never = append(m.never, key)
			case "on":
				m.relate(m.grant(key))
			}
		}
	}
	m.never = append(m.never, "/m/never/", "/m/never/in/", "/m/never/hopper", "/m/now/hopper")
	for _, key := range []string{"/m/never/hopper", "/m/now/stays"} {
		m.put(key)
	}
	m.refs["/m/now/"] = m.at("/m/now").Named().Ref
	for _, key := range []string{"/m/always/", "/m/either/"} {
		m.refs[key] = m.at(strings.TrimSuffix(key, "/")).Named().Ref
		m.relate(m.grant(key))
	}
	slices.Sort(m.always)
	return m
}

func (m *moving) grant(key string) relations.Update {
	return allow(m.refs[key], "direct_viewer", m.who.Base)
}

func (m *moving) revoke(keys ...string) (updates []relations.Update) {
	for _, key := range keys {
		u := m.grant(key)
		u.Kind = relations.Delete
		updates = append(updates, u)
	}
	return updates
}

// sway keeps /m/either readable in one of two ways.
func (m *moving) sway() error {
	var files []string
	for i := range perFolder {
		files = append(files, fmt.Sprintf("/m/either/f%02d", i))
	}
	var one []relations.Update
	for _, key := range files {
		one = append(one, m.grant(key))
	}
	for range 12 {
		for _, step := range [][]relations.Update{one, m.revoke("/m/either/"), {m.grant("/m/either/")}, m.revoke(files...)} {
			if err := m.write(step); err != nil {
				return err
			}
		}
	}
	return nil
}

// take revokes the files of /m/once, and notes each once that is acknowledged.
func (m *moving) take() error {
	for i := range perFolder {
		key := fmt.Sprintf("/m/once/f%02d", i)
		if err := m.write(m.revoke(key)); err != nil {
			return err
		}
		m.mu.Lock()
		m.gone[key] = true
		m.mu.Unlock()
		for n := range 3 {
			if err := m.fill(fmt.Sprintf("/m/never/new%d-%d", i, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// grow makes files before, between and behind those that are listed.
func (m *moving) grow() error {
	for i := range 30 {
		for _, path := range []string{"/m/always/e%d", "/m/always/in/g%d", "/m/either/f00-%d", "/m/n%d/new"} {
			if err := m.fill(fmt.Sprintf(path, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hop moves a file into a folder that is not granted, and out again before it is: at no time can the file be read.
func (m *moving) hop() error {
	for range hops {
		for _, step := range []func() error{
			func() error { return m.write([]relations.Update{m.grant("/m/now/")}) },
			func() error { return m.write(m.revoke("/m/now/")) },
			func() error { return m.move("/m/never/hopper", "/m/now/hopper") },
			func() error { return m.move("/m/now/hopper", "/m/never/hopper") },
		} {
			if err := step(); err != nil {
				return err
			}
		}
	}
	return nil
}

// move moves a file as the admin, and tries again while others are quicker.
func (m *moving) move(from, to string) error {
	for {
		what, err := m.store.Names().Address(context.Background(), storage.DefaultTenant, from)
		if err != nil {
			return err
		}
		into, err := m.store.Names().Address(context.Background(), storage.DefaultTenant, to)
		if err != nil {
			return err
		}
		g, err := ask(m.house, m.admin, authz.Both(schema.File{Address: what}.Own(), schema.Dir{Address: into}.Write()))
		if err != nil {
			return err
		}
		if err = m.store.Files().Move(context.Background(), storage.MoveGrant{What: g.First, Into: g.Second}); !isStale(err) {
			return err
		}
	}
}

func (m *moving) write(updates []relations.Update) error {
	return m.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		return m.service.Writer().Write(ctx, tx, updates...)
	})
}

// fill makes a file as the admin, and tries again while others are quicker.
func (m *moving) fill(path string) error {
	for {
		a, err := m.store.Names().Address(context.Background(), storage.DefaultTenant, path)
		if err != nil {
			return err
		}
		g, err := ask(m.house, m.admin, schema.Dir{Address: a}.Write())
		if err != nil {
			return err
		}
		if _, err = m.store.Files().Create(context.Background(), g, []byte("x"), storage.Condition{}); !isStale(err) {
			return err
		}
	}
}

// pass lists the tree page by page, and checks what no page may show and no list may miss.
func (m *moving) pass(r *rand.Rand) error {
	o := storage.ListOptions{Recursive: true, Limit: 1 + r.IntN(20), Details: r.IntN(2) == 0}
	met, last := map[string]bool{}, ""
	for {
		o.Bounds = storage.Bounds{Rows: 1 + r.IntN(60), Places: pick(r, []int{-1, 1000})}
		m.mu.Lock()
		refused := slices.Clone(m.never)
		for key := range m.gone {
			refused = append(refused, key)
		}
		m.mu.Unlock()
		page, err := m.page(m.who, "/", o)
		if isStale(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			key := keyOf(e)
			if key <= last {
				return fmt.Errorf("%s comes after %s", key, last)
			}
			if slices.Contains(refused, key) || strings.HasPrefix(key, "/m/never/") {
				return fmt.Errorf("%s is shown, and was refused before the page was asked for", key)
			}
			met[key], last = true, key
		}
		if page.Complete {
			break
		}
		o.From = page.Next
	}
	for _, key := range m.always {
		if !met[key] {
			return fmt.Errorf("%s is missing, and could be read all the time", key)
		}
	}
	return nil
}

func TestPagesUnderWritesShowNothingRefusedAndMissNothing(t *testing.T) {
	m := newMoving(t)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for _, work := range []func() error{m.sway, m.take, m.grow, m.hop} {
		writers.Go(func() {
			if err := work(); err != nil {
				t.Error(err)
			}
		})
	}
	for seed := range uint64(2) {
		readers.Go(func() {
			r, passes := rand.New(rand.NewPCG(seed, 5)), 0
			for more := true; more; passes++ {
				select {
				case <-done:
					more = false // one more, of what stands still
				default:
				}
				if err := m.pass(r); err != nil {
					t.Error(err)
					return
				}
			}
			t.Logf("%d lists", passes)
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func isStale(err error) bool {
	e := errs.From(err)
	return e != nil && e.Reason == errs.StaleDecision
}
