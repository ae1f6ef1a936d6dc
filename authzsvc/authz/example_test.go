package authz_test

import (
	"context"
	"fmt"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/internal/mint"
	"nexus/internal/errs"
	"nexus/schema"
)

// moveGrant names what moving a file takes.
type moveGrant struct {
	What schema.OwnFile
	Into schema.WriteDir
}

func moveNeed(what schema.File, into schema.Dir) authz.Need[moveGrant] {
	return authz.Map(authz.Both(what.Own(), into.Write()), func(p authz.Pair[schema.OwnFile, schema.WriteDir]) moveGrant {
		return moveGrant{What: p.First, Into: p.Second}
	})
}

// A need is data: it can be printed, explained and tested without asking anybody.
func ExampleNeed() {
	need := moveNeed(file("/plans/a.md"), dir("/archive"))
	for i, c := range need.Checks() {
		fmt.Println(c.Permission, "on", need.Objects()[i].Name)
	}
	// Output:
	// owner on /plans/a.md
	// write on /archive
}

// Ask gives what the need is for, once relations and policy allow it and the record is written; a refusal repeats the
// caller's own words and nothing else.
func ExampleAsk() {
	ctx, ann := context.Background(), gatetest.User("acme", "ann")
	act := authz.Act{Op: "file.move", Durable: true}
	need := moveNeed(file("/plans/a.md"), dir("/archive"))

	grant, decision, err := authz.Ask(ctx, exampleGate(holding{}), ann, act, need)
	if err != nil {
		fmt.Println(err)
		return
	}
	what, err := grant.What.Use() // as storage does; the object cannot be had without the grant
	fmt.Println("move", what.Path, "for", decision.Principal().Base, err)

	_, _, err = authz.Ask(ctx, exampleGate(refusing{}), ann, act, need)
	fmt.Println(errs.Public(err))
	// Output:
	// move /plans/a.md for user:acme/ann <nil>
	// permission denied: file.move /plans/a.md, /archive
}

// exampleGate returns a gate over r. The server's is assembled by package authzsvc, which alone holds the key.
func exampleGate(r authz.Relations) *authz.Gate {
	gate, err := authz.NewGate(mint.New(), r, flat{}, judge{}, new(gatetest.Recorder), schema.Digest(), gatetest.NewClock())
	if err != nil {
		panic(err)
	}
	return gate
}

// refusing is relations on which nothing holds.
type refusing struct{ holding }

func (refusing) Ask(_ context.Context, _ []authz.Ref, checks []authz.Check) (authz.Finding, error) {
	f := authz.Finding{Stamps: new(gatetest.Stamps)}
	for _, c := range checks {
		f.Answers = append(f.Answers, authz.Answer{Check: c})
	}
	return f, nil
}
