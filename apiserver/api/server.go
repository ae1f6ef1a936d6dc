package api

import "nexus/apiserver/op"

// Nothing are the parameters of an operation that takes none.
type Nothing struct{}

// WhoamiResult is who the server takes the caller for.
type WhoamiResult struct {
	Authenticated bool   `json:"authenticated"`
	SubjectType   string `json:"subject_type"`
	SubjectID     string `json:"subject_id"`
	Tenant        string `json:"tenant_id"`
	IsAdmin       bool   `json:"is_admin"`
	User          string `json:"user"`
}

// HealthResult is the answer of the health check of nexus-rpc.txt.
type HealthResult struct {
	Status  string `json:"status"`
	Service string `json:"service"`
}

// StatusResult is what the server is and can do.
type StatusResult struct {
	Status        string            `json:"status"`
	Service       string            `json:"service"`
	Version       string            `json:"version"`
	Methods       []string          `json:"methods"`
	Backend       map[string]string `json:"backend"`
	MetadataStore map[string]string `json:"metadata_store"`
	Metadata      map[string]string `json:"metadata"` // as older clients read it
}

// Operations about the server and the caller.
var (
	Whoami = &op.Contract[Nothing, WhoamiResult]{
		Decl: op.Decl{
			Name: "auth.whoami", Get: "/api/auth/whoami", Access: op.Reads, Prompt: true, Essential: true,
			Summary: "Tell who the caller is.",
			Doc:     "Needs access to the tenant.",
		},
	}
	Health = &op.Contract[Nothing, HealthResult]{
		Decl: op.Decl{Name: "server.health", Get: "/health", Access: op.Reads, Prompt: true, Public: true, Summary: "Tell that the server runs."},
	}
	Status = &op.Contract[Nothing, StatusResult]{
		Decl: op.Decl{Name: "server.status", Get: "/api/nfs/status", Access: op.Reads, Prompt: true, Public: true, Summary: "Tell version, methods and backends."},
	}
)

// All lists the declarations of every operation. The server does not start when one has no handler.
func All() []op.Decl {
	return []op.Decl{
		Read.Decl, Write.Decl, Upload.Decl, Download.Decl, FileExists.Decl, GetMetadata.Decl, Mkdir.Decl, List.Decl,
		Delete.Decl, Rename.Decl, Rmdir.Decl, IsDir.Decl, Copy.Decl, Undelete.Decl, ListDeleted.Decl,
		GetVersion.Decl, ListVersions.Decl, Rollback.Decl, DiffVersions.Decl,
		RegisterWorkspace.Decl, UnregisterWorkspace.Decl, ListWorkspaces.Decl, GetWorkspace.Decl,
		TakeSnapshot.Decl, RestoreWorkspace.Decl, RestoreState.Decl, WorkspaceLog.Decl, WorkspaceDiff.Decl,
		Glob.Decl, Grep.Decl,
		Relate.Decl, Check.Decl, Expand.Decl, Explain.Decl, Unrelate.Decl, Tuples.Decl,
		ListAccess.Decl, SharedWithMe.Decl, ListGroups.Decl, GroupMembers.Decl, DeleteGroup.Decl,
		CreateKey.Decl, ListKeys.Decl, GetKey.Decl, RevokeKey.Decl, UpdateKey.Decl,
		ListUsers.Decl, DisableUser.Decl, EnableUser.Decl, TransferUser.Decl,
		Whoami.Decl, Health.Decl, Status.Decl,
		StartBackup.Decl, BackupStatus.Decl, Follow.Decl,
		CreateNamespace.Decl, GetNamespace.Decl, ListNamespaces.Decl, DeleteNamespace.Decl, AvailableNamespaces.Decl, ReadSchema.Decl, WriteSchema.Decl,
		ReadPolicy.Decl, PutPolicy.Decl, RehearsePolicy.Decl,
		Decisions.Decl, ExplainDecision.Decl,
		RegisterAgent.Decl, ListAgents.Decl, GetAgent.Decl, DeleteAgent.Decl,
	}
}
