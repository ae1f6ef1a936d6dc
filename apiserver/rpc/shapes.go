package rpc

import (
	"strings"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// ask is what the form of an answer depends on beside the result.
type ask struct {
	client bool // the Python client's dialect
	uuid   bool // the call's id is a UUID, as that client's are, whatever the dialect
}

// shapes gives the wire form of the results that do not travel as they are, by operation.
var shapes = collect(
	shape(api.Read, readShape),
	shape(api.FileExists, existsShape),
	shape(api.IsDir, isDirShape),
	shape(api.GetMetadata, metadataShape),
	shape(api.List, listShape),
	shape(api.GetVersion, func(_ ask, body []byte) any { return hybridBytes(body) }),
	shape(api.ListVersions, versionsShape),
	shape(api.DiffVersions, diffShape),
	shape(api.WorkspaceDiff, differenceShape),
	shape(api.Glob, globShape),
	row{api.Grep.Name, grepShape},
	shape(api.Check, checkShape),
	shape(api.Expand, expandShape),
	shape(api.Tuples, tuplesShape),
	shape(api.ListAgents, agentsShape),
)

// row is one line of the table.
type row struct {
	operation string
	form      func(a ask, result any) (any, error)
}

// shape is the row of contract c.
func shape[P, R any](c *op.Contract[P, R], form func(a ask, result R) any) row {
	return row{c.Name, func(a ask, result any) (any, error) {
		r, ok := result.(R)
		if !ok {
			return nil, errs.Bug("operation %s answers a %T", c.Name, result)
		}
		return form(a, r), nil
	}}
}

func collect(rows ...row) map[string]func(ask, any) (any, error) {
	table := make(map[string]func(ask, any) (any, error), len(rows))
	for _, r := range rows {
		table[r.operation] = r.form
	}
	return table
}

// readShape serves both dialects: to every version of the client it is the bytes themselves, to readers of the document an
// object with content and encoding.
func readShape(_ ask, r api.ReadResult) any {
	if r.Content == nil {
		r.Content = []byte{} // empty, not null
	}
	if !r.WithMetadata {
		return hybridBytes(r.Content)
	}
	return &contents{
		Content: r.Content, Encoding: "base64", Metadata: entryOf(r.Meta, false),
		Etag: r.Meta.Etag, Version: r.Meta.Version, Size: r.Meta.Size, Modified: r.Meta.Modified,
	}
}

// contents are a file's contents with its metadata, in the document's place and flat.
type contents struct {
	Content  []byte   `json:"content"`
	Encoding string   `json:"encoding"`
	Metadata entry    `json:"metadata"`
	Etag     string   `json:"etag"`
	Version  int64    `json:"version"`
	Size     int64    `json:"size"`
	Modified api.Time `json:"modified_at"`
}

func existsShape(a ask, r api.Exists) any {
	if a.client {
		return r
	}
	return r.Exists
}

func isDirShape(a ask, r api.IsDirectory) any {
	if a.client {
		return r
	}
	return r.IsDirectory
}

func versionsShape(_ ask, r api.ListVersionsResult) any {
	if r.Paged {
		return r
	}
	return r.Versions
}

func diffShape(_ ask, r api.DiffResult) any {
	if r.Mode == api.DiffContent {
		return r.Text
	}
	return r
}

// difference is what both dialects say of two snapshots.
type difference struct {
	One       api.Snapshot `json:"snapshot_1"`
	Two       api.Snapshot `json:"snapshot_2"`
	Added     any          `json:"added"`
	Modified  any          `json:"modified"`
	Unchanged int          `json:"unchanged"`
	Hidden    int          `json:"hidden"`
	Deleted   []string     `json:"deleted,omitempty"` // in the document's dialect
	Removed   any          `json:"removed,omitempty"` // in the client's
	Summary   *summary     `json:"summary,omitempty"`
}

type summary struct {
	Added    int `json:"added_count"`
	Modified int `json:"modified_count"`
	Deleted  int `json:"deleted_count"`
}

// changedFile is a file of a difference as the client reads it, by its path below the workspace.
type changedFile struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	OldSize int64  `json:"old_size"`
	NewSize int64  `json:"new_size"`
	OldHash string `json:"old_hash,omitempty"`
	NewHash string `json:"new_hash,omitempty"`
}

func differenceShape(a ask, r api.Difference) any {
	d := difference{One: r.One, Two: r.Two, Unchanged: r.Unchanged, Hidden: r.Hidden}
	if a.client {
		d.Added, d.Modified, d.Removed = changedFiles(r.Root, r.Added), changedFiles(r.Root, r.Modified), changedFiles(r.Root, r.Removed)
		return d
	}
	d.Added, d.Modified, d.Deleted = changedPaths(r.Added), changedPaths(r.Modified), changedPaths(r.Removed)
	d.Summary = &summary{len(r.Added), len(r.Modified), len(r.Removed)}
	return struct {
		difference
		Deleted []string `json:"deleted"`
	}{d, d.Deleted}
}

func changedPaths(all []api.FileChange) []string {
	list := make([]string, len(all))
	for i, c := range all {
		list[i] = c.Path
	}
	return list
}

func changedFiles(root string, all []api.FileChange) []changedFile {
	list := make([]changedFile, len(all))
	for i, c := range all {
		list[i] = changedFile{
			Path: strings.TrimPrefix(strings.TrimPrefix(c.Path, root), "/"), Size: max(c.NewSize, c.OldSize),
			OldSize: c.OldSize, NewSize: c.NewSize, OldHash: c.OldHash, NewHash: c.NewHash,
		}
	}
	return list
}

// entry is what is known of a file or folder, under the document's names and the client's.
type entry struct {
	api.Metadata
	MimeType string `json:"mime_type,omitempty"`
}

// entryOf returns m for the wire. The document writes folders with a slash at the end in lists.
func entryOf(m api.Metadata, slash bool) entry {
	if slash {
		m.Path = withSlash(m)
	}
	return entry{m, m.ContentType}
}

// described is metadata for both dialects: flat, and again where the client looks for it.
type described struct {
	entry
	Metadata entry `json:"metadata"`
}

func metadataShape(a ask, m *api.Metadata) any {
	switch {
	case m != nil:
		e := entryOf(*m, false)
		return described{e, e}
	case a.client:
		return struct {
			Metadata *entry `json:"metadata"`
		}{}
	}
	return nil
}

func listShape(a ask, r api.ListResult) any {
	var list any
	if r.Details {
		list = entries(r.Entries, !a.client)
	} else {
		list = names(r.Entries, !a.client)
	}
	switch {
	case r.Paged:
		return listPage{list, r.Next, r.Complete}
	case a.client:
		return struct {
			Files any `json:"files"`
		}{list}
	}
	return list
}

// listPage is a page of a list in both dialects.
type listPage struct {
	Files    any    `json:"files"`
	Next     string `json:"next_cursor,omitempty"`
	Complete bool   `json:"complete"`
}

func entries(all []api.Metadata, slash bool) []entry {
	list := make([]entry, len(all))
	for i, m := range all {
		list[i] = entryOf(m, slash)
	}
	return list
}

func names(all []api.Metadata, slash bool) []string {
	list := make([]string, len(all))
	for i, m := range all {
		list[i] = m.Path
		if slash {
			list[i] = withSlash(m)
		}
	}
	return list
}

func withSlash(m api.Metadata) string {
	if m.IsDirectory && m.Path != "/" {
		return m.Path + "/"
	}
	return m.Path
}

func globShape(a ask, r api.GlobResult) any {
	if r.Matches == nil {
		r.Matches = []string{}
	}
	if a.client || r.Paged {
		return r
	}
	return r.Matches
}

// grepShape says that an answer was cut wherever it has the place to say so. A bare list has none: one that is as long as was
// asked for speaks for itself, and a shorter one is no answer.
func grepShape(a ask, result any) (any, error) {
	r, ok := result.(api.GrepResult)
	switch {
	case !ok:
		return nil, errs.Bug("operation %s answers a %T", api.Grep.Name, result)
	case a.client || r.Paged:
		return r, nil
	case r.Truncated && r.Reason != cutAtMax:
		return nil, errs.New(errs.Exhausted, "the search was cut (%s): ask with paged for what was found, or for less", r.Reason).Marked(errs.NotValid).With("reason", r.Reason)
	}
	return r.Results, nil
}

// cutAtMax is the reason of an answer that is as long as was asked for.
const cutAtMax = "max_results"

// checkShape never lets a refusal look like a permission: the client takes any object for true, so what may be the client
// gets a bare false, even in the document's dialect.
func checkShape(a ask, r api.Allowed) any {
	if a.client || a.uuid && !r.Allowed {
		return r.Allowed
	}
	return r
}

func expandShape(a ask, r api.Subjects) any {
	if r.Subjects == nil {
		r.Subjects = []api.Ref{}
	}
	if a.client {
		return r.Subjects
	}
	return r
}

// tuplesShape is the bare list that both dialects read, unless a page was asked for.
func tuplesShape(_ ask, r api.TupleList) any {
	if r.Paged {
		return r
	}
	return r.Tuples
}

// agentsShape is the bare list that both dialects read, unless a page was asked for.
func agentsShape(_ ask, r api.AgentList) any {
	if r.Paged {
		return r
	}
	return r.Agents
}
