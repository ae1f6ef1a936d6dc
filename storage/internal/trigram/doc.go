// Package trigram is the index that says which contents may match a regular expression: those that hold certain three bytes in
// a row. It finds contents by their hashes and knows neither files nor who may read them, and it is never the truth: whoever
// asks it looks at the contents themselves, and what it has lost is built anew from them.
//
// Each tenant has a folder of its own, so that no tenant's texts leave a trace in another's. In it stand segments, files that
// are written once, and a manifest that names them and says how far the tenant's contents are indexed. A segment becomes part
// of the index when a manifest that names it has replaced the one before; whatever a crash leaves beside that is removed.
package trigram

import "crypto/sha256"

// Sum is the SHA-256 of a content.
type Sum [sha256.Size]byte
