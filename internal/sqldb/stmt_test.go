package sqldb

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestRewriteTouchesParametersAlone(t *testing.T) {
	for text, want := range map[string]string{
		`a = $1`:                     `a = ?1`,
		`$2, $1, $2`:                 `?2, ?1, ?2`,
		`$10$1`:                      `?10$1`, // a parameter ends where a name would go on
		`'$1' || $1`:                 `'$1' || ?1`,
		`'it''s $2' || $1`:           `'it''s $2' || ?1`,
		`'' || $1 || ''`:             `'' || ?1 || ''`,
		`"a$2" = $1`:                 `"a$2" = ?1`,
		"-- $2 '\n$1":                "-- $2 '\n?1",
		"$1 -- $2":                   "?1 -- $2",
		`/* $2 ' */ $1`:              `/* $2 ' */ ?1`,
		`name$2 = $1`:                `name$2 = ?1`,
		`$1 ->> '$.x'`:               `?1 ->> '$.x'`,
		`($1)`:                       `(?1)`,
		`$`:                          `$`,
		`$x`:                         `$x`,
		"é$2 = $1":                   "é$2 = ?1",
		`'a' - '-- $2' || $1`:        `'a' - '-- $2' || ?1`,
		`"--" /* " */ || '/*' || $1`: `"--" /* " */ || '/*' || ?1`,
		"$2 LIMIT $1 OFFSET $3":      "?2 LIMIT +?1 OFFSET ?3",
		"$1 limit\n\t$2":             "?1 limit\n\t+?2",
		`no_limit $1, "limit" = $2`:  `no_limit ?1, "limit" = ?2`,
	} {
		if got := parse(text).rewritten; got != want {
			t.Errorf("parse(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFaultyTextFound(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT 1; DELETE FROM t`:    "more than one statement",
		`SELECT 1; 'x'`:              "more than one statement",
		`SELECT 1; $1`:               "more than one statement",
		`SELECT '`:                   "not closed",
		`SELECT "x`:                  "not closed",
		`SELECT 1 /* x`:              "not closed",
		`SELECT $2`:                  "parameter $1 is not used",
		`SELECT $0`:                  "begin at $1",
		`SELECT $1;`:                 "",
		"SELECT ';' ; -- the end\n ": "",
		`SELECT 1; /* x */`:          "",
	} {
		got := parse(text).fault
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("parse(%q).fault = %q, want %q", text, got, want)
		}
	}
}

func TestStatementsRegisterWithTheirPlace(t *testing.T) {
	if !slices.Contains(Statements(), insertPair) {
		t.Error("a declared statement is not in Statements()")
	}
	if !strings.HasPrefix(insertPair.Where(), "sqldb/main_test.go:") {
		t.Errorf("Where() = %q", insertPair.Where())
	}
	if !engineName.PerDialect() || insertPair.PerDialect() {
		t.Error("PerDialect() is not what was declared")
	}
}

func TestDialectsOfOneStatementMustAgreeOnParameters(t *testing.T) {
	if got := differs(parse(`SELECT $1`), parse(`SELECT $1, $2`)); got == "" {
		t.Error("a difference in parameters was not found")
	}
}

func TestVariableIsNoStatement(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "go", "build", "./testdata/nocompile/constant").CombinedOutput(); err != nil {
		t.Fatalf("the twin that should compile does not: %s", out)
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "./testdata/nocompile/variable").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot use") || !strings.Contains(string(out), "literal value") {
		t.Fatalf("go build = %v, %s; want a refused conversion", err, out)
	}
}

func TestEveryStatementPreparesOnBoth(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		if err := PrepareAll(t.Context(), db); err != nil {
			t.Error(err)
		}
	})
}

func TestPrepareNamesWhatDoesNotFit(t *testing.T) {
	wrong := &Stmt{sqlite: "SELECT nothing FROM pairs", postgres: "SELECT nothing FROM pairs", where: "here.go:1"}
	quoted := &Stmt{sqlite: `SELECT "nothing" FROM pairs`, postgres: `SELECT "nothing" FROM pairs`, where: "here.go:2"}
	faulty := &Stmt{sqlite: "SELECT 1", postgres: "SELECT 1", fault: "a fault", where: "here.go:3"}
	onBoth(t, func(t *testing.T, db DB) {
		err := Prepare(t.Context(), db, wrong, quoted, faulty, insertPair)
		if err == nil {
			t.Fatal("Prepare() = nil, want three errors")
		}
		for _, place := range []string{"here.go:1", "here.go:2", "here.go:3"} {
			if !strings.Contains(err.Error(), place) {
				t.Errorf("Prepare() = %v, want it to name %s", err, place)
			}
		}
		if strings.Contains(err.Error(), insertPair.where) {
			t.Errorf("Prepare() = %v, names a right statement", err)
		}
	})
}

func TestBudgetOfDifferentStatementsKept(t *testing.T) {
	l := openLite(t, LiteOptions{})
	many := slices.Repeat([]*Stmt{engineName}, PerDialectBudget+1)
	if err := Prepare(t.Context(), l, many...); err == nil {
		t.Error("Prepare() = nil for more than the budget")
	}
	if err := Prepare(t.Context(), l, many[1:]...); err != nil {
		t.Errorf("Prepare() = %v within the budget", err)
	}
}
