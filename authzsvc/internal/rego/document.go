package rego

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// parts says which parts of the input a set of rules reads. What no rule reads is not built.
type parts struct{ principal, object, context bool }

func (p parts) or(q parts) parts {
	return parts{p.principal || q.principal, p.object || q.object, p.context || q.context}
}

// The keys of the document, made once: a string term is immutable and may be part of many documents.
var (
	keyOperation = ast.StringTerm("operation")
	keyPrincipal = ast.StringTerm("principal")
	keyObjects   = ast.StringTerm("objects")
	keyContext   = ast.StringTerm("context")
	keyBase      = ast.StringTerm("base")
	keyActors    = ast.StringTerm("actors")
	keyKey       = ast.StringTerm("key")
	keyAdmin     = ast.StringTerm("admin")
	keyScopes    = ast.StringTerm("scopes")
	keyType      = ast.StringTerm("type")
	keyTenant    = ast.StringTerm("tenant")
	keyID        = ast.StringTerm("id")
	keyPath      = ast.StringTerm("path")
	keyName      = ast.StringTerm("name")
	keyRest      = ast.StringTerm("rest")
	keyTime      = ast.StringTerm("time")
	keyTimeNS    = ast.StringTerm("time_ns")
	keyAddress   = ast.StringTerm("address")
	keyTier      = ast.StringTerm("tier")
	keySandbox   = ast.StringTerm("sandbox")
	keyCounts    = ast.StringTerm("counts")
)

type item = [2]*ast.Term

// document builds the input document as the evaluator's own values; a round trip through JSON would cost as much as the rules do.
func document(in *Input, objects []Object, read parts) *ast.Term {
	items := make([]item, 0, 4)
	items = append(items, item{keyOperation, ast.StringTerm(in.Operation)})
	if read.principal {
		items = append(items, item{keyPrincipal, principalTerm(&in.Principal)})
	}
	if read.object {
		items = append(items, item{keyObjects, objectTerms(objects)})
	}
	if read.context {
		items = append(items, item{keyContext, contextTerm(&in.Context)})
	}
	return ast.ObjectTerm(items...)
}

func principalTerm(p *Principal) *ast.Term {
	actors := make([]*ast.Term, len(p.Actors))
	for i := range p.Actors {
		actors[i] = subjectTerm(&p.Actors[i])
	}
	scopes := make([]*ast.Term, len(p.Scopes))
	for i, scope := range p.Scopes {
		scopes[i] = ast.StringTerm(scope)
	}
	return ast.ObjectTerm(
		item{keyBase, subjectTerm(&p.Base)},
		item{keyActors, ast.ArrayTerm(actors...)},
		item{keyKey, ast.StringTerm(p.Key)},
		item{keyAdmin, ast.BooleanTerm(p.Admin)},
		item{keyScopes, ast.ArrayTerm(scopes...)},
	)
}

func subjectTerm(s *Subject) *ast.Term {
	return ast.ObjectTerm(
		item{keyType, ast.StringTerm(s.Type)},
		item{keyID, ast.StringTerm(s.ID)},
		item{keyTenant, ast.StringTerm(s.Tenant)},
	)
}

func objectTerms(objects []Object) *ast.Term {
	terms := make([]*ast.Term, len(objects))
	for i := range objects {
		o := &objects[i]
		path := o.path()
		terms[i] = ast.ObjectTerm(
			item{keyType, ast.StringTerm(o.Type)},
			item{keyTenant, ast.StringTerm(o.Tenant)},
			item{keyID, ast.StringTerm(o.ID)},
			item{keyPath, ast.StringTerm(path)},
			item{keyName, ast.StringTerm(o.name(path))},
			item{keyRest, ast.StringTerm(o.Rest)},
		)
	}
	return ast.ArrayTerm(terms...)
}

func contextTerm(c *Context) *ast.Term {
	counts := make([]item, 0, len(c.Counts))
	for name, n := range c.Counts {
		counts = append(counts, item{ast.StringTerm(name), int64Term(n)})
	}
	return ast.ObjectTerm(
		item{keyTime, ast.StringTerm(c.Time.UTC().Format(time.RFC3339Nano))},
		item{keyTimeNS, int64Term(c.Time.UnixNano())},
		item{keyAddress, ast.StringTerm(addressText(c.Address))},
		item{keyTier, ast.StringTerm(c.Tier)},
		item{keySandbox, ast.StringTerm(c.Sandbox)},
		item{keyCounts, ast.ObjectTerm(counts...)},
	)
}

func int64Term(n int64) *ast.Term {
	return ast.NumberTerm(json.Number(strconv.FormatInt(n, 10)))
}

// addressText writes one address one way: a rule about 10.0.0.0/8 also sees ::ffff:10.0.0.1, and a zone does not hide a match.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
