package audit

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nexus/authzsvc/authz"
	"nexus/internal/ids"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		recordUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

// quick is a log that works only when told to: nothing is due by time within a test.
func quick() Options {
	return Options{SyncEvery: time.Hour, CheckpointEvery: time.Hour, ReserveBytes: -1}
}

func openLog(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() { l.halt() })
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
}

// read is a prompt decision about file n.
func read(n int) *authz.Decided {
	file := authz.Ref{Type: "file", ID: "acme/f" + strconv.Itoa(n)}
	return &authz.Decided{
		ID: ids.New(), At: time.Now(), Tenant: "acme", Base: authz.Ref{Type: "user", ID: "acme/ann"}, Op: "files.read",
		Objects: []authz.Named{{Ref: file, Name: "/docs/" + strconv.Itoa(n)}},
		Checks:  []authz.Answer{{Check: authz.Check{Type: "file", ID: file.ID, Permission: "read"}, Allowed: true}},
		Allowed: true, Schema: "5c4e", Policy: "a1b2", Micros: 7,
	}
}

// write is a durable decision about file n.
func write(n int) *authz.Decided {
	d := read(n)
	d.Op, d.Durable, d.Checks[0].Permission = "files.write", true, "write"
	return d
}

func decide(t testing.TB, l *Log, d *authz.Decided) *authz.Decided {
	t.Helper()
	if err := l.Decide(ctx, d); err != nil {
		t.Fatalf("Decide = %v", err)
	}
	return d
}

func conclude(t testing.TB, l *Log, id string, first, last int64) {
	t.Helper()
	if err := l.Conclude(ctx, &authz.Outcome{ID: id, At: time.Now(), State: authz.Done, First: first, Last: last}); err != nil {
		t.Fatalf("Conclude = %v", err)
	}
}

func entries(t testing.TB, l *View, q Query) []Entry {
	t.Helper()
	var all []Entry
	if err := l.Read(ctx, q, func(e Entry) bool { all = append(all, e); return true }); err != nil {
		t.Fatalf("Read = %v", err)
	}
	return all
}

func notes(t testing.TB, l *View, kind NoteKind) []Note {
	t.Helper()
	var all []Note
	for _, e := range entries(t, l, Query{Types: []Type{TypeNote}}) {
		if e.Note.Kind == kind {
			all = append(all, *e.Note)
		}
	}
	return all
}

// verify returns the findings about the record in dir.
func verify(t testing.TB, dir string, o VerifyOptions) ([]Finding, Report) {
	t.Helper()
	var all []Finding
	o.Found = func(f Finding) { all = append(all, f) }
	r, err := Verify(ctx, dir, o)
	if err != nil {
		t.Fatalf("Verify = %v", err)
	}
	return all, r
}

func wantWhole(t testing.TB, dir string) Report {
	t.Helper()
	found, r := verify(t, dir, VerifyOptions{})
	if len(found) > 0 {
		t.Fatalf("Verify found %+v in a whole record", found)
	}
	return r
}

func wantFinding(t testing.TB, found []Finding, kind FindingKind) {
	t.Helper()
	for _, f := range found {
		if f.Kind == kind {
			return
		}
	}
	t.Fatalf("Verify found %+v, want one of kind %q", found, kind)
}
