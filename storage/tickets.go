package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// AnswersKept is how long a request that carries a key and is sent again is answered as before.
const AnswersKept = 24 * time.Hour

// ticket makes one request with a key be carried out once: what it was answered commits with what it did. The zero ticket is that
// of a request without a key.
type ticket struct {
	s     *Store
	id    string // digest of who asks and the key
	print string // digest of what is asked
}

// ticket returns the ticket of a write at a. Nothing that fails is kept: who is refused may come again with the same key.
func (s *Store) ticket(d *authz.Decision, a schema.Address, o order) ticket {
	if o.Key == "" {
		return ticket{}
	}
	who := d.Principal()
	id := []string{who.Tenant, who.Base.String()}
	for _, actor := range who.Actors {
		id = append(id, actor.Ref.String())
	}
	asked := []string{a.Path, o.asked.etag, o.Match, fmt.Sprint(o.Present, o.Absent, o.Append)}
	return ticket{s: s, id: digestOf(append(id, o.Key)...), print: digestOf(asked...)}
}

// redeem returns what was answered before, and whether anything was.
func (t ticket) redeem(ctx context.Context, q sqldb.Q) (out Written, found bool, err error) {
	if t.id == "" {
		return out, false, nil
	}
	a, err := sqlstore.AnswerOf(ctx, q, t.id)
	switch {
	case errors.Is(err, sqldb.ErrNoRows), err == nil && a.At < t.s.now()-AnswersKept.Microseconds():
		return out, false, nil
	case err != nil:
		return out, false, err
	case a.Print != t.print:
		return out, false, errs.New(errs.Invalid, "the idempotency key was used for another request").Marked(errs.KeyReused)
	}
	if err := json.Unmarshal([]byte(a.Text), &out); err != nil {
		return out, false, errs.New(errs.Internal, "an answer that was kept cannot be read").Because(err)
	}
	out.Before = true
	return out, true, nil
}

// keep notes what is answered.
func (t ticket) keep(ctx context.Context, tx sqldb.Tx, out Written) error {
	if t.id == "" {
		return nil
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return sqlstore.KeepAnswer(ctx, tx, sqlstore.Answer{ID: t.id, Tenant: out.Tenant, Print: t.print, Text: string(text), At: t.s.now()})
}

// digestOf returns the SHA-256 of parts, hex; no two lists of parts are one text.
func digestOf(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(p), p) // a hash does not fail
	}
	return hex.EncodeToString(sum.Sum(nil))
}
