// Package variable must not compile: a statement from a variable could carry a value of a user.
package variable

import "nexus/internal/sqldb"

// Find would run whatever text says.
func Find(text string) *sqldb.Stmt { return sqldb.SQL("SELECT " + text) }
