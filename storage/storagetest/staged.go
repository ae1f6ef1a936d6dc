package storagetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
	"nexus/storage/internal/blob"
)

// staged are claims about contents that arrive before they are written.
var staged = []func(*kit){
	stagedContentsServeAWriteAndItsTries,
	harmedContentsAreNotAppendedTo,
	conditionsOfStagedContentsAreCompared,
	whatCannotBeWrittenIsRefusedBeforeItsBody,
	appendedContentsComeBehind,
	appendersAtOnceAllComeBehind,
	requestWithAKeyIsCarriedOutOnce,
	requestsWithAKeyAtOnceAreCarriedOutOnce,
	keyOfAnotherRequestRefused,
	keyOfARefusedRequestCanBeUsedAgain,
	keyIsForgottenAfterItsTime,
}

// stage receives body for path.
func (k *kit) stage(who authz.Principal, path, body string) *storage.Staged {
	k.Helper()
	a := k.in(who.Tenant, path)
	var st *storage.Staged
	var err error
	if a.HasRow() {
		st, err = k.files.StageOver(k.Context(), grantTo(k, who, schema.File{Address: a}.Write()), storage.WriteOptions{}, strings.NewReader(body))
	} else {
		st, err = k.files.StageInto(k.Context(), grantTo(k, who, schema.Dir{Address: a}.Write()), storage.WriteOptions{}, strings.NewReader(body))
	}
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(st.Discard)
	return st
}

// send writes staged contents as an operation does.
func (k *kit) send(who authz.Principal, path string, st *storage.Staged, o storage.WriteOptions) (storage.Written, error) {
	k.Helper()
	a := k.in(who.Tenant, path)
	if a.HasRow() {
		return k.files.WriteStaged(k.Context(), grantTo(k, who, schema.File{Address: a}.Write()), st, o)
	}
	return k.files.CreateStaged(k.Context(), grantTo(k, who, schema.Dir{Address: a}.Write()), st, o)
}

func (k *kit) mustSend(path, body string, o storage.WriteOptions) storage.Written {
	k.Helper()
	w, err := k.send(k.ann, path, k.stage(k.ann, path, body), o)
	if err != nil {
		k.Fatalf("send %s: %v", path, err)
	}
	return w
}

func stagedContentsServeAWriteAndItsTries(k *kit) {
	for _, body := range []string{"", "short", long("long")} {
		path := fmt.Sprintf("/f%d", len(body))
		st := k.stage(k.ann, path, body)
		for range 2 {
			_, err := k.send(k.ann, path, st, storage.WriteOptions{Condition: storage.Condition{Match: "other"}})
			k.mustFail("write over another etag", err, errs.Conflict, errs.EtagMismatch)
		}
		if _, err := k.send(k.ann, path, st, storage.WriteOptions{}); err != nil {
			k.Error(err)
		}
		k.mustRead(path, body)
		if len(body) <= 16<<10 {
			continue
		}
		k.clock.Advance(time.Hour)
		for range 3 {
			k.sweepBlobs(time.Nanosecond)
		}
		k.mustRead(path, body)
	}
}

func conditionsOfStagedContentsAreCompared(k *kit) {
	for _, body := range []string{"short", long("long")} {
		path := fmt.Sprintf("/f%d", len(body))
		_, err := k.send(k.ann, path, k.stage(k.ann, path, body), storage.WriteOptions{Condition: storage.Condition{Present: true}})
		k.mustFail("over a file, where there is none", err, errs.Conflict, errs.EtagMismatch)
		first := k.mustSend(path, body, storage.WriteOptions{Condition: storage.Condition{Absent: true}})
		if !first.Made || first.Version != 1 {
			k.Errorf("made %+v", first)
		}
		_, err = k.send(k.ann, path, k.stage(k.ann, path, "other"), storage.WriteOptions{Condition: storage.Condition{Absent: true}})
		k.mustFail("only a new one", err, errs.Exists, errs.FileExists)
		_, err = k.send(k.ann, path, k.stage(k.ann, path, "other"), storage.WriteOptions{Condition: storage.Condition{Match: "elsewise"}})
		k.mustFail("over another etag", err, errs.Conflict, errs.EtagMismatch)
		second := k.mustSend(path, body+"2", storage.WriteOptions{Condition: storage.Condition{Match: first.Etag, Present: true}})
		if second.Made || second.Version != 2 {
			k.Errorf("wrote %+v", second)
		}
		k.mustRead(path, body+"2")
	}
}

// unread is a body that must not be asked for.
type unread struct{ *kit }

func (u unread) Read([]byte) (int, error) {
	u.Error("the body was read")
	return 0, errors.New("unread")
}

func whatCannotBeWrittenIsRefusedBeforeItsBody(k *kit) {
	k.mustPut("/f", "body")
	k.mustMkdir("/d")
	over := func(path string, c storage.Condition) error {
		_, err := k.files.StageOver(k.Context(), grant(k, k.file(path).Write()), storage.WriteOptions{Condition: c}, unread{k})
		return err
	}
	into := func(path string, c storage.Condition) error {
		_, err := k.files.StageInto(k.Context(), grant(k, k.dir(path).Write()), storage.WriteOptions{Condition: c}, unread{k})
		return err
	}
	k.mustFail("only a new one", over("/f", storage.Condition{Absent: true}), errs.Exists, errs.FileExists)
	k.mustFail("over another etag", over("/f", storage.Condition{Match: "other"}), errs.Conflict, errs.EtagMismatch)
	k.mustFail("over a folder", over("/d", storage.Condition{}), errs.Invalid, errs.NotValid)
	k.mustFail("over an etag of nothing", into("/none", storage.Condition{Match: "other"}), errs.Conflict, errs.EtagMismatch)
	k.mustFail("over a file, where there is none", into("/none", storage.Condition{Present: true}), errs.Conflict, errs.EtagMismatch)
}

func (k *kit) append(path, tail string, o storage.WriteOptions) (storage.Written, error) {
	k.Helper()
	o.Append = true
	return k.send(k.ann, path, k.stage(k.ann, path, tail), o)
}

func appendedContentsComeBehind(k *kit) {
	want := "begin\n"
	for range 2 { // to what is not there: made, and made once
		if w, err := k.append("/log", want, storage.WriteOptions{Key: "begin"}); err != nil || !w.Made {
			k.Fatalf("append to nothing = %+v, %v", w, err)
		}
	}
	k.mustRead("/log", want)
	for i, tail := range []string{"short\n", long("long"), "", "end\n", strings.Repeat("z", 2<<20)} {
		before := k.stat("/log")
		w, err := k.append("/log", tail, storage.WriteOptions{Condition: storage.Condition{Match: before.Etag}})
		if err != nil {
			k.Fatal(err)
		}
		want += tail
		if k.mustRead("/log", want); w.Version != int64(i+2) || w.Size != int64(len(want)) || w.Made {
			k.Errorf("append %d = %+v", i, w)
		}
		_, err = k.append("/log", "stale", storage.WriteOptions{Condition: storage.Condition{Match: "stale"}})
		k.mustFail("append behind another etag", err, errs.Conflict, errs.EtagMismatch)
	}
	once := storage.WriteOptions{Key: "once"}
	for range 3 {
		if _, err := k.append("/log", "once\n", once); err != nil {
			k.Fatal(err)
		}
	}
	k.mustRead("/log", want+"once\n")
}

func harmedContentsAreNotAppendedTo(k *kit) {
	body := strings.Repeat("x", blob.VerifiedBelow) // not compared when it is opened
	k.harm(k.mustPut("/log", body))
	_, err := k.append("/log", "tail", storage.WriteOptions{})
	k.mustFail("append to harmed contents", err, errs.Internal, "")
	if v := k.stat("/log").Version; v != 1 {
		k.Errorf("version %d, want 1", v)
	}
}

func appendersAtOnceAllComeBehind(k *kit) {
	k.mustPut("/log", long("begin"))
	const appenders = 6
	a, grants, tails := k.file("/log"), []schema.WriteFile(nil), []*storage.Staged(nil)
	for i := range appenders {
		grants = append(grants, grant(k, a.Write()))
		tails = append(tails, k.stage(k.ann, "/log", fmt.Sprintf("<%d>", i)))
	}
	for i, err := range race(appenders, func(i int) error {
		_, err := k.files.WriteStaged(k.Context(), grants[i], tails[i], storage.WriteOptions{Append: true})
		return err
	}) {
		if err != nil {
			k.Errorf("appender %d: %v", i, err)
		}
	}
	got, err := k.read("/log")
	if err != nil || !strings.HasPrefix(got, long("begin")) {
		k.Fatalf("%.40q, %v", got, err)
	}
	for i := range appenders {
		if strings.Count(got, fmt.Sprintf("<%d>", i)) != 1 {
			k.Errorf("appender %d is not there once: %q", i, got[len(long("begin")):])
		}
	}
}

func requestWithAKeyIsCarriedOutOnce(k *kit) {
	for _, body := range []string{"short", long("long")} {
		path := fmt.Sprintf("/f%d", len(body))
		o := storage.WriteOptions{Condition: storage.Condition{Absent: true}, Key: path}
		first := k.mustSend(path, body, o)
		for range 3 {
			k.clock.Advance(time.Hour)
			again := k.mustSend(path, body, o)
			if !again.Before || again.Entry != first.Entry || !again.Made || first.Before {
				k.Errorf("sent again: %+v, first: %+v", again, first)
			}
		}
		if v := k.stat(path).Version; v != 1 {
			k.Errorf("version %d, want 1", v)
		}
	}
	if w, err := k.send(gatetest.User("default", "bob"), "/f5", k.stage(k.ann, "/f5", "his"), storage.WriteOptions{Key: "/f5"}); err != nil || w.Before || w.Version != 2 {
		k.Errorf("the same key of somebody else: %+v, %v", w, err)
	}
}

func requestsWithAKeyAtOnceAreCarriedOutOnce(k *kit) {
	k.mustPut("/f", "0")
	const senders = 8
	a, grants, all := k.file("/f"), []schema.WriteFile(nil), []*storage.Staged(nil)
	for range senders {
		grants, all = append(grants, grant(k, a.Write())), append(all, k.stage(k.ann, "/f", long("same")))
	}
	for i, err := range race(senders, func(i int) error {
		w, err := k.files.WriteStaged(k.Context(), grants[i], all[i], storage.WriteOptions{Key: "key"})
		if err == nil && w.Version != 2 {
			err = fmt.Errorf("answered %+v", w)
		}
		return err
	}) {
		if err != nil {
			k.Errorf("sender %d: %v", i, err)
		}
	}
	if v := k.stat("/f").Version; v != 2 {
		k.Errorf("version %d, want 2", v)
	}
}

func keyOfAnotherRequestRefused(k *kit) {
	o := storage.WriteOptions{Key: "key"}
	k.mustSend("/f", "body", o)
	k.mustPut("/g", "g")
	match := storage.WriteOptions{Key: "key", Condition: storage.Condition{Match: k.stat("/f").Etag}}
	_, body := k.send(k.ann, "/f", k.stage(k.ann, "/f", "other"), o)
	_, target := k.send(k.ann, "/g", k.stage(k.ann, "/g", "body"), o)
	_, condition := k.send(k.ann, "/f", k.stage(k.ann, "/f", "body"), match)
	_, appended := k.append("/f", "body", o)
	for what, err := range map[string]error{"body": body, "target": target, "condition": condition, "append": appended} {
		k.mustFail("another "+what, err, errs.Invalid, errs.KeyReused)
	}
	k.mustRead("/f", "body")
	k.mustRead("/g", "g")
}

func keyOfARefusedRequestCanBeUsedAgain(k *kit) {
	o := storage.WriteOptions{Key: "key", Condition: storage.Condition{Present: true}}
	_, err := k.send(k.ann, "/f", k.stage(k.ann, "/f", "body"), o)
	k.mustFail("over a file, where there is none", err, errs.Conflict, errs.EtagMismatch)
	k.mustPut("/f", "first")
	if w := k.mustSend("/f", "body", o); w.Before || w.Version != 2 {
		k.Errorf("sent again: %+v", w)
	}
}

func keyIsForgottenAfterItsTime(k *kit) {
	o := storage.WriteOptions{Key: "key"}
	k.mustSend("/f", "body", o)
	k.clock.Advance(storage.AnswersKept + time.Second)
	if w := k.mustSend("/f", "other", o); w.Before || w.Version != 2 {
		k.Errorf("after its time: %+v", w)
	}
	k.clock.Advance(storage.AnswersKept - time.Second)
	if w := k.mustSend("/f", "other", o); !w.Before {
		k.Errorf("within its new time: %+v", w)
	}
	k.sweepBlobs(time.Hour)
	if w := k.mustSend("/f", "other", o); !w.Before {
		k.Error("a sweep forgot a key before its time")
	}
}
