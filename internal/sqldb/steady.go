package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
)

// Steady reports, joined, each of the texts that SQLite plans anew when its parameters get other values, which takes longer
// than running most of them. It happens where the plan depends on a value: a partial index has a constant where the text has
// a parameter, or the parameter is all that follows LIMIT. The texts are run, on a connection that cannot write.
func Steady(ctx context.Context, l *Lite, texts ...string) error {
	conn, err := l.readers.Conn(ctx)
	if err != nil {
		return Translate(err)
	}
	defer conn.Close()
	plans := 0
	err = authorize(conn, func(sqlite.AuthorizerActionCode, string, string, string, string) sqlite.AuthorizerReturnCode {
		plans++
		return sqlite.AuthorizerOK
	})
	if err != nil {
		return Translate(err)
	}
	var all []error
	for _, text := range texts {
		if err := steady(ctx, conn, text, &plans); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(append(all, authorize(conn, nil))...)
}

// authorize makes conn call f for each part of each statement that it plans.
func authorize(conn *sql.Conn, f sqlite.AuthorizerFn) error {
	return conn.Raw(func(driver any) error { return driver.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(f) })
}

// steady runs text with several values; plans counts what is planned meanwhile.
func steady(ctx context.Context, conn *sql.Conn, text string, plans *int) error {
	s, err := conn.PrepareContext(ctx, text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	defer s.Close()
	args := make([]any, 64) // more than any has; the driver passes over the rest
	for run, value := range []any{"a", "b", int64(7), "c"} {
		for i := range args {
			args[i] = value
		}
		before := *plans
		if rows, err := s.QueryContext(ctx, args...); err == nil { // an error is the values': they are of no type in particular
			rows.Next()
			_ = rows.Close()
		}
		if run > 0 && *plans != before {
			return fmt.Errorf("planned again for other values: %s", strings.Join(strings.Fields(text), " "))
		}
	}
	return nil
}
