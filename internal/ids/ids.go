// Package ids makes and quotes identifiers. An id made here is stable and never used again; a name that people chose is
// quoted before it becomes part of an object id, so that no name can reach into another tenant.
package ids

import (
	"bufio"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"sync"

	"github.com/google/uuid"

	"nexus/internal/errs"
)

// base32hex keeps the byte order of what it encodes, so ids sort by the time they were made.
var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// MaxQuoted is the longest quoted id that SpiceDB accepts, in bytes.
const MaxQuoted = 1024

// source hands out the system's random bytes, which it fetches for 32 ids at once. What waits in it lies on the heap: good
// enough for ids, which are unique and no secret, and for nothing else.
var (
	sourceMu sync.Mutex
	source   = bufio.NewReaderSize(rand.Reader, 32*len(uuid.UUID{})) // guarded by sourceMu
)

// New returns a fresh UUIDv7 (RFC 9562) as 26 characters of base32hex. It sorts behind every id that this process made before,
// tells when it was made, and is no secret.
func New() string {
	sourceMu.Lock()
	id, err := uuid.NewV7FromReader(source)
	sourceMu.Unlock()
	if err != nil {
		panic(err) // the system's random source failed: nothing may go on without it
	}
	return encoding.EncodeToString(id[:])
}

// Quote returns name with every byte outside [A-Za-z0-9_-] written as =XX.
func Quote(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		plain = plain && isPlain(name[i])
	}
	if plain {
		return name
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if c := name[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// Unquote reverses Quote. Text that Quote could not have made is refused.
func Unquote(quoted string) (string, error) {
	if !strings.ContainsRune(quoted, '=') {
		return quoted, nil
	}
	var b strings.Builder
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '=' {
			b.WriteByte(quoted[i])
			continue
		}
		if i+2 >= len(quoted) {
			return "", errs.New(errs.Invalid, "quoted id %q ends early", quoted)
		}
		hi, lo := unhex(quoted[i+1]), unhex(quoted[i+2])
		if hi < 0 || lo < 0 || isPlain(byte(hi<<4|lo)) {
			return "", errs.New(errs.Invalid, "quoted id %q has a wrong escape", quoted)
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

// Plain returns a quoted name as people wrote it, and text that Quote could not have made as it is.
func Plain(quoted string) string {
	name, err := Unquote(quoted)
	if err != nil {
		return quoted
	}
	return name
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Random returns a random UUID in its usual form: for ids that must tell nothing, not even when they were made.
func Random() string { return uuid.NewString() }
