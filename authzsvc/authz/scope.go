package authz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"

	"nexus/internal/errs"
	"nexus/internal/ids"
)

// Scope proves that a principal may enter a collection, and decides its members page by page as the Gate decides one
// object: relations, then policy, then the record. The zero Scope admits nothing.
type Scope[P Permission[O], O Object] struct {
	_ [0]*P // pins P, as in Grant
	s *sieve
}

// sieve is the state of one walk through a collection.
type sieve struct {
	gate *Gate
	d    *Decision
	op   string // as which policy is asked about a member

	mu     sync.Mutex // guards what follows
	count  int
	digest hash.Hash
	ids    []string
	keep   bool
}

// Within is the need for a collection whose members are decided one by one: n opens it, and policy is asked about each
// member as about operation op, so that what op refuses on an object also hides the object from the list.
func Within[P Permission[O], O Object, G any](gate *Gate, n Need[G], op string) Need[Scope[P, O]] {
	return Need[Scope[P, O]]{expr: n.expr.opening(), grant: func(d *Decision) Scope[P, O] {
		return Scope[P, O]{s: &sieve{gate: gate, d: d, op: op, digest: sha256.New()}}
	}}
}

// Decision returns the decision that opened the collection, or nil for the zero Scope.
func (s Scope[P, O]) Decision() *Decision {
	if s.s == nil {
		return nil
	}
	return s.s.d
}

// Tenant returns the quoted tenant whose collection was opened, or an error as Use does.
func (s Scope[P, O]) Tenant(meets ...Obligation) (string, error) {
	if s.s == nil {
		return "", undecided()
	}
	if err := s.s.d.usable(meets); err != nil {
		return "", err
	}
	return s.s.d.who.Tenant, nil
}

// KeepIDs makes the record name every admitted member: for operations that return contents. Call it before the first Admit.
func (s Scope[P, O]) KeepIDs() {
	if s.s == nil {
		return
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	s.s.keep = true
}

// Admit returns those of members on which the principal has P, in order, and counts them for the record. in names what each
// member stands in. A member with an obligation that is not among meets is left out, as Use would refuse it by itself; meets
// are what the caller fulfils. Members must have been read after the scope was opened.
func (s Scope[P, O]) Admit(ctx context.Context, members []O, in func(O) Ref, meets ...Obligation) ([]O, error) {
	pass, err := s.Sift(ctx, members, in, meets...)
	if err != nil {
		return nil, err
	}
	admitted := make([]O, 0, len(members))
	for i, m := range members {
		if pass[i] {
			admitted = append(admitted, m)
		}
	}
	s.Count(admitted...)
	return admitted, nil
}

// Sift decides members as Admit does and counts none: for a walk that looks at more than it returns. What it returns goes
// through Count.
func (s Scope[P, O]) Sift(ctx context.Context, members []O, in func(O) Ref, meets ...Obligation) (pass []bool, err error) {
	if s.s == nil {
		return nil, undecided()
	}
	if err := s.s.d.usable(meets); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, nil
	}
	var p P
	asked, named := make([]Member, len(members)), make([]Named, len(members))
	for i, m := range members {
		named[i] = m.Named()
		asked[i] = Member{Object: named[i].Ref, In: in(m)}
	}
	return s.s.sift(ctx, p.Of(members[0]), asked, named, meets)
}

// Count counts members that Sift passed, and that are returned, for the record that Close writes.
func (s Scope[P, O]) Count(members ...O) {
	if s.s == nil {
		return
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	for _, m := range members {
		s.s.note(m.Named().ID)
	}
}

// Granted returns the ids of the objects at or below which every member stands that Admit could admit, as of some time since
// the scope was opened. It decides nothing: it says where a walk need not look. known is false, and ids nothing, when they
// cannot be named or are more than most.
func (s Scope[P, O]) Granted(ctx context.Context, most int, meets ...Obligation) (ids []string, known bool, err error) {
	if s.s == nil {
		return nil, false, undecided()
	}
	if err := s.s.d.usable(meets); err != nil {
		return nil, false, err
	}
	var p P
	var o O
	who, kind := s.s.d.who, o.Named().Type
	ids, known, err = s.s.gate.relations.Granted(ctx, who.Subjects(), kind, p.Of(o), who.Tenant, most)
	if err != nil {
		return nil, false, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	return ids, known, nil
}

// Close records what was admitted, before it leaves. last says that nothing follows. Without it there is no access: an
// error means that nothing may be returned.
func (s Scope[P, O]) Close(ctx context.Context, last bool) error {
	if s.s == nil {
		return undecided()
	}
	return s.s.close(ctx, last)
}

func (s *sieve) sift(ctx context.Context, permission string, members []Member, named []Named, meets []Obligation) ([]bool, error) {
	who, now := s.d.who, s.gate.clock.Now()
	pass, err := s.gate.relations.Sift(ctx, who.Subjects(), permission, s.d.revision, members)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	if len(pass) != len(members) {
		return nil, unanswered("relations", len(pass), len(members))
	}
	for i, m := range members {
		asked := Check{m.Object.Type, m.Object.ID, permission}
		if !pass[i] {
			if err := s.gate.delay(ctx, who, asked, named[i]); err != nil {
				return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
			}
		}
		pass[i] = pass[i] && who.permits(asked, now)
	}
	if err := s.gate.keepInside(ctx, who, members, pass); err != nil {
		return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	if err := s.consult(ctx, named, pass, meets); err != nil {
		return nil, err
	}
	return pass, nil
}

// consult takes out of pass what policy refuses, and what it obliges to and meets does not cover.
func (s *sieve) consult(ctx context.Context, named []Named, pass []bool, meets []Obligation) error {
	applies, looks := s.d.rules.Applies(s.d.who, s.op)
	if !applies {
		return nil
	}
	var asked []Named
	if looks {
		for i, n := range named {
			if pass[i] {
				asked = append(asked, n)
			}
		}
		if len(asked) == 0 {
			return nil
		}
	}
	verdicts, err := s.d.rules.Evaluate(ctx, s.d.who, s.op, asked)
	if err != nil {
		return errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	if want := max(1, len(asked)); len(verdicts) != want {
		return unanswered("policy", len(verdicts), want)
	}
	next := 0
	for i := range pass {
		if !pass[i] {
			continue
		}
		v := verdicts[0]
		if looks {
			v = verdicts[next]
			next++
		}
		pass[i] = !v.Refused && covers(meets, v.Obligations)
	}
	return nil
}

// note counts one member. s.mu is held.
func (s *sieve) note(id string) {
	s.count++
	s.digest.Write([]byte(id))
	s.digest.Write([]byte{0})
	if s.keep {
		s.ids = append(s.ids, id)
	}
}

func (s *sieve) close(ctx context.Context, last bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.d
	rec := &Decided{
		ID: ids.New(), At: s.gate.clock.Now(), Request: d.who.Via.Request, Tenant: d.who.Tenant, Base: d.who.Base, Admin: d.who.Admin,
		Key: d.who.Via.Key, Actors: d.who.actors(), Op: d.act.Op, Allowed: true, Revision: d.revision,
		Schema: s.gate.schema, Policy: d.rules.Digest(),
		Listed: &Listed{Of: d.id, Count: s.count, Digest: hex.EncodeToString(s.digest.Sum(nil)), IDs: s.ids, Last: last},
	}
	if err := s.gate.recorder.Decide(ctx, rec); err != nil {
		return unrecorded(err)
	}
	return nil
}
