package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// Rows over HTTP on the loopback, and the share of the gate in a read.
const (
	checkMedian = "rebac_check, median"
	checkRate   = "rebac_check, 8 connections"
	writeMedian = "durable write of a new 1 KB file, median"
	writeRate   = "durable write of a new 1 KB file, 64 connections"
	readMedian  = "read of 1 KB, median"
	readShare   = "gated read of 1 KB, CPU over the handler without the gate"
)

func overHTTP(ctx context.Context, o Options, w *world, files int) ([]Row, error) {
	h := calling{ctx, o, w, files}
	return o.measure(files, []measure{
		{Row{Name: checkMedian, Budget: 0.3, Unit: "ms"}, h.checkMedian},
		{Row{Name: checkRate, Budget: 10_000, Unit: "/s", AtLeast: true}, h.checkRate},
		{Row{Name: writeMedian, Budget: 5, Unit: "ms"}, h.writeMedian},
		{Row{Name: writeRate, Budget: 2_000, Unit: "/s", AtLeast: true}, h.writeRate},
		{Row{Name: readMedian, Unit: "ms"}, h.readMedian},
		{Row{Name: readShare, Budget: 1.25, Unit: "×"}, h.readShare},
	}), nil
}

// calling calls the world's server.
type calling struct {
	ctx   context.Context
	o     Options
	w     *world
	files int
}

func (h calling) check(i int) error {
	got, err := client.Call(h.ctx, h.w.admin, api.Check, api.AskParams{
		Subject: api.Ref{"user", "owner"}, Permission: "read", Object: api.Ref{"file", filePath(i % min(h.files, gateObjects))},
	})
	if err == nil && !got.Allowed {
		return fmt.Errorf("user:owner may not read %s", filePath(i%h.files))
	}
	return err
}

func (h calling) checkMedian() (float64, error) {
	d, err := median(h.o, h.check)
	return millis(d), err
}

func (h calling) checkRate() (float64, error) { return rate(h.ctx, h.o, 8, h.check) }

// write makes a file that is new, in one of a hundred folders.
func (h calling) write(name string) func(i int) error {
	body := bytes.Repeat([]byte("x"), 1024)
	return func(i int) error {
		_, err := client.Call(h.ctx, h.w.admin, api.Write, writeParams(fmt.Sprintf("/scratch/%s%d/d%02d/f%d.txt", name, h.files, i%100, i), body))
		return err
	}
}

func (h calling) writeMedian() (float64, error) {
	d, err := median(h.o, h.write("one"))
	return millis(d), err
}

func (h calling) writeRate() (float64, error) {
	write := h.write("many")
	if err := all(h.ctx, 1, 100, write); err != nil { // the folders
		return 0, err
	}
	return rate(h.ctx, h.o, 64, func(i int) error { return write(100 + i) })
}

// readMedian reads files all over the tree, each for the first time where there are enough.
func (h calling) readMedian() (float64, error) {
	d, err := median(h.o, func(i int) error {
		_, err := client.Call(h.ctx, h.w.admin, api.Read, api.ReadParams{PathParams: api.PathParams{Path: filePath(i * 7919 % h.files)}})
		return err
	})
	return millis(d), err
}

// readShare is the CPU of a read in the server's handler over what remains of it without the gate. Nothing can read without
// a decision, so what remains is the difference: the handler's CPU less that of the gate, asked alone for the same.
func (h calling) readShare() (float64, error) {
	who, path := user("owner"), fmt.Sprintf("/scratch/read%d.txt", h.files)
	if err := h.w.invoke(h.ctx, who, api.Write.Method, writeParams(path, bytes.Repeat([]byte("x"), 1024))); err != nil {
		return 0, err
	}
	a, err := h.w.Store.Names().Address(h.ctx, who.Tenant, path)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": api.Read.Method, "params": map[string]string{"path": path}})
	if err != nil {
		return 0, err
	}
	whole, err := cpu(h.o, func(int) error { return h.handle(body) })
	if err != nil {
		return 0, err
	}
	alone, err := cpu(h.o, func(int) error {
		_, _, err := authz.Ask(h.ctx, h.w.Service.Gate(), who, authz.Act{Op: api.Read.Name}, schema.File{Address: a}.Read())
		return err
	})
	return whole.Seconds() / max(whole-alone, 1).Seconds(), err
}

// handle gives the server one request without a network.
func (h calling) handle(body []byte) error {
	r := httptest.NewRequestWithContext(h.ctx, http.MethodPost, "/api/nfs/read", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.w.key)
	answer := httptest.NewRecorder()
	h.w.server.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK || bytes.Contains(answer.Body.Bytes(), []byte(`"error"`)) {
		return fmt.Errorf("read answered %d %s", answer.Code, answer.Body.Bytes())
	}
	return nil
}
