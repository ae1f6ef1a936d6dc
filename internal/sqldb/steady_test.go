package sqldb

import (
	"context"
	"strings"
	"testing"
)

func TestStatementPlannedAgainIsFound(t *testing.T) {
	l := openLite(t, LiteOptions{})
	err := l.Tx(t.Context(), func(_ context.Context, tx Tx) error {
		conn, _ := WriterConn(tx)
		_, err := conn.ExecContext(t.Context(), `CREATE TABLE t (a, b); CREATE INDEX few ON t (b) WHERE a = 'x'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, steady := range map[string]bool{
		`SELECT b FROM t WHERE a = ?1`:                                  false,
		`SELECT b FROM t WHERE a = ?1 || ''`:                            true,
		`SELECT b FROM t WHERE b = ?1`:                                  true,
		`SELECT b FROM t LIMIT ?`:                                       false,
		parse(`SELECT b FROM t LIMIT $1`).rewritten:                     true,
		`INSERT INTO t (a, b) VALUES (?1, ?2)`:                          true,
		`INSERT INTO t (a, b) SELECT a, ?1 FROM t WHERE a = ?2`:         false,
		parse(`SELECT b FROM t ORDER BY b LIMIT $1 OFFSET 1`).rewritten: true,
	} {
		err := Steady(t.Context(), l, text)
		if steady != (err == nil) || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("Steady(%s) = %v, want steady: %v", text, err, steady)
		}
	}
}
