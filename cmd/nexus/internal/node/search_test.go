package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// grep returns the lines that who finds, as file:line.
func (k *kit) grep(who authz.Principal, pattern string) []string {
	k.t.Helper()
	r := k.do(who, "grep", fmt.Sprintf(`{"pattern":%q,"paged":true,"max_results":10000}`, pattern)).(api.GrepResult)
	if r.Truncated {
		k.t.Errorf("grep %s is truncated: %s", pattern, r.Reason)
	}
	found := []string{}
	for _, m := range r.Results {
		found = append(found, m.File+":"+strconv.Itoa(m.Line))
	}
	return found
}

func (k *kit) mustGrep(who authz.Principal, pattern string, want ...string) {
	k.t.Helper()
	if got := k.grep(who, pattern); !slices.Equal(got, want) {
		k.t.Errorf("%s finds %q for %s, want %q", who.Base, got, pattern, want)
	}
}

// follow lets the index follow the files of the default tenant.
func (n *Node) follow(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = step(ctx, n, FollowFiles, "default", schema.Indexer, schema.Tenant.Reindex, n.Search.Index); err != nil {
			return err
		}
	}
	return nil
}

func (k *kit) mustFollow() {
	k.t.Helper()
	if err := k.follow(context.Background()); err != nil {
		k.t.Fatal(err)
	}
}

func TestSearchShowsWhatReadingWould(t *testing.T) {
	k, bot := policed(t)
	k.write(user("olga"), "/w/env.txt", "about s3cret")
	k.write(k.admin, "/other.txt", "s3cret")
	for range 2 {
		k.mustGrep(user("olga"), "s3cret|private", "/w/.env:2", "/w/env.txt:1", "/w/id_rsa:1")
		k.mustGrep(bot, "s3cret|private|=|[a-z]", "/w/env.txt:1", "/w/plain.txt:1")
		if got, want := k.do(bot, "glob", `{"pattern":"**"}`).(api.GlobResult).Matches, []string{"/w/.env", "/w/env.txt", "/w/plain.txt"}; !slices.Equal(got, want) {
			t.Errorf("the agent finds %q, want %q", got, want)
		}
		k.mustFollow()
	}
	d := k.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Op: "files.grep", Principal: bot.Base})
	listed := slices.IndexFunc(d, func(e audit.Entry) bool { return e.Decided.Listed != nil })
	if listed < 0 || !slices.Contains(d[listed].Decided.Listed.IDs, k.fileID("/w/plain.txt")) || slices.Contains(d[listed].Decided.Listed.IDs, k.fileID("/w/.env")) {
		t.Errorf("recorded %+v, want the files that were shown and no other", d)
	}
	k.relate(k.admin, []string{"user", "mia"}, "member", []string{"tenant", "default"})
	id := k.share("mia", "direct_viewer", "/w/env.txt")
	k.mustGrep(user("mia"), "s3cret", "/w/env.txt:1")
	k.mustGrep(user("mia"), ".", "/w/env.txt:1")
	if got := k.do(user("mia"), "glob", `{"pattern":"**"}`).(api.GlobResult).Matches; !slices.Equal(got, []string{"/w/env.txt"}) {
		t.Errorf("who sees one file finds %q", got)
	}
	k.unshare(id)
	k.mustGrep(user("mia"), "s3cret|.")
}

func (k *kit) fileID(path string) string {
	k.t.Helper()
	a, err := k.Store.Names().Address(context.Background(), "default", path)
	if err != nil {
		k.t.Fatal(err)
	}
	return a.Anchor
}

func TestServerIndexesByItself(t *testing.T) {
	k := newKit(t, Config{})
	for i := range 130 {
		k.write(k.admin, fmt.Sprintf("/d/f%03d", i), fmt.Sprintf("word%03d", i))
	}
	at := slices.IndexFunc(k.chores(), func(c chore) bool { return c.name == FollowFiles })
	k.chores()[at].now(t)
	if n, err := k.Search.Size("default"); err != nil || n == 0 {
		t.Errorf("the index has %d bytes, %v, want some", n, err)
	}
	d := k.lastDecision(FollowFiles)
	if d.Base != schema.Staff("default", schema.Indexer) || !d.Allowed {
		t.Errorf("recorded %+v, want that the indexer was allowed", d)
	}
	k.mustGrep(k.admin, "word12[0-3]", "/d/f120:1", "/d/f121:1", "/d/f122:1", "/d/f123:1")
	k.restart()
	k.mustGrep(k.admin, "word12[0-3]", "/d/f120:1", "/d/f121:1", "/d/f122:1", "/d/f123:1")
	k.close()
	if err := os.RemoveAll(IndexDir(k.config.DataDir)); err != nil {
		t.Fatal(err)
	}
	k.open()
	k.mustGrep(k.admin, "word12[0-3]", "/d/f120:1", "/d/f121:1", "/d/f122:1", "/d/f123:1")
}

const childIndexes = "indexes" // writes and indexes without end

// index writes and indexes, and tells on standard output each time it has done a little of either.
func index(n *Node, round string) error {
	ctx := context.Background()
	for i := 0; ; i++ {
		for j := range 20 {
			path := fmt.Sprintf("/load/d%d/f%d", (i+j)%7, j)
			text := fmt.Sprintf("round %s turn %d word%d\nlast", round, i, (i*j)%50)
			if _, err := n.Table.Method("write").Invoke(ctx, user("writer"), []byte(writeParams(path, text))); err != nil {
				return err
			}
		}
		fmt.Println("written")
		for more := true; more; {
			var err error
			if more, err = step(ctx, n, FollowFiles, "default", schema.Indexer, schema.Tenant.Reindex, n.Search.Index); err != nil {
				return err
			}
			fmt.Println("indexed")
		}
	}
}

// TestKilledWhileIndexingFindsEverything kills a server that indexes again and again, on one directory.
func TestKilledWhileIndexingFindsEverything(t *testing.T) {
	rounds := 15 / slower
	if testing.Short() {
		rounds = 5
	}
	k := loadKit(t)
	k.close()
	t.Cleanup(k.open)
	random := rand.New(rand.NewPCG(3, 4))
	lines := 0
	for round := range rounds {
		cmd, out := spawn(t, childIndexes, k.config.DataDir, envRound+"="+strconv.Itoa(round))
		for said, n := 0, 1+random.IntN(25); out.Scan(); {
			if said++; said == n {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		k.open()
		for _, pattern := range []string{"round " + strconv.Itoa(round), `word4\d`, "turn [0-9]+ word1", "(?i)LAST", "r.*d7$"} {
			lines += k.mustFindAll(pattern)
		}
		if round%3 == 0 {
			k.mustFollow()
			lines += k.mustFindAll("word[12]")
		}
		k.close()
	}
	t.Logf("%d rounds, %d lines found, each where it stands and none missing", rounds, lines)
}

// mustFindAll holds a search against a look at every file, and returns how many lines it found.
func (k *kit) mustFindAll(pattern string) int {
	k.t.Helper()
	re, want := regexp.MustCompile(pattern), []string{}
	for _, path := range k.paths(k.admin, "/load") {
		text, err := k.read(k.admin, path)
		if err != nil {
			continue // a folder
		}
		for i, line := range strings.Split(text, "\n") {
			if re.MatchString(line) {
				want = append(want, path+":"+strconv.Itoa(i+1))
			}
		}
	}
	got := k.grep(k.admin, pattern)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		k.t.Errorf("%s finds %d lines, want %d", pattern, len(got), len(want))
	}
	return len(got)
}
