package rpc_test

import (
	"context"
	"sync"
	"testing"

	"nexus/apiserver/rpc"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

func TestCallsTurnedAwayAreTold(t *testing.T) {
	var mu sync.Mutex
	var told []rpc.Turned
	gate, _ := gatetest.DenyAll(t)
	s := onStage(t, gate, func(c *rpc.Config) {
		c.Turned = func(_ context.Context, t rpc.Turned) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, t)
		}
	})
	read := `{"jsonrpc":"2.0","id":1,"method":"read","params":{"path":"/a"}}`
	s.post("/api/nfs/read", read, "Authorization", "Bearer wrong-key")
	s.post("/api/nfs/read", read, "Authorization", "")
	s.post("/api/nfs/read", read, "Authorization", "Bearer alice-key") // decided, and refused by the gate: that has a record
	if len(told) != 2 {
		t.Fatalf("told of %d calls, want the two without a valid key", len(told))
	}
	for _, one := range told {
		if one.Err.Kind != errs.Unauthenticated || one.Operation == "" || one.Address == "" || one.Key != "" {
			t.Errorf("told %+v (%v)", one, one.Err)
		}
	}
}
