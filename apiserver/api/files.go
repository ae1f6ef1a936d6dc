package api

import (
	"nexus/apiserver/op"
	"nexus/internal/errs"
	"nexus/internal/paths"
)

// PathParams name one path.
type PathParams struct {
	Path string `json:"path" need:"required" audit:"plain" doc:"absolute path"`
}

// Clean brings the path into its one form.
func (p *PathParams) Clean() (err error) {
	p.Path, err = paths.Clean(p.Path)
	return err
}

// ReadParams are those of files.read.
type ReadParams struct {
	PathParams
	Metadata bool `json:"return_metadata" doc:"answer the metadata beside the contents (default: false)"`
}

// ReadResult is the contents of a file. WithMetadata says that the caller asked for the rest.
type ReadResult struct {
	Content      []byte
	WithMetadata bool
	Meta         Metadata
}

// WriteParams are those of files.write.
type WriteParams struct {
	PathParams
	Content     Bytes  `json:"content" need:"required" audit:"count" doc:"contents, in the typed form of bytes"`
	IfMatch     string `json:"if_match" doc:"write only over this etag"`
	IfNoneMatch bool   `json:"if_none_match" doc:"create only (default: false)"`
	Force       bool   `json:"force" doc:"ignore if_match and if_none_match (default: false)"`
}

// Clean refuses conditions that cannot both hold.
func (p *WriteParams) Clean() error {
	if p.IfMatch != "" && p.IfNoneMatch && !p.Force {
		return errs.New(errs.Invalid, "if_match and if_none_match cannot both hold")
	}
	return p.PathParams.Clean()
}

// WriteResult is the version that a write made.
type WriteResult struct {
	Etag     string `json:"etag"`
	Version  int64  `json:"version"`
	Size     int64  `json:"size"`
	Modified Time   `json:"modified_at"`
}

// Metadata is what is known of a file or folder. A folder has neither etag nor version.
type Metadata struct {
	Path        string `json:"path"`
	Size        int64  `json:"size"`
	Etag        string `json:"etag,omitempty"`
	Version     int64  `json:"version,omitempty"`
	Created     Time   `json:"created_at"`
	Modified    Time   `json:"modified_at"`
	ContentType string `json:"content_type,omitempty"`
	IsDirectory bool   `json:"is_directory"`
	Tenant      string `json:"tenant_id"`
}

// MkdirParams are those of files.mkdir.
type MkdirParams struct {
	PathParams
	Parents bool `json:"parents" doc:"make missing parents, too (default: false)"`
	ExistOK bool `json:"exist_ok" doc:"no error when the folder exists (default: false)"`
}

// Entries of a page of a list.
const (
	DefaultListLimit = 1000
	MaxListLimit     = 10_000
)

// ListParams are those of files.list.
type ListParams struct {
	Path       string `json:"path" audit:"plain" doc:"folder (default: /)"`
	Recursive  bool   `json:"recursive" doc:"whole tree (default: true)"`
	Details    bool   `json:"details" doc:"metadata of each entry (default: false)"`
	Prefix     string `json:"prefix" audit:"plain" doc:"only paths that begin so"`
	ShowParsed bool   `json:"show_parsed" doc:"accepted for compatibility: there are no parsed views"`
	Limit      int    `json:"limit,omitempty" audit:"plain" doc:"entries of a page, at most 10000 (default: the whole list; 1000 with a cursor)"`
	Cursor     string `json:"cursor,omitempty" doc:"next_cursor of the page before; the other parameters but limit and details stay the same"`
}

// Defaults are those of the document.
func (p *ListParams) Defaults() { p.Path, p.Recursive = paths.Root, true }

// Paged reports whether a page is asked for, and not the whole list.
func (p *ListParams) Paged() bool { return p.Limit != 0 || p.Cursor != "" }

// Clean brings path and prefix into their one form.
func (p *ListParams) Clean() (err error) {
	if p.Limit < 0 || p.Limit > MaxListLimit {
		return errs.New(errs.Invalid, "limit must lie between 1 and %d", MaxListLimit).Marked(errs.NotValid)
	}
	if p.Limit == 0 && p.Cursor != "" {
		p.Limit = DefaultListLimit
	}
	if p.Path == "" {
		p.Path = paths.Root
	}
	if p.Prefix, err = paths.Prefix(p.Prefix); err != nil {
		return err
	}
	p.Path, err = paths.Clean(p.Path)
	return err
}

// ListResult is what the caller may see below a folder. It is in order of the bytes of paths, a folder's with a slash at its
// end, so a folder comes before all that is in it. Without details only Path and IsDirectory are set.
type ListResult struct {
	Details bool
	Entries []Metadata

	Paged    bool   // a page was asked for
	Next     string // cursor of the next page; empty when there is none
	Complete bool   // nothing follows
}

// Exists answers whether something is there, as far as the caller may know.
type Exists struct {
	Exists bool `json:"exists"`
}

// Operations on files and folders.
var (
	Read = &op.Contract[ReadParams, ReadResult]{
		Decl: op.Decl{
			Name: "files.read", Method: "read", Access: op.Reads, Prompt: true, Contents: true,
			Summary: "Read the contents of a file.",
			Doc:     "Needs read on the file. What the caller may not see is refused alike, whether it exists or not.",
		},
		Sample: ReadParams{PathParams: PathParams{"/sample/file.txt"}, Metadata: true},
	}
	Write = &op.Contract[WriteParams, WriteResult]{
		Decl: op.Decl{
			Name: "files.write", Method: "write", Access: op.Writes,
			Summary: "Write a file, making a new version.",
			Doc:     "Needs write on the file, or on the nearest folder above one that is new. Missing folders are made. Each accepted write raises the version by one.",
		},
		Sample: WriteParams{PathParams: PathParams{"/sample/file.txt"}, Content: Bytes("new contents")},
	}
	FileExists = &op.Contract[PathParams, Exists]{
		Decl: op.Decl{
			Name: "files.exists", Method: "exists", Access: op.Reads, Prompt: true,
			Summary: "Tell whether a file or folder exists.",
			Doc:     "A folder exists for who may read it or anything below it.",
		},
		Sample: PathParams{"/sample/file.txt"},
		Hidden: func(*PathParams) Exists { return Exists{} },
	}
	GetMetadata = &op.Contract[PathParams, *Metadata]{
		Decl: op.Decl{
			Name: "files.get_metadata", Method: "get_metadata", Access: op.Reads, Prompt: true,
			Summary: "Tell size, etag, version and times of a file.",
			Doc:     "Answers null for what does not exist and for what the caller may not read.",
		},
		Sample: PathParams{"/sample/file.txt"},
		Hidden: func(*PathParams) *Metadata { return nil },
	}
	Mkdir = &op.Contract[MkdirParams, Success]{
		Decl: op.Decl{
			Name: "files.mkdir", Method: "mkdir", Access: op.Writes,
			Summary: "Make a folder.",
			Doc:     "Needs write on the nearest folder above. Who makes a folder owns it.",
		},
		Sample: MkdirParams{PathParams: PathParams{"/sample/folder/new"}, Parents: true},
	}
	List = &op.Contract[ListParams, ListResult]{
		Decl: op.Decl{
			Name: "files.list", Method: "list", Access: op.Reads, Prompt: true,
			Summary: "List what the caller may see below a folder.",
			Doc: "Each entry is decided for itself. A folder is shown when it, or anything below it, is readable. The order is that of " +
				"the bytes of paths, a folder's with a slash at its end. With limit or cursor the answer is a page, " +
				"{\"files\": […], \"next_cursor\": …, \"complete\": …}, in place of the bare list: ask again with cursor until complete is " +
				"true. A page may hold less than its limit, or nothing, when much was looked at. Each page is decided anew. " +
				"Without them a list of more than 100,000 entries is an error.",
		},
		Sample: ListParams{Path: "/sample", Recursive: true},
	}
)
