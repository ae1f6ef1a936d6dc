package audit

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/ids"
)

func typical() *authz.Decided {
	file := authz.Ref{Type: "file", ID: "acme/0d9t1q2m3n4p5q6r7s8t9u0v1w"}
	return &authz.Decided{
		ID: ids.New(), At: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC), Request: "0d9t1q2m3n4p5q6r7s8t9u0v1w", Tenant: "acme",
		Base: authz.Ref{Type: "user", ID: "acme/ann"}, Key: "k_123", Actors: []authz.Ref{{Type: "agent", ID: "acme/bot"}},
		Op: "files.read", Objects: []authz.Named{{Ref: file, Name: "/docs/plan.md"}},
		Checks:  []authz.Answer{{Check: authz.Check{Type: "file", ID: file.ID, Permission: "read"}, Allowed: true, Cached: true}},
		Allowed: true, Revision: "1767225600000000000", Schema: "9f86d081884c7d65", Policy: "2c26b46b68ffc68f", Rules: []string{"hours.office"}, Micros: 12,
	}
}

// standard encodes v as encoding/json does when told to leave <, > and & alone.
func standard(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func wantSame(t *testing.T, d *authz.Decided, o *authz.Outcome) {
	t.Helper()
	if got, want := appendDecided(nil, d), standard(t, d); !bytes.Equal(got, want) {
		t.Fatalf("appendDecided = %s\nencoding/json = %s", got, want)
	}
	if got, want := appendOutcome(nil, o), standard(t, o); !bytes.Equal(got, want) {
		t.Fatalf("appendOutcome = %s\nencoding/json = %s", got, want)
	}
}

func TestEncoderWritesWhatEncodingJSONWrites(t *testing.T) {
	d := typical()
	wantSame(t, d, &authz.Outcome{})
	wantSame(t, &authz.Decided{}, &authz.Outcome{ID: "x", State: authz.Done, First: 1, Last: -2, Bytes: 3, Why: "\x00\""})
	d.Checks, d.Objects = []authz.Answer{}, []authz.Named{}
	d.Listed = &authz.Listed{Count: 2, Digest: "ab", IDs: []string{"<a>", "b&"}, Last: true}
	d.Params, d.Repeats, d.Incomplete, d.Reason = map[string]string{"b": "2", "a": "\u2028"}, 3, true, "NO_RELATION"
	wantSame(t, d, &authz.Outcome{})
}

func FuzzEncoderAgainstEncodingJSON(f *testing.F) {
	f.Add("id", "plain", "q\"\\\n", "ü\u2028<&>", "\xff\xed\xa0\x80", int64(5), uint16(0xffff))
	f.Add("", "", "", "", "", int64(0), uint16(0))
	f.Add("\x7f", "é\x01", "\ufeff", "\U0010ffff", "a\"é", int64(-1), uint16(0x5555))
	f.Fuzz(func(t *testing.T, a, b, c, d, e string, n int64, bits uint16) {
		on := func(i int) bool { return bits>>i&1 == 1 }
		at := time.UnixMicro(n % (1 << 55)).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return
		}
		dec := &authz.Decided{ID: a, At: at, Request: b, Tenant: c, Base: authz.Ref{Type: d, ID: e}, Key: e, Op: d, Allowed: on(0),
			Reason: a, Incomplete: on(1), Revision: b, Schema: c, Policy: d, Micros: n, Repeats: int(int16(bits))}
		if on(2) {
			dec.Actors = []authz.Ref{{Type: a, ID: b}, {Type: c, ID: d}}
		}
		if on(3) {
			dec.Objects = []authz.Named{{Ref: authz.Ref{Type: a, ID: b}, Name: c, Rest: d}, {}}
		}
		if on(4) {
			dec.Checks = []authz.Answer{{Check: authz.Check{Type: a, ID: e, Permission: c}, Allowed: on(5), Cached: on(6), Incomplete: on(7)}, {}}
		}
		if on(8) {
			dec.Rules, dec.Obligations = []string{a, b}, []string{c}
		}
		if on(9) {
			dec.Params = map[string]string{"x" + a: b, "y" + c: d}
		}
		if on(10) {
			dec.Listed = &authz.Listed{Count: int(n), Digest: a, IDs: []string{e}, Last: on(11)}
		}
		wantSame(t, dec, &authz.Outcome{ID: a, At: at, State: authz.State(b), First: n, Last: -n, Bytes: n / 2, Why: e})
	})
}

func TestRepeatsAreTheLastFieldOfADecision(t *testing.T) {
	d := typical()
	body := decidedBody(nil, d)
	d.Repeats = 41
	if got, want := withRepeats(body, 41), decidedBody(nil, d); !bytes.Equal(got, want) {
		t.Fatalf("withRepeats = %s, want %s", got, want)
	}
}

func TestYearThatRFC3339CannotWriteBecomesZero(t *testing.T) {
	got := string(appendTime(nil, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)))
	if want := `"0001-01-01T00:00:00Z"`; got != want {
		t.Fatalf("appendTime = %s, want %s", got, want)
	}
}
