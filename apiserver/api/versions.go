package api

import (
	"time"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// VersionParams name one version of a file.
type VersionParams struct {
	PathParams
	Version int64 `json:"version" need:"required" audit:"plain" doc:"number of the version"`
}

// ListVersionsParams are those of versions.list.
type ListVersionsParams struct {
	PathParams
	Limit  int    `json:"limit" doc:"versions of a page, at most 1000; with it, or with a cursor, the answer is a page"`
	Cursor string `json:"cursor" doc:"next_cursor of the page before"`
}

// Paged reports whether the caller asks for a page rather than for all.
func (p *ListVersionsParams) Paged() bool { return p.Limit > 0 || p.Cursor != "" }

// Version is one version of a file, under the document's names and the client's.
type Version struct {
	Number    int64     `json:"version"`
	Etag      string    `json:"etag"`
	Hash      string    `json:"content_hash"`
	Size      int64     `json:"size"`
	Modified  Time      `json:"modified_at"`
	Created   TypedTime `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// ListVersionsResult is versions of a file, the newest first.
type ListVersionsResult struct {
	Versions   []Version `json:"versions"`
	NextCursor string    `json:"next_cursor,omitempty"`
	Complete   bool      `json:"complete"` // nothing follows
	Paged      bool      `json:"-"`        // the caller asked for a page
}

// DiffParams are those of versions.diff.
type DiffParams struct {
	PathParams
	V1   int64  `json:"v1" need:"required" audit:"plain" doc:"number of the one version"`
	V2   int64  `json:"v2" need:"required" audit:"plain" doc:"number of the other"`
	Mode string `json:"mode" doc:"metadata or content (default: metadata)"`
}

// Defaults are those of the document.
func (p *DiffParams) Defaults() { p.Mode = DiffMetadata }

// Modes of a comparison.
const (
	DiffMetadata = "metadata" // what is known of the two
	DiffContent  = "content"  // a unified diff of their lines
)

// Clean refuses modes that there are not.
func (p *DiffParams) Clean() error {
	if p.Mode != DiffMetadata && p.Mode != DiffContent {
		return errs.New(errs.Invalid, "mode must be metadata or content")
	}
	return p.PathParams.Clean()
}

// DiffResult is the comparison of two versions: Text in mode content, the rest in mode metadata.
type DiffResult struct {
	Mode    string    `json:"-"`
	Text    string    `json:"-"`
	Hash1   string    `json:"content_hash_v1"`
	Hash2   string    `json:"content_hash_v2"`
	Changed bool      `json:"content_changed"`
	Size1   int64     `json:"size_v1"`
	Size2   int64     `json:"size_v2"`
	Delta   int64     `json:"size_delta"`
	Made1   TypedTime `json:"created_at_v1"`
	Made2   TypedTime `json:"created_at_v2"`
}

// TypedTime is a time in the form {"__type__":"datetime","data":"…"}, which the Python client turns into one of its own.
type TypedTime struct{ time.Time }

// WireType names the form for help texts.
func (TypedTime) WireType() string { return "datetime" }

// MarshalJSON writes the typed form, and null for the zero time.
func (t TypedTime) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().Truncate(time.Microsecond).AppendFormat(nil, `{"__type__":"datetime","data":"2006-01-02T15:04:05.999999+00:00"}`), nil
}

// UnmarshalJSON reads either form of a time.
func (t *TypedTime) UnmarshalJSON(raw []byte) error {
	var plain Time
	err := plain.UnmarshalJSON(raw)
	t.Time = plain.Time
	return err
}

// Operations on the versions of a file.
var (
	GetVersion = &op.Contract[VersionParams, []byte]{
		Decl: op.Decl{
			Name: "versions.get", Method: "get_version", Access: op.Reads, Prompt: true, Contents: true,
			Summary: "Read the contents of one version of a file.",
			Doc:     "Needs read on the file as it is now.",
		},
		Sample: VersionParams{PathParams{"/sample/file.txt"}, 1},
	}
	ListVersions = &op.Contract[ListVersionsParams, ListVersionsResult]{
		Decl: op.Decl{
			Name: "versions.list", Method: "list_versions", Access: op.Reads, Prompt: true,
			Summary: "List the versions of a file, the newest first.",
			Doc:     "Needs read on the file.",
		},
		Sample: ListVersionsParams{PathParams: PathParams{"/sample/file.txt"}},
	}
	Rollback = &op.Contract[VersionParams, WriteResult]{
		Decl: op.Decl{
			Name: "versions.rollback", Method: "rollback", Access: op.Writes,
			Summary: "Make an earlier version of a file the newest again.",
			Doc:     "Needs write on the file. It makes a new version: none is lost.",
		},
		Sample: VersionParams{PathParams{"/sample/file.txt"}, 1},
	}
	DiffVersions = &op.Contract[DiffParams, DiffResult]{
		Decl: op.Decl{
			Name: "versions.diff", Method: "diff_versions", Access: op.Reads, Prompt: true, Contents: true,
			Summary: "Compare two versions of a file.",
			Doc:     "Needs read on the file. Mode content answers a unified diff of texts up to 1 MiB.",
		},
		Sample: DiffParams{PathParams{"/sample/file.txt"}, 1, 1, DiffContent},
	}
)
