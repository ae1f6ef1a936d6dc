package op_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

// The five shapes below are the proof that the vocabulary carries what is to be written with it (docs/adr/0002): rename with
// two grants of different types, write with one of two, list with a Scope, upload that is decided twice, and a stream that
// is decided again. Their façade counts what it is asked to do, and does nothing else.

type shelf struct {
	touched   []string
	discarded int
}

func (s *shelf) Move(what schema.OwnFile, into schema.WriteDir, name string) error {
	file, err := what.Use()
	if err != nil {
		return err
	}
	dir, err := into.Use()
	if err != nil {
		return err
	}
	s.touched = append(s.touched, "move "+file.Path+" to "+dir.Path+"/"+name)
	return nil
}

func (s *shelf) Put(over schema.WriteFile, body io.Reader) error {
	file, err := over.Use()
	if err != nil {
		return err
	}
	all, err := io.ReadAll(body)
	s.touched = append(s.touched, "put "+file.Path+" "+string(all))
	return err
}

func (s *shelf) Make(into schema.WriteDir) error {
	dir, err := into.Use()
	if err == nil {
		s.touched = append(s.touched, "make "+dir.Path)
	}
	return err
}

func (s *shelf) List(ctx context.Context, scope schema.ReadFiles) ([]string, error) {
	all := []schema.File{file("/a"), file("/b"), file("/c")}
	admitted, err := scope.Admit(ctx, all, func(f schema.File) authz.Ref { return authz.Ref{Type: "file", ID: f.Parent} })
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range admitted {
		paths = append(paths, f.Path)
	}
	s.touched = append(s.touched, "list")
	return paths, scope.Close(ctx, true)
}

func file(path string) schema.File {
	return schema.File{Address: schema.Address{Tenant: "t", Path: path, Anchor: "t/" + path[1:], Parent: "t/root"}}
}

func dir(path string) schema.Dir {
	return schema.Dir{Address: schema.Address{Tenant: "t", Path: path, Anchor: "t/" + path[1:], Folder: true}}
}

// heap is a body that waits for its commit.
type heap struct {
	body []byte
	s    *shelf
}

func (h *heap) Discard() { h.s.discarded++ }

type moveParams struct {
	Old string `json:"old_path" need:"required" audit:"plain"`
	New string `json:"new_path" need:"required" audit:"plain"`
}

type pathParams struct {
	Path string `json:"path" need:"required" audit:"plain"`
}

// renameGrant names its two grants: a pair of the same type could be swapped unseen.
type renameGrant struct {
	What schema.OwnFile
	Into schema.WriteDir
}

func decl(name string) op.Decl {
	return op.Decl{Name: name, Method: name, Summary: name, Access: op.Writes}
}

func vocabulary(gate *authz.Gate, s *shelf) *op.Table {
	t := op.NewTable(gate)
	op.Handle(t, &op.Contract[moveParams, bool]{Decl: decl("rename")},
		func(_ context.Context, _ authz.Principal, p *moveParams) (authz.Need[renameGrant], error) {
			both := authz.Both(file(p.Old).Own(), dir(p.New).Write())
			return authz.Map(both, func(g authz.Pair[schema.OwnFile, schema.WriteDir]) renameGrant {
				return renameGrant{What: g.First, Into: g.Second}
			}), nil
		},
		func(_ context.Context, _ authz.Principal, _ *moveParams, g renameGrant) (bool, error) {
			return true, s.Move(g.What, g.Into, "name")
		})
	op.Handle(t, &op.Contract[pathParams, bool]{Decl: decl("write")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[authz.Choice[schema.WriteFile, schema.WriteDir]], error) {
			return authz.Either(file(p.Path).Write(), dir(p.Path).Write()), nil
		},
		func(_ context.Context, _ authz.Principal, _ *pathParams, g authz.Choice[schema.WriteFile, schema.WriteDir]) (bool, error) {
			return authz.Match(g,
				func(over schema.WriteFile) (bool, error) { return true, s.Put(over, strings.NewReader("new")) },
				func(into schema.WriteDir) (bool, error) { return true, s.Make(into) })
		})
	op.Handle(t, &op.Contract[pathParams, []string]{Decl: decl("list")},
		func(_ context.Context, who authz.Principal, _ *pathParams) (authz.Need[schema.ReadFiles], error) {
			return schema.ReadFilesWithin(gate, schema.Home(who).Access(), "files.read"), nil
		},
		func(ctx context.Context, _ authz.Principal, _ *pathParams, scope schema.ReadFiles) ([]string, error) {
			return s.List(ctx, scope)
		})
	op.HandleUpload(t, &op.Contract[pathParams, bool]{Decl: decl("upload")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.WriteFile], error) {
			return file(p.Path).Write(), nil
		},
		func(_ context.Context, _ *pathParams, first schema.WriteFile, body io.Reader) (*heap, error) {
			if _, err := first.Use(); err != nil { // may it be tried: nothing is written with this one
				return nil, err
			}
			all, err := io.ReadAll(body)
			return &heap{all, s}, err
		},
		func(_ context.Context, _ *pathParams, over schema.WriteFile, h *heap) (bool, error) {
			return true, s.Put(over, bytes.NewReader(h.body))
		})
	op.HandleStream(t, &op.Contract[pathParams, struct{}]{Decl: decl("watch")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.ReadDir], error) {
			return dir(p.Path).Read(), nil
		},
		func(ctx context.Context, _ *pathParams, g schema.ReadDir, still func(context.Context) error, out op.Sink) error {
			if _, err := g.Use(); err != nil {
				return err
			}
			for range 3 {
				if err := still(ctx); err != nil {
					return err
				}
				s.touched = append(s.touched, "watch")
				if err := out.Event("changed"); err != nil {
					return err
				}
			}
			return nil
		})
	return t
}

// sink collects what a stream sends; each event moves the clock on by step.
type sink struct {
	events int
	after  func()
}

func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// Content takes half of what is offered, then moves the clock on, and takes the rest.
func (s *sink) Content(c op.Content) error {
	size, err := c.Body.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := c.Body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, c.Body, size/2); err != nil {
		return err
	}
	if s.after != nil {
		s.after()
	}
	_, err = io.Copy(io.Discard, c.Body)
	return err
}

func (s *sink) Event(any) error {
	s.events++
	if s.after != nil {
		s.after()
	}
	return nil
}

var params = json.RawMessage(`{"path":"/a","old_path":"/a","new_path":"/b"}`)

// run calls the operation by its shape.
func run(o *op.Operation, who authz.Principal) (any, error) {
	ctx := context.Background()
	switch o.Shape {
	case op.Upload:
		return o.Receive(ctx, who, params, strings.NewReader("body"))
	case op.Stream:
		return nil, o.Send(ctx, who, params, &sink{})
	}
	return o.Invoke(ctx, who, params)
}

func TestEveryShapeTouchesStorageOnlyWhenAllowed(t *testing.T) {
	who := gatetest.User("t", "ann")
	for _, name := range []string{"rename", "write", "list", "upload", "watch"} {
		t.Run(name, func(t *testing.T) {
			denied, allowed := &shelf{}, &shelf{}
			deny, recorder := gatetest.DenyAll(t)
			if _, err := run(vocabulary(deny, denied).Named(name), who); !errors.Is(err, errs.Denied) {
				t.Errorf("deny-all: err = %v, want denied", err)
			}
			if len(denied.touched) > 0 {
				t.Errorf("deny-all: storage was touched: %q", denied.touched)
			}
			if d := recorder.Decided(); len(d) != 1 || d[0].Allowed || d[0].Op != name {
				t.Errorf("deny-all: recorded %+v, want one refusal of %s", d, name)
			}
			allow, _ := gatetest.AllowAll(t)
			if _, err := run(vocabulary(allow, allowed).Named(name), who); err != nil || len(allowed.touched) == 0 {
				t.Errorf("allow-all: err = %v, touched %q", err, allowed.touched)
			}
			if _, err := run(vocabulary(allow, &shelf{}).Named(name), authz.Principal{}); !errors.Is(err, errs.Unauthenticated) {
				t.Errorf("without a principal: err = %v, want unauthenticated", err)
			}
		})
	}
}

func TestWriteRefusedWhenNeitherSideHolds(t *testing.T) {
	s := &shelf{}
	gate, _ := gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c.ID != "t/a" }}.Gate(t)
	if _, err := run(vocabulary(gate, s).Named("write"), gatetest.User("t", "ann")); !errors.Is(err, errs.Denied) {
		t.Fatalf("err = %v, want denied", err)
	}
}

func TestUploadDecidedAgainAtItsCommit(t *testing.T) {
	asked := 0
	gate, _ := gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { asked++; return asked == 1 }}.Gate(t)
	s := &shelf{}
	_, err := run(vocabulary(gate, s).Named("upload"), gatetest.User("t", "ann"))
	if !errors.Is(err, errs.Denied) || len(s.touched) > 0 || s.discarded != 1 {
		t.Errorf("revoked while uploading: err = %v, touched %q, discarded %d times; want denied, nothing and once", err, s.touched, s.discarded)
	}
}

func TestListLeavesOutWhatPolicyRefuses(t *testing.T) {
	gate, recorder := gatetest.Config{RefuseObject: func(_ string, o authz.Named) bool { return o.Name == "/b" }}.Gate(t)
	got, err := run(vocabulary(gate, &shelf{}).Named("list"), gatetest.User("t", "ann"))
	if err != nil || strings.Join(got.([]string), " ") != "/a /c" {
		t.Errorf("list = %v, %v; want /a /c", got, err)
	}
	last := recorder.Decided()[len(recorder.Decided())-1]
	if last.Listed == nil || last.Listed.Count != 2 {
		t.Errorf("the last record is %+v, want a list of 2", last)
	}
}

func TestStaleDecisionIsMadeAgainThreeTimes(t *testing.T) {
	gate, recorder := gatetest.AllowAll(t)
	table := op.NewTable(gate)
	tries := 0
	op.Handle(table, &op.Contract[pathParams, bool]{Decl: decl("stale")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.WriteFile], error) {
			return file(p.Path).Write(), nil
		},
		func(context.Context, authz.Principal, *pathParams, schema.WriteFile) (bool, error) {
			tries++
			return false, errs.New(errs.Conflict, "changed").Marked(errs.StaleDecision)
		})
	_, err := run(table.Named("stale"), gatetest.User("t", "ann"))
	if !errors.Is(err, errs.Conflict) || tries != 3 || len(recorder.Decided()) != 3 {
		t.Errorf("err = %v after %d tries and %d decisions, want a conflict after 3 of each", err, tries, len(recorder.Decided()))
	}
}

func TestTableRefusesWhatCannotBeServed(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	full := vocabulary(gate, &shelf{})
	var declared []op.Decl
	for _, o := range full.All() {
		declared = append(declared, o.Decl)
	}
	if err := full.Check(declared); err != nil {
		t.Errorf("Check of all that is handled = %v", err)
	}
	if err := full.Check(append(declared, decl("missing"))); err == nil {
		t.Error("a declaration without a handler was accepted")
	}
	if err := full.Check(declared[1:]); err == nil {
		t.Error("a handler without a declaration was accepted")
	}
	op.Handle(full, &op.Contract[pathParams, bool]{Decl: decl("write")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.WriteFile], error) {
			return file(p.Path).Write(), nil
		},
		func(context.Context, authz.Principal, *pathParams, schema.WriteFile) (bool, error) { return true, nil })
	if err := full.Check(declared); err == nil {
		t.Error("an operation with two handlers was accepted")
	}
}

func TestScopeOfAKeyOnlyAttenuates(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	who := gatetest.User("t", "ann")
	who.Via.Scopes = []string{"read"}
	s := &shelf{}
	if _, err := run(vocabulary(gate, s).Named("write"), who); errs.From(err).Reason != errs.ScopeMissing || len(s.touched) > 0 {
		t.Errorf("a read-only key wrote: err = %v, touched %q", err, s.touched)
	}
}

func TestParametersAreReadAndRefused(t *testing.T) {
	gate, recorder := gatetest.AllowAll(t)
	table := vocabulary(gate, &shelf{})
	for raw, want := range map[string]string{
		`{}`:             "missing parameter: path",
		`{"path":null}`:  "missing parameter: path",
		`{"path":3}`:     "parameter path must not be a number",
		`[]`:             "params must be an object",
		`{"path":"/a"x}`: "params cannot be read",
	} {
		_, err := table.Named("write").Invoke(context.Background(), gatetest.User("t", "ann"), json.RawMessage(raw))
		if !errors.Is(err, errs.Invalid) || !strings.Contains(errs.Public(err), want) {
			t.Errorf("%s: err = %v, want %q", raw, err, want)
		}
	}
	if len(recorder.Decided()) > 0 {
		t.Error("what could not be read was decided")
	}
	if _, err := table.Named("write").Invoke(context.Background(), gatetest.User("t", "ann"), json.RawMessage(`{"path":"/a","later":1}`)); err != nil {
		t.Errorf("an unknown parameter: err = %v, want it ignored", err)
	}
	if p := recorder.Decided()[0].Params; len(p) != 1 || p["path"] != "/a" {
		t.Errorf("recorded params = %v, want the tagged ones only", p)
	}
}
