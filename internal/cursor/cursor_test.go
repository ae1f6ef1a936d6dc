package cursor

import (
	"errors"
	"strings"
	"testing"

	"nexus/internal/errs"
)

type place struct{ Path, Name string }

func sealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := New(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPlaceComesBackForTheSameQuestion(t *testing.T) {
	s := sealer(t)
	token, err := s.Seal("files.list alice /a", place{"/secret/", "plan"})
	if err != nil {
		t.Fatal(err)
	}
	var p place
	if err := s.Open("files.list alice /a", token, &p); err != nil || p != (place{"/secret/", "plan"}) {
		t.Errorf("Open = %+v, %v", p, err)
	}
	if strings.Contains(token, "secret") {
		t.Errorf("the cursor %q tells its place", token)
	}
}

func TestCursorDoesNotTellHowLongItsPlaceIs(t *testing.T) {
	s := sealer(t)
	short, err := s.Seal("q", place{"/", "a"})
	if err != nil {
		t.Fatal(err)
	}
	long, err := s.Seal("q", place{"/a/longer/path", "and a longer name"})
	if err != nil || len(short) != len(long) {
		t.Errorf("cursors of %d and %d bytes, %v, want equal ones", len(short), len(long), err)
	}
}

func TestCursorOfAnotherQuestionKeyOrHandRefused(t *testing.T) {
	s := sealer(t)
	token, err := s.Seal("files.list alice /a", place{"/a/", "b"})
	if err != nil {
		t.Fatal(err)
	}
	flipped := token[:len(token)/2] + string(token[len(token)/2]^1) + token[len(token)/2+1:]
	for name, try := range map[string]func(*place) error{
		"another asker":   func(p *place) error { return s.Open("files.list bob /a", token, p) },
		"another key":     func(p *place) error { return sealer(t).Open("files.list alice /a", token, p) },
		"a flipped bit":   func(p *place) error { return s.Open("files.list alice /a", flipped, p) },
		"nothing":         func(p *place) error { return s.Open("files.list alice /a", "", p) },
		"made up by hand": func(p *place) error { return s.Open("files.list alice /a", "e30", p) },
	} {
		t.Run(name, func(t *testing.T) {
			var p place
			if err := try(&p); !errors.Is(err, errs.Invalid) || p != (place{}) {
				t.Errorf("Open = %+v, %v, want invalid", p, err)
			}
		})
	}
}

func FuzzOpenRefusesWhatIsNotSealed(f *testing.F) {
	s := sealer(f)
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, token string) {
		var p place
		if s.Open("q", token, &p) == nil {
			t.Errorf("%q was taken", token)
		}
	})
}
