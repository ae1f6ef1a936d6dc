package sqlds

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// note is the domain's row in these tests: it must be there exactly when its relationships are.
var (
	sqlNoteTable = sqldb.OnlySQLite(`CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY)`)
	sqlNote      = sqldb.OnlySQLite(`INSERT INTO note (name) VALUES ($1)`)
	sqlNotes     = sqldb.OnlySQLite(`SELECT name FROM note ORDER BY name`)
)

func prepareNotes(d *Datastore) error {
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, sqlNoteTable)
		return err
	})
	return errors.Join(err, writeSchema(d, schema.Text))
}

// writeNote writes a domain row and three relationships in one closure.
func writeNote(d *Datastore, name string) error {
	return d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		if err := d.Writer().Write(ctx, tx, create(parent(name, "root")), create(viewer(name, "ann"))); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlNote, name); err != nil {
			return err
		}
		return d.Writer().Write(ctx, tx, create(viewer(name, "bob")))
	})
}

// whole returns the names that are there, and fails when one is there by half.
func whole(tb testing.TB, d *Datastore) map[string]bool {
	tb.Helper()
	names := map[string]bool{}
	err := d.db.Each(context.Background(), sqlNotes, nil, func(r sqldb.Row) error {
		var name string
		err := r.Scan(&name)
		names[name] = true
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	rels := map[string]int{}
	for _, one := range read(tb, d, headOf(tb, d), relations.Filter{ResourceType: "file"}) {
		name, _, _ := strings.Cut(strings.TrimPrefix(one, "file:acme/"), "#")
		rels[name]++
	}
	for name, n := range rels {
		if n != 3 || !names[name] {
			tb.Errorf("%s has %d relationships of 3, and its row is there: %v", name, n, names[name])
		}
	}
	if len(rels) != len(names) {
		tb.Errorf("%d rows, but relationships of %d", len(names), len(rels))
	}
	return names
}

// At each statement of a write the engine fails; what was written before stands, what fails leaves nothing, and the next works.
func TestFailureAtEachStatementIsAllOrNothing(t *testing.T) {
	var armed atomic.Int64
	refuse := errors.New("the test refuses this statement")
	d := openStore(t, Options{}, sqldb.LiteOptions{BeforeStatement: func(int, string) error {
		if armed.Load() > 0 && armed.Add(-1) == 0 {
			return refuse
		}
		return nil
	}})
	if err := prepareNotes(d); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); ; n++ {
		armed.Store(n)
		err := writeNote(d, fmt.Sprint("n", n))
		untouched := armed.Swap(0) > 0
		if there := whole(t, d)[fmt.Sprint("n", n)]; there != (err == nil) {
			t.Errorf("failing at statement %d: the write returned %v, and is there: %v", n, err, there)
		}
		if untouched {
			t.Logf("%d statements", n-1)
			break
		}
		if err := writeNote(d, fmt.Sprint("after", n)); err != nil {
			t.Fatalf("the write after a failure at statement %d: %v", n, err)
		}
	}
}

// play is what a child process does until it is killed: one role writes one note, the other many.
func play() int {
	role, path := os.Getenv(roleVar), os.Getenv("SQLDS_TEST_FILE")
	if n, err := strconv.Atoi(role); err == nil {
		return playOne(path, n)
	}
	return playMany(path, role)
}

func playOne(path string, killAt int) int {
	left := 0
	d, err := openBoth(path, Options{}, sqldb.LiteOptions{BeforeStatement: func(int, string) error {
		if left--; left == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	left = killAt
	if err := writeNote(d, fmt.Sprint("n", killAt)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func playMany(path, round string) int {
	d, err := openBoth(path, Options{}, sqldb.LiteOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%sw%di%d", round, w, i)
				if err := writeNote(d, name); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(name + "\n") // one write(2): acknowledged
			}
		})
	}
	wg.Wait()
	return 0
}

func child(t *testing.T, path, role string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), roleVar+"="+role, "SQLDS_TEST_FILE="+path)
	c.Stderr = os.Stderr
	return c
}

// prepareFile makes a file that a child may open.
func prepareFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nexus.db")
	d, err := openBoth(path, Options{}, sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(prepareNotes(d), closeBoth(d)); err != nil {
		t.Fatal(err)
	}
	return path
}

func inspect(t *testing.T, path string) map[string]bool {
	t.Helper()
	d, err := openBoth(path, Options{}, sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := whole(t, d)
	if err := closeBoth(d); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestKillAtEachStatementIsAllOrNothing(t *testing.T) {
	path := prepareFile(t)
	for n := 1; ; n++ {
		err := child(t, path, strconv.Itoa(n)).Run()
		there := inspect(t, path)[fmt.Sprint("n", n)]
		if err == nil {
			if !there {
				t.Error("an acknowledged write is lost")
			}
			t.Logf("%d statements", n-1)
			return
		}
		if there {
			t.Errorf("killed before statement %d, the write is there", n)
		}
	}
}

func TestKillUnderLoadLosesNothing(t *testing.T) {
	rounds := 100
	if testing.Short() || raceDetector {
		rounds = 5
	}
	path := prepareFile(t)
	acknowledged := 0
	for round := range rounds {
		acks := killUnderLoad(t, path, fmt.Sprintf("r%d", round))
		there := inspect(t, path)
		for _, name := range acks {
			if !there[name] {
				t.Errorf("round %d: %s was acknowledged and is lost", round, name)
			}
		}
		acknowledged += len(acks)
	}
	t.Logf("%d rounds, %d acknowledged writes", rounds, acknowledged)
}

// killUnderLoad lets a child write until it has acknowledged some, kills it, and returns all it has acknowledged.
func killUnderLoad(t *testing.T, path, round string) []string {
	t.Helper()
	c := child(t, path, round)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var acks []string
	until := 1 + rand.IntN(60)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acks = append(acks, lines.Text())
		if len(acks) == until {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil || len(acks) < until {
		t.Fatalf("the child ended by itself after %d acknowledgements: %v", len(acks), err)
	}
	return acks
}
