package sqldb

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"nexus/internal/errs"
)

func TestNamesOrderedByBytes(t *testing.T) {
	names := []string{"a", "B", "b", "_", "Z", "ab", "a b", "a/b", "a.b", "A", "é", "e", "zz", "ä", "日本", "\U0001F600", "~", "-", "10", "9"}
	onBoth(t, func(t *testing.T, db DB) {
		for _, n := range names {
			insert(t, db, insertName, n, false, nil, nil)
		}
		want := slices.Sorted(slices.Values(names))
		if got := list(t, db, namesInOrder); !slices.Equal(got, want) {
			t.Errorf("order %q, want %q", got, want)
		}
		if got := list(t, db, namesInRange, "a", "b"); !slices.Equal(got, []string{"a", "a b", "a.b", "a/b", "ab"}) {
			t.Errorf("range a..b = %q", got)
		}
	})
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		note := "it's \"quoted\", ünï, $1 ?1"
		insert(t, db, insertName, "full", true, []byte{0, 255, '\''}, note)
		insert(t, db, insertName, "none", false, nil, nil)
		insert(t, db, insertName, "empty", false, []byte{}, "")
		var flag bool
		var b []byte
		var text *string
		read := func(name string) {
			t.Helper()
			if err := db.Row(t.Context(), nameRow, name).Scan(&flag, &b, &text); err != nil {
				t.Fatal(err)
			}
		}
		if read("full"); !flag || !bytes.Equal(b, []byte{0, 255, '\''}) || text == nil || *text != note {
			t.Errorf("full: %v, %v, %v", flag, b, text)
		}
		if read("none"); flag || b != nil || text != nil {
			t.Errorf("none: %v, %v, %v", flag, b, text)
		}
		if read("empty"); len(b) != 0 || text == nil || *text != "" {
			t.Errorf("empty: %v, %v", b, text)
		}
	})
}

func TestParametersOutOfOrderAndRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var a, b, c int
		if err := db.Row(t.Context(), swapped, 1, 2).Scan(&a, &b, &c); err != nil {
			t.Fatal(err)
		}
		if a != 2 || b != 1 || c != 2 {
			t.Errorf("got %d, %d, %d, want 2, 1, 2", a, b, c)
		}
	})
}

func TestDollarsWithinQuotesAreText(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var text string
		var x, arg int
		if err := db.Row(t.Context(), dollarsQuoted, 5).Scan(&text, &x, &arg); err != nil {
			t.Fatal(err)
		}
		if text != "it's $2" || x != 7 || arg != 5 {
			t.Errorf("got %q, %d, %d", text, x, arg)
		}
	})
}

func TestStatementPerDialectRunsItsOwnText(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var got string
		if err := db.Row(t.Context(), engineName, "x").Scan(&got); err != nil || got != db.Dialect().String()+" x" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestConstraintsArriveAsKinds(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		mustPut(t, db, 1, "x")
		exec := func(s *Stmt, args ...any) error {
			return db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				_, err := tx.Exec(ctx, s, args...)
				return err
			})
		}
		scan := func(s *Stmt, args ...any) error {
			return db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				var k int
				return tx.Row(ctx, s, args...).Scan(&k)
			})
		}
		for name, c := range map[string]struct {
			err  error
			want errs.Kind
		}{
			"unique":             {exec(insertPair, 1, "y"), errs.Exists},
			"unique, returning":  {scan(returnPair, 1, "y"), errs.Exists},
			"foreign key":        {exec(insertChild, 1, 99), errs.Precondition},
			"foreign, returning": {scan(returnChild, 1, 99), errs.Precondition},
			"not null":           {exec(insertPair, 2, nil), errs.Internal},
		} {
			if c.err == nil || errs.KindOf(c.err) != c.want {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if err := scan(returnPair, 3, "z"); err != nil {
			t.Errorf("after the refused ones: %v", err)
		}
	})
}

func TestSQLiteStatementRefusedOnPostgres(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var n int
		scan := func() error { return db.Row(t.Context(), pageCount).Scan(&n) }
		if db.Dialect() == Postgres {
			mustBug(t, "not a statement for postgres", func() { _ = scan() })
			return
		}
		if err := scan(); err != nil || n == 0 {
			t.Errorf("%d pages, %v", n, err)
		}
	})
}

func TestMisuseIsABug(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		ctx := t.Context()
		mustBug(t, "1 arguments for 2 parameters", func() {
			_ = db.Tx(ctx, func(ctx context.Context, tx Tx) error {
				_, err := tx.Exec(ctx, insertPair, 1)
				return err
			})
		})
		mustBug(t, "within a transaction", func() {
			_ = db.Tx(ctx, func(ctx context.Context, _ Tx) error { return put(ctx, db, 1, "x") })
		})
		mustBug(t, "after its closure", func() {
			var kept Tx
			_ = db.Tx(ctx, func(_ context.Context, tx Tx) error { kept = tx; return nil })
			_, _ = kept.Exec(ctx, insertPair, 1, "x")
		})
		mustPut(t, db, 5, "x")
		mustBug(t, "within its own Each", func() {
			_ = db.Tx(ctx, func(ctx context.Context, tx Tx) error {
				return tx.Each(ctx, allKeys, nil, func(Row) error { return putIn(ctx, tx, 1, "x") })
			})
		})
		mustPut(t, db, 6, "still works")
	})
}

func TestWriteOutsideTxRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		mustBug(t, "outside a transaction", func() { _, _ = db.Exec(t.Context(), insertPair, 1, "x") })
		var k int
		if err := db.Row(t.Context(), returnPair, 1, "x").Scan(&k); err == nil {
			t.Error("a reading connection wrote")
		}
		if got := keys(t, db); len(got) != 0 {
			t.Errorf("rows %v were written", got)
		}
	})
}

func insert(t testing.TB, db DB, s *Stmt, args ...any) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, s, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func list(t testing.TB, db DB, s *Stmt, args ...any) []string {
	t.Helper()
	var all []string
	err := db.Each(t.Context(), s, args, func(r Row) error {
		var name string
		err := r.Scan(&name)
		all = append(all, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
