package api

import "nexus/apiserver/op"

// BackupParams are those of server.backup and server.backup_status.
type BackupParams struct {
	ID string `json:"backup_id" audit:"plain" doc:"id of a backup"`
}

// The states of a backup.
const (
	BackupRunning     = "running"
	BackupDone        = "done"
	BackupFailed      = "failed"      // can be gone on with, once the reason is gone
	BackupInterrupted = "interrupted" // the server ended meanwhile; can be gone on with
)

// Backup is how far a backup has come.
type Backup struct {
	ID    string `json:"backup_id"`
	State string `json:"state"`
	Phase string `json:"phase,omitempty"` // what is being copied: database, blobs, record, finish
	Path  string `json:"path"`            // on the server
	Files int64  `json:"files"`           // copied in this phase; of one that is done, in all
	Bytes int64  `json:"bytes"`
	Total int64  `json:"total,omitempty"` // bytes that this phase copies, where that is known
	At    Time   `json:"at,omitzero"`     // the moment that it is of, once it is done
	Error string `json:"error,omitempty"`
}

// Operations for those who run the server.
var (
	StartBackup = &op.Contract[BackupParams, Backup]{
		Decl: op.Decl{
			Name: "server.backup", Method: "admin_backup", Access: op.Writes, Essential: true,
			Summary: "Begin a backup of the whole server.",
			Doc: "It is made in the background, in the directory that the operator named (--backup-dir), one at a time. With backup_id an\n" +
				"unfinished one is gone on with. Needs administer on the platform.",
		},
	}
	BackupStatus = &op.Contract[BackupParams, Backup]{
		Decl: op.Decl{
			Name: "server.backup_status", Method: "admin_backup_status", Access: op.Reads, Prompt: true, Essential: true,
			Summary: "Tell how far a backup has come.",
			Doc:     "Without backup_id, the newest since the server started. Needs administer on the platform.",
		},
	}
)
