package mcp

import (
	"encoding/json"
	"fmt"
	"strings"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/ids"
)

// missing says what a call that was refused would have needed, and who can grant it. It is made from the call and the
// caller's own name alone, so that it is the same whether the object is there or not.
type missing struct {
	AllOf   []lack `json:"all_of"`
	Subject string `json:"subject"`           // who lacks it, as type:name
	Through string `json:"through,omitempty"` // the agent that acts for him, whose mandate may leave it out
}

// lack is one permission, on an object as the caller wrote it.
type lack struct {
	Permission string `json:"permission"`
	Object     object `json:"object"`
	AskWho     string `json:"ask_who"`         // who can grant it
	Share      *share `json:"share,omitempty"` // the call by which they do
}

type object struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// share is a call of relations_create.
type share struct {
	Tool      string `json:"tool"`
	Arguments struct {
		Subject  []string `json:"subject"`
		Relation string   `json:"relation"`
		Object   []string `json:"object"`
	} `json:"arguments"`
}

// whatIsMissing returns what the mapping of o says that a call needs; nil where it says nothing.
func whatIsMissing(o *op.Operation, who authz.Principal, arguments json.RawMessage) *missing {
	var given map[string]any
	if json.Unmarshal(arguments, &given) != nil && len(arguments) > 0 {
		return nil
	}
	typ, name := who.Base.Type, nameOf(who.Base)
	out := &missing{Subject: typ + ":" + name}
	for _, a := range who.Actors {
		out.Through = a.Type + ":" + nameOf(a.Ref)
	}
	for _, a := range mappings[o.Name] {
		named, ok := a.resolve(given, who)
		if !ok {
			return nil
		}
		l := lack{Permission: a.Permission, Object: object{a.Type, named}, AskWho: grantors[a.Type]}
		if relation := relations[a.Permission]; a.Type == "file" && relation != "" {
			l.Share = &share{Tool: "relations_create"}
			l.Share.Arguments.Subject, l.Share.Arguments.Relation = []string{typ, name}, relation
			l.Share.Arguments.Object = []string{"file", named}
		}
		out.AllOf = append(out.AllOf, l)
	}
	if len(out.AllOf) == 0 {
		return nil
	}
	return out
}

// grantors says for each definition who can grant permissions on its objects.
var grantors = map[string]string{
	"file":     "who owns it or a folder above it, or an admin of the tenant",
	"agent":    "an admin of the tenant",
	"group":    "a manager of the group, or an admin of the tenant",
	"tenant":   "an admin of the tenant",
	"platform": "an admin of the platform",
}

// relations names the relation by which each permission on a file is usually given.
var relations = map[string]string{
	"read": "direct_viewer", "write": "direct_editor", "share": "direct_owner", "delete": "direct_owner", "execute": "direct_owner", "owner": "direct_owner",
}

func (m *missing) text() string {
	var lines []string
	for _, l := range m.AllOf {
		line := fmt.Sprintf("It does not exist, or %s lacks permission %s on %s %s. Ask %s", m.Subject, l.Permission, l.Object.Type, l.Object.Name, l.AskWho)
		if l.Share != nil {
			line += fmt.Sprintf(" to make it %s", l.Share.Arguments.Relation)
		}
		lines = append(lines, line+".")
	}
	if m.Through != "" {
		lines = append(lines, fmt.Sprintf("Or the mandate of %s leaves it out: who owns the agent can widen it.", m.Through))
	}
	return strings.Join(lines, "\n")
}

// nameOf returns the name that people gave a subject.
func nameOf(r authz.Ref) string {
	_, name, ok := strings.Cut(r.ID, "/")
	if !ok {
		name = r.ID
	}
	return ids.Plain(name)
}
