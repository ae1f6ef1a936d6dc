package rego

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"nexus/internal/errs"
)

// naming returns a module whose only rule refuses with its own number.
func naming(n int) map[string]string {
	return with(nil, "r.rego", rule("r", "#   operations: [files.read]\n", fmt.Sprintf("refuse contains \"%d\"", n)))
}

func engine(t *testing.T, modules map[string]string) *Engine {
	t.Helper()
	e, err := NewEngine(context.Background(), modules, config())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReloadIsAtomicUnderEvaluation(t *testing.T) {
	const versions = 20
	answers := map[string]string{} // digest to the only message that bundle may give
	for n := range versions {
		answers[load(t, naming(n)).Digest()] = fmt.Sprint(n)
	}
	e := engine(t, naming(0))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b := e.Bundle()
				v, err := b.Evaluate(context.Background(), reads(agent(), file("/a")))
				if err != nil || len(v.Messages) != 1 || v.Messages[0] != answers[b.Digest()] {
					t.Errorf("bundle %s says %v, %v, want %s", b.Digest(), v.Messages, err, answers[b.Digest()])
					return
				}
			}
		})
	}
	for n := range versions {
		if err := e.Reload(context.Background(), naming(n)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	readers.Wait()
	if v := evaluate(t, e.Bundle(), reads(agent(), file("/a"))); v.Messages[0] != fmt.Sprint(versions-1) {
		t.Errorf("after the last reload = %v", v.Messages)
	}
}

func TestBrokenBundleKeepsTheOld(t *testing.T) {
	e := engine(t, naming(7))
	before := e.Bundle()
	err := e.Reload(context.Background(), with(naming(8), "x.rego", "package nexus.rules.x\n\nrefuse contains"))
	if !errors.Is(err, errs.Invalid) {
		t.Errorf("Reload = %v, want Invalid", err)
	}
	if e.Bundle() != before {
		t.Error("a broken bundle took the place of the old one")
	}
	if v := evaluate(t, e.Bundle(), reads(agent(), file("/a"))); v.Messages[0] != "7" {
		t.Errorf("after a broken reload = %v, want the old answer", v.Messages)
	}
}

func TestEngineWithoutBundleDoesNotExist(t *testing.T) {
	if e, err := NewEngine(context.Background(), map[string]string{"x.rego": "package acme"}, config()); err == nil || e != nil {
		t.Errorf("NewEngine = %v, %v, want an error", e, err)
	}
}

func TestBundleAnswersManyAtOnce(t *testing.T) {
	b := load(t, shipped())
	objects := []Object{file("/a/id_rsa"), file("/a/.env"), file("/a/main.go")}
	want, err := b.EvaluateObjects(context.Background(), reads(agent()), objects)
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range 60 {
				alone, err := b.Evaluate(context.Background(), reads(agent(), objects[i%3]))
				if err != nil || !reflect.DeepEqual(alone, want[i%3]) {
					t.Errorf("alone = %+v, %v, want %+v", alone, err, want[i%3])
				}
				list, err := b.EvaluateObjects(context.Background(), reads(agent()), objects)
				if err != nil || !reflect.DeepEqual(list, want) {
					t.Errorf("in a list = %+v, %v, want %+v", list, err, want)
				}
			}
		})
	}
	callers.Wait()
}
