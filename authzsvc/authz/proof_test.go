package authz_test

import (
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestProofIsReadyWhileItsDecisionIs(t *testing.T) {
	clk := gatetest.NewClock()
	gate, _ := gatetest.Config{Clock: clk, Oblige: mask}.Gate(t)
	proofs := map[string]authz.Proof{
		"grant": mustAsk(t, gate, file("/a").Read()),
		"scope": open(t, gate, gatetest.User("acme", "ann")),
	}
	for name, p := range proofs {
		if err := authz.Ready(p); err != nil {
			t.Errorf("a fresh %s is not ready: %v", name, err)
		}
	}
	clk.Advance(authz.Lifetime + time.Nanosecond)
	for name, p := range proofs {
		if err := authz.Ready(p); errs.From(err) == nil || errs.From(err).Reason != errs.StaleDecision {
			t.Errorf("an old %s answers %v, want %s", name, err, errs.StaleDecision)
		}
	}
}

func TestProofThatNoGateMadeIsNotReady(t *testing.T) {
	for name, p := range map[string]authz.Proof{
		"nil": nil, "zero grant": schema.ReadFile{}, "zero scope": schema.ReadFiles{},
	} {
		if err := authz.Ready(p); err == nil {
			t.Errorf("%s is ready", name)
		}
	}
}
