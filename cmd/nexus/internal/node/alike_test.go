package node

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/apiserver"
	"nexus/apiserver/api"
	"nexus/apiserver/op"
)

// populate makes what the samples of the contracts are about, again where it went, and returns the id of a relationship. A
// new operation whose sample is about something else adds that here: without it the test below says that it shows nothing.
func (w *wire) populate() (tuple string) {
	w.t.Helper()
	root := w.root.Secret
	w.mustAnswer(0, root, "mkdir", `{"path":"/sample/folder","parents":true,"exist_ok":true}`)
	w.post(root, "rmdir", `{"path":"/sample/empty"}`)
	w.mustAnswer(0, root, "mkdir", `{"path":"/sample/empty","parents":true,"exist_ok":true}`)
	w.put(root, "/sample/deleted.txt", "sample")
	w.mustAnswer(0, root, "delete", `{"path":"/sample/deleted.txt"}`)
	w.put(root, "/sample/file.txt", "sample")
	w.put(root, "/sample/file.txt", "sample, second version")
	w.post(root, "register_workspace", `{"path":"/sample/workspace"}`)
	w.put(root, "/sample/workspace/f", "sample")
	w.mustAnswer(0, root, "workspace_snapshot", `{"workspace_path":"/sample/workspace"}`)
	w.mustAnswer(0, root, "workspace_snapshot", `{"workspace_path":"/sample/workspace"}`)
	w.post(root, "admin_enable_user", `{"user_id":"sample-user"}`)
	w.userKey("sample-user", "default")
	w.userKey("sample-heir", "default")
	until(w.t, "the agent's name is free", func() bool {
		return !strings.Contains(w.post(root, "register_agent", `{"agent_id":"sample-agent","name":"Sample"}`), `"error"`)
	})
	w.tuple(root, `{"subject":["user","sample-reader"],"relation":"member","object":["group","sample-group"]}`)
	w.tuple(root, `{"subject":["user","sample-owner"],"relation":"direct_viewer","object":["file","/sample/file.txt"]}`)
	return w.tuple(root, `{"subject":["user","sample-editor"],"relation":"direct_editor","object":["file","/sample/file.txt"]}`)
}

// aboutTheCaller are operations that answer about nobody but who calls them, so that there is nothing they could give away.
var aboutTheCaller = []string{api.SharedWithMe.Name}

// everybodys are operations that answer every member of a tenant alike.
var everybodys = []string{api.GetNamespace.Name, api.ListNamespaces.Name, api.AvailableNamespaces.Name, api.ReadSchema.Name}

// taking are operations that take a name of which a tenant has one: that it is taken is what they must tell.
var taking = []string{api.RegisterAgent.Name}

// measured is what an answer has of the moment it was made at, and nothing of what it is about.
var measured = regexp.MustCompile(`"revision":"\d+"`)

// TestWhatIsThereAnswersAStrangerAsWhatIsNot asks every operation with the parameters of its sample in two worlds: in one
// everything exists that samples are about, in the other nothing does. A stranger's answers are the same, byte for byte.
func TestWhatIsThereAnswersAStrangerAsWhatIsNot(t *testing.T) {
	full, empty := newWire(t, Config{BackupDir: t.TempDir()}), newWire(t, Config{BackupDir: t.TempDir()})
	tuple := full.populate()
	eve, eveToo := full.userKey("eve", "default"), empty.userKey("eve", "default")
	for _, o := range full.Table.All() {
		if o.Shape != op.Unary || o.Method == "" || o.Public {
			continue
		}
		t.Run(o.Name, func(t *testing.T) {
			raw, err := json.Marshal(o.Sample)
			if err != nil {
				t.Fatal(err)
			}
			key := full.do(full.admin, "admin_create_key", `{"user_id":"sample-keeper","name":"sample"}`).(api.NewKey).KeyID
			raw = []byte(strings.Replace(string(raw), `"key_id":""`, `"key_id":"`+key+`"`, 1))
			sample := strings.ReplaceAll(string(raw), "sample-tuple", tuple)
			there := measured.ReplaceAllString(full.post(eve, o.Method, sample), "")
			missing := measured.ReplaceAllString(empty.post(eveToo, o.Method, sample), "")
			if there != missing && !slices.Contains(taking, o.Name) {
				t.Errorf("%s %s\nwhere it is:     %s\nwhere it is not: %s", o.Method, sample, there, missing)
			}
			if slices.Contains(slices.Concat(aboutTheCaller, everybodys), o.Name) {
				return
			}
			sample = strings.ReplaceAll(string(raw), "sample-tuple", full.populate())
			seen := measured.ReplaceAllString(full.post(full.root.Secret, o.Method, sample), "")
			if seen == there || o.Access == op.Writes && strings.Contains(seen, `"error"`) {
				t.Errorf("%s %s: who may see it gets %s: the sample shows nothing", o.Method, sample, seen)
			}
		})
	}
}

// pairs are the calls whose times BenchmarkMissAndRefusal compares, with X in place of a name.
var pairs = []struct{ method, params string }{
	{"read", `{"path":"X"}`},
	{"exists", `{"path":"X"}`},
	{"get_metadata", `{"path":"X"}`},
	{"is_directory", `{"path":"X"}`},
	{"list", `{"path":"X","limit":10}`},
	{"list_versions", `{"path":"X"}`},
	{"write", `{"path":"X","content":{"__type__":"bytes","data":"eA=="}}`},
	{"delete", `{"path":"X"}`},
	{"rebac_check", `{"subject":["user","eve"],"permission":"read","object":["file","X"]}`},
	{"rebac_create", `{"subject":["user","eve"],"relation":"direct_viewer","object":["file","X"]}`},
	{"rebac_list_tuples", `{"object":["file","X"]}`},
}

// BenchmarkMissAndRefusal asks a stranger's questions in turns about a file that is there and about one that is not, and
// prints the medians side by side: of names asked for the first time, and of the same names again. A ratio far from 1 tells
// by the clock what the answer does not.
func BenchmarkMissAndRefusal(b *testing.B) {
	const names = 300
	k := newKit(b, Config{})
	server, err := k.Server(Face{Log: slog.New(slog.DiscardHandler), RateKey: -1, RateAddress: -1})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range pairs {
		for i := range names {
			k.write(k.admin, there(p.method, i), "x")
		}
	}
	key := k.do(k.admin, "admin_create_key", `{"user_id":"eve","name":"key"}`).(api.NewKey).APIKey
	for _, p := range pairs {
		b.Run(p.method, func(b *testing.B) {
			c := stopwatch{b: b, server: server, key: key, method: p.method, params: p.params}
			for i := 0; b.Loop(); i++ {
				first, name := i < names, i%names
				c.pair(first, i%2 == 0, there(p.method, name), missing(p.method, name))
			}
			c.report()
		})
	}
}

func there(method string, i int) string   { return "/v/" + method + "/t" + four(i) }
func missing(method string, i int) string { return "/v/" + method + "/m" + four(i) }

func four(i int) string {
	return string([]byte{byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)})
}

// stopwatch times pairs of calls.
type stopwatch struct {
	b              *testing.B
	server         *apiserver.Server
	key            string
	method, params string
	refused, miss  [2][]time.Duration // of the first time, and again
}

// pair asks about both, which of them first being the caller's choice.
func (c *stopwatch) pair(first, inOrder bool, there, missing string) {
	at := 1
	if first {
		at = 0
	}
	if inOrder {
		c.refused[at] = append(c.refused[at], c.ask(there))
	}
	c.miss[at] = append(c.miss[at], c.ask(missing))
	if !inOrder {
		c.refused[at] = append(c.refused[at], c.ask(there))
	}
}

func (c *stopwatch) ask(path string) time.Duration {
	body := `{"jsonrpc":"2.0","id":1,"method":"` + c.method + `","params":` + strings.ReplaceAll(c.params, "X", path) + `}`
	r := httptest.NewRequest(http.MethodPost, "/api/nfs/"+c.method, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.key)
	answer := httptest.NewRecorder()
	start := time.Now()
	c.server.ServeHTTP(answer, r)
	took := time.Since(start)
	if answer.Code != http.StatusOK {
		c.b.Fatalf("%s %s: %d %s", c.method, path, answer.Code, answer.Body)
	}
	return took
}

func (c *stopwatch) report() {
	for at, name := range []string{"first", "again"} {
		refused, missed := median(c.refused[at]), median(c.miss[at])
		if missed == 0 {
			continue
		}
		c.b.ReportMetric(float64(refused.Microseconds()), name+"-refused-µs")
		c.b.ReportMetric(float64(missed.Microseconds()), name+"-missing-µs")
		c.b.ReportMetric(float64(refused)/float64(missed), name+"-ratio")
	}
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
