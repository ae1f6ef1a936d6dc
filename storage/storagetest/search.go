package storagetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// searches are claims about finding files by their paths and by what they hold.
var searches = []func(*kit){
	nextGrepSeesWhatChanged,
	grepFindsWhatALookAtEveryFileFinds,
	hundredTenantsShareAnIndexAndNoWord,
	grepGoesOnWhereItWasCut,
	grepWhileFilesChangeFindsWhatStays,
	grepShowsNothingThatIsNotAdmitted,
	maskedFileIsNotSearched,
	grepSaysWhenThereIsMore,
	grepIsBoundedByPathAndPattern,
	recordNamesTheFilesThatGrepShows,
	indexFollowsOneTenantAtATime,
	globFindsFilesByTheirPaths,
	globPagesHoldEveryMatchOnce,
}

// search returns the façade with an index of its own.
func (k *kit) search() *storage.Search {
	k.Helper()
	return k.openSearch(k.TempDir())
}

func (k *kit) openSearch(dir string) *storage.Search {
	k.Helper()
	s, err := k.store.OpenSearch(dir)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(s.Close)
	return s
}

func (k *kit) scopeOf(who authz.Principal) schema.ReadFiles {
	k.Helper()
	return grantTo(k, who, schema.ReadFilesWithin(k.gate, schema.Home(who).Access(), "files.read"))
}

func (k *kit) grepIn(s *storage.Search, folder string, o storage.GrepOptions) storage.Found {
	k.Helper()
	return k.grepAs(k.ann, s, folder, o)
}

func (k *kit) grepAs(who authz.Principal, s *storage.Search, folder string, o storage.GrepOptions) storage.Found {
	k.Helper()
	if o.Max == 0 {
		o.Max = storage.MaxHits
	}
	q, err := storage.ParseGrep(o)
	if err != nil {
		k.Fatalf("ParseGrep(%+v): %v", o, err)
	}
	found, err := s.Grep(k.Context(), k.scopeOf(who), k.in(who.Tenant, folder), q, storage.GrepPlace{})
	if err != nil {
		k.Fatalf("grep %+v: %v", o, err)
	}
	return found
}

// grep returns what is found for a pattern in the whole tree, as file:line.
func (k *kit) grep(s *storage.Search, pattern string) []string {
	k.Helper()
	return places(k.grepIn(s, "/", storage.GrepOptions{Pattern: pattern}))
}

func places(f storage.Found) []string {
	all := []string{}
	for _, h := range f.Hits {
		all = append(all, fmt.Sprintf("%s:%d", h.File, h.Line))
	}
	return all
}

func (k *kit) mustGrep(s *storage.Search, pattern string, want ...string) {
	k.Helper()
	if got := k.grep(s, pattern); !slices.Equal(got, want) {
		k.Errorf("grep %s = %q, want %q", pattern, got, want)
	}
}

// index lets the index follow a tenant as far as there is something to follow.
func (k *kit) index(s *storage.Search, tenant string) {
	k.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Index(k.Context(), k.indexer(tenant)); err != nil {
			k.Fatal(err)
		}
	}
}

func (k *kit) indexer(tenant string) schema.ReindexTenant {
	k.Helper()
	who := schema.Servant(tenant, schema.Indexer)
	return grantTo(k, who, schema.Home(who).Reindex())
}

// nextGrepSeesWhatChanged: whether or not the index has followed, the next search sees what was committed.
func nextGrepSeesWhatChanged(k *kit) {
	s := k.search()
	k.mustPut("/a/f", "one needle\ntwo")
	k.mustGrep(s, "needle", "/a/f:1")
	k.index(s, "default")
	k.mustGrep(s, "needle", "/a/f:1")
	k.mustPut("/a/f", "one\ntwo needles")
	k.mustPut("/b/g", "NEEDLE needle")
	k.mustGrep(s, "needle", "/a/f:2", "/b/g:1")
	k.index(s, "default")
	k.mustPut("/a/f", "one needle\ntwo") // as it was before
	k.mustGrep(s, "needle", "/a/f:1", "/b/g:1")
	k.index(s, "default")
	k.mustMove("/b/g", "/c/h")
	k.mustGrep(s, "needle", "/a/f:1", "/c/h:1")
	k.mustMove("/a", "/z")
	k.mustGrep(s, "needle", "/c/h:1", "/z/f:1")
	k.mustRmdir("/z")
	k.sweep()
	k.mustGrep(s, "needle", "/c/h:1")
	k.index(s, "default")
	k.mustGrep(s, "needle", "/c/h:1")
	k.mustUndelete("/z")
	k.mustGrep(s, "needle", "/c/h:1", "/z/f:1")
	k.index(s, "default")
	k.mustGrep(s, "needle", "/c/h:1", "/z/f:1")
}

// grepFindsWhatALookAtEveryFileFinds changes the tree at random, and holds searches against the files themselves.
func grepFindsWhatALookAtEveryFileFinds(k *kit) {
	s, r, files := k.search(), rand.New(rand.NewPCG(5, 5)), map[string]string{}
	bare, found := k.openSearch(""), 0
	for round := range 40 {
		for range 8 {
			k.alter(k.ann, r, files)
		}
		if r.IntN(2) == 0 {
			k.index(s, "default")
		}
		for range 5 {
			o := storage.GrepOptions{Pattern: randomPattern(r), IgnoreCase: r.IntN(2) == 0}
			want := scan(files, o)
			found += len(want)
			for name, s := range map[string]*storage.Search{"indexed": s, "not indexed": bare} {
				if got := places(k.grepIn(s, "/", o)); !slices.Equal(got, want) {
					k.Fatalf("round %d, %s: grep %+v = %q, want %q", round, name, o, got, want)
				}
			}
		}
	}
	if found < 500 {
		k.Errorf("only %d lines match: this shows little", found)
	}
}

// alter does something at random, to the tree of who and to files, which says what the tree holds.
func (k *kit) alter(who authz.Principal, r *rand.Rand, files map[string]string) {
	k.Helper()
	paths := slices.Sorted(maps.Keys(files))
	path := fmt.Sprintf("/%c/%c/%d", 'a'+rune(r.IntN(3)), 'a'+rune(r.IntN(3)), r.IntN(10))
	var err error
	if len(paths) == 0 || r.IntN(3) > 0 {
		files[path] = randomText(r)
		if _, err = k.putAs(who, path, files[path], storage.Condition{}); err != nil {
			k.Fatal(err)
		}
		return
	}
	gone := paths[r.IntN(len(paths))]
	from := schema.File{Address: k.in(who.Tenant, gone)}
	if _, taken := files[path]; taken || r.IntN(2) == 0 {
		err = k.files.Delete(k.Context(), grantTo(k, who, from.Delete()))
	} else {
		into := schema.Dir{Address: k.in(who.Tenant, path)}
		err = k.files.Move(k.Context(), storage.MoveGrant{What: grantTo(k, who, from.Own()), Into: grantTo(k, who, into.Write())})
		files[path] = files[gone]
	}
	if err != nil {
		k.Fatal(err)
	}
	delete(files, gone)
}

// hundredTenantsShareAnIndexAndNoWord: one directory holds the indexes of many tenants, and each finds what a look at its own
// files finds, also in a process that has just begun.
func hundredTenantsShareAnIndexAndNoWord(k *kit) {
	const tenants, patterns, cold = 100, 1000, 100
	r := rand.New(rand.NewPCG(9, 9))
	people, trees := make([]authz.Principal, tenants), make([]map[string]string, tenants)
	for i := range tenants {
		name := fmt.Sprintf("tenant%02d", i)
		k.found(name)
		people[i], trees[i] = gatetest.User(name, "ann"), map[string]string{}
		for range 6 {
			k.alter(people[i], r, trees[i])
		}
	}
	dir := k.TempDir()
	s, found := k.openSearch(dir), 0
	for n := range patterns {
		if n%cold == cold-1 {
			s.Close()
			s = k.openSearch(dir)
		}
		i := r.IntN(tenants)
		for range r.IntN(3) {
			k.alter(people[i], r, trees[i])
		}
		if r.IntN(4) == 0 {
			k.index(s, people[i].Tenant)
		}
		o := storage.GrepOptions{Pattern: randomPattern(r), IgnoreCase: r.IntN(2) == 0}
		want := scan(trees[i], o)
		found += len(want)
		if got := places(k.grepAs(people[i], s, "/", o)); !slices.Equal(got, want) {
			k.Fatalf("tenant %d: grep %+v = %q, want %q", i, o, got, want)
		}
	}
	if found < 2*patterns {
		k.Errorf("only %d lines match: this shows little", found)
	}
}

func grepGoesOnWhereItWasCut(k *kit) {
	s, files, r := k.search(), map[string]string{}, rand.New(rand.NewPCG(11, 11))
	for i := range 12 {
		path := fmt.Sprintf("/d%d/f%d", i%3, i)
		files[path] = strings.Repeat("needle\nhay\n", r.IntN(6))
		k.mustPut(path, files[path])
	}
	want := scan(files, storage.GrepOptions{Pattern: "needle|y"})
	for range 2 {
		for _, size := range []int{1, 2, 5, 7, len(want) - 1, len(want), len(want) + 1} {
			q, err := storage.ParseGrep(storage.GrepOptions{Pattern: "needle|y", Max: size})
			if err != nil {
				k.Fatal(err)
			}
			var got []string
			at := storage.GrepPlace{}
			for pages := 0; ; pages++ {
				f, err := s.Grep(k.Context(), k.scope(), k.at("/"), q, at)
				if err != nil || pages > len(want) {
					k.Fatalf("page %d of %d lines: %v", pages, size, err)
				}
				if got = append(got, places(f)...); f.Next == nil {
					break
				}
				at = *f.Next
			}
			if !slices.Equal(got, want) {
				k.Errorf("pages of %d lines hold %d, want %d", size, len(got), len(want))
			}
		}
		k.index(s, "default")
	}
}

// grepWhileFilesChangeFindsWhatStays: files that hold a word before and after each write are found whatever the writes and the
// index are about to do.
func grepWhileFilesChangeFindsWhatStays(k *kit) {
	const files, rounds = 4, 25
	s := k.search()
	path := func(i int) string { return fmt.Sprintf("/d/f%d", i) }
	for i := range files {
		k.mustPut(path(i), "needle 0")
	}
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range files {
		all.Go(func() {
			for n := range rounds {
				if _, err := k.put(path(i), fmt.Sprintf("needle %d\nof %d", n, i), storage.Condition{}); err != nil {
					k.Errorf("write: %v", err)
				}
			}
		})
	}
	var indexer sync.WaitGroup
	indexer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			g, _, err := authz.Ask(k.Context(), k.gate, schema.Servant("default", schema.Indexer), authz.Act{Op: "test"}, schema.Home(k.ann).Reindex())
			if err == nil {
				_, err = s.Index(k.Context(), g)
			}
			if err != nil {
				k.Errorf("index: %v", err)
				return
			}
		}
	})
	q, err := storage.ParseGrep(storage.GrepOptions{Pattern: "needle", Max: 100})
	if err != nil {
		k.Fatal(err)
	}
	for range rounds {
		f, err := s.Grep(k.Context(), k.scope(), k.at("/"), q, storage.GrepPlace{})
		if err != nil || len(f.Hits) != files {
			k.Errorf("%d files are found, %v, want %d", len(f.Hits), err, files)
		}
	}
	all.Wait()
	close(stop)
	indexer.Wait()
}

var fragments = []string{"needle", "Needle", "hay", "STACK", "größe", "GRÖSSE", "k", "\u212a", "_key_", "7", "日本語", "x", ".", " ", " ", "\n", "\n", "\r\n"}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(40) {
		b.WriteString(fragments[r.IntN(len(fragments))])
	}
	return b.String()
}

// randomPattern returns a pattern that is no empty one: literals, alternatives, classes, repetitions.
func randomPattern(r *rand.Rand) string {
	word := func() string { return regexp.QuoteMeta(fragments[r.IntN(13)]) }
	a, b := word(), word()
	return []string{
		a, a + b, a + "|" + b, "(" + a + "|" + b + ")" + word(), "[kx7]" + a, a + "[^a-z]", a + ".*" + b, "(?:" + a + ")+" + b, a + "(" + b + ")?" + word(), "^" + a, a + "$", a + `\s*` + b,
		a + "{2}", "(?i:" + a + ")" + b, `\w+` + a, `[a-z]+_key_\d`, "[[:upper:]]{2}", "日本", `\bhay\b`,
	}[r.IntN(19)]
}

// scan is the search by looking at every file, in order of path and line.
func scan(files map[string]string, o storage.GrepOptions) []string {
	expr := o.Pattern
	if o.IgnoreCase {
		expr = "(?i)" + expr
	}
	re := regexp.MustCompile(expr)
	paths := slices.Sorted(maps.Keys(files))
	all := []string{}
	for _, path := range paths {
		n := 0
		for line := range strings.Lines(files[path]) {
			n++
			if re.MatchString(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")) {
				all = append(all, fmt.Sprintf("%s:%d", path, n))
			}
		}
	}
	return all
}

// only makes the gate allow the reading of some files alone.
func (k *kit) only(readable ...string) {
	k.Helper()
	allowed := map[string]bool{}
	for _, path := range readable {
		allowed[k.at(path).Anchor] = true
	}
	k.gate, k.notes = gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c.Type != "file" || allowed[c.ID] }}.Gate(k)
}

func grepShowsNothingThatIsNotAdmitted(k *kit) {
	s := k.search()
	for _, path := range []string{"/a/one", "/a/two", "/b/three"} {
		k.mustPut(path, "needle in "+path)
	}
	for _, step := range []func(){func() {}, func() { k.index(s, "default") }} {
		gate := k.gate
		step()
		k.only("/a/two")
		k.mustGrep(s, "needle", "/a/two:1")
		k.mustGrep(s, "needle in /a/one")
		k.mustGrep(s, "e", "/a/two:1")
		k.only()
		k.mustGrep(s, "needle")
		k.gate = gate
	}
}

// maskedFileIsNotSearched: a search that tells whether a value matches would tell the value.
func maskedFileIsNotSearched(k *kit) {
	s := k.search()
	k.mustPut("/w/.env", "KEY=secret")
	k.mustPut("/w/notes", "no secret")
	k.gate, _ = gatetest.Config{Oblige: func(op string, object authz.Named) []authz.Obligation {
		if op == "files.read" && strings.HasSuffix(object.Name, "/.env") {
			return []authz.Obligation{authz.MaskValues}
		}
		return nil
	}}.Gate(k)
	for range 2 {
		k.mustGrep(s, "secret", "/w/notes:1")
		k.mustGrep(s, "KEY|e", "/w/notes:1")
		if f := k.grepIn(s, "/w/.env", storage.GrepOptions{Pattern: "KEY"}); len(f.Hits) > 0 {
			k.Errorf("the masked file itself is searched: %+v", f)
		}
		k.index(s, "default")
	}
}

func grepSaysWhenThereIsMore(k *kit) {
	s := k.search()
	k.mustPut("/f", strings.Repeat("needle\n", 5))
	k.mustPut("/g", strings.Repeat("needle\n", 5))
	for _, c := range []struct {
		max, hits int
		cut       storage.Cut
	}{{3, 3, storage.CutMax}, {5, 5, storage.CutMax}, {9, 9, storage.CutMax}, {10, 10, ""}, {11, 10, ""}} {
		f := k.grepIn(s, "/", storage.GrepOptions{Pattern: "needle", Max: c.max})
		if len(f.Hits) != c.hits || f.Cut != c.cut {
			k.Errorf("at most %d: %d lines, cut %q, want %d, %q", c.max, len(f.Hits), f.Cut, c.hits, c.cut)
		}
	}
	for _, wrong := range []int{0, -1, storage.MaxHits + 1} {
		_, err := storage.ParseGrep(storage.GrepOptions{Pattern: "x", Max: wrong})
		k.mustFail(fmt.Sprintf("at most %d", wrong), err, errs.Invalid, errs.NotValid)
	}
}

func grepIsBoundedByPathAndPattern(k *kit) {
	s := k.search()
	for _, path := range []string{"/p/app/main.py", "/p/app/main.go", "/p/test.py", "/p2/x.py", "/q.py"} {
		k.mustPut(path, "NOTE")
	}
	for range 2 {
		for _, c := range []struct {
			folder, files string
			want          []string
		}{
			{"/p", "", []string{"/p/app/main.go:1", "/p/app/main.py:1", "/p/test.py:1"}},
			{"/p", "*.py", []string{"/p/app/main.py:1", "/p/test.py:1"}},
			{"/p", "app/*.py", []string{"/p/app/main.py:1"}},
			{"/p", "/p/*.py", []string{"/p/test.py:1"}},
			{"/p", "/q.py", nil},
			{"/", "*.{go,rs}", []string{"/p/app/main.go:1"}},
			{"/q.py", "", []string{"/q.py:1"}},
			{"/q.py", "*.go", nil},
			{"/nowhere", "", nil},
			{"/p/app/main.py/below", "", nil},
		} {
			got := places(k.grepIn(s, c.folder, storage.GrepOptions{Pattern: "NOTE", Files: c.files}))
			if !slices.Equal(got, c.want) {
				k.Errorf("in %s, files %q: %q, want %q", c.folder, c.files, got, c.want)
			}
		}
		k.index(s, "default")
	}
}

func recordNamesTheFilesThatGrepShows(k *kit) {
	s := k.search()
	k.mustPut("/a", "needle")
	k.mustPut("/b", "xedle") // looked at, and not shown
	k.gate, k.notes = gatetest.AllowAll(k)
	for range 2 {
		k.mustGrep(s, "ne+dle", "/a:1")
		decided := k.notes.Decided()
		last := decided[len(decided)-1].Listed
		if last == nil || !last.Last || !slices.Equal(last.IDs, []string{k.at("/a").Anchor}) {
			k.Errorf("the record of a search is %+v, want one that names /a alone", last)
		}
		k.index(s, "default")
	}
	q, err := storage.ParseGrep(storage.GrepOptions{Pattern: "needle", Max: 1})
	if err != nil {
		k.Fatal(err)
	}
	gate, notes := gatetest.AllowAll(k)
	k.gate = gate
	scope := k.scopeOf(k.ann)
	notes.Refuse(fmt.Errorf("disk full"))
	if f, err := s.Grep(k.Context(), scope, k.at("/"), q, storage.GrepPlace{}); err == nil {
		k.Errorf("a search that is not recorded found %+v", f)
	}
}

func indexFollowsOneTenantAtATime(k *kit) {
	s := k.search()
	k.found("other")
	k.mustPut("/f", "needle")
	k.index(s, "other")
	if waiting, err := s.Waiting(k.Context()); err != nil || len(waiting) > 0 {
		k.Errorf("Waiting = %q, %v at once, want none", waiting, err)
	}
	k.clock.Advance(10_000_000_000)
	if waiting, err := s.Waiting(k.Context()); err != nil || !slices.Equal(waiting, []string{"default"}) {
		k.Errorf("Waiting = %q, %v after a while, want default", waiting, err)
	}
	k.index(s, "default")
	k.clock.Advance(10_000_000_000)
	if waiting, err := s.Waiting(k.Context()); err != nil || len(waiting) > 0 {
		k.Errorf("Waiting = %q, %v once all is indexed", waiting, err)
	}
	k.mustGrep(s, "needle", "/f:1")
	if f := k.grepAs(gatetest.User("other", "ann"), s, "/", storage.GrepOptions{Pattern: "needle"}); len(f.Hits) > 0 {
		k.Errorf("another tenant finds %+v", f)
	}
}

func (k *kit) glob(folder, pattern string) []string {
	k.Helper()
	p, err := storage.ParsePathPattern(pattern)
	if err != nil {
		k.Fatal(err)
	}
	all, err := k.search().Glob(k.Context(), k.scope(), k.at(folder), p, storage.GlobOptions{})
	if err != nil || !all.Complete {
		k.Fatalf("glob %s: complete %v, %v", pattern, all.Complete, err)
	}
	return all.Paths
}

func globFindsFilesByTheirPaths(k *kit) {
	for _, path := range []string{"/p/app/main.py", "/p/app/utils.py", "/p/a.py", "/p/a.go", "/p2/x.py", "/\U0010ffff/x.py", "/p/[x]/y"} {
		k.mustPut(path, "x")
	}
	k.mustMkdir("/p/folder.py")
	k.mustPut("/p/gone.py", "x")
	k.mustDelete("/p/gone.py")
	for _, c := range []struct {
		folder, pattern string
		want            []string
	}{
		{"/p", "**/*.py", []string{"/p/a.py", "/p/app/main.py", "/p/app/utils.py"}},
		{"/p", "*.py", []string{"/p/a.py"}},
		{"/", "p*/*.py", []string{"/p/a.py", "/p2/x.py"}},
		{"/", "/p/app/*", []string{"/p/app/main.py", "/p/app/utils.py"}},
		{"/p2", "/p/*", nil},
		{"/p", "{app,x}/m*", []string{"/p/app/main.py"}},
		{"/p/[x]", "*", []string{"/p/[x]/y"}},
		{"/", "\U0010ffff*/*", []string{"/\U0010ffff/x.py"}},
		{"/p/a.py", "*", nil},
		{"/none", "*", nil},
	} {
		if got := k.glob(c.folder, c.pattern); !slices.Equal(got, c.want) {
			k.Errorf("glob %s in %s = %q, want %q", c.pattern, c.folder, got, c.want)
		}
	}
	k.only("/p/app/utils.py", "/p2/x.py")
	if got, want := k.glob("/", "**/*.py"), []string{"/p/app/utils.py", "/p2/x.py"}; !slices.Equal(got, want) {
		k.Errorf("glob of what is readable = %q, want %q", got, want)
	}
}

func globPagesHoldEveryMatchOnce(k *kit) {
	var want []string
	for i := range 120 {
		path := fmt.Sprintf("/d%d/f%03d.txt", i%3, i)
		k.mustPut(path, "x")
		want = append(want, path)
	}
	slices.Sort(want)
	p, err := storage.ParsePathPattern("d*/*.txt")
	if err != nil {
		k.Fatal(err)
	}
	for _, limit := range []int{1, 7, 39, 40, 41, 120, 121} {
		var got []string
		for o, pages := (storage.GlobOptions{Limit: limit}), 0; ; pages++ {
			page, err := k.search().Glob(k.Context(), k.scope(), k.at("/"), p, o)
			if err != nil || len(page.Paths) > limit || pages > 200 {
				k.Fatalf("page %d of %d: %d paths, %v", pages, limit, len(page.Paths), err)
			}
			if got = append(got, page.Paths...); page.Complete {
				break
			}
			o.From = page.Next
		}
		if !slices.Equal(got, want) {
			k.Errorf("pages of %d hold %d paths, want %d", limit, len(got), len(want))
		}
	}
}
