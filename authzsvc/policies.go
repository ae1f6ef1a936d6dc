package authzsvc

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"nexus/authzsvc/internal/rego"
	"nexus/internal/errs"
	"nexus/policies"
	"nexus/schema"
)

// PolicyRule is one rule in force, or of a draft.
type PolicyRule struct {
	ID         string
	Title      string
	File       string
	Operations []string
	Principals []string // types that it concerns; nil: everybody
	LooksAt    []string // object, principal, context
	Obliges    []string
	Shipped    bool
}

// PolicyState is the policy in force.
type PolicyState struct {
	Digest    string // of all rules, as decisions record it
	Installed string // digest of the bundle of one's own that was installed; "": none, or the directory is kept by hand
	Rules     []PolicyRule
	Files     map[string]string // own modules, tests included
}

// PolicyDraft is what became of a bundle that was to be installed.
type PolicyDraft struct {
	Digest, Previous string // of all rules, with it and before it
	Rules            []PolicyRule
	Tests            int
	Coverage         float64 // percent of the lines of rules that the tests evaluated
	NotCovered       []string
}

// ownPolicies returns the operator's own modules, and the digest of the installed bundle that they are.
func (s *Service) ownPolicies() (own map[string]string, installed string, err error) {
	if s.config.PolicyDir == "" {
		return nil, "", nil
	}
	if _, err := os.Stat(s.config.PolicyDir); s.config.PolicyMayLack && errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return rego.ReadOwn(s.config.PolicyDir)
}

// Policy returns the policy in force, for who administers the platform.
func (s *Service) Policy(_ context.Context, g schema.AdministerPlatform) (PolicyState, error) {
	if _, err := g.Use(); err != nil {
		return PolicyState{}, err
	}
	s.installing.Lock()
	defer s.installing.Unlock()
	b := s.rules.Bundle()
	own, installed, err := s.ownPolicies()
	return PolicyState{Digest: b.Digest(), Installed: installed, Rules: rulesOf(b), Files: own}, err
}

func rulesOf(b *rego.Bundle) []PolicyRule {
	shipped := policies.Default()
	var all []PolicyRule
	for _, r := range b.Rules() {
		_, ours := shipped[r.File]
		all = append(all, PolicyRule{r.ID, r.Title, r.File, r.Operations, r.Principals, r.LooksAt, r.Obliges, ours})
	}
	return all
}

// testTime is how long the tests of a bundle may run.
const testTime = 30 * time.Second

// PutPolicy makes files all of the operator's own policies: they are checked, their tests run, written to the policy
// directory as a whole, and in force when it returns. dry does all but that. Anything wrong leaves everything as it is.
func (s *Service) PutPolicy(ctx context.Context, g schema.AdministerPlatform, files map[string]string, dry bool) (PolicyDraft, error) {
	if _, err := g.Use(); err != nil {
		return PolicyDraft{}, err
	}
	s.installing.Lock()
	defer s.installing.Unlock()
	b, draft, err := s.draftPolicy(ctx, files)
	if err != nil || dry {
		return draft, err
	}
	if s.config.PolicyDir == "" {
		return draft, errs.New(errs.Precondition, "the server has no directory for policies: set policy-dir")
	}
	if err := g.Decision().Hold(); err != nil {
		return draft, err
	}
	if _, err := rego.InstallOwn(s.config.PolicyDir, files); err != nil {
		return draft, err
	}
	s.rules.Install(b)
	return draft, nil
}

// draftPolicy checks files as the operator's own policies and runs all tests.
func (s *Service) draftPolicy(ctx context.Context, files map[string]string) (*rego.Bundle, PolicyDraft, error) {
	draft := PolicyDraft{Previous: s.rules.Bundle().Digest()}
	b, all, err := s.loadDraft(ctx, files)
	if err != nil {
		return nil, draft, err
	}
	draft.Digest, draft.Rules = b.Digest(), rulesOf(b)
	if err := removable(draft.Rules); err != nil {
		return nil, draft, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	report, err := rego.Test(ctx, all)
	if err != nil {
		return nil, draft, err
	}
	draft.Tests, draft.Coverage, draft.NotCovered = len(report.Results), report.Coverage, report.NotCovered
	if !report.Passed() {
		return nil, draft, errs.New(errs.Precondition, "the tests do not pass: %s", failedTests(report)).Marked(errs.NotValid)
	}
	return b, draft, nil
}

func (s *Service) loadDraft(ctx context.Context, files map[string]string) (*rego.Bundle, map[string]string, error) {
	if err := rego.CheckFiles(files); err != nil {
		return nil, nil, err
	}
	all, err := rego.Compose(policies.Default(), files, s.config.Disabled)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.rules.Load(ctx, all)
	return b, all, err
}

// removable refuses own rules about the operations that replace rules: who installed one could never take it back.
func removable(rules []PolicyRule) error {
	for _, r := range rules {
		for _, operation := range r.Operations {
			if strings.HasPrefix(operation, "policy.") && !r.Shipped {
				return errs.New(errs.Invalid, "rule %s names operation %s: a rule about policies could never be taken back", r.ID, operation).Marked(errs.NotValid)
			}
		}
	}
	return nil
}

func failedTests(r *rego.TestReport) string {
	var all []string
	for _, t := range r.Results {
		if !t.Passed {
			all = append(all, t.Name+" "+t.Detail)
		}
	}
	return strings.Join(all, "; ")
}

// PolicyTest is one test of policies.
type PolicyTest = rego.TestResult

// PolicyReport is what testing policies found.
type PolicyReport struct {
	Tests      []PolicyTest
	Coverage   float64
	NotCovered []string
	Rules      []PolicyRule
	Passed     bool
}

// TestPolicies checks the policies in a directory as a server with these operations would, beside the shipped ones, and runs
// the tests of both. dir may be "": then it tests the shipped ones alone.
func TestPolicies(ctx context.Context, dir string, operations, disabled []string) (*PolicyReport, error) {
	files, err := ReadPolicies(dir)
	if err != nil {
		return nil, err
	}
	all, err := rego.Compose(policies.Default(), files, disabled)
	if err != nil {
		return nil, err
	}
	b, err := rego.Load(ctx, all, rego.Config{Operations: operations, Obligations: obligations()})
	if err != nil {
		return nil, err
	}
	report, err := rego.Test(ctx, all)
	if err != nil {
		return nil, err
	}
	return &PolicyReport{Tests: report.Results, Coverage: report.Coverage, NotCovered: report.NotCovered, Rules: rulesOf(b), Passed: report.Passed()}, nil
}

// ReadPolicies returns the files of a directory of policies, tests included, by their paths in it.
func ReadPolicies(dir string) (map[string]string, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := rego.LoadDir(dir)
	if err == nil && len(files) == 0 {
		err = errs.New(errs.Invalid, "there are no *.rego files in %s", dir)
	}
	return maps.Clone(files), err
}
