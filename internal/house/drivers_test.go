package house

import (
	"slices"
	"testing"
)

// fence names the only importers of something foreign.
type fence struct {
	around string   // import path, with /... for all below it
	within []string // packages of the module
	tests  []string // packages whose tests may
	reason string
}

var fences = []fence{
	{
		around: "github.com/authzed/...",
		within: []string{"authzsvc/internal/spice/...", "authzsvc/internal/sqlds/...", "internal/gen/schemagen"},
		tests:  []string{"schema"},
		reason: "one package speaks to the engine and one stores for it; whoever else does has left the gate",
	},
	{
		around: "github.com/open-policy-agent/...",
		within: []string{"authzsvc/internal/rego"},
		reason: "policy is asked through the gate, which records what it says",
	},
	{
		around: "modernc.org/sqlite/...",
		within: []string{"internal/sqldb"},
		reason: "the drivers stay behind the SQL seam, so that one text serves both engines",
	},
	{
		around: "github.com/jackc/pgx/v5/...",
		within: []string{"internal/sqldb/..."},
		reason: "the drivers stay behind the SQL seam, so that one text serves both engines",
	},
	{
		around: "github.com/pressly/goose/v3/...",
		within: []string{"internal/sqldb", "storage/internal/sqlstore", "authzsvc/internal/sqlds"},
		reason: "only what owns tables migrates them",
	},
	{
		around: "database/sql",
		within: []string{"internal/sqldb/...", "authzsvc/internal/sqlds"},
		reason: "statements go through the SQL seam; the store of relationships builds its filters and has leave to read beside it",
	},
	{
		around: "github.com/gin-gonic/gin/...",
		within: []string{"apiserver/...", "cmd/nexus"},
		reason: "HTTP ends at the surfaces",
	},
	{
		around: "github.com/spf13/cobra/...",
		within: []string{"cmd/..."},
		reason: "the command line is one way in, not a dependency of the others",
	},
	{
		around: "github.com/knadh/koanf/...",
		within: []string{"cmd/..."},
		reason: "settings are read once and handed in as values",
	},
	{
		around: "net/http",
		within: []string{"apiserver/...", "cmd/...", "storage/..."},
		tests:  []string{"authzsvc"},
		reason: "decisions speak no HTTP; surfaces and backends do",
	},
	{
		around: "testing",
		within: slices.Concat(kits, []string{"internal/errs"}),
		reason: "what behaves otherwise under test is not what was tested; errs panics there on a broken invariant",
	},
	{
		around: "unsafe",
		within: []string{},
		reason: "what reads memory as it likes can make a grant",
	},
	{
		around: "log",
		within: []string{},
		reason: "logs are structured: log/slog, at the edges",
	},
}

// trespass returns what is wrong with a foreign import, or "".
func trespass(from, to string, test bool) string {
	for _, f := range fences {
		if !matches(f.around, to) || matchesAny(f.within, from) {
			continue
		}
		if test && (f.around == "testing" || matchesAny(f.tests, from)) {
			continue
		}
		return from + " imports " + to + ": " + f.reason
	}
	return ""
}

func TestDriversStayBehindTheirFences(t *testing.T) {
	for _, p := range packages(t) {
		for _, to := range p.Imports {
			report(t, trespass(p.path(), to, false))
		}
		for _, to := range p.tests() {
			report(t, trespass(p.path(), to, true))
		}
	}
}

func TestTrespassIsRefused(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test     bool
	}{
		{"storage", "modernc.org/sqlite", true},
		{"storage", "database/sql", false},
		{"authzsvc/explain", "github.com/authzed/spicedb/pkg/tuple", true},
		{"schema", "github.com/authzed/spicedb/pkg/development", false},
		{"authzsvc", "github.com/open-policy-agent/opa/v1/rego", false},
		{"authzsvc/authz", "testing", false},
		{"authzsvc/authz", "net/http", false},
		{"apiserver/op", "log", false},
		{"storage/internal/blob", "unsafe", true},
	} {
		if trespass(c.from, c.to, c.test) == "" {
			t.Errorf("%s may import %s (in a test: %t), and must not", c.from, c.to, c.test)
		}
	}
	if wrong := trespass("schema", "github.com/authzed/spicedb/pkg/development", true); wrong != "" {
		t.Errorf("a test that may is refused: %s", wrong)
	}
}
