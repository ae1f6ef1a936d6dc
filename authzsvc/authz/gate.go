package authz

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nexus/authzsvc/internal/mint"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// Lifetime is how long a Grant can be used after its decision. Unary operations take milliseconds; what takes longer asks again.
const Lifetime = 10 * time.Second

// Relations answers checks from the relationships. It is safe for concurrent use.
type Relations interface {
	// Ask answers each check for any of subjects, all at one revision that is no older than the last write or expiry.
	Ask(ctx context.Context, subjects []Ref, checks []Check) (Finding, error)
	// Sift reports for each member of a collection whether any of subjects has permission on it. Members come with what
	// they stand in, so that an answer for a folder can serve for all in it; none was read at an older revision than since.
	Sift(ctx context.Context, subjects []Ref, permission, since string, members []Member) ([]bool, error)
	// Granted returns the ids of the objects of kind in tenant at or below which everything stands that any of subjects has
	// permission on, at one revision that is no older than the last write or expiry. It may return more; what stands there
	// still has to be sifted. known is false, and ids nothing, when they cannot be named or are more than most.
	Granted(ctx context.Context, subjects []Ref, kind, permission, tenant string, most int) (ids []string, known bool, err error)
}

// Disguiser is offered by Relations that remember answers, so that the time an answer takes could tell what it does not.
type Disguiser interface {
	// Disguise spends on a denial about rest, a name below the object of check that has no row, what a denial about a row costs.
	Disguise(ctx context.Context, subjects []Ref, check Check, rest string) error
}

// Tree tells where objects stand. It is safe for concurrent use.
type Tree interface {
	// Below reports for each of objects whether it is one of roots or stands below one, as of the revision that a Finding
	// names, or now when that is empty. Only where an object stands counts, not what it is linked into.
	Below(ctx context.Context, revision string, roots, objects []Ref) ([]bool, error)
}

// Member is an element of a collection and the object it stands in.
type Member struct{ Object, In Ref }

// Finding is what the relations answered, in the order of the checks.
type Finding struct {
	Answers  []Answer
	Revision string
	Stamps   Stamps
}

// Policy hands out the rules in force. It is safe for concurrent use.
type Policy interface {
	// Rules returns the rules in force now. A decision takes them once, so that its answer and its record name the same.
	Rules() Rules
}

// Rules may refuse what relations allow, or oblige; they never permit. They do not change and are safe for concurrent use.
type Rules interface {
	// Applies reports whether any rule names op and concerns who, and whether one of those looks at the objects.
	Applies(who Principal, op string) (any, objects bool)
	// Evaluate asks the rules about each of objects, or about the operation alone when there are none: one verdict for each,
	// or one. An error is a refusal.
	Evaluate(ctx context.Context, who Principal, op string, objects []Named) ([]Verdict, error)
	// Digest names the rules.
	Digest() string
}

// Verdict is what policy says of one object.
type Verdict struct {
	Refused     bool
	Messages    []string // for the caller, from the rules
	Rules       []string // ids of the rules that fired
	Obligations []Obligation
}

// Act is what the caller is about to do: the operation and what the record keeps of it.
type Act struct {
	Op      string
	Params  map[string]string // those that the contract tags for the record
	Durable bool              // the record must be on disk before the effect: everything but plain reads
	Words   []string          // what a refusal names, where which objects are asked about tells something; nil: their names
}

// Gate makes decisions. It is safe for concurrent use.
type Gate struct {
	relations Relations
	disguiser Disguiser // relations, where they offer it
	tree      Tree
	policy    Policy
	recorder  Recorder
	schema    string
	clock     clock.Clock
}

// NewGate returns a Gate over its parts. It needs the key of package mint, which only the service that assembles gates can import.
func NewGate(key mint.Key, r Relations, t Tree, p Policy, rec Recorder, schema string, c clock.Clock) (*Gate, error) {
	if !key.Real() || r == nil || t == nil || p == nil || rec == nil || c == nil {
		return nil, errs.New(errs.Internal, "a gate needs a key, relations, a tree, policy, a recorder and a clock")
	}
	g := &Gate{relations: r, tree: t, policy: p, recorder: rec, schema: schema, clock: c}
	g.disguiser, _ = r.(Disguiser)
	return g, nil
}

// Ask decides n for who: relations, then policy, then the record, and only then what n is for. A refusal is errs.Denied and
// reads the same whether the object exists or not; an operation that cannot be decided or recorded is errs.Unavailable.
func Ask[G any](ctx context.Context, gate *Gate, who Principal, act Act, n Need[G]) (G, *Decision, error) {
	var none G
	if n.public {
		return n.grant(nil), nil, nil
	}
	d, err := gate.decide(ctx, who, act, n.expr)
	if err != nil {
		return none, nil, err
	}
	return n.grant(d), d, nil
}

// decide takes one request through relations, policy and record.
func (g *Gate) decide(ctx context.Context, who Principal, act Act, e *expr) (*Decision, error) {
	start := g.clock.Now()
	leaves := e.leaves()
	switch {
	case len(leaves) == 0:
		return nil, errs.Bug("operation %s needs nothing", act.Op)
	case who.IsZero():
		return nil, errs.New(errs.Unauthenticated, "authentication required")
	}
	finding, err := g.relations.Ask(ctx, who.Subjects(), checks(leaves))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	if len(finding.Answers) != len(leaves) {
		return nil, unanswered("relations", len(finding.Answers), len(leaves))
	}
	if err := g.disguise(ctx, who, leaves, finding); err != nil {
		return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	inside, err := g.inside(ctx, who, finding.Revision, leaves)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "the decision could not be made").Because(err)
	}
	rules := g.policy.Rules()
	rec := g.record(who, act, leaves, finding, start)
	rec.Policy = rules.Digest()
	held, reason := weigh(who, leaves, finding, inside, start)
	rec.Allowed = e.holds(held)
	if !rec.Allowed {
		rec.Reason = string(reason)
		return nil, g.refuse(ctx, rec, act.Words, nil)
	}
	verdict, err := consult(ctx, rules, who, act.Op, rec.Objects)
	switch {
	case err != nil:
		rec.Allowed, rec.Reason = false, string(errs.Undecided)
		return nil, g.giveUp(ctx, rec, err)
	case verdict.Refused:
		rec.Allowed, rec.Reason, rec.Rules = false, string(errs.PolicyRefused), verdict.Rules
		return nil, g.refuse(ctx, rec, act.Words, verdict.Messages)
	}
	rec.Rules, rec.Obligations = verdict.Rules, names(verdict.Obligations)
	rec.Micros = g.clock.Now().Sub(start).Microseconds()
	if err := g.recorder.Decide(ctx, rec); err != nil {
		return nil, unrecorded(err)
	}
	return &Decision{
		id: rec.ID, act: act, who: who, revision: finding.Revision, stamps: finding.Stamps, rules: rules, held: held,
		expires: who.until(start.Add(Lifetime)), clock: g.clock, obligations: verdict.Obligations,
	}, nil
}

// disguise makes denials about what has no row take as long as denials about what has one.
func (g *Gate) disguise(ctx context.Context, who Principal, leaves []*leaf, f Finding) error {
	for i, l := range leaves {
		if f.Answers[i].Allowed {
			continue
		}
		if err := g.delay(ctx, who, l.check, l.object); err != nil {
			return err
		}
	}
	return nil
}

// delay takes as long about an object that has no row, and that was denied, as its denial would have taken if it had one.
func (g *Gate) delay(ctx context.Context, who Principal, denied Check, about Named) error {
	if g.disguiser == nil || about.Rest == "" {
		return nil
	}
	return g.disguiser.Disguise(ctx, who.Subjects(), denied, about.Rest)
}

// Conclude records what became of d: done with its effect, or failed with err. A nil d, of a public operation, has no
// record. It reports nothing: what was committed stays committed, the recorder tells its own health, and what lacks an
// outcome is closed at the next start.
func (g *Gate) Conclude(ctx context.Context, d *Decision, err error) {
	g.ConcludeStream(ctx, d, 0, err)
}

// ConcludeStream is Conclude for what sends: bytes is how many have left. One that ends before its time is aborted.
func (g *Gate) ConcludeStream(ctx context.Context, d *Decision, bytes int64, err error) {
	if d == nil {
		return
	}
	o := &Outcome{ID: d.id, At: g.clock.Now(), State: Done, Bytes: bytes}
	if d.effected.Load() {
		o.First, o.Last = d.first.Load(), d.last.Load()
	}
	if err != nil {
		o.State, o.Why = Failed, why(err)
	}
	if err != nil && bytes > 0 {
		o.State = Aborted
	}
	_ = g.recorder.Conclude(context.WithoutCancel(ctx), o)
}

func (g *Gate) record(who Principal, act Act, leaves []*leaf, f Finding, start time.Time) *Decided {
	rec := &Decided{
		ID: ids.New(), At: start, Request: who.Via.Request, Tenant: who.Tenant, Base: who.Base, Admin: who.Admin, Key: who.Via.Key,
		Actors: who.actors(), Op: act.Op, Objects: objects(leaves), Checks: f.Answers, Revision: f.Revision,
		Schema: g.schema, Params: act.Params, Durable: act.Durable,
	}
	rec.Incomplete = slices.ContainsFunc(f.Answers, func(a Answer) bool { return a.Incomplete })
	return rec
}

// refuse records a refusal and returns what the caller may know of it: a text made from the request alone. So are the
// messages of rules: rules see what the caller sent, and no rule knows whether anything exists.
func (g *Gate) refuse(ctx context.Context, rec *Decided, words, messages []string) error {
	if err := g.writeRefusal(ctx, rec); err != nil {
		return err
	}
	if words == nil {
		words = namesOf(rec.Objects)
	}
	e := refusal(rec.Op, words)
	if len(messages) > 0 {
		e.Text += ": " + strings.Join(messages, "; ")
	}
	return e
}

// giveUp records that the rules could not be asked. There is no access, and the caller may try again: nobody has refused him.
func (g *Gate) giveUp(ctx context.Context, rec *Decided, cause error) error {
	if err := g.writeRefusal(ctx, rec); err != nil {
		return err
	}
	return errs.New(errs.Unavailable, "the decision could not be made").Marked(errs.Undecided).Because(cause)
}

func (g *Gate) writeRefusal(ctx context.Context, rec *Decided) error {
	rec.Durable = true
	rec.Micros = g.clock.Now().Sub(rec.At).Microseconds()
	if err := g.recorder.Decide(ctx, rec); err != nil {
		return unrecorded(err)
	}
	return nil
}

// consult asks policy about the objects of a request, and joins what it says of each.
func consult(ctx context.Context, rules Rules, who Principal, op string, objects []Named) (Verdict, error) {
	applies, looks := rules.Applies(who, op)
	if !applies {
		return Verdict{}, nil
	}
	if !looks {
		objects = nil
	}
	verdicts, err := rules.Evaluate(ctx, who, op, objects)
	if err == nil && len(verdicts) != max(1, len(objects)) {
		err = unanswered("policy", len(verdicts), max(1, len(objects)))
	}
	if err != nil {
		return Verdict{Refused: true}, err
	}
	var joined Verdict
	for _, v := range verdicts {
		joined.Refused = joined.Refused || v.Refused
		joined.Messages = union(joined.Messages, v.Messages)
		joined.Rules = union(joined.Rules, v.Rules)
		joined.Obligations = union(joined.Obligations, v.Obligations)
	}
	return joined, nil
}

// Refusal is the one answer to what the caller may not see, made from the operation and the caller's own words. What does
// not exist where the caller may not look gets the same.
func Refusal(op string, objects []Named) *errs.Error { return refusal(op, namesOf(objects)) }

// namesOf returns the caller's words for objects, each once.
func namesOf(objects []Named) (words []string) {
	for _, o := range objects {
		if o.Name != "" && !slices.Contains(words, o.Name) {
			words = append(words, o.Name)
		}
	}
	return words
}

func refusal(op string, words []string) *errs.Error {
	text := "permission denied: " + op
	if len(words) > 0 {
		text += " " + strings.Join(words, ", ")
	}
	return &errs.Error{Kind: errs.Denied, Text: text}
}

// weigh joins the relations' answers with the mandates of the actors, and returns the leaves that hold, in the place of
// leaves. The reason is that of a refusal, should it come to one.
func weigh(who Principal, leaves []*leaf, f Finding, inside []bool, now time.Time) (held []*leaf, reason errs.Reason) {
	held, reason = leaves[:0], errs.NoRelation
	for i, l := range leaves {
		permitted := who.permits(l.check, now) && (inside == nil || inside[i])
		if f.Answers[i].Allowed && !permitted {
			reason = errs.OutsideMandate
		}
		if f.Answers[i].Allowed && permitted {
			held = append(held, l)
		}
	}
	return held, reason
}

// unanswered is the error of a part that gave fewer or more answers than it was asked for.
func unanswered(part string, got, want int) error {
	return errs.New(errs.Unavailable, "the decision could not be made").
		Because(fmt.Errorf("%s gave %d answers to %d questions", part, got, want))
}

func unrecorded(err error) error {
	return errs.New(errs.Unavailable, "the decision could not be recorded").Marked(errs.NotRecorded).Because(err)
}

// why names a failure for the record: its reason where it has one, its kind otherwise.
func why(err error) string {
	e := errs.From(err)
	if e.Reason != "" {
		return string(e.Reason)
	}
	return e.Kind.String()
}

func checks(leaves []*leaf) []Check {
	all := make([]Check, len(leaves))
	for i, l := range leaves {
		all[i] = l.check
	}
	return all
}

func objects(leaves []*leaf) []Named {
	all := make([]Named, 0, len(leaves))
	for _, l := range leaves {
		if !slices.Contains(all, l.object) {
			all = append(all, l.object)
		}
	}
	return all
}

func union[T comparable](have, more []T) []T {
	for _, m := range more {
		if !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	return have
}

func names(obligations []Obligation) []string {
	var all []string
	for _, o := range obligations {
		all = append(all, string(o))
	}
	return all
}
