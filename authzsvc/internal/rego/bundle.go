// Package rego asks the policies: rules that come after the relations and may refuse what those allow, or attach an obligation to it. It never
// permits, it evaluates nothing for an operation that no rule names, and it refuses when it cannot decide. To add a rule, write one file with
// package nexus.rules.<id>, a METADATA block that names its operations and what it looks at, and "refuse contains … if …" or "oblige contains … if …".
// A rule that concerns some types of principal alone names them there (principals: [agent]), and costs a request of anybody else nothing.
//
// A rule is a function of its input alone: builtins that read a clock, the network or the process are not offered, and the only time is
// input.context.time. What a rule says in its metadata is checked against what it does, through every helper that it uses.
package rego

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"nexus/internal/errs"
)

// DefaultDeadline is how long one evaluation may take unless Config says otherwise: ten thousand times what one takes, because it
// is there for rules that do not end, and a busy machine must not refuse by it.
const DefaultDeadline = 500 * time.Millisecond

// Config is what a bundle is checked against and how it runs.
type Config struct {
	Operations  []string         // every operation there is; a rule that names another is refused
	Obligations []string         // every obligation that storage knows to meet
	Deadline    time.Duration    // of one evaluation; zero is DefaultDeadline
	Observe     func(Evaluation) // called after each evaluation, from its goroutine; may be nil
}

// Evaluation is one run of the evaluator, for metrics.
type Evaluation struct {
	Operation string
	Objects   int // how many objects it was asked about
	Took      time.Duration
	Err       error
}

// Bundle is a set of rules that was checked, compiled and indexed. It does not change and is safe for concurrent use.
type Bundle struct {
	config  Config
	digest  string
	sources map[string]string
	rules   []*Rule
	choices map[string]*choice // one for every known operation

	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction // open as long as the bundle: the store is empty and nothing writes it
}

// Applies says whether any rule names an operation and concerns a principal.
type Applies struct {
	Any    bool // some rule does
	Object bool // some of them looks at the object, so a list asks for each
}

// Load parses, checks, compiles and indexes modules, which are Rego texts by module path; paths that end in _test.rego are left out. The error
// is Invalid and names every problem with file and line. Load keeps no reference to modules.
func Load(ctx context.Context, modules map[string]string, config Config) (*Bundle, error) {
	if config.Deadline <= 0 {
		config.Deadline = DefaultDeadline
	}
	parsed, problems := parseAll(modules, func(path string) bool { return !isTest(path) })
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	rules, problems := readRules(parsed, &config)
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	compiler, err := check(rules, parsed, modules)
	if err != nil {
		return nil, err
	}
	sources := maps.Clone(modules)
	maps.DeleteFunc(sources, func(path, _ string) bool { return isTest(path) })
	b := &Bundle{config: config, digest: digest(sources), sources: sources, rules: rules, compiler: compiler, store: inmem.New()}
	if b.txn, err = b.store.NewTransaction(ctx); err != nil {
		return nil, fmt.Errorf("open the policy store: %w", err)
	}
	if err := b.index(); err != nil {
		return nil, err
	}
	return b, nil
}

// readRules reads the metadata of every rule among modules, sorted by id.
func readRules(modules map[string]*ast.Module, config *Config) ([]*Rule, []error) {
	sorted, problems := sortModules(modules)
	var rules []*Rule
	for _, id := range slices.Sorted(maps.Keys(sorted)) {
		rule, more := readMetadata(id, sorted[id], config)
		rules, problems = append(rules, rule), append(problems, more...)
	}
	return rules, problems
}

// check compiles modules, holds every rule against its metadata, and compiles again with the list forms of those that have one.
func check(rules []*Rule, modules map[string]*ast.Module, texts map[string]string) (*ast.Compiler, error) {
	compiler, err := compile(modules)
	if err != nil {
		return nil, invalid([]error{err})
	}
	all := maps.Clone(modules)
	var problems []error
	for _, rule := range rules {
		in := inspect(rule, compiler)
		problems = append(problems, in.problems...)
		if !rule.read.object || in.self {
			continue
		}
		list, err := parse(rule.File, texts[rule.File])
		if err != nil {
			return nil, invalid([]error{err})
		}
		if loops, ok := listForm(list, rule.ID); ok && loops == in.loops {
			rule.listed = true
			all[rule.File+"#list"] = list
		}
	}
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	if compiler, err = compile(all); err != nil {
		return nil, invalid([]error{err})
	}
	return compiler, nil
}

// Applies reports what applies to operation when a principal asks whose base and actors have these types, in one map look-up. An operation
// that was not known at Load applies to everybody, so that Evaluate refuses it.
func (b *Bundle) Applies(operation string, types ...string) Applies {
	c, known := b.choices[operation]
	if !known {
		return Applies{Any: true, Object: true}
	}
	var who mask
	for _, name := range types {
		who |= c.bit(name)
	}
	return c.plans[who].applies
}

// Knows reports whether operation was known at Load.
func (b *Bundle) Knows(operation string) bool {
	_, known := b.choices[operation]
	return known
}

// Digest names the bundle: the first 16 hex digits of a SHA-256 over its module paths and texts.
func (b *Bundle) Digest() string { return b.digest }

// Rules returns the rules by id. The caller does not change them.
func (b *Bundle) Rules() []*Rule { return b.rules }

// Sources returns a copy of the texts that were loaded, by module path: what a later explanation needs to decide as this bundle did.
func (b *Bundle) Sources() map[string]string { return maps.Clone(b.sources) }

// digest hashes lengths with paths and texts, so that no text can pass for the next path.
func digest(modules map[string]string) string {
	hash := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		fmt.Fprintf(hash, "%d %s %d %s\n", len(path), path, len(modules[path]), modules[path])
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

func invalid(problems []error) error {
	err := errors.Join(problems...)
	return errs.New(errs.Invalid, "policy: %s", err.Error())
}
