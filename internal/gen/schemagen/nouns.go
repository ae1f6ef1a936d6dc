package main

// noun says how Go serves a definition: the type, and how its ids are written.
type noun struct {
	Word string // in the names of grants: WriteFile
	Many string // in the names of scopes: ReadFiles; empty where nothing is listed by it
	Type string // the Go type
	IDs  ids
}

// ids says who writes the ids of a definition, and how.
type ids int

const (
	byHand  ids = iota // the type is written by hand, in package schema
	single             // there is one object
	plain              // the id is a quoted name
	tenants            // the id is a quoted tenant, a slash, and a quoted name
)

// nouns has every definition of the schema. A file is served by two types, because some operations need a folder.
var nouns = map[string][]noun{
	"platform": {{Word: "Platform", Type: "PlatformObject", IDs: single}},
	"key":      {{Word: "Key", Many: "Keys", Type: "Key", IDs: plain}},
	"user":     {{Word: "User", Many: "Users", Type: "User", IDs: tenants}},
	"group":    {{Word: "Group", Many: "Groups", Type: "Group", IDs: tenants}},
	"tenant":   {{Word: "Tenant", Many: "Tenants", Type: "Tenant", IDs: plain}},
	"service":  {{Word: "Service", Many: "Services", Type: "Service", IDs: tenants}},
	"agent":    {{Word: "Agent", Many: "Agents", Type: "Agent", IDs: tenants}},
	"file": {
		{Word: "File", Many: "Files", Type: "File", IDs: byHand},
		{Word: "Dir", Many: "Dirs", Type: "Dir", IDs: byHand},
	},
}

// verbs names the permissions that are nouns in the schema. All others are verbs already.
var verbs = map[string]string{"owner": "own", "editor": "edit", "viewer": "view"}
