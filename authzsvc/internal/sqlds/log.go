package sqlds

import (
	"context"
	"encoding/binary"
	"errors"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

var sqlLog = sqldb.OnlySQLite(`INSERT INTO rel_log (rev, seq, rels, other) VALUES ($1, $2, $3, $4)`)

// log writes down what the closure's revision changes, for watchers.
func (j *join) log(ctx context.Context, changes []change, other []byte) error {
	_, err := j.tx.Exec(ctx, sqlLog, j.rev, j.seq, packChanges(changes), other)
	j.seq++
	j.logged = true
	return err
}

// packChanges writes changes as: a byte for deleted (0) or there (1), the six texts of the key, expiry, extra; each text
// behind its length.
func packChanges(changes []change) []byte {
	var b []byte
	for i := range changes {
		c := &changes[i]
		there := byte(1)
		if c.kind == relations.Delete {
			there = 0
		}
		b = append(b, there)
		for _, name := range byResource {
			b = appendText(b, c.column(name))
		}
		b = binary.AppendVarint(b, c.expiry)
		b = appendText(b, string(c.extra))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errLog = errors.New("an entry of the relationship log is damaged")

// unpackChanges reads what packChanges wrote.
func unpackChanges(b []byte) ([]change, error) {
	u := unpacker{b: b}
	var all []change
	for len(u.b) > 0 && !u.bad {
		c := change{kind: relations.Delete}
		if u.byte() == 1 {
			c.kind = relations.Touch
		}
		for _, field := range []*string{&c.rt, &c.ro, &c.rr, &c.st, &c.so, &c.sr} {
			*field = u.text()
		}
		c.expiry = u.number()
		c.extra = []byte(u.text())
		all = append(all, c)
	}
	if u.bad {
		return nil, errLog
	}
	return all, nil
}

// unpacker takes values off the front of b; bad is set once b did not hold what was asked for.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) byte() byte {
	if len(u.b) == 0 {
		u.bad = true
		return 0
	}
	c := u.b[0]
	u.b = u.b[1:]
	return c
}

func (u *unpacker) number() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) text() string {
	size, n := binary.Uvarint(u.b)
	if n <= 0 || size > uint64(len(u.b)-n) {
		u.bad, u.b = true, nil
		return ""
	}
	s := string(u.b[n : n+int(size)])
	u.b = u.b[n+int(size):]
	return s
}
