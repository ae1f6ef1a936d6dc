package mcp

import (
	_ "embed"
	"encoding/json"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/ids"
)

// asks is what an operation asks the Gate: every one of its checks must hold.
type asks []ask

// ask is one check of an operation, with its object as an expression over the call.
type ask struct {
	Permission string `json:"permission"`
	Type       string `json:"type"`
	ID         string `json:"id"` // $params.arguments.NAME, $token.tenant_id, or the id itself
}

// mappings are the asks of each operation. They are made from the operations' needs by a test, which fails when the file is
// not what the needs say. An operation whose asks depend on more than the names in its arguments, or for which one of several
// checks is enough, has none.
var mappings = readMappings()

//go:embed mappings.json
var mappingsFile []byte

func readMappings() map[string]asks {
	var all map[string]asks
	if err := json.Unmarshal(mappingsFile, &all); err != nil {
		panic("mappings.json: " + err.Error()) // it is part of the program
	}
	return all
}

const (
	argument     = "$params.arguments."
	callerTenant = "$token.tenant_id"
)

// resolve returns the object of an ask for a call, as the caller wrote it.
func (a ask) resolve(arguments map[string]any, who authz.Principal) (string, bool) {
	if a.ID == callerTenant {
		return ids.Plain(who.Tenant), true
	}
	name, ok := strings.CutPrefix(a.ID, argument)
	if !ok {
		return a.ID, true
	}
	value, ok := arguments[name].(string)
	return value, ok && value != ""
}

// authzen returns the mapping from a call to the AuthZEN questions that the Gate will be asked (COAZ): expressions in CEL
// begin with a dollar sign. It is nil where there is none.
func (all asks) authzen() schema {
	subject := schema{"type": "identity", "id": "$token.sub"}
	context := schema{"agent": "$token.?client_id"}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return schema{"evaluation": schema{"subject": subject, "action": all[0].action(), "resource": all[0].resource(), "context": context}}
	}
	var evaluations []schema
	for _, a := range all {
		evaluations = append(evaluations, schema{"action": a.action(), "resource": a.resource()})
	}
	return schema{"evaluations": schema{"subject": subject, "context": context, "evaluations": evaluations}}
}

func (a ask) action() schema { return schema{"name": a.Permission} }

func (a ask) resource() schema { return schema{"type": a.Type, "id": a.ID} }
