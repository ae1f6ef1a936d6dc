package node

import (
	"fmt"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// behind is who through an actor whose mandate is limited to what stands at or below paths.
func (k *kit) behind(who authz.Principal, paths ...string) authz.Principal {
	k.t.Helper()
	roots := []authz.Ref{}
	for _, path := range paths {
		a, err := k.Store.Names().Address(k.t.Context(), "default", path)
		if err != nil || !a.HasRow() {
			k.t.Fatalf("%s: %+v, %v", path, a, err)
		}
		roots = append(roots, a.Named().Ref)
	}
	actor := authz.Actor{Ref: authz.Ref{Type: "sandbox", ID: "default/s1"}, Mandate: authz.Mandate{Roots: roots}}
	who.Actors = []authz.Actor{actor}
	return who
}

func TestMandateIsLimitedToItsRoots(t *testing.T) {
	k := newKit(t, Config{})
	k.member("ann")
	k.share("ann", "direct_owner", "/home")
	for _, path := range []string{"/home/w/a/f", "/home/w/g", "/home/private/key", "/home/top"} {
		k.write(user("ann"), path, "x")
	}
	box := k.behind(user("ann"), "/home/w")
	k.mustRead(box, "/home/w/a/f", "x")
	k.mustRead(box, "/home/w/g", "x")
	k.mustNotRead(box, "/home/private/key")
	k.mustNotRead(box, "/home/missing")
	k.write(box, "/home/w/new/file", "made inside")
	k.mustFail(box, "write", writeParams("/home/outside", "x"), errs.Denied)
	k.mustFail(box, "write", writeParams("/home/private/key", "x"), errs.Denied)
	k.mustFail(box, "mkdir", `{"path":"/home/d"}`, errs.Denied)
	if got := fmt.Sprint(k.paths(box, "/")); got != "[/home /home/w /home/w/a /home/w/a/f /home/w/g /home/w/new /home/w/new/file]" {
		t.Errorf("a list shows %s", got)
	}
	if got := k.sharedWith(box, `{}`); len(got) > 0 {
		t.Errorf("shared with it: %q", got)
	}
	for _, call := range [][2]string{
		{"rebac_check", `{"subject":["user","ann"],"permission":"read","object":["file","/home/private/key"]}`},
		{"rebac_list_tuples", `{"subject":["user","ann"]}`},
	} {
		if raw := fmt.Sprint(k.do(box, call[0], call[1])); raw != "{false}" && raw != "{[] { true false}}" {
			t.Errorf("%s tells what the base may do elsewhere: %s", call[0], raw)
		}
	}
	if d := k.lastDecision("files.write"); d.Allowed || d.Reason != string(errs.OutsideMandate) {
		t.Errorf("recorded %+v", d)
	}
	one := k.behind(user("ann"), "/home/w/g", "/home/top")
	k.mustRead(one, "/home/top", "x")
	k.mustNotRead(one, "/home/w/a/f")
	k.mustNotRead(k.behind(user("ann")), "/home/w/g")
}

// A link makes a file visible in a second folder; where it stands is still somewhere else.
func TestLinkDoesNotWidenAMandate(t *testing.T) {
	k := newKit(t, Config{})
	k.share("ann", "direct_owner", "/home")
	k.write(user("ann"), "/home/w/f", "x")
	k.write(user("ann"), "/home/private/key", "secret")
	k.do(user("ann"), "rebac_create", relateParams([]string{"file", "/home/w"}, "parent", []string{"file", "/home/private/key"}, time.Time{}))
	box := k.behind(user("ann"), "/home/w")
	k.mustRead(box, "/home/w/f", "x")
	k.mustNotRead(box, "/home/private/key")
}

func TestRootsDoNotGiveWhatTheBaseLacks(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.mustNotRead(k.behind(user("ann"), "/w"), "/w/f")
	k.mustRead(k.behind(k.admin, "/w"), "/w/f", "x")
	k.mustRead(k.behind(k.admin, "/"), "/w/f", "x")
}

func BenchmarkRootedMandate(b *testing.B) {
	r := newReading(b, Config{})
	file := r.file(b)
	for name, who := range map[string]authz.Principal{"without roots": r.ann, "below a root": r.behind(r.ann, "/docs")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := authz.Ask(b.Context(), r.Service.Gate(), who, authz.Act{Op: "files.read"}, file.Read()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
