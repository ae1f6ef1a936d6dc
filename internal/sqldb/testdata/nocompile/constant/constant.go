// Package constant is the twin of variable that compiles.
package constant

import "nexus/internal/sqldb"

const text = "1"

// Find runs what the program's author wrote.
func Find() *sqldb.Stmt { return sqldb.SQL("SELECT " + text) }
