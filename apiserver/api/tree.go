package api

import (
	"nexus/apiserver/op"
	"nexus/internal/paths"
)

// RenameParams are those of files.rename.
type RenameParams struct {
	Old string `json:"old_path" need:"required" audit:"plain" doc:"what is renamed or moved"`
	New string `json:"new_path" need:"required" audit:"plain" doc:"its path afterwards"`
}

// Clean brings both paths into their one form.
func (p *RenameParams) Clean() error { return cleanPaths(&p.Old, &p.New) }

// Words are both paths, whichever of them there is something at.
func (p *RenameParams) Words() []string { return []string{p.Old, p.New} }

// RmdirParams are those of files.rmdir.
type RmdirParams struct {
	PathParams
	Recursive bool `json:"recursive" audit:"plain" doc:"with everything in it (default: false)"`
}

// CopyParams are those of files.copy.
type CopyParams struct {
	From string `json:"from_path" need:"required" audit:"plain" doc:"file to copy"`
	To   string `json:"to_path" need:"required" audit:"plain" doc:"path of the copy"`
}

// Clean brings both paths into their one form.
func (p *CopyParams) Clean() error { return cleanPaths(&p.From, &p.To) }

// IsDirectory answers whether a folder is there, as far as the caller may know.
type IsDirectory struct {
	IsDirectory bool `json:"is_directory"`
}

// DeletedParams are those of files.list_deleted.
type DeletedParams struct {
	Path   string `json:"path" audit:"plain" doc:"folder (default: /)"`
	Limit  int    `json:"limit" doc:"entries of a page, at most 1000 (default: 100)"`
	Cursor string `json:"cursor" doc:"next_cursor of the page before"`
}

// Clean brings the path into its one form.
func (p *DeletedParams) Clean() error {
	if p.Path == "" {
		p.Path = paths.Root
	}
	return cleanPaths(&p.Path)
}

// DeletedEntry is something that can be brought back.
type DeletedEntry struct {
	Path        string `json:"path"`
	IsDirectory bool   `json:"is_directory"`
	Deleted     Time   `json:"deleted_at"`
	By          string `json:"deleted_by"`
	Until       Time   `json:"kept_until"` // null: for ever
}

// DeletedResult is one page of what can be brought back.
type DeletedResult struct {
	Deleted    []DeletedEntry `json:"deleted"`
	NextCursor string         `json:"next_cursor,omitempty"`
	Complete   bool           `json:"complete"` // nothing follows
}

func cleanPaths(all ...*string) (err error) {
	for _, p := range all {
		if *p, err = paths.Clean(*p); err != nil {
			return err
		}
	}
	return nil
}

// PageSize returns how many elements a page has: as many as the caller wants, 1000 at the most, and 100 when he does not say.
func PageSize(want int) int {
	if want <= 0 {
		return 100
	}
	return min(want, 1000)
}

// Operations that change the tree.
var (
	Delete = &op.Contract[PathParams, Success]{
		Decl: op.Decl{
			Name: "files.delete", Method: "delete", Access: op.Writes, Essential: true,
			Summary: "Delete a file.",
			Doc:     "Needs delete on the file. Its relationships end with it: they never open what stands at the path later. It can be brought back until it is purged.",
		},
		Sample: PathParams{"/sample/file.txt"},
	}
	Rename = &op.Contract[RenameParams, Success]{
		Decl: op.Decl{
			Name: "files.rename", Method: "rename", Access: op.Writes,
			Summary: "Rename or move a file or folder.",
			Doc:     "Within its folder needs write on it. To another folder needs owner on it and write on that folder, because it changes who may see it. Missing folders are made. What is in a folder moves with it.",
		},
		Sample: RenameParams{"/sample/file.txt", "/sample/folder/moved.txt"},
	}
	Rmdir = &op.Contract[RmdirParams, Success]{
		Decl: op.Decl{
			Name: "files.rmdir", Method: "rmdir", Access: op.Writes, Essential: true,
			Summary: "Remove a folder.",
			Doc:     "Needs delete on the folder. One that is not empty goes only when recursive. It can be brought back until it is purged.",
		},
		Sample: RmdirParams{PathParams: PathParams{"/sample/folder"}, Recursive: true},
	}
	IsDir = &op.Contract[PathParams, IsDirectory]{
		Decl: op.Decl{
			Name: "files.is_directory", Method: "is_directory", Access: op.Reads, Prompt: true,
			Summary: "Tell whether a path is a folder.",
			Doc:     "A folder is one for who may read it or anything below it.",
		},
		Sample: PathParams{"/sample/folder"},
		Hidden: func(*PathParams) IsDirectory { return IsDirectory{} },
	}
	Copy = &op.Contract[CopyParams, WriteResult]{
		Decl: op.Decl{
			Name: "files.copy", Method: "copy", Access: op.Writes, Contents: true,
			Summary: "Copy the contents of a file to a new one.",
			Doc:     "Needs read on the file and write on the folder of the copy. The copy has neither its relationships nor its versions. What exists is not overwritten.",
		},
		Sample: CopyParams{"/sample/file.txt", "/sample/folder/copy.txt"},
	}
	Undelete = &op.Contract[PathParams, Metadata]{
		Decl: op.Decl{
			Name: "files.undelete", Method: "undelete", Access: op.Writes,
			Summary: "Bring back what was last deleted at a path.",
			Doc:     "Needs write on the folder it stood in. It comes back with its versions and without its relationships: who brings it back owns it.",
		},
		Sample: PathParams{"/sample/deleted.txt"},
	}
	ListDeleted = &op.Contract[DeletedParams, DeletedResult]{
		Decl: op.Decl{
			Name: "files.list_deleted", Method: "list_deleted", Access: op.Reads, Prompt: true,
			Summary: "List what was deleted below a folder and can be brought back.",
			Doc:     "Needs write on the folder. What is past its kept_until is as if it had never been.",
		},
		Sample: DeletedParams{Path: "/sample"},
	}
)
