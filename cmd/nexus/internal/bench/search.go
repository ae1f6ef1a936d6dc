package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// Rows of searches: by people who see 1 in 10 files, of files of two kilobytes of text.
const (
	grepRare   = "grep, a pattern that 1 in 1000 files match"
	grepCommon = "grep, a word of nearly every file"
	grepPlain  = "grep, a pattern without three letters in a row, all files"
	indexSize  = "search index, of the size of the files"
	indexRate  = "search index, files a second"
)

const (
	searchers  = 3
	wordsAFile = 300
	seenOneIn  = 10
	rareOneIn  = 1000
	rareText   = "secretToken"
)

// searches measures on worlds of their own, one for each size of the tree.
func searches(ctx context.Context, o Options) (rows []Row, err error) {
	for _, files := range o.Files {
		more, err := searchTree(ctx, o, files)
		if rows = append(rows, more...); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func searchTree(ctx context.Context, o Options, files int) (rows []Row, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	s := &searching{ctx: ctx, o: o, world: w, files: files}
	if err := s.fill(); err != nil {
		return nil, err
	}
	return o.measure(files, []measure{
		{Row{Name: indexRate, Unit: "/s", AtLeast: true}, s.rate},
		{Row{Name: indexSize, Unit: "%"}, s.size},
		{Row{Name: grepRare, Budget: 50, Unit: "ms"}, s.rare},
		{Row{Name: grepCommon, Unit: "ms"}, s.common},
		{Row{Name: grepPlain, Unit: "ms"}, s.plain},
	}), nil
}

// searching searches a tree of files with text.
type searching struct {
	ctx   context.Context
	o     Options
	world *world
	files int
	bytes int64
}

// fill writes the files, and makes people who see some of them.
func (s *searching) fill() error {
	s.o.Note(fmt.Sprintf("writing %d files of text", s.files))
	owner := user("owner")
	if err := s.world.own(s.ctx, owner); err != nil {
		return err
	}
	vocabulary := vocabulary()
	text := func(i int) string { return textOf(vocabulary, i) }
	for i := range s.files {
		s.bytes += int64(len(text(i)))
	}
	write := func(i int) error {
		return s.world.invoke(s.ctx, owner, api.Write.Method, writeParams(filePath(i), []byte(text(i))))
	}
	if err := s.world.eachFile(s.ctx, s.files, write); err != nil {
		return err
	}
	targets, err := s.world.addresses(s.ctx, s.files)
	if err != nil {
		return err
	}
	for i := range searchers {
		if err := s.see(searcher(i), targets); err != nil {
			return err
		}
	}
	return nil
}

func (s *searching) see(who authz.Principal, targets []schema.Address) error {
	err := s.world.relate(s.ctx, len(targets)/seenOneIn, func(n int) relations.Relationship { return may(who, "direct_viewer", targets[n*seenOneIn]) })
	if err != nil {
		return err
	}
	tenant := relations.Relationship{Resource: authz.Ref{Type: "tenant", ID: who.Tenant}, Relation: "member", Subject: who.Base}
	return s.world.relate(s.ctx, 1, func(int) relations.Relationship { return tenant })
}

func searcher(i int) authz.Principal { return user(fmt.Sprintf("searcher%d", i)) }

// rate makes an index of its own of all files, and returns how fast it was.
func (s *searching) rate() (float64, error) {
	search, err := s.world.Store.OpenSearch(s.world.dir + "/again")
	if err != nil {
		return 0, err
	}
	defer search.Close()
	began := time.Now()
	if err := s.follow(search); err != nil {
		return 0, err
	}
	return float64(s.files) / time.Since(began).Seconds(), nil
}

// size waits for the server's own index, and returns how large it is.
func (s *searching) size() (float64, error) {
	if err := s.follow(s.world.Search); err != nil {
		return 0, err
	}
	n, err := s.world.Search.Size(ids.Quote(storage.DefaultTenant))
	return 100 * float64(n) / float64(s.bytes), err
}

func (s *searching) follow(search *storage.Search) error {
	who := schema.Servant(ids.Quote(storage.DefaultTenant), schema.Indexer)
	for more := true; more; {
		g, _, err := authz.Ask(s.ctx, s.world.Service.Gate(), who, authz.Act{Op: node.FollowFiles}, schema.Home(who).Reindex())
		if err != nil {
			return err
		}
		if more, err = search.Index(s.ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// rare is a search by people who never searched before.
func (s *searching) rare() (float64, error) {
	want := 0
	for i := range s.files {
		if isRare(i) && i%seenOneIn == 0 {
			want++
		}
	}
	d, err := timed(s.o, searchers, func(i int) error { return s.grep(searcher(i), api.GrepParams{Pattern: rareText + `\d+`}, want) })
	return millis(d), err
}

func (s *searching) common() (float64, error) {
	d, err := timed(s.o, searchers, func(i int) error { return s.grep(searcher(i), api.GrepParams{Pattern: "the"}, -1) })
	return millis(d), err
}

func (s *searching) plain() (float64, error) {
	d, err := timed(s.o, searchers, func(i int) error {
		return s.grep(searcher(i), api.GrepParams{Pattern: `\d\d$`, MaxResults: 10_000}, -1)
	})
	return millis(d), err
}

// grep searches, and compares the number of lines with what there should be, where that is known.
func (s *searching) grep(who authz.Principal, p api.GrepParams, want int) error {
	p.Path, p.Paged = "/bench", true
	if p.MaxResults == 0 {
		p.MaxResults = 1000
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	r, err := s.world.Table.Method(api.Grep.Method).Invoke(s.ctx, who, raw)
	if err != nil {
		return err
	}
	if got := len(r.(api.GrepResult).Results); want >= 0 && got != want {
		return fmt.Errorf("%s finds %d lines, want %d", who.Base.ID, got, want)
	}
	return nil
}

// isRare reports whether the i-th file holds the rare text: of a thousand one, of which one in ten is among those that a searcher sees.
func isRare(i int) bool { return i%rareOneIn == i/rareOneIn%seenOneIn }

// vocabulary returns words, of which texts hold the first ones most often.
func vocabulary() []string {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"the", "and", "return", "error", "func"}
	for len(words) < 20_000 {
		word := make([]byte, 3+r.IntN(7))
		for i := range word {
			word[i] = byte('a' + r.IntN(26))
		}
		words = append(words, string(word))
	}
	return words
}

// textOf is the text of the i-th file.
func textOf(words []string, i int) string {
	r := rand.New(rand.NewPCG(uint64(i), 2))
	pick := rand.NewZipf(r, 1.1, 4, uint64(len(words)-1))
	var b strings.Builder
	for n := range wordsAFile {
		b.WriteString(words[pick.Uint64()])
		b.WriteByte(" \n"[min(1, n%10/9)])
	}
	if isRare(i) {
		fmt.Fprintf(&b, "%s%d\n", rareText, i)
	}
	return b.String()
}
