package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
)

func (w *wire) disable(by, name string) {
	w.t.Helper()
	w.mustAnswer(0, by, "admin_disable_user", `{"user_id":"`+name+`"}`)
}

func (w *wire) enable(by, name string) {
	w.t.Helper()
	w.mustAnswer(0, by, "admin_enable_user", `{"user_id":"`+name+`"}`)
}

func TestDisabledUserIsOutUntilHeIsEnabled(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	bob, again := w.makeKey(root, `{"user_id":"bob","name":"k"}`), w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	bot := w.makeKey(root, `{"user_id":"bob","name":"k","subject_type":"agent","subject_id":"bot"}`)
	other := w.makeKey(root, `{"user_id":"olga","name":"k"}`)
	w.put(root, "/w/f", "x")
	w.tuple(root, `{"subject":["user","bob"],"relation":"direct_owner","object":["file","/w"]}`)
	w.tuple(root, `{"subject":["agent","bot"],"relation":"direct_viewer","object":["file","/w"]}`)
	as := func(subject string) header { return header{"X-Nexus-Subject", subject} }
	all := []struct {
		key  string
		more []header
	}{{bob.key, nil}, {again.key, nil}, {bot.key, nil}, {root, []header{as("user:bob")}}, {root, []header{as("agent:bot")}}}
	for range 2 {
		for _, c := range all {
			w.mustAnswer(0, c.key, "read", `{"path":"/w/f"}`, c.more...)
		}
		w.disable(root, "bob")
		w.disable(root, "bob") // twice is once
		for _, c := range all {
			w.mustAnswer(-32003, c.key, "read", `{"path":"/w/f"}`, c.more...)
		}
		gone := w.post(root, "read", `{"path":"/w/f"}`, as("user:bob"))
		if never := w.post(root, "read", `{"path":"/w/f"}`, as("user:never")); gone != never {
			t.Errorf("standing in for a disabled user = %s, for nobody %s", gone, never)
		}
		w.mustAnswer(0, other.key, "list", `{}`)
		w.mustAnswer(-32005, root, "admin_create_key", `{"user_id":"bob","name":"k"}`)
		w.mustAnswer(-32005, root, "admin_create_key", `{"user_id":"bob","name":"k","subject_type":"agent","subject_id":"new"}`)
		w.mustSay(`{"allowed":true}`, root, "rebac_check", `{"subject":["user","bob"],"permission":"write","object":["file","/w/f"]}`)
		w.enable(root, "bob")
	}
	w.mustAnswer(0, root, "admin_revoke_key", named(again.id))
	w.disable(root, "bob")
	w.enable(root, "bob")
	w.mustAnswer(-32003, again.key, "list", `{}`) // enabling brings no revoked key back
	w.mustAnswer(-32000, root, "admin_disable_user", `{"user_id":"nobody"}`)
	w.mustAnswer(-32000, root, "admin_enable_user", `{"user_id":"bot"}`)
	w.mustAnswer(-32005, root, "admin_disable_user", `{"user_id":"admin"}`) // himself
}

// TestPlatformAdminIsLeftToThePlatform: the first key's user is of the default tenant, whose admin must not reach him by it.
func TestPlatformAdminIsLeftToThePlatform(t *testing.T) {
	w := newWire(t, Config{})
	chief := w.makeKey(w.root.Secret, `{"user_id":"chief","name":"k","is_admin":true}`)
	second := w.makeKey(w.root.Secret, `{"user_id":"second","name":"k","tenant_id":"*"}`)
	for _, name := range []string{"admin", "second"} {
		w.mustAnswer(-32004, chief.key, "admin_disable_user", `{"user_id":"`+name+`"}`)
	}
	w.disable(w.root.Secret, "second")
	w.mustAnswer(-32004, chief.key, "admin_enable_user", `{"user_id":"second"}`) // what the platform ended stays ended
	w.mustAnswer(-32003, second.key, "list", `{}`)
	w.mustAnswer(0, w.root.Secret, "list", `{}`)
}

// TestAdminOfAnyKindCannotBeStoodInFor makes admins in every way there is, and ends them again.
func TestAdminOfAnyKindCannotBeStoodInFor(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	chief := w.makeKey(root, `{"user_id":"chief","name":"k","is_admin":true}`)
	for _, name := range []string{"byrelation", "bygroup", "bynested", "bykey", "plain"} {
		w.makeKey(root, `{"user_id":"`+name+`","name":"k"}`)
	}
	w.makeKey(root, `{"user_id":"plain","name":"k","subject_type":"agent","subject_id":"bot"}`)
	as := header{"X-Nexus-Subject", ""}
	stands := func(subject string) bool {
		as.value = subject
		return w.call(chief.key, "list", `{}`, as).code() == 0
	}
	relation := w.tuple(root, `{"subject":["user","byrelation"],"relation":"admin","object":["tenant","default"]}`)
	w.tuple(root, `{"subject":["user","bygroup"],"relation":"member","object":["group","admins"]}`)
	w.tuple(root, `{"subject":["user","bynested"],"relation":"member","object":["group","inner"]}`)
	w.tuple(root, `{"subject":["agent","bot"],"relation":"member","object":["group","inner"]}`)
	w.tuple(root, `{"subject":["group","inner"],"relation":"member","object":["group","admins"]}`)
	group := w.tuple(root, `{"subject":["group","admins"],"relation":"admin","object":["tenant","default"]}`)
	key := w.makeKey(root, `{"user_id":"bykey","name":"k","is_admin":true}`)
	admins := []string{"user:byrelation", "user:bygroup", "user:bynested", "agent:bot", "user:bykey", "user:admin"}
	for _, subject := range admins {
		if stands(subject) {
			t.Errorf("somebody stands in for admin %s", subject)
		}
	}
	if !stands("user:plain") {
		t.Error("nobody stands in for a plain user: the test shows nothing")
	}
	w.mustSay("true", root, "rebac_delete", `{"tuple_id":"`+relation+`"}`)
	w.mustSay("true", root, "rebac_delete", `{"tuple_id":"`+group+`"}`)
	w.mustAnswer(0, root, "admin_revoke_key", named(key.id))
	for _, subject := range admins[:5] {
		if !stands(subject) {
			t.Errorf("%s is an admin no more, and nobody stands in for him", subject)
		}
	}
}

func TestUsersAreListedPageByPage(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	for i := range 7 {
		w.makeKey(root, fmt.Sprintf(`{"user_id":"u%d","name":"k"}`, i))
	}
	w.makeKey(root, `{"user_id":"u3","name":"k","subject_type":"agent","subject_id":"bot"}`)
	w.makeKey(root, `{"user_id":"u3","name":"k","is_admin":true,"expires_days":5}`)
	w.makeKey(root, `{"user_id":"elsewhere","name":"k","tenant_id":"other"}`)
	w.disable(root, "u5")
	var names []string
	var u3, u5 api.User
	cursor := ""
	for {
		var page api.UserList
		r := w.mustAnswer(0, root, "admin_list_users", `{"limit":3,"cursor":"`+cursor+`"}`)
		if err := json.Unmarshal(r.Result, &page); err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			names = append(names, u.UserID)
			switch u.UserID {
			case "u3":
				u3 = u
			case "u5":
				u5 = u
			}
		}
		if cursor = page.NextCursor; page.Complete {
			break
		}
	}
	if fmt.Sprint(names) != "[admin u0 u1 u2 u3 u4 u5 u6]" || cursor != "" {
		t.Errorf("users = %v, and then %q", names, cursor)
	}
	if u3.Keys != 3 || u3.Agents != 1 || !u3.IsAdmin || u3.Disabled || !u5.Disabled || u5.DisabledAt.IsZero() || u5.IsAdmin {
		t.Errorf("u3 = %+v, u5 = %+v", u3, u5)
	}
	first := w.mustAnswer(0, root, "admin_list_users", `{"limit":1}`)
	var page api.UserList
	if err := json.Unmarshal(first.Result, &page); err != nil {
		t.Fatal(err)
	}
	w.mustAnswer(-32005, root, "admin_list_users", `{"tenant_id":"other","cursor":"`+page.NextCursor+`"}`) // of another question
	w.mustAnswer(-32005, root, "admin_list_users", `{"cursor":"x"}`)
}

// watchParams are those of an operation that tests alone have.
type watchParams struct{}

// stream is an operation over the node's gate that waits until it may not; the rules know it under the name of another.
// begun gets a message when it waits.
func (k *kit) stream(begun chan<- struct{}) *op.Operation {
	k.t.Helper()
	table := op.NewTable(k.Service.Gate())
	table.Standing(k.Credentials.Stands)
	c := &op.Contract[watchParams, struct{}]{Decl: op.Decl{Name: api.Whoami.Name, Summary: "wait", Access: op.Reads, Prompt: true}}
	op.HandleStream(table, c,
		func(_ context.Context, who authz.Principal, _ *watchParams) (authz.Need[schema.AccessTenant], error) {
			return schema.Home(who).Access(), nil
		},
		func(ctx context.Context, _ *watchParams, g schema.AccessTenant, _ func(context.Context) error, _ op.Sink) error {
			if _, err := g.Use(); err != nil {
				return err
			}
			begun <- struct{}{}
			<-ctx.Done() // a deed that asks nothing by itself
			return ctx.Err()
		})
	return table.Named(c.Name)
}

func TestStreamEndsWithWhatLetItBegin(t *testing.T) {
	begun := make(chan struct{})
	w := newWire(t, Config{})
	root := w.root.Secret
	watch := w.stream(begun)
	bob := w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	spare := w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	bot := w.makeKey(root, `{"user_id":"bob","name":"k","subject_type":"agent","subject_id":"bot"}`)
	chief := w.makeKey(root, `{"user_id":"chief","name":"k","is_admin":true}`)
	w.makeKey(root, `{"user_id":"ann","name":"k"}`)
	standIn := user("ann")
	standIn.Actors = []authz.Actor{{Ref: authz.Ref{Type: "key", ID: "default/" + chief.id}, Mandate: authz.Mandate{Permissions: map[string][]string{"tenant": {"access"}}}}}
	for name, c := range map[string]struct {
		who authz.Principal
		key string
		end func()
	}{
		"key revoked":      {user("bob"), bob.id, func() { w.mustAnswer(0, root, "admin_revoke_key", named(bob.id)) }},
		"user disabled":    {user("bob"), spare.id, func() { w.disable(root, "bob") }},
		"owner disabled":   {agent("bot", "bob"), bot.id, func() { w.disable(root, "bob") }},
		"admin demoted":    {standIn, chief.id, func() { w.mustAnswer(0, root, "admin_update_key", `{"key_id":"`+chief.id+`","is_admin":false}`) }},
		"subject disabled": {standIn, chief.id, func() { w.disable(root, "ann") }},
	} {
		t.Run(name, func(t *testing.T) {
			w.mustAnswer(0, root, "admin_update_key", `{"key_id":"`+chief.id+`","is_admin":true}`)
			w.enable(root, "ann")
			w.enable(root, "bob")
			c.who.Via.Key = c.key
			ended := make(chan error, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() { ended <- watch.Send(ctx, c.who, nil, nil) }()
			select {
			case <-begun:
			case err := <-ended:
				t.Fatalf("the stream did not begin: %v", err)
			}
			c.end()
			w.mustFail(c.who, "list", `{}`, errs.Unauthenticated) // every operation of the node asks
			if err := <-ended; !errors.Is(err, errs.Unauthenticated) {
				t.Errorf("the stream ended with %v, want unauthenticated", err)
			}
		})
	}
}
