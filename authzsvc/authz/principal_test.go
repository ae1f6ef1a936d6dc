package authz_test

import (
	"slices"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

var bot = authz.Ref{Type: "agent", ID: "acme/bot"}

func TestSubjectsAreTheBaseAndItsAdminKey(t *testing.T) {
	ann := gatetest.User("acme", "ann")
	if got := ann.Subjects(); !slices.Equal(got, []authz.Ref{ann.Base}) {
		t.Errorf("Subjects() = %v, want the base", got)
	}
	ann.Admin = authz.Ref{Type: "key", ID: "k1"}
	if got := ann.Subjects(); !slices.Equal(got, []authz.Ref{ann.Base, ann.Admin}) {
		t.Errorf("Subjects() = %v, want the base and the key", got)
	}
}

func TestActorsAreNeverLookedUpInTheRelations(t *testing.T) {
	who := gatetest.Behind(gatetest.User("acme", "ann"), bot, authz.Mandate{})
	who.Owner = authz.Ref{Type: "user", ID: "acme/olga"}
	gate, _ := gatetest.Config{Relations: func(subjects []authz.Ref, _ authz.Check) bool {
		return slices.Contains(subjects, bot) || slices.Contains(subjects, who.Owner)
	}}.Gate(t)
	_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.read"}, file("/a").Read())
	wantKind(t, err, errs.Denied)
}

func TestIsAgent(t *testing.T) {
	ann := gatetest.User("acme", "ann")
	for name, c := range map[string]struct {
		who  authz.Principal
		want bool
	}{
		"a person":                  {ann, false},
		"an agent":                  {gatetest.Agent("acme", "bot"), true},
		"an agent before a person":  {gatetest.Behind(ann, bot, authz.Mandate{}), true},
		"a sandbox before a person": {gatetest.Behind(ann, authz.Ref{Type: "sandbox", ID: "s"}, authz.Mandate{}), false},
	} {
		if got := c.who.IsAgent(); got != c.want {
			t.Errorf("IsAgent of %s = %t, want %t", name, got, c.want)
		}
	}
}

// allowed reports which of the file's permissions an actor with mandate m gets, where its base has all.
func allowed(t *testing.T, now authz.Mandate, more ...authz.Mandate) []string {
	t.Helper()
	who := gatetest.Behind(gatetest.User("acme", "ann"), bot, now)
	for _, m := range more {
		who = gatetest.Behind(who, authz.Ref{Type: "sandbox", ID: "s1"}, m)
	}
	var got []string
	f := file("/a")
	for name, asks := range map[string]func(*authz.Gate) error{
		"read": func(g *authz.Gate) error {
			_, _, err := authz.Ask(t.Context(), g, who, authz.Act{}, f.Read())
			return err
		},
		"write": func(g *authz.Gate) error {
			_, _, err := authz.Ask(t.Context(), g, who, authz.Act{}, f.Write())
			return err
		},
		"share": func(g *authz.Gate) error {
			_, _, err := authz.Ask(t.Context(), g, who, authz.Act{}, f.Share())
			return err
		},
		"owner": func(g *authz.Gate) error {
			_, _, err := authz.Ask(t.Context(), g, who, authz.Act{}, f.Own())
			return err
		},
		"administer": func(g *authz.Gate) error {
			_, _, err := authz.Ask(t.Context(), g, who, authz.Act{}, schema.ThePlatform.Administer())
			return err
		},
	} {
		gate, rec := gatetest.Config{Clock: gatetest.NewClock()}.Gate(t)
		err := asks(gate)
		if err == nil {
			got = append(got, name)
			continue
		}
		wantKind(t, err, errs.Denied)
		if reason := last(t, rec).Reason; reason != string(errs.OutsideMandate) {
			t.Errorf("%s was refused for %q, want %s", name, reason, errs.OutsideMandate)
		}
	}
	slices.Sort(got)
	return got
}

func TestMandatesAttenuate(t *testing.T) {
	noon := gatetest.NewClock().Now()
	wide := authz.Mandate{Permissions: map[string][]string{"file": {"read", "write", "share", "owner"}, "platform": {"administer"}}}
	narrow := authz.Mandate{Permissions: map[string][]string{"file": {"read"}}}
	for _, c := range []struct {
		name     string
		mandates []authz.Mandate
		want     []string
	}{
		{"default withholds sharing and administration", []authz.Mandate{{}}, []string{"read", "write"}},
		{"listed permissions only", []authz.Mandate{narrow}, []string{"read"}},
		{"listed permissions may include sharing", []authz.Mandate{wide}, []string{"administer", "owner", "read", "share", "write"}},
		{"an empty list is nothing", []authz.Mandate{{Permissions: map[string][]string{}}}, nil},
		{"another definition is left out", []authz.Mandate{{Permissions: map[string][]string{"group": {"read"}}}}, nil},
		{"expired", []authz.Mandate{{Expires: noon}}, nil},
		{"about to expire", []authz.Mandate{{Expires: noon.Add(time.Nanosecond)}}, []string{"read", "write"}},
		{"the narrowest of two decides", []authz.Mandate{wide, narrow}, []string{"read"}},
		{"whichever is nearer", []authz.Mandate{narrow, wide}, []string{"read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := allowed(t, c.mandates[0], c.mandates[1:]...); !slices.Equal(got, c.want) {
				t.Errorf("allowed = %v, want %v", got, c.want)
			}
		})
	}
}

func TestDefaultMandateWithholdsSecrets(t *testing.T) {
	who := gatetest.Behind(gatetest.User("acme", "ann"), bot, authz.Mandate{})
	gate, _ := gatetest.AllowAll(t)
	_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{}, authz.On[secretRead](secret("s1")))
	wantKind(t, err, errs.Denied)
	_, _, err = authz.Ask(t.Context(), gate, who, authz.Act{}, authz.On[secretList](secret("s1")))
	if err != nil {
		t.Errorf("listing a secret: %v", err)
	}
}

// secret stands for a definition whose reading is the dangerous part.
type secret string

func (s secret) Named() authz.Named {
	return authz.Named{Ref: authz.Ref{Type: "secret", ID: string(s)}}
}

type secretRead struct{}

func (secretRead) Of(secret) string { return "read" }

type secretList struct{}

func (secretList) Of(secret) string { return "list" }

func TestMandateCannotAddToTheBase(t *testing.T) {
	who := gatetest.Behind(gatetest.User("acme", "ann"), bot, authz.Mandate{Permissions: map[string][]string{"file": {"read"}}})
	gate, rec := gatetest.DenyAll(t)
	_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.read"}, file("/a").Read())
	wantKind(t, err, errs.Denied)
	if reason := last(t, rec).Reason; reason != string(errs.NoRelation) {
		t.Errorf("refused for %q, want %s", reason, errs.NoRelation)
	}
}
