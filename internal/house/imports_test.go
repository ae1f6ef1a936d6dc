package house

import (
	"fmt"
	"slices"
	"testing"
)

// leaves are imported by everybody and import only each other.
var leaves = []string{"internal/clock", "internal/cursor", "internal/disk", "internal/errs", "internal/ids", "internal/paths", "internal/sqldb", "internal/treehash"}

// row says what of the module a package may import. Rows are read from the top; the first that matches counts.
type row struct {
	from   string   // a package, or with /... a package and all below it
	may    []string // beside itself
	tests  []string // what its tests may import beside that, the leaves and the kits
	reason string
}

var rows = []row{
	{
		from:   "internal/errs",
		reason: "every package reports errors, so this one imports none",
	},
	{
		from:   "internal/clock",
		reason: "time comes from here for every package, so this one imports none",
	},
	{
		from:   "internal/sqldb",
		may:    []string{"internal/clock", "internal/errs", "internal/ids"},
		reason: "the SQL seam knows statements and engines, nothing of what is stored",
	},
	{
		from:   "internal/sqldb/pgtest",
		reason: "the kit starts a database and knows nothing of what is stored",
	},
	{
		from:   "internal/ids",
		may:    []string{"internal/errs"},
		reason: "a leaf imports only leaves",
	},
	{
		from:   "internal/paths",
		may:    []string{"internal/errs"},
		reason: "a leaf imports only leaves",
	},
	{
		from:   "internal/disk",
		reason: "a leaf imports only leaves, and this one needs none",
	},
	{
		from:   "internal/cursor",
		may:    []string{"internal/errs"},
		reason: "a leaf imports only leaves",
	},
	{
		from:   "internal/treehash",
		may:    []string{"internal/errs", "internal/paths"},
		reason: "a leaf imports only leaves, and who has a copy of a tree hashes it without a server",
	},
	{
		from:   "internal/gotest",
		reason: "it runs the tests, whatever state the rest is in",
	},
	{
		from:   "internal/gen/schemagen",
		reason: "a generator that imports what it generates cannot be run when that does not compile",
	},
	{
		from:   "internal/gen/...",
		may:    []string{"apiserver/op", "apiserver/api", "schema", "internal/errs"},
		reason: "other generators read the tables, not what serves them",
	},
	{
		from:   "internal/grantcheck/...",
		may:    []string{"internal/grantcheck/..."},
		reason: "the analyzer looks at types from outside; importing what it checks would tie it to one version of it",
	},
	{
		from:   "internal/house",
		tests:  []string{"internal/grantcheck"},
		reason: "the house tests look at packages as text",
	},
	{
		from:   "authzsvc/internal/mint",
		reason: "the key of the gate depends on nothing, so nothing can be slipped under it",
	},
	{
		from:   "authzsvc/authz",
		may:    []string{"authzsvc/internal/mint", "internal/clock", "internal/errs", "internal/ids"},
		tests:  []string{"schema"},
		reason: "the vocabulary of decisions is below all that decides, stores or serves",
	},
	{
		from:   "authzsvc/relations",
		may:    []string{"authzsvc/authz", "internal/clock", "internal/errs", "internal/sqldb", "schema"},
		reason: "relationships as a store are vocabulary: engines implement it, storage and the service use it",
	},
	{
		from:   "authzsvc/explain",
		may:    []string{"authzsvc/authz", "authzsvc/relations", "internal/errs", "schema"},
		tests:  []string{"authzsvc/internal/spice", "authzsvc/internal/sqlds"},
		reason: "explanations are made from traces as data; the engine hands them in",
	},
	{
		from:   "authzsvc/audit",
		may:    []string{"authzsvc/authz", "internal/clock", "internal/disk", "internal/errs", "internal/ids", "internal/sqldb"},
		reason: "the record must be readable when engine, policy and storage are not",
	},
	{
		from:   "authzsvc/internal/cache",
		may:    []string{"authzsvc/authz", "authzsvc/relations", "internal/clock", "internal/errs", "schema"},
		tests:  []string{"authzsvc/internal/spice", "authzsvc/internal/sqlds"},
		reason: "the cache keeps answers and stamps; it asks no engine by itself",
	},
	{
		from:   "authzsvc/internal/rego",
		may:    []string{"authzsvc/authz", "internal/clock", "internal/errs", "policies"},
		reason: "policy sees the principal, the operation and the objects, and neither relations nor storage",
	},
	{
		from: "authzsvc/internal/sqlds/...",
		may: []string{
			"authzsvc/authz", "authzsvc/internal/sqlds", "authzsvc/relations", "internal/clock", "internal/errs", "internal/ids",
			"internal/sqldb", "schema",
		},
		tests:  []string{"authzsvc/internal/spice", "authzsvc/internal/cache", "authzsvc/explain"},
		reason: "the store of relationships lies below the engine that asks it",
	},
	{
		from: "authzsvc/internal/spice/...",
		may: []string{
			"authzsvc/authz", "authzsvc/explain", "authzsvc/internal/cache", "authzsvc/internal/spice", "authzsvc/relations",
			"internal/clock", "internal/errs", "internal/ids", "schema",
		},
		tests:  []string{"authzsvc/internal/sqlds"},
		reason: "the engine gets its store handed in, so that it runs over any",
	},
	{
		from:   "authzsvc/gatetest",
		may:    []string{"authzsvc/authz", "authzsvc/internal/mint", "internal/clock", "internal/errs", "internal/ids", "schema"},
		reason: "gates for tests are made of the vocabulary alone, so that they decide as the test says",
	},
	{
		from:   "authzsvc",
		may:    slices.Concat(leaves, []string{"authzsvc/...", "policies", "schema"}),
		reason: "the service assembles the gate; it does not know what the gate guards",
	},
	{
		from:   "schema",
		may:    []string{"authzsvc/authz", "internal/errs", "internal/ids"},
		reason: "typed objects are vocabulary: storage, the service and the operations share them",
	},
	{
		from:   "policies/...",
		reason: "the rules are text; what runs them is elsewhere",
	},
	{
		from:   "storage/internal/...",
		may:    slices.Concat(leaves, []string{"authzsvc/authz", "authzsvc/relations", "schema", "storage/internal/..."}),
		reason: "drivers are below the façades and never ask whether they may",
	},
	{
		from:   "storage/...",
		may:    slices.Concat(leaves, []string{"authzsvc/authz", "authzsvc/relations", "schema", "storage/..."}),
		tests:  []string{"authzsvc"},
		reason: "storage takes grants and writes relationships; it neither makes decisions nor knows how they are made",
	},
	{
		from:   "apiserver/op",
		may:    []string{"authzsvc/authz", "internal/clock", "internal/errs", "internal/ids"},
		tests:  []string{"schema"},
		reason: "the machinery of the table knows needs, not what they guard",
	},
	{
		from:   "apiserver/api",
		may:    []string{"apiserver/op", "authzsvc/explain", "internal/errs", "internal/ids", "internal/paths"},
		reason: "contracts are shared with clients: shapes and words, that of an explanation among them; no behaviour, no storage",
	},
	{
		from: "apiserver/ops",
		may: slices.Concat(leaves, []string{
			"apiserver/op", "apiserver/api", "authzsvc/authz", "authzsvc/relations", "authzsvc/explain", "authzsvc/audit",
			"schema", "storage",
		}),
		tests:  []string{"authzsvc"},
		reason: "behaviour gets grants and hands them to storage; no surface is below it, so all surfaces behave alike",
	},
	{
		from:   "apiserver/authn",
		may:    []string{"apiserver/op", "authzsvc/authz", "internal/clock", "internal/errs", "internal/ids", "schema"},
		tests:  []string{"storage", "authzsvc"},
		reason: "authentication says who asks and touches no files; keys come through an interface of its own",
	},
	{
		from:   "apiserver/client",
		may:    []string{"apiserver/op", "apiserver/api", "internal/errs", "internal/paths"},
		tests:  []string{"apiserver/...", "authzsvc/authz", "schema"},
		reason: "a client holds contracts and speaks the wire; code of the server has no place in it",
	},
	{
		from: "apiserver/rest/...",
		may: []string{
			"apiserver/op", "apiserver/api", "apiserver/authn", "apiserver/rest", "authzsvc/authz", "internal/clock",
			"internal/errs", "internal/ids", "internal/paths",
		},
		tests:  []string{"apiserver/ops", "apiserver/client", "authzsvc", "schema", "storage"},
		reason: "a REST face is routes and envelopes over the table of operations; it cannot even name storage",
	},
	{
		from: "apiserver/...",
		may: []string{
			"apiserver/op", "apiserver/api", "apiserver/authn", "authzsvc/authz", "internal/clock", "internal/errs", "internal/ids",
			"internal/paths",
		},
		tests:  []string{"apiserver/ops", "apiserver/client", "authzsvc", "schema", "storage"},
		reason: "a surface imports the table of operations and nothing behind it: it cannot even name storage",
	},
	{
		from: "cmd/...",
		may: slices.Concat(leaves, []string{
			"apiserver/...", "authzsvc", "authzsvc/audit", "authzsvc/authz", "authzsvc/explain", "authzsvc/relations", "cmd/...",
			"policies", "schema", "storage",
		}),
		reason: "the wiring stands here and nowhere else",
	},
}

// kits are for tests: only _test files and other kits import them.
var kits = []string{"authzsvc/gatetest", "authzsvc/internal/spice/spicetest", "internal/sqldb/pgtest", "storage/storagetest"}

// find returns the row of a package.
func find(path string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return matches(r.from, path) })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// breach returns what is wrong with an import, or "". Both are paths of the module; test says that a _test file imports.
func breach(from, to string, test bool) string {
	r, ok := find(from)
	switch {
	case !ok:
		return fmt.Sprintf("%s has no row: say what it may import, and why", from)
	case from == to, matchesAny(r.may, to), test && matchesAny(slices.Concat(r.tests, leaves, kits), to):
		return ""
	case matchesAny(kits, from) && matchesAny(kits, to):
		return ""
	}
	return fmt.Sprintf("%s imports %s: %s", from, to, r.reason)
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range packages(t) {
		if _, ok := find(p.path()); !ok {
			t.Errorf("%s has no row: say what it may import, and why", p.path())
			continue
		}
		for _, to := range p.Imports {
			if ours(to) {
				report(t, breach(p.path(), below(to), matchesAny(kits, p.path())))
			}
		}
		for _, to := range p.tests() {
			if ours(to) {
				report(t, breach(p.path(), below(to), true))
			}
		}
	}
}

func report(t *testing.T, wrong string) {
	t.Helper()
	if wrong != "" {
		t.Error(wrong)
	}
}

func TestKitsAreImportedByTestsAlone(t *testing.T) {
	for _, p := range packages(t) {
		for _, to := range p.Imports {
			if ours(to) && matchesAny(kits, below(to)) && !matchesAny(kits, p.path()) {
				t.Errorf("%s imports %s outside a test: a gate for tests allows what it is told to", p.path(), below(to))
			}
		}
	}
}

func TestEveryRowHasAReason(t *testing.T) {
	for _, r := range rows {
		if r.reason == "" {
			t.Errorf("the row of %s has no reason", r.from)
		}
	}
	for i, r := range rows {
		for _, earlier := range rows[:i] {
			if matches(earlier.from, r.from) {
				t.Errorf("the row of %s is never reached: that of %s comes first", r.from, earlier.from)
			}
		}
	}
}

// The rules themselves are tested on imports that must be refused, because a table that refuses nothing passes as well.
func TestForbiddenImportsAreRefused(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test     bool
	}{
		{"apiserver/rpc", "storage", false},
		{"apiserver/rest/studio", "apiserver/ops", false},
		{"apiserver/mcp", "authzsvc/relations", false},
		{"apiserver/rpc", "apiserver/rest", false},
		{"apiserver/api", "storage", false},
		{"apiserver/op", "storage", false},
		{"apiserver/ops", "storage/internal/sqlstore", false},
		{"apiserver/client", "apiserver/rpc", false},
		{"apiserver/authn", "storage", false},
		{"storage", "authzsvc", false},
		{"storage", "authzsvc/internal/sqlds", true},
		{"storage/internal/blob", "storage", false},
		{"storage/internal/sqlstore", "apiserver/op", true},
		{"authzsvc", "storage", false},
		{"authzsvc", "storage", true},
		{"authzsvc/authz", "schema", false},
		{"authzsvc/authz", "internal/sqldb", false},
		{"authzsvc/audit", "authzsvc/internal/spice", false},
		{"authzsvc/internal/spice", "authzsvc/internal/sqlds", false},
		{"authzsvc/internal/rego", "authzsvc/relations", false},
		{"schema", "authzsvc/relations", false},
		{"internal/errs", "internal/ids", false},
		{"internal/sqldb", "authzsvc/authz", false},
		{"internal/gen/schemagen", "schema", false},
		{"cmd/nexus", "authzsvc/gatetest", false},
		{"new/package", "internal/errs", false},
	} {
		if breach(c.from, c.to, c.test) == "" {
			t.Errorf("%s may import %s (in a test: %t), and must not", c.from, c.to, c.test)
		}
	}
}
