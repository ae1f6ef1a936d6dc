package api

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// Seconds is a duration: a number of seconds, or the typed form {"__type__":"timedelta","seconds":n}.
type Seconds struct{ time.Duration }

// WireType names the form for help texts.
func (Seconds) WireType() string { return "seconds" }

// MarshalJSON writes the number, and null for none.
func (s Seconds) MarshalJSON() ([]byte, error) {
	if s.Duration == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(s.Seconds())
}

// UnmarshalJSON reads either form; null is none.
func (s *Seconds) UnmarshalJSON(raw []byte) error {
	var n float64
	if bytes.HasPrefix(raw, []byte("{")) {
		var typed struct {
			Type    string  `json:"__type__"`
			Seconds float64 `json:"seconds"`
		}
		if err := json.Unmarshal(raw, &typed); err != nil || typed.Type != "timedelta" {
			return errs.New(errs.Invalid, `a duration is a number of seconds or {"__type__":"timedelta","seconds":n}`)
		}
		n = typed.Seconds
	} else if err := json.Unmarshal(raw, &n); err != nil {
		return errs.New(errs.Invalid, `a duration is a number of seconds or {"__type__":"timedelta","seconds":n}`)
	}
	if n < 0 || n > math.MaxInt64/float64(time.Second)/2 {
		return errs.New(errs.Invalid, "a duration of %g seconds is out of range", n)
	}
	s.Duration = time.Duration(n * float64(time.Second))
	return nil
}

// RegisterWorkspaceParams are those of workspaces.register.
type RegisterWorkspaceParams struct {
	PathParams
	Name        string          `json:"name" audit:"plain" doc:"what it is called"`
	Description string          `json:"description" doc:"what it is for"`
	CreatedBy   string          `json:"created_by" doc:"accepted for compatibility: it is who calls"`
	Tags        []string        `json:"tags" doc:"words to find it by"`
	Metadata    json.RawMessage `json:"metadata" doc:"an object of the caller's own"`
	Session     string          `json:"session_id" audit:"plain" doc:"session that it belongs to"`
	TTL         Seconds         `json:"ttl" audit:"plain" doc:"seconds after which the folder goes into the trash; never, when left out"`
}

// Clean refuses what cannot be kept.
func (p *RegisterWorkspaceParams) Clean() error {
	if m := bytes.TrimSpace(p.Metadata); len(m) > 0 && !bytes.Equal(m, []byte("null")) && m[0] != '{' {
		return errs.New(errs.Invalid, "metadata must be an object")
	}
	if bytes.Equal(bytes.TrimSpace(p.Metadata), []byte("null")) {
		p.Metadata = nil
	}
	if len(p.Metadata) > 64<<10 || len(p.Description) > 64<<10 || len(p.Name) > 255 || len(p.Tags) > 100 {
		return errs.New(errs.Invalid, "name, description, tags or metadata are too long").Marked(errs.NotValid)
	}
	return p.PathParams.Clean()
}

// Workspace is a registered folder.
type Workspace struct {
	Path        string          `json:"path"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Created     Time            `json:"created_at"`
	CreatedBy   string          `json:"created_by"`
	Tags        []string        `json:"tags"`
	Metadata    json.RawMessage `json:"metadata"`
	Session     string          `json:"session_id,omitempty"`
	Expires     Time            `json:"expires_at"`
	Files       int64           `json:"file_count"`
	Bytes       int64           `json:"total_size"`
	Snapshots   int64           `json:"snapshot_count"`
	TreeHash    *string         `json:"tree_hash"` // of the newest snapshot; null until it is made
}

// WorkspacePath names a workspace in the operations on snapshots.
type WorkspacePath struct {
	Path    string `json:"workspace_path" audit:"plain" doc:"the workspace"`
	AgentID string `json:"agent_id" doc:"accepted for compatibility"`
}

// Clean brings the path into its one form.
func (p *WorkspacePath) Clean() error {
	if p.Path == "" {
		return errs.New(errs.Invalid, "workspace_path is required")
	}
	return cleanPaths(&p.Path)
}

// SnapshotParams are those of workspaces.snapshot.
type SnapshotParams struct {
	WorkspacePath
	Description string   `json:"description" doc:"what the snapshot is for"`
	Tags        []string `json:"tags" doc:"words to find it by"`
	CreatedBy   string   `json:"created_by" doc:"accepted for compatibility: it is who calls"`
}

// Clean refuses what cannot be kept.
func (p *SnapshotParams) Clean() error {
	if len(p.Description) > 64<<10 || len(p.Tags) > 100 {
		return errs.New(errs.Invalid, "description or tags are too long").Marked(errs.NotValid)
	}
	return p.WorkspacePath.Clean()
}

// Snapshot is a workspace as it was, under the document's names and the client's.
type Snapshot struct {
	ID           string    `json:"snapshot_id"`
	Number       int64     `json:"snapshot_number"`
	ManifestHash string    `json:"manifest_hash"`
	TreeHash     *string   `json:"tree_hash"` // null until it is made
	Files        int64     `json:"file_count"`
	Bytes        int64     `json:"total_size"`
	ClientBytes  int64     `json:"total_size_bytes"`
	Description  string    `json:"description"`
	CreatedBy    string    `json:"created_by"`
	Tags         []string  `json:"tags"`
	Timestamp    Time      `json:"timestamp"`
	Created      TypedTime `json:"created_at"`
}

// LogParams are those of workspaces.log.
type LogParams struct {
	WorkspacePath
	Limit int `json:"limit" doc:"snapshots to answer, at most 1000 (default: 100)"`
}

// RestoreParams are those of workspaces.restore.
type RestoreParams struct {
	WorkspacePath
	Number int64 `json:"snapshot_number" need:"required" audit:"plain" doc:"number of the snapshot"`
}

// RestoreResult is what a restore did, under the document's names and the client's. One that was gone on with counts what all of
// its calls did.
type RestoreResult struct {
	Restored  bool     `json:"restored"`
	Job       string   `json:"job_id"`
	Files     int64    `json:"files_restored"` // that changed, and folders that were made
	Deleted   int64    `json:"files_deleted"`
	Hidden    int64    `json:"files_left_out"`      // what the caller may not change, or read where it is now
	Kept      int64    `json:"files_changed_since"` // what others changed since it began, and what that is in the way of
	Number    int64    `json:"snapshot_number"`
	Timestamp Time     `json:"timestamp"`
	Snapshot  Snapshot `json:"snapshot_info"`
}

// The states of a restore.
const (
	RestoreRunning     = "running"
	RestoreInterrupted = "interrupted" // it ended early; the same call goes on with it
	RestoreDone        = "done"
)

// RestoreStatus is how far a restore has come.
type RestoreStatus struct {
	Job      string `json:"job_id"`
	State    string `json:"state"`
	Number   int64  `json:"snapshot_number"`
	By       string `json:"restored_by"` // who called last
	Started  Time   `json:"started_at"`
	Updated  Time   `json:"updated_at"`
	Finished Time   `json:"finished_at"` // null until it is done
	Files    int64  `json:"files_restored"`
	Deleted  int64  `json:"files_deleted"`
	Left     int64  `json:"left"` // files and folders to look at yet
	Hidden   int64  `json:"files_left_out"`
	Kept     int64  `json:"files_changed_since"`
}

// CompareParams are those of workspaces.diff.
type CompareParams struct {
	WorkspacePath
	One int64 `json:"snapshot_1" need:"required" audit:"plain" doc:"number of the one snapshot"`
	Two int64 `json:"snapshot_2" need:"required" audit:"plain" doc:"number of the other"`
}

// FileChange is a file that differs between two snapshots. Path is absolute.
type FileChange struct {
	Path             string
	OldSize, NewSize int64
	OldHash, NewHash string
}

// Difference is what changed from one snapshot to another.
type Difference struct {
	Root                     string // the workspace
	One, Two                 Snapshot
	Added, Removed, Modified []FileChange
	Unchanged                int
	Hidden                   int // what the caller may not read now
}

// Operations on workspaces.
var (
	RegisterWorkspace = &op.Contract[RegisterWorkspaceParams, Workspace]{
		Decl: op.Decl{
			Name: "workspaces.register", Method: "register_workspace", Access: op.Writes,
			Summary: "Register a folder as a workspace, so that snapshots of it can be made.",
			Doc:     "Needs owner on the folder, or write on the nearest folder above one that is new: it is made. With ttl the folder goes into the trash when its time has come.",
		},
		Sample: RegisterWorkspaceParams{PathParams: PathParams{"/sample/folder"}, Name: "sample"},
	}
	UnregisterWorkspace = &op.Contract[PathParams, bool]{
		Decl: op.Decl{
			Name: "workspaces.unregister", Method: "unregister_workspace", Access: op.Writes, Essential: true,
			Summary: "End the registration of a workspace with its snapshots; its files stay.",
			Doc:     "Needs owner on the folder. Answers false when it is no workspace.",
		},
		Sample: PathParams{"/sample/workspace"},
	}
	ListWorkspaces = &op.Contract[Nothing, []Workspace]{
		Decl: op.Decl{
			Name: "workspaces.list", Method: "list_workspaces", Access: op.Reads, Prompt: true,
			Summary: "List the workspaces whose folder the caller may read.",
		},
	}
	GetWorkspace = &op.Contract[PathParams, *Workspace]{
		Decl: op.Decl{
			Name: "workspaces.get", Method: "get_workspace_info", Access: op.Reads, Prompt: true,
			Summary: "Tell what a folder is registered as.",
			Doc:     "Needs read on the folder. Answers null for what is no workspace and for what the caller may not read. tree_hash is that of the newest snapshot, null until it is made.",
		},
		Sample: PathParams{"/sample/workspace"},
		Hidden: func(*PathParams) *Workspace { return nil },
	}
	TakeSnapshot = &op.Contract[SnapshotParams, Snapshot]{
		Decl: op.Decl{
			Name: "workspaces.snapshot", Method: "workspace_snapshot", Access: op.Writes,
			Summary: "Keep a workspace as it is.",
			Doc:     "Needs write on the folder. It takes no longer for many files than for few. manifest_hash names the snapshot; tree_hash is made soon after: equal trees have equal ones wherever they stand. The hash of a file is the SHA-256 of its contents; that of a folder is the SHA-256 of the line nexus/tree/v1 and, in order of the bytes of the names in it, lines of file or folder, hash and name, with single spaces between and a line feed behind each. Who reads it can tell whether a whole tree that he supposes is this one, also where a policy hides some of it from him, and nothing else.",
		},
		Sample: SnapshotParams{WorkspacePath: WorkspacePath{Path: "/sample/workspace"}, Description: "sample"},
	}
	RestoreWorkspace = &op.Contract[RestoreParams, RestoreResult]{
		Decl: op.Decl{
			Name: "workspaces.restore", Method: "workspace_restore", Access: op.Writes,
			Summary: "Make a workspace what a snapshot holds.",
			Doc:     "Needs write on the folder. It goes in steps, each decided for itself; workspace_restore_status shows it meanwhile. A call that ends early says how much is left, and the same call goes on from there; while one is at it, another is refused. What others write or move after it began stays as it is, is counted, and goes when the snapshot is restored anew. What was deleted comes back without its relationships. What the caller may not change, or could not read now, is left out and counted.",
		},
		Sample: RestoreParams{WorkspacePath: WorkspacePath{Path: "/sample/workspace"}, Number: 1},
	}
	RestoreState = &op.Contract[WorkspacePath, *RestoreStatus]{
		Decl: op.Decl{
			Name: "workspaces.restore_status", Method: "workspace_restore_status", Access: op.Reads, Prompt: true,
			Summary: "Tell how far the last restore of a workspace has come.",
			Doc:     "Needs read on the folder. Answers null when there was none. An interrupted one is gone on with by the same workspace_restore.",
		},
		Sample: WorkspacePath{Path: "/sample/workspace"},
	}
	WorkspaceLog = &op.Contract[LogParams, []Snapshot]{
		Decl: op.Decl{
			Name: "workspaces.log", Method: "workspace_log", Access: op.Reads, Prompt: true,
			Summary: "List the snapshots of a workspace, the newest first.",
			Doc:     "Needs read on the folder. tree_hash is null until it is made.",
		},
		Sample: LogParams{WorkspacePath: WorkspacePath{Path: "/sample/workspace"}},
	}
	WorkspaceDiff = &op.Contract[CompareParams, Difference]{
		Decl: op.Decl{
			Name: "workspaces.diff", Method: "workspace_diff", Access: op.Reads, Prompt: true,
			Summary: "Compare two snapshots of a workspace.",
			Doc:     "Needs read on the folder. What the caller could not read now is counted and not named.",
		},
		Sample: CompareParams{WorkspacePath: WorkspacePath{Path: "/sample/workspace"}, One: 1, Two: 1},
	}
)
