package op_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

// download is a table with one stream that offers a body.
func download(gate *authz.Gate, body string) *op.Operation {
	t := op.NewTable(gate)
	op.HandleStream(t, &op.Contract[pathParams, struct{}]{Decl: decl("download")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.ReadFile], error) {
			return file(p.Path).Read(), nil
		},
		func(_ context.Context, _ *pathParams, g schema.ReadFile, _ func(context.Context) error, out op.Sink) error {
			if _, err := g.Use(); err != nil {
				return err
			}
			return out.Content(op.Content{Etag: "e", Body: strings.NewReader(body)})
		})
	return t.Named("download")
}

func TestContentStopsWithTheRightToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, may := strings.Repeat("x", 1000), true
		gate, recorder := gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { return may }}.Gate(t)
		for _, c := range []struct {
			after func()
			want  error
			bytes int64
			state authz.State
		}{
			{func() { time.Sleep(2 * time.Second) }, nil, 1000, authz.Done},
			{func() { may = false }, nil, 1000, authz.Done}, // within the second
			{func() { may = false; time.Sleep(2 * time.Second) }, errs.Denied, 500, authz.Aborted},
		} {
			may = true
			err := download(gate, body).Send(context.Background(), gatetest.User("t", "ann"), params, &sink{after: c.after})
			if !errors.Is(err, c.want) || err == nil != (c.want == nil) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			all := recorder.Outcomes()
			if o := all[len(all)-1]; o.Bytes != c.bytes || o.State != c.state {
				t.Errorf("the record says %s after %d bytes, want %s after %d", o.State, o.Bytes, c.state, c.bytes)
			}
		}
	})
}

// hoarder is a sink that keeps the body it was offered.
type hoarder struct {
	sink
	kept op.Content
}

func (h *hoarder) Content(c op.Content) error {
	h.kept = c
	return nil
}

func TestContentCannotBeReadAfterItsStream(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	h := &hoarder{}
	if err := download(gate, "body").Send(context.Background(), gatetest.User("t", "ann"), params, h); err != nil {
		t.Fatal(err)
	}
	if n, err := h.kept.Body.Read(make([]byte, 4)); n != 0 || err == nil {
		t.Errorf("read %d bytes of a stream that has ended, %v", n, err)
	}
}

func TestOperationThatIsAnotherWayIsDecidedAsThatOne(t *testing.T) {
	gate, recorder := gatetest.Config{Refuse: func(op string) bool { return op == "files.read" }}.Gate(t)
	table := op.NewTable(gate)
	d := decl("files.fetch")
	d.As = "files.read"
	op.Handle(table, &op.Contract[pathParams, bool]{Decl: d},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.ReadFile], error) {
			return file(p.Path).Read(), nil
		},
		func(context.Context, authz.Principal, *pathParams, schema.ReadFile) (bool, error) { return true, nil })
	if _, err := table.Named("files.fetch").Invoke(context.Background(), gatetest.User("t", "ann"), params); !errors.Is(err, errs.Denied) {
		t.Errorf("err = %v: the rule about files.read does not hold", err)
	}
	if d := recorder.Decided(); len(d) != 1 || d[0].Op != "files.read" {
		t.Errorf("recorded %+v", d)
	}
}
