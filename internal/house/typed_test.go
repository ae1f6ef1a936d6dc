package house

import (
	"go/types"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	gopackages "golang.org/x/tools/go/packages"

	"nexus/internal/grantcheck"
)

// typed returns every package of the module with its syntax and types, tests aside.
func typed(t *testing.T) []*gopackages.Package {
	t.Helper()
	all, err := loaded()
	if err != nil {
		t.Fatalf("loading the module: %v", err)
	}
	for _, p := range all {
		for _, e := range p.Errors {
			t.Errorf("%s does not compile: %v", p.PkgPath, e)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return all
}

var loaded = sync.OnceValues(func() ([]*gopackages.Package, error) {
	return gopackages.Load(&gopackages.Config{
		Mode: gopackages.NeedName | gopackages.NeedFiles | gopackages.NeedCompiledGoFiles | gopackages.NeedImports |
			gopackages.NeedTypes | gopackages.NeedTypesSizes | gopackages.NeedSyntax | gopackages.NeedTypesInfo |
			gopackages.NeedExportFile | gopackages.NeedModule,
	}, module+"/...")
})

func TestGrantsAreNeitherForgedNorKept(t *testing.T) {
	graph, err := checker.Analyze([]*analysis.Analyzer{grantcheck.Analyzer}, typed(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for act := range graph.All() {
		if act.Err != nil {
			t.Errorf("%s: %v", act.Package.PkgPath, act.Err)
		}
		for _, d := range act.Diagnostics {
			t.Errorf("%s: %s", act.Package.Fset.Position(d.Pos), d.Message)
		}
	}
}

// reserve names who alone may use something that is exported because Go has no narrower way.
type reserve struct {
	object string // as types.Func.FullName writes it below the module, or package.Name
	within []string
	reason string
}

var reserves = []reserve{
	{
		object: "internal/sqldb.WriterConn",
		within: []string{"authzsvc/internal/sqlds"},
		reason: "the store of relationships writes on the domain's connection, so that both commit together; all others have Tx",
	},
	{
		object: "(*internal/sqldb.Lite).Readers",
		within: []string{"authzsvc/internal/sqlds"},
		reason: "the store of relationships builds its filters as SQL; all others have Stmt",
	},
	{
		object: "authzsvc/authz.NewGate",
		within: []string{"authzsvc", "authzsvc/gatetest"},
		reason: "one place assembles the gate that decides",
	},
	{
		object: "authzsvc/internal/mint.New",
		within: []string{"authzsvc", "authzsvc/gatetest"},
		reason: "one place holds the key of the gate",
	},
}

// misused returns what is wrong with a package's use of an object, or "".
func misused(from, object string) string {
	for _, r := range reserves {
		if object == r.object && !strings.HasPrefix(owner(r.object), from+".") && !matchesAny(r.within, from) {
			return from + " uses " + object + ": " + r.reason
		}
	}
	return ""
}

// owner strips the receiver's marks of a full name, so that it begins with its package.
func owner(object string) string { return strings.TrimLeft(object, "(*") }

func TestReservedNamesAreUsedOnlyByTheirOwners(t *testing.T) {
	declared := map[string]bool{}
	for _, p := range typed(t) {
		for _, o := range p.TypesInfo.Defs {
			declared[fullName(o)] = true
		}
		var wrong []string
		for at, o := range p.TypesInfo.Uses {
			if m := misused(below(p.PkgPath), fullName(o)); m != "" {
				wrong = append(wrong, p.Fset.Position(at.Pos()).String()+": "+m)
			}
		}
		slices.Sort(wrong)
		for _, w := range wrong {
			t.Error(w)
		}
	}
	for _, r := range reserves {
		if !declared[r.object] {
			t.Errorf("%s is reserved and does not exist: take its row out, or write its new name", r.object)
		}
	}
}

// fullName returns the name of a function as reserves write it, or "".
func fullName(o types.Object) string {
	f, ok := o.(*types.Func)
	if !ok || f.Pkg() == nil || !ours(f.Pkg().Path()) {
		return ""
	}
	return strings.Replace(f.Origin().FullName(), module+"/", "", 1)
}

func TestMisuseOfReservedNamesIsFound(t *testing.T) {
	for _, c := range []struct {
		from, object string
		refused      bool
	}{
		{"storage/internal/sqlstore", "internal/sqldb.WriterConn", true},
		{"storage", "(*internal/sqldb.Lite).Readers", true},
		{"apiserver/ops", "authzsvc/authz.NewGate", true},
		{"authzsvc/internal/sqlds", "internal/sqldb.WriterConn", false},
		{"internal/sqldb", "(*internal/sqldb.Lite).Readers", false},
	} {
		if got := misused(c.from, c.object) != ""; got != c.refused {
			t.Errorf("%s using %s is refused: %t, want %t", c.from, c.object, got, c.refused)
		}
	}
}
