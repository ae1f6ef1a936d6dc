package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// Definer takes any definition that looks like one, and keeps in memory what tenants define: for stores whose engine is not
// under test. It is safe for concurrent use.
type Definer struct {
	mu      sync.Mutex          // guards what follows
	Defined map[string][]string // names by tenant, as transactions committed them
	Refuse  error               // what Define answers; nil: nothing is refused
}

// NewDefiner returns a Definer to which nobody has defined anything.
func NewDefiner() *Definer { return &Definer{Defined: map[string][]string{}} }

var _ relations.Definer = (*Definer)(nil)

// Translate makes a definition with the relations of a configuration.
func (d *Definer) Translate(objectType string, config json.RawMessage) (string, error) {
	var c struct{ Relations map[string]json.RawMessage }
	if err := json.Unmarshal(config, &c); err != nil || c.Relations == nil {
		return "", errs.New(errs.Invalid, "config has no relations")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "definition %s {\n", objectType)
	for _, name := range slices.Sorted(maps.Keys(c.Relations)) {
		fmt.Fprintf(&b, "\trelation %s: user\n", name)
	}
	return b.String() + "}", nil
}

// Join puts texts behind one another.
func (d *Definer) Join(texts []string) string { return strings.Join(texts, "\n") }

type draft []relations.Definition

func (d draft) Definitions() []relations.Definition { return d }

// Compile finds the definitions in text.
func (d *Definer) Compile(_ context.Context, text string) (relations.Draft, error) {
	var all draft
	for _, part := range strings.Split(text, "definition ")[1:] {
		name, body, _ := strings.Cut(part, " ")
		if schema.Reserved(name) {
			return nil, errs.New(errs.Invalid, "%q is the product's", name).Marked(errs.NotValid)
		}
		def := relations.Definition{Name: name, Text: "definition " + strings.TrimSpace(part), Kind: schema.Kind{Type: name}, Config: json.RawMessage(`{}`)}
		for line := range strings.Lines(body) {
			if relation, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				def.Kind.Relations = append(def.Kind.Relations, strings.TrimPrefix(relation, "relation "))
			}
		}
		all = append(all, def)
	}
	return all, nil
}

// Define keeps the names when tx commits.
func (d *Definer) Define(_ context.Context, tx sqldb.Tx, tenant string, _ int64, made relations.Draft) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Refuse != nil {
		return d.Refuse
	}
	var names []string
	for _, def := range made.Definitions() {
		names = append(names, def.Name)
	}
	tx.OnEnd(func(committed bool) {
		if committed {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.Defined[tenant] = names
		}
	})
	return nil
}
