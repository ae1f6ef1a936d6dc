// Package cache remembers what the engine answered, and knows exactly when an answer is no longer true. It makes no decision
// of its own: what it returns is what the engine would answer at the newest revision, or it asks the engine.
//
// # The rule
//
// An answer about an object was computed at a revision r. It depends on the object, on what the object reaches in its tree
// (folders and links above it), and on everything else of its tenant: groups, members, administrators. Each of these has a
// stamp: the newest revision at which one of its relationships was written, deleted or expired. The answer is true at every
// revision h, earlier or later than r, for which no stamp is later than r or h. Creating a file stamps a new id only, and
// writing contents stamps nothing, so the cache lives under writes; changing a group empties one tenant.
//
// # The order
//
// A writer raises the stamps before it commits, and the head is published after the commit. A reader takes the head first
// and compares stamps last. So whatever was acknowledged before a question has raised its stamps before the comparison.
//
// # Lists
//
// Sift decides many members at once, at one revision, from the folders they stand in and from what is granted to the
// principal directly. Granted says where alone a member can pass, so that a walk need not look elsewhere; it decides nothing.
//
// # To cache a new definition
//
// Write it in the product's schema: spice.ShapeOf proves from the compiled schema for which permissions the rule is sound,
// and the cache passes everything else to the engine.
package cache
