package policies

import (
	"strings"
	"testing"
)

func TestEveryRuleHasTestsAndIsNamedAsItsFile(t *testing.T) {
	modules := Default()
	rules := 0
	for path, text := range modules {
		name, isRule := strings.CutPrefix(strings.TrimSuffix(path, ".rego"), prefix)
		if !isRule || strings.HasSuffix(name, "_test") {
			continue
		}
		rules++
		if !strings.Contains(text, "\npackage nexus.rules."+name+"\n") {
			t.Errorf("%s is not package nexus.rules.%s", path, name)
		}
		if _, ok := modules[prefix+name+"_test.rego"]; !ok {
			t.Errorf("%s has no tests", path)
		}
	}
	if rules == 0 {
		t.Error("no rule ships")
	}
}

func TestCallersDoNotShareTheModules(t *testing.T) {
	clear(Default())
	if len(Default()) == 0 {
		t.Error("clearing one map emptied the next")
	}
}
