package api

import (
	"encoding/json"
	"time"

	"nexus/apiserver/op"
	"nexus/internal/errs"
	"nexus/internal/paths"
)

// Limits of what is kept of an agent, in bytes.
const (
	maxAgentName        = 256
	maxAgentDescription = 4096
	maxAgentMetadata    = 8192
)

// maxAgentRoots is how many paths a mandate may be limited to.
const maxAgentRoots = 64

// Mandate bounds what an agent may do for its owner when the owner's key names it in X-Agent-ID.
type Mandate struct {
	// Permissions maps a definition, such as file, to the permissions included. What is missing is left out whole.
	Permissions map[string][]string `json:"permissions,omitempty"`
	// Roots are the paths that it is limited to, with everything below them; an empty list admits nothing. What stands there
	// is meant, wherever it is moved.
	Roots []string `json:"roots,omitzero"`
	// Expires ends the mandate; never, when left out.
	Expires Time `json:"expires_at"`
}

// UnmarshalJSON refuses members that it does not know: one that is passed over could have been a bound.
func (m *Mandate) UnmarshalJSON(raw []byte) error {
	var known map[string]json.RawMessage
	if err := json.Unmarshal(raw, &known); err != nil {
		return errs.New(errs.Invalid, "a mandate is an object of permissions, roots and expires_at")
	}
	for name, value := range known {
		var into any
		switch name {
		case "permissions":
			into = &m.Permissions
		case "roots":
			into = &m.Roots
		case "expires_at":
			into = &m.Expires
		default:
			return errs.New(errs.Invalid, "a mandate has no member %q: it has permissions, roots and expires_at", name).Marked(errs.NotValid)
		}
		if err := json.Unmarshal(value, into); err != nil {
			return errs.New(errs.Invalid, "member %s of the mandate cannot be read", name).Marked(errs.NotValid)
		}
	}
	return nil
}

// RegisterAgentParams are those of agents.register.
type RegisterAgentParams struct {
	ID          string         `json:"agent_id" need:"required" audit:"plain" doc:"name of the agent, unique in the tenant"`
	Name        string         `json:"name" need:"required" audit:"plain" doc:"what people call it"`
	Description string         `json:"description" doc:"what it is for"`
	GenerateKey bool           `json:"generate_api_key" audit:"plain" doc:"make a key of its own, shown once (default: false); one that has a key keeps it"`
	Metadata    map[string]any `json:"metadata" doc:"whatever the owner wants to keep with it"`
	Mandate     *Mandate       `json:"mandate" doc:"what it may do for its owner: {permissions: {file: [read]}, roots: [/path], expires_at}; left out: everything but sharing, administration, keys and the reading of secrets"`
}

// Clean refuses what no agent can have.
func (p *RegisterAgentParams) Clean() error {
	switch {
	case p.ID == "" || p.Name == "":
		return errs.New(errs.Invalid, "agent_id and name must not be empty").Marked(errs.NotValid)
	case len(p.Name) > maxAgentName:
		return errs.New(errs.Invalid, "name is longer than %d bytes", maxAgentName).Marked(errs.NotValid)
	case len(p.Description) > maxAgentDescription:
		return errs.New(errs.Invalid, "description is longer than %d bytes", maxAgentDescription).Marked(errs.NotValid)
	case p.Mandate != nil && p.Mandate.Permissions == nil && p.Mandate.Roots == nil && p.Mandate.Expires.IsZero():
		return errs.New(errs.Invalid, "a mandate bounds nothing: give permissions, roots or expires_at").Marked(errs.NotValid)
	case p.Mandate != nil && len(p.Mandate.Roots) > maxAgentRoots:
		return errs.New(errs.Invalid, "a mandate has at most %d roots", maxAgentRoots).Marked(errs.NotValid)
	}
	if p.Mandate != nil {
		for i, path := range p.Mandate.Roots {
			clean, err := paths.Clean(path)
			if err != nil {
				return err
			}
			p.Mandate.Roots[i] = clean
		}
	}
	if raw, err := json.Marshal(p.Metadata); err != nil || len(raw) > maxAgentMetadata {
		return errs.New(errs.Invalid, "metadata is longer than %d bytes", maxAgentMetadata).Marked(errs.NotValid)
	}
	return noWildcard(p.ID)
}

// Agent is an agent as the caller may see it.
type Agent struct {
	ID          string         `json:"agent_id"`
	User        string         `json:"user_id"` // who owns it
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Tenant      string         `json:"tenant_id"`
	Metadata    map[string]any `json:"metadata"`
	Created     Time           `json:"created_at"`
	HasKey      bool           `json:"has_api_key"`
	APIKey      string         `json:"api_key,omitempty"` // shown this once
}

// ListAgentsParams are those of agents.list.
type ListAgentsParams struct{ PageParams }

// AgentList is a list of agents in order of their names, or a page of one.
type AgentList struct {
	Agents []Agent `json:"agents"`
	Page
}

// AgentParams name one agent.
type AgentParams struct {
	ID string `json:"agent_id" need:"required" audit:"plain" doc:"name of the agent"`
}

// Clean refuses a name that no agent can have.
func (p *AgentParams) Clean() error {
	if p.ID == "" {
		return errs.New(errs.Invalid, "agent_id must not be empty").Marked(errs.NotValid)
	}
	return nil
}

// Operations on agents.
var (
	RegisterAgent = &op.Contract[RegisterAgentParams, Agent]{
		Decl: op.Decl{
			Name: "agents.register", Method: "register_agent", Access: op.Writes,
			Summary: "Register an agent of the caller's own, or change one.",
			NoTool:  "agents register no agents, and its answer may hold a key",
			Doc: "Needs register_agent on the tenant, or manage on an agent that is there. A new agent can do nothing until something is shared with it, " +
				"and what was shared with its name before is taken away. Its owner's key acts through it with the header X-Agent-ID. Agents register no agents.",
		},
		Sample: RegisterAgentParams{ID: "sample-agent", Name: "Sample", GenerateKey: true, Mandate: &Mandate{
			Permissions: map[string][]string{"file": {"read"}}, Expires: Time{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)},
		}},
	}
	ListAgents = &op.Contract[ListAgentsParams, AgentList]{
		Decl: op.Decl{
			Name: "agents.list", Method: "list_agents", Access: op.Reads, Prompt: true,
			Summary: "List the caller's agents; for a tenant's admin, all of them.",
			Doc:     "In order of their names. Without limit and cursor the answer is the bare list, of 10,000 agents at the most; with either it is a page with next_cursor and complete.",
		},
		Hidden: func(p *ListAgentsParams) AgentList {
			return AgentList{Agents: []Agent{}, Page: p.Last()}
		},
	}
	GetAgent = &op.Contract[AgentParams, *Agent]{
		Decl: op.Decl{
			Name: "agents.get", Method: "get_agent", Access: op.Reads, Prompt: true,
			Summary: "Tell what is known of an agent.",
			Doc:     "Needs view on the agent. Answers null for one that does not exist or that the caller may not see.",
		},
		Sample: AgentParams{ID: "sample-agent"},
		Hidden: func(*AgentParams) *Agent { return nil },
	}
	DeleteAgent = &op.Contract[AgentParams, bool]{
		Decl: op.Decl{
			Name: "agents.delete", Method: "delete_agent", Access: op.Writes,
			Summary: "Delete an agent with its keys and everything that was shared with it.",
			NoTool:  "agents delete no agents",
			Doc:     "Needs manage on the agent. Answers false for one that does not exist or that the caller may not delete. Its keys have ended when the answer arrives; its name is free when nothing is related to it any more.",
		},
		Sample: AgentParams{ID: "sample-agent"},
		Hidden: func(*AgentParams) bool { return false },
	}
)
