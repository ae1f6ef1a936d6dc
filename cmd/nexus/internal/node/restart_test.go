package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/explain"
	"nexus/internal/errs"
)

var noTime time.Time

type explainWay = explain.Way

func TestDirectoryServesOneNode(t *testing.T) {
	k := newKit(t, Config{})
	if second, err := Open(context.Background(), k.config); !errors.Is(err, errs.Unavailable) {
		t.Errorf("a second node in this process: %v, %v", second, err)
	}
	cmd, out := spawn(t, childOpens, k.config.DataDir)
	said := ""
	for out.Scan() {
		said += out.Text()
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(said, "in use") {
		t.Errorf("a second process: %v, %q", err, said)
	}
	k.write(k.admin, "/f", "still served")
	k.mustRead(k.admin, "/f", "still served")
}

func TestRestartKeepsEverything(t *testing.T) {
	k := newKit(t, Config{})
	bot := k.newAgent("bot", "olga")
	k.write(k.admin, "/w/f", "x")
	beforeGrant := time.Now().UTC()
	id := k.share("bob", "direct_viewer", "/w")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_viewer", []string{"file", "/w/f"})
	k.share("carl", "direct_viewer", "/not/yet")
	granted := time.Now().UTC()
	listed := k.do(k.admin, "rebac_list_tuples", `{"object":["file","/w"]}`)
	k.restart()

	k.mustRead(user("bob"), "/w/f", "x")
	k.mustRead(bot, "/w/f", "x")
	k.mustNotRead(user("carl"), "/w/f")
	if again := k.share("bob", "direct_viewer", "/w"); again != id {
		t.Errorf("the same relationship has ids %s and %s", id, again)
	}
	if again := k.do(k.admin, "rebac_list_tuples", `{"object":["file","/w"]}`); asJSON(t, again) != asJSON(t, listed) {
		t.Errorf("tuples were %s and are %s", asJSON(t, listed), asJSON(t, again))
	}
	if h, err := k.Credentials.ByHash(t.Context(), sha256.Sum256([]byte(k.root.Secret))); err != nil || h.KeyID != k.root.ID {
		t.Errorf("the key stands for %+v, %v", h, err)
	}
	if _, founded, err := k.Store.Founding().Found(t.Context()); err != nil || founded {
		t.Errorf("founded again: %v, %v", founded, err)
	}
	k.write(k.admin, "/not/yet", "now")
	k.mustRead(user("carl"), "/not/yet", "now")

	k.unshare(id)
	for at, want := range map[time.Time]bool{beforeGrant: false, granted: true, time.Now().UTC(): false} {
		raw, _ := json.Marshal(map[string]any{
			"subject": []string{"user", "bob"}, "permission": "read", "object": []string{"file", "/w/f"}, "at": at.Format(time.RFC3339Nano),
		})
		if e := k.do(k.admin, "rebac_explain", string(raw)).(api.Explanation); e.Allowed != want {
			t.Errorf("as of %v: allowed %v, want %v", at, e.Allowed, want)
		}
	}
	k.mustVerify()
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
