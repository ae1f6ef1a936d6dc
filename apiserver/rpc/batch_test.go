package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/schema"
)

func itoa(n int) string { return strconv.Itoa(n) }

func decodeAll(t testing.TB, body string) []answer {
	t.Helper()
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		t.Fatalf("%s is no batch of answers: %v", body, err)
	}
	all := make([]answer, len(raw))
	for i, r := range raw {
		all[i] = decode(t, string(r))
	}
	return all
}

func TestBatchIsAnsweredInTheOrderOfItsRequests(t *testing.T) {
	s := allowing(t)
	var items, wants []string
	for i := range 256 {
		items = append(items, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"echo","params":{"text":"t%d"}}`, i, i))
		wants = append(wants, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":"t%d"}`, i, i))
	}
	got := s.post("/api/nfs", "[\n"+strings.Join(items, " , ")+"]").Body.String()
	if want := "[" + strings.Join(wants, ",") + "]"; got != want {
		t.Errorf("batch = %s, want %s", got, want)
	}
}

func TestBatchOfMoreThan256IsRefused(t *testing.T) {
	s := allowing(t)
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"id":1,"method":"nothing"},`, 257), ",") + "]"
	a := decode(t, s.post("/api/nfs", body).Body.String())
	if want(a) != "null -32600" || len(s.seen) != 0 {
		t.Errorf("257 requests = %s after %d operations, want -32600 and none", want(a), len(s.seen))
	}
}

func TestBadItemIsThatItemsError(t *testing.T) {
	s := allowing(t)
	body := `[{"id":1,"method":"null"}, 7, {"id":2,"method":"open"}, {"id":3,"method":"fail","params":{"how":"panic"}}, [], {"id":{}}, {"id":4,"method":"null"}]`
	var got []string
	for _, a := range decodeAll(t, s.post("/api/nfs", body).Body.String()) {
		got = append(got, want(a))
	}
	if fmt.Sprint(got) != "[1 ok null -32600 2 -32601 3 -32603 null -32600 null -32600 4 ok]" {
		t.Errorf("answers %q", got)
	}
}

func TestNotificationsInABatchGetNoAnswer(t *testing.T) {
	s := allowing(t)
	notice := `{"method":"echo","params":{"text":"x"}}`
	got := s.post("/api/nfs", `[`+notice+`,{"id":1,"method":"null"},`+notice+`]`).Body.String()
	if got != `[{"jsonrpc":"2.0","id":1,"result":null}]` || len(s.seen) != 3 {
		t.Errorf("batch with notifications = %s after %d operations, want one answer after 3", got, len(s.seen))
	}
	if w := s.post("/api/nfs", `[`+notice+`]`); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("batch of notifications = %d %s, want 204", w.Code, w.Body)
	}
}

func TestEachItemOfABatchIsDecidedForItself(t *testing.T) {
	gate, recorder := gatetest.DenyOne(t, authz.Check{Type: "file", ID: "acme/=2Fsecret", Permission: "read"})
	s := onStage(t, gate)
	body := `[{"id":1,"method":"read","params":{"path":"/docs/a.txt"}},{"id":2,"method":"read","params":{"path":"/secret"}}]`
	all := decodeAll(t, s.post("/api/nfs", body).Body.String())
	if want(all[0]) != "1 ok" || want(all[1]) != "2 -32004" || len(recorder.Decided()) != 2 {
		t.Errorf("answers %s and %s with %d decisions, want ok, -32004 and 2", want(all[0]), want(all[1]), len(recorder.Decided()))
	}
}

// TestItemsOfABatchRunSideBySideWithinTheBound would not end if fewer ran at once than it waits for.
func TestItemsOfABatchRunSideBySideWithinTheBound(t *testing.T) {
	const bound = 4
	s := allowing(t, func(c *rpc.Config) { c.Parallel = bound })
	var running, most atomic.Int64
	arrived := make(chan struct{})
	op.Handle(s.table, contract[api.Nothing, api.Success]("meet"), tenantNeed,
		func(ctx context.Context, _ authz.Principal, _ *api.Nothing, _ schema.AccessTenant) (api.Success, error) {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if n == bound {
				select {
				case <-arrived:
				default:
					close(arrived)
				}
			}
			select {
			case <-arrived:
				return api.Success{Success: true}, nil
			case <-ctx.Done():
				return api.Success{}, ctx.Err()
			}
		})
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"id":1,"method":"meet"},`, 32), ",") + "]"
	for _, a := range decodeAll(t, s.post("/api/nfs", body).Body.String()) {
		if want(a) != "1 ok" {
			t.Fatalf("answer %s", want(a))
		}
	}
	if most.Load() != bound {
		t.Errorf("%d ran at once, want %d", most.Load(), bound)
	}
}
