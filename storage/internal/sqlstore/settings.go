package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	setting     = sqldb.SQL(`SELECT value FROM settings WHERE name = $1`)
	keepSetting = sqldb.SQL(`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`)
)

// Setting returns the value of an installation's setting; ErrNoRows when it has none.
func Setting(ctx context.Context, q sqldb.Q, name string) (value string, err error) {
	err = q.Row(ctx, setting, name).Scan(&value)
	return value, err
}

// KeepSetting sets a value where there is none.
func KeepSetting(ctx context.Context, tx sqldb.Tx, name, value string) error {
	_, err := tx.Exec(ctx, keepSetting, name, value)
	return err
}
