package audit

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// madeAt returns the time in a UUIDv7, to the millisecond. It reads both spellings: the 26 characters of base32hex that this
// house writes, and the 36 of RFC 9562.
func madeAt(id string) (time.Time, bool) {
	if u, err := uuid.Parse(id); err == nil {
		return time.UnixMilli(millis(u[:])), u.Version() == 7
	}
	if len(id) != 26 {
		return time.Time{}, false
	}
	bits := int64(0)
	for _, c := range id[:10] { // 50 bits, of which 48 are the time
		v := strings.IndexRune("0123456789abcdefghijklmnopqrstuv", c)
		if v < 0 {
			return time.Time{}, false
		}
		bits = bits<<5 | int64(v)
	}
	return time.UnixMilli(bits >> 2), true
}

func millis(b []byte) int64 {
	ms := int64(0)
	for _, c := range b[:6] {
		ms = ms<<8 | int64(c)
	}
	return ms
}
