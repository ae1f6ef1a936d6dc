package node

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// TestNoRequestBeginsWithAnEndedKey ends keys while many use them: a request that begins after the end was answered must be
// refused, however warm the memory of keys is.
func TestNoRequestBeginsWithAnEndedKey(t *testing.T) {
	const callers, rounds = 16, 24 / slower
	w := newWireBehind(t, Config{}, netip.MustParsePrefix("127.0.0.0/8"))
	var from atomic.Uint32
	elsewhere := func() header { // who is refused often is limited by his address, and would be asked about no more
		n := from.Add(1)
		return header{"X-Forwarded-For", netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}).String()}
	}
	root := w.root.Secret
	ends := []func(k made, user string){
		func(k made, _ string) { w.mustAnswer(0, root, "admin_revoke_key", named(k.id)) },
		func(_ made, user string) { w.disable(root, user) },
		func(_ made, owner string) { w.disable(root, owner) },
	}
	var late, served, refused atomic.Int64
	for round := range rounds {
		user := fmt.Sprintf("u%d", round)
		params := `{"user_id":"` + user + `","name":"k"}`
		if round%3 == 2 {
			params = `{"user_id":"` + user + `","name":"k","subject_type":"agent","subject_id":"bot-` + user + `"}`
		}
		k := w.makeKey(root, params)
		w.mustAnswer(0, k.key, "list", `{}`)
		var ended atomic.Bool
		var warm sync.WaitGroup
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		warm.Add(callers)
		for range callers {
			running.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					before := ended.Load()
					code := w.call(k.key, "list", `{}`, elsewhere()).code()
					switch {
					case code == 0 && before:
						late.Add(1)
					case code == 0:
						served.Add(1)
					case code == -32003:
						refused.Add(1)
					default:
						t.Errorf("list answered %d", code)
					}
					if n == 0 {
						warm.Done()
					}
				}
			})
		}
		warm.Wait()
		ends[round%3](k, user)
		ended.Store(true)
		for range 4 {
			w.mustAnswer(-32003, k.key, "list", `{}`, elsewhere())
		}
		stop()
		running.Wait()
	}
	if late.Load() > 0 || served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d requests were served that began after the end; %d before it, %d refused", late.Load(), served.Load(), refused.Load())
	}
	t.Logf("%d ends, %d requests served, %d refused", rounds, served.Load(), refused.Load())
}
