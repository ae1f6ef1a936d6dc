package node

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
)

const (
	killRounds  = 100
	verifyEvery = 10
)

// TestKilledServerLosesNothingAcknowledged kills a server at work again and again, on one directory.
func TestKilledServerLosesNothingAcknowledged(t *testing.T) {
	rounds := killRounds / slower
	if testing.Short() {
		rounds = verifyEvery
	}
	k := loadKit(t)
	k.close()
	t.Cleanup(k.open) // the kit closes what is open
	random := rand.New(rand.NewPCG(1, 2))
	total, ahead, began := 0, 0, time.Now()
	for round := range rounds {
		acknowledged := killUnderLoad(t, k.config.DataDir, strconv.Itoa(round), 1+random.IntN(60))
		k.open()
		for path, version := range acknowledged {
			total += version
			ahead += k.mustHave(path, version)
		}
		k.mustBeSettled()
		if (round+1)%verifyEvery == 0 {
			k.mustVerify()
		}
		k.close()
	}
	t.Logf("%d rounds, %d writes acknowledged, %d more committed and not acknowledged, none lost, %s", rounds, total, ahead, time.Since(began).Round(time.Millisecond))
}

// killUnderLoad starts a server that writes, kills it once it has acknowledged n writes, and returns the newest version of
// each path that was acknowledged.
func killUnderLoad(t *testing.T, dir, round string, n int) map[string]int {
	t.Helper()
	cmd, out := spawn(t, childLoads, dir, envRound+"="+round)
	acknowledged := map[string]int{}
	for lines := 1; out.Scan(); lines++ {
		path, text, ok := strings.Cut(out.Text(), " ")
		version, err := strconv.Atoi(text)
		if !ok || err != nil {
			t.Fatalf("the child said %q", out.Text())
		}
		acknowledged[path] = version
		if lines == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) == 0 {
		t.Fatalf("the child ended by itself: %v, with %d paths acknowledged", err, len(acknowledged))
	}
	return acknowledged
}

// mustHave checks that a write which was acknowledged is there, whole. It returns how many versions came after it.
func (k *kit) mustHave(path string, version int) (ahead int) {
	k.t.Helper()
	m := k.do(k.admin, "get_metadata", `{"path":"`+path+`"}`).(*api.Metadata)
	if m == nil {
		k.t.Errorf("%s was acknowledged and is lost", path)
		return 0
	}
	ahead = int(m.Version) - version
	if ahead < 0 || ahead > 1 {
		k.t.Errorf("%s has version %d, acknowledged was %d", path, m.Version, version)
	}
	k.mustRead(user("writer"), path, loadText(path, int(m.Version)))
	if !k.may("writer", "owner", path) {
		k.t.Errorf("%s has lost its owner", path)
	}
	return ahead
}

// mustBeSettled checks that no decision is left open.
func (k *kit) mustBeSettled() {
	k.t.Helper()
	if open, err := k.Service.Record().Unresolved(context.Background()); err != nil || len(open) > 0 {
		k.t.Errorf("%d decisions are open: %v", len(open), err)
	}
}

// mustVerify checks the whole record against itself and against what was committed.
func (k *kit) mustVerify() audit.Report {
	k.t.Helper()
	ctx := context.Background()
	r, err := audit.Verify(ctx, RecordDir(k.config.DataDir), audit.VerifyOptions{
		Found:   func(f audit.Finding) { k.t.Errorf("record: %+v", f) },
		Effects: &audit.Effects{Of: k.Store.Effect, All: k.Store.Effects},
	})
	if err != nil || r.Findings > 0 || int64(r.Open) > r.Gaps { // what the disk refused may have been an outcome
		k.t.Errorf("the record: %+v, %v", r, err)
	}
	return r
}
