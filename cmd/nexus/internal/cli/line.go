package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
)

const lineTime = "2006-01-02T15:04:05.000Z"

// decisionLine is a recorded decision on one line for people: time, answer, who, operation, objects, reasons, id.
func decisionLine(raw json.RawMessage) (string, error) {
	var e audit.Entry
	if err := json.Unmarshal(raw, &e); err != nil || e.Decided == nil {
		return "", errs.New(errs.Unavailable, "the server answered what is no decision").Because(err)
	}
	return entryLine(e), nil
}

// entryLine is any entry of the record on one line.
func entryLine(e audit.Entry) string {
	at := e.At.UTC().Format(lineTime)
	switch {
	case e.Decided != nil:
		return decidedLine(e.Decided)
	case e.Outcome != nil:
		return fmt.Sprintf("%s %-5s %s%s  %s", at, e.Outcome.State, sequences(e.Outcome), worded(" why=", e.Outcome.Why), e.Outcome.ID)
	case e.Note != nil:
		return fmt.Sprintf("%s note  %s%s", at, e.Note.Kind, noteFacts(e.Note))
	case e.Checkpoint != nil:
		return fmt.Sprintf("%s sign  entries to %d", at, e.Checkpoint.Seq)
	}
	return at + " ?"
}

func decidedLine(d *authz.Decided) string {
	answer := "deny"
	if d.Allowed {
		answer = "allow"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %s %s", d.At.UTC().Format(lineTime), answer, who(d), d.Op)
	for _, o := range d.Objects {
		b.WriteString(" " + objectName(o))
	}
	b.WriteString(worded(" reason=", d.Reason) + worded(" rules=", strings.Join(d.Rules, ",")) + worded(" obliged=", strings.Join(d.Obligations, ",")))
	if d.Listed != nil {
		fmt.Fprintf(&b, " listed=%d", d.Listed.Count)
	}
	if d.Incomplete {
		b.WriteString(" incomplete")
	}
	if d.Repeats > 0 {
		fmt.Fprintf(&b, " repeats=%d", d.Repeats)
	}
	return b.String() + "  " + d.ID
}

// who names the base, with the actors that act for it.
func who(d *authz.Decided) string {
	name := refName(d.Base)
	for _, actor := range d.Actors {
		name += "<" + refName(actor)
	}
	return name
}

func refName(r authz.Ref) string { return shownText(r.Type + ":" + schema.NameOf(r)) }

func objectName(o authz.Named) string {
	if o.Name != "" {
		return shownText(o.Name)
	}
	return refName(o.Ref)
}

func sequences(o *authz.Outcome) string {
	if o.First == 0 {
		return "no effect"
	}
	return fmt.Sprintf("effect=%d-%d", o.First, o.Last)
}

func noteFacts(n *audit.Note) string {
	text := worded(" op=", n.Op) + worded(" address=", n.Address) + worded(" key=", n.Key)
	if n.Segment != 0 {
		text += " segment=" + strconv.Itoa(n.Segment)
	}
	if n.Count != 0 {
		text += " count=" + strconv.FormatInt(n.Count, 10)
	}
	return text + worded(" why=", n.Why)
}

func worded(before, text string) string {
	if text == "" {
		return ""
	}
	return before + shownText(text)
}

// shownText is text that may stand in a line of a terminal: quoted where it holds anything else.
func shownText(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || r == '"' || !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
