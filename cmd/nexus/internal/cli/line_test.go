package cli

import (
	"testing"
	"time"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestLineShowsWhatADecisionIsAbout(t *testing.T) {
	file := authz.Named{Ref: authz.Ref{Type: "file", ID: "default/f1"}, Name: "/src/a b"}
	for name, c := range map[string]struct {
		d    authz.Decided
		want string
	}{
		"allowed": {
			authz.Decided{ID: "d1", At: noon, Base: authz.Ref{Type: "user", ID: "default/alice"}, Op: "files.read", Objects: []authz.Named{file}, Allowed: true},
			`2026-06-01T12:00:00.000Z allow user:alice files.read "/src/a b"  d1`,
		},
		"refused by a rule": {
			authz.Decided{
				ID: "d2", At: noon, Base: authz.Ref{Type: "user", ID: "default/alice"}, Actors: []authz.Ref{{Type: "agent", ID: "default/bot"}},
				Op: "files.write", Reason: "POLICY_REFUSED", Rules: []string{"private_keys"}, Repeats: 3,
			},
			"2026-06-01T12:00:00.000Z deny  user:alice<agent:bot files.write reason=POLICY_REFUSED rules=private_keys repeats=3  d2",
		},
		"an object without a name": {
			authz.Decided{ID: "d3", At: noon, Base: authz.Ref{Type: "user", ID: "default/x=3Ay"}, Op: "o", Objects: []authz.Named{{Ref: authz.Ref{Type: "group", ID: "default/eng"}}}},
			"2026-06-01T12:00:00.000Z deny  user:x:y o group:eng  d3",
		},
	} {
		if got := entryLine(audit.Entry{Decided: &c.d}); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestLineCannotCommandATerminal(t *testing.T) {
	for _, text := range []string{"\x1b[2J", "a\nb", "\u202eevil", "tab\t", ""} {
		got := shownText(text)
		if got[0] != '"' {
			t.Errorf("shownText(%q) = %s, want it quoted", text, got)
		}
	}
	if got := shownText("/src/größe.go"); got != "/src/größe.go" {
		t.Errorf("shownText = %s, want it as it is", got)
	}
}

func TestAnswerOfAnotherServerIsNoDecision(t *testing.T) {
	for _, raw := range []string{`{}`, `null`, `"text"`, `{"type":"outcome"}`} {
		if line, err := decisionLine([]byte(raw)); err == nil {
			t.Errorf("decisionLine(%s) = %s, want an error", raw, line)
		}
	}
}
