package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// send makes one request about a file on the face of /api/files, and returns the status and what body makes of the answer.
func (w *wire) send(key, method, path string, body io.Reader, take func(io.Reader)) int {
	w.t.Helper()
	r, err := http.NewRequest(method, strings.TrimSuffix(w.url, "/api/nfs/")+"/api/files"+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	take(answer.Body)
	return answer.StatusCode
}

func (w *wire) fetch(key, path string) (status int, body string) {
	w.t.Helper()
	status = w.send(key, http.MethodGet, path, nil, func(r io.Reader) { body = all(w.t, r) })
	return status, body
}

func (w *wire) place(key, path, body string) int {
	w.t.Helper()
	return w.send(key, http.MethodPut, path, strings.NewReader(body), func(r io.Reader) { all(w.t, r) })
}

func all(t testing.TB, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// noise is a body of so many bytes, made as it is read, which is hashed on its way.
type noise struct {
	left, n int64
	sum     hash.Hash
	high    *uint64
}

func (b *noise) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), b.left))
	for i := range n {
		p[i] = byte(b.n>>9) ^ byte(i)
	}
	b.left -= int64(n)
	if b.n += int64(n); b.n>>24 != (b.n-int64(n))>>24 {
		watermark(b.high)
	}
	b.sum.Write(p[:n])
	return n, nil
}

// watermark raises high to what the process holds of memory.
func watermark(high *uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*high = max(*high, m.HeapInuse+m.StackInuse)
}

// TestLongBodyPassesInLittleMemory carries 256 MiB in and out of a whole server, in one process with the client.
func TestLongBodyPassesInLittleMemory(t *testing.T) {
	w := newWire(t, Config{})
	const size = 256 << 20
	runtime.GC()
	var before uint64
	watermark(&before)
	high := before
	body := &noise{left: size, sum: sha256.New(), high: &high}
	status := w.send(w.root.Secret, http.MethodPut, "/long", body, func(r io.Reader) { all(t, r) })
	if status != http.StatusCreated {
		t.Fatalf("PUT = %d", status)
	}
	sum := sha256.New()
	got := int64(0)
	w.send(w.root.Secret, http.MethodGet, "/long", nil, func(r io.Reader) {
		for {
			n, err := io.CopyN(sum, r, 16<<20)
			got += n
			watermark(&high)
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if got != size || hex.EncodeToString(sum.Sum(nil)) != hex.EncodeToString(body.sum.Sum(nil)) {
		t.Errorf("%d bytes came back, the same: %t", got, string(sum.Sum(nil)) == string(body.sum.Sum(nil)))
	}
	t.Logf("%d MiB in and out: %d MiB before, at most %d MiB meanwhile", size>>20, before>>20, high>>20)
	if grown := high - before; grown > 32<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
}

// TestRulesAboutReadingAndWritingHoldForStreams: the shipped rules name files.read and files.write alone.
func TestRulesAboutReadingAndWritingHoldForStreams(t *testing.T) {
	w := newWire(t, Config{})
	w.do(w.admin, "mkdir", `{"path":"/project"}`)
	bot := w.newKey(`{"user_id":"olga","name":"key","tenant_id":"default","subject_type":"agent","subject_id":"bot"}`)
	w.relate(w.admin, []string{"agent", "bot"}, "direct_editor", []string{"file", "/project"})
	if got := w.place(w.root.Secret, "/project/.env", "TOKEN=secret\n"); got != http.StatusCreated {
		t.Fatalf("PUT = %d", got)
	}
	if status, body := w.fetch(bot, "/project/.env"); status != http.StatusOK || body != "TOKEN=********\n" {
		t.Errorf("an agent reads %d %q", status, body)
	}
	if got := w.place(w.root.Secret, "/project/id_rsa", "key"); got != http.StatusCreated {
		t.Fatalf("PUT = %d", got)
	}
	if status, body := w.fetch(bot, "/project/id_rsa"); status != http.StatusNotFound || strings.Contains(body, "key\n") {
		t.Errorf("an agent reads a private key: %d %q", status, body)
	}
	if got := w.place(bot, "/project/new.pem", "key"); got != http.StatusForbidden {
		t.Errorf("an agent writes a private key: %d", got)
	}
	if got := w.place(bot, "/project/notes", "fine"); got != http.StatusCreated {
		t.Errorf("an agent writes notes: %d", got)
	}
	if d := w.lastDecision("files.write"); d.Base.Type != "agent" || d.Params["path"] != "/project/notes" {
		t.Errorf("the last write is recorded as %+v", d)
	}
	for _, e := range w.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}}) {
		if strings.HasSuffix(e.Decided.Op, "load") {
			t.Errorf("decided as %s, which no rule names", e.Decided.Op)
		}
	}
}

// TestTenantsCannotReachEachOthersBlobs: neither by a path, nor by having the same contents.
func TestTenantsCannotReachEachOthersBlobs(t *testing.T) {
	w := newWire(t, Config{})
	body := strings.Repeat("shared contents", 4000)
	if got := w.place(w.root.Secret, "/f", body); got != http.StatusCreated {
		t.Fatalf("PUT = %d", got)
	}
	theirs := w.newKey(`{"user_id":"eve","name":"key","tenant_id":"other","is_admin":true}`)
	if status, _ := w.fetch(theirs, "/f"); status != http.StatusNotFound {
		t.Errorf("another tenant reads %d", status)
	}
	if got := w.place(theirs, "/f", body); got != http.StatusCreated {
		t.Errorf("another tenant's PUT = %d", got)
	}
	sum := sha256.Sum256([]byte(body))
	name := hex.EncodeToString(sum[:])
	for _, tenant := range []string{"default", "other"} {
		if _, err := os.Stat(filepath.Join(BlobDir(w.config.DataDir), tenant, name[:2], name[2:4], name)); err != nil {
			t.Errorf("%s has no blob of its own: %v", tenant, err)
		}
	}
}

// TestSweepGoesThroughTheGate: the server asks as everybody does, and what it did is recorded.
func TestSweepGoesThroughTheGate(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/f", strings.Repeat("x", 20_000))
	for _, begin := range []func(string) stepper{k.sweep, k.scrub} {
		if _, err := begin("default")(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range []string{sweepBlobs, scrubBlobs} {
		d := k.lastDecision(op)
		if d.Base != schema.Staff("default", schema.Sweeper) || !d.Allowed || len(d.Checks) != 1 || d.Checks[0].Permission != "sweep" {
			t.Errorf("%s is decided as %+v", op, d)
		}
		if o := k.outcome(d.ID); o == nil || o.State != authz.Done {
			t.Errorf("%s ended %+v", op, o)
		}
	}
	k.mustRead(k.admin, "/f", strings.Repeat("x", 20_000))
}

func TestHalfARemovalIsUndoneAtTheNextStart(t *testing.T) {
	k := newKit(t, Config{})
	body := strings.Repeat("x", 20_000)
	k.write(k.admin, "/f", body)
	sum := sha256.Sum256([]byte(body))
	name := hex.EncodeToString(sum[:])
	dir := BlobDir(k.config.DataDir)
	place := filepath.Join(dir, "default", name[:2], name[2:4], name)
	k.close()
	if err := os.Rename(place, filepath.Join(dir, ".trash", "default."+name)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".tmp", "half"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.open()
	k.mustRead(k.admin, "/f", body)
	for _, folder := range []string{".tmp", ".trash"} {
		if left, err := os.ReadDir(filepath.Join(dir, folder)); err != nil || len(left) > 0 {
			t.Errorf("%s holds %d files, %v", folder, len(left), err)
		}
	}
}
