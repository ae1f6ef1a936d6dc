package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

// TestRevokedRightIsGoneAtTheNextRead revokes while others write and read: a read that begins after the revocation was
// answered, and ends before the right is given again, must not succeed.
func TestRevokedRightIsGoneAtTheNextRead(t *testing.T) {
	const writers, readers, rounds = 8, 64, 25 / slower
	k := newKit(t, Config{Disabled: []string{"private_keys", "mask_env"}}) // relations alone, as busy as they get
	k.write(k.admin, "/w/deep/f", "secret")
	k.relate(k.admin, []string{"user", "bob"}, "member", []string{"group", "eng"})

	var revoked atomic.Int64 // odd while the right is gone
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var late, allowed, refused, wrote atomic.Int64
	for range readers {
		running.Go(func() {
			for ctx.Err() == nil {
				before := revoked.Load()
				_, err := k.read(user("bob"), "/w/deep/f")
				switch {
				case err == nil && before%2 == 1 && revoked.Load() == before:
					late.Add(1)
				case err == nil:
					allowed.Add(1)
				case errors.Is(err, errs.Denied):
					refused.Add(1)
				default:
					t.Errorf("read: %v", err)
				}
			}
		})
	}
	for w := range writers {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := k.try(k.admin, "write", writeParams(fmt.Sprintf("/w/deep/w%d/f%d", w, i%8), "x")); err != nil {
					t.Errorf("write: %v", err)
				}
				wrote.Add(1)
			}
		})
	}
	for round := range rounds {
		subject, object := []string{"user", "bob"}, []string{"file", []string{"/w/deep/f", "/w/deep", "/w"}[round%3]}
		if round%2 == 0 {
			subject = []string{"group", "eng"}
		}
		id := k.relate(k.admin, subject, "direct_viewer", object)
		if _, err := k.read(user("bob"), "/w/deep/f"); err != nil {
			t.Errorf("after the grant: %v", err)
		}
		k.unshare(id)
		revoked.Add(1)
		for range 20 {
			k.mustNotRead(user("bob"), "/w/deep/f")
		}
		revoked.Add(1)
	}
	stop()
	running.Wait()
	if late.Load() > 0 || allowed.Load() == 0 || refused.Load() == 0 || wrote.Load() == 0 {
		t.Errorf("%d reads succeeded after the revocation; %d allowed, %d refused, %d writes beside", late.Load(), allowed.Load(), refused.Load(), wrote.Load())
	}
	t.Logf("%d revocations, %d reads allowed, %d refused, %d writes beside", rounds, allowed.Load(), refused.Load(), wrote.Load())
}

func TestGrantEndsWhenItExpiresWithoutAnyWrite(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now})
	k.write(k.admin, "/w/f", "secret")
	k.write(k.admin, "/w/g", "secret")
	object, expires := []string{"file", "/w/f"}, now.Now().Add(time.Hour)
	id := k.do(k.admin, "rebac_create", relateParams([]string{"user", "bob"}, "direct_viewer", object, expires))
	k.do(k.admin, "rebac_create", relateParams([]string{"user", "bob"}, "member", []string{"group", "eng"}, expires))
	k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/w/g"})
	now.Advance(time.Hour - time.Nanosecond)
	k.mustRead(user("bob"), "/w/f", "secret")
	k.mustRead(user("bob"), "/w/g", "secret")
	now.Advance(time.Nanosecond)
	k.mustNotRead(user("bob"), "/w/f")
	k.mustNotRead(user("bob"), "/w/g")
	if k.may("bob", "read", "/w/f") {
		t.Error("rebac_check still allows")
	}

	again := k.do(k.admin, "rebac_create", relateParams([]string{"user", "bob"}, "direct_viewer", object, now.Now().Add(time.Hour)))
	if again != id {
		t.Errorf("the same relationship has ids %v and %v", id, again)
	}
	k.mustRead(user("bob"), "/w/f", "secret")
	k.mustFail(k.admin, "rebac_create", relateParams([]string{"user", "bob"}, "direct_viewer", object, now.Now()), errs.Invalid)
}

func TestGrantTooOldToActOnIsDecidedAgain(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now})
	k.write(k.admin, "/w/f", "old")
	k.share("bob", "direct_editor", "/w/f")
	g := k.decided("/w/f")
	now.Advance(authz.Lifetime + time.Second)
	_, err := g.Use()
	mustBeStale(t, err)
}

func TestKeyEndsWhenItExpires(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now})
	made := k.do(k.admin, "admin_create_key", `{"user_id":"bob","name":"k","expires_days":2}`)
	if until := expiryOf(t, made); !until.Equal(now.Now().AddDate(0, 0, 2)) {
		t.Errorf("the key ends at %v, made at %v for two days", until, now.Now())
	}
}
