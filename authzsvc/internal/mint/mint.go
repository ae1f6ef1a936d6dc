// Package mint holds the key without which no Gate can be made. Only packages below authzsvc can import it, so no other
// part of the program can build a Gate that decides as it likes.
package mint

// Key is what NewGate asks for.
type Key struct{ real bool }

// New returns the key.
func New() Key { return Key{real: true} }

// Real reports whether k came from New.
func (k Key) Real() bool { return k.real }
