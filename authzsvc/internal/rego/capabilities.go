package rego

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// removed are the prefixes of builtins that a rule may not call, beside all that OPA itself calls nondeterministic. A rule is a function of its
// input: the same input and the same bundle give the same answer now and when an explanation asks again a month later.
var removed = []string{
	"http.", "net.lookup", "opa.", "providers.", // reach outside
	"crypto.x509.", "io.jwt.", // read the clock or handle keys
	"rand.", "trace", // have an effect or no fixed answer
	"rego.",                     // looks into policies, not at requests
	"graphql.",                  // parses whole languages
	"net.cidr_expand",           // makes up to 2^32 values of one
	"crypto.parse_private_keys", // handles keys
}

// capabilities returns what the compiler offers to rules; a call of anything else is an undefined function.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	kept := make([]*ast.Builtin, 0, len(all.Builtins))
	for _, builtin := range all.Builtins {
		if offered(builtin) {
			kept = append(kept, builtin)
		}
	}
	all.Builtins = kept
	all.AllowNet = []string{} // empty, not nil: a schema may not be fetched from anywhere
	return all
}

func offered(builtin *ast.Builtin) bool {
	if builtin.Nondeterministic {
		return false
	}
	for _, prefix := range removed {
		if strings.HasPrefix(builtin.Name, prefix) {
			return false
		}
	}
	return true
}

//go:embed input.schema.json
var inputSchema []byte

// schemas makes the compiler check every reference into the input, so that a rule with a misspelt field is refused and not silently undefined.
func schemas() (*ast.SchemaSet, error) {
	var schema any
	if err := json.Unmarshal(inputSchema, &schema); err != nil {
		return nil, err
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	return set, nil
}

// newCompiler returns a compiler that offers the capabilities and knows the shape of the input.
func newCompiler() (*ast.Compiler, error) {
	set, err := schemas()
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithSchemas(set), nil
}

func compile(modules map[string]*ast.Module) (*ast.Compiler, error) {
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	if c.Compile(modules); c.Failed() {
		return nil, c.Errors
	}
	return c, nil
}
