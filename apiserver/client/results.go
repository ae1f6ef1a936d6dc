package client

import (
	"encoding/json"
	"strings"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
)

// results reads the answers that travel in another form than the result, by operation.
var results = collect(
	result(api.Read, readResult),
	result(api.FileExists, existsResult),
	result(api.List, listResult),
	result(api.IsDir, isDirResult),
	result(api.GetVersion, versionResult),
	result(api.ListVersions, versionsResult),
	result(api.DiffVersions, diffResult),
	result(api.Glob, globResult),
	result(api.Grep, grepResult),
)

// row is one line of the table.
type row struct {
	operation string
	read      func(params any, raw json.RawMessage) (any, error)
}

// result is the row of contract c.
func result[P, R any](c *op.Contract[P, R], read func(P, json.RawMessage) (R, error)) row {
	return row{c.Name, func(params any, raw json.RawMessage) (any, error) { return read(params.(P), raw) }}
}

func collect(rows ...row) map[string]func(any, json.RawMessage) (any, error) {
	table := make(map[string]func(any, json.RawMessage) (any, error), len(rows))
	for _, r := range rows {
		table[r.operation] = r.read
	}
	return table
}

// decode returns the result of a call.
func decode[P, R any](c *op.Contract[P, R], params P, raw json.RawMessage) (r R, err error) {
	read, ok := results[c.Name]
	if !ok {
		if err := json.Unmarshal(raw, &r); err != nil {
			return r, strange(err)
		}
		return r, nil
	}
	v, err := read(params, raw)
	if err != nil {
		return r, strange(err)
	}
	return v.(R), nil
}

func readResult(p api.ReadParams, raw json.RawMessage) (api.ReadResult, error) {
	var wire struct {
		Content  []byte       `json:"content"`
		Metadata api.Metadata `json:"metadata"`
	}
	err := json.Unmarshal(raw, &wire)
	return api.ReadResult{Content: wire.Content, WithMetadata: p.Metadata, Meta: wire.Metadata}, err
}

func existsResult(_ api.PathParams, raw json.RawMessage) (r api.Exists, err error) {
	return r, json.Unmarshal(raw, &r.Exists)
}

func isDirResult(_ api.PathParams, raw json.RawMessage) (r api.IsDirectory, err error) {
	return r, json.Unmarshal(raw, &r.IsDirectory)
}

func versionResult(_ api.VersionParams, raw json.RawMessage) ([]byte, error) {
	var wire struct {
		Content []byte `json:"content"`
	}
	err := json.Unmarshal(raw, &wire)
	return wire.Content, err
}

func versionsResult(p api.ListVersionsParams, raw json.RawMessage) (r api.ListVersionsResult, err error) {
	if p.Paged() {
		err = json.Unmarshal(raw, &r)
		r.Paged = true
		return r, err
	}
	r.Complete = true
	return r, json.Unmarshal(raw, &r.Versions)
}

func diffResult(p api.DiffParams, raw json.RawMessage) (r api.DiffResult, err error) {
	r.Mode = p.Mode
	if p.Mode == api.DiffContent {
		return r, json.Unmarshal(raw, &r.Text)
	}
	return r, json.Unmarshal(raw, &r)
}

// listResult reads a page where one was asked for, and otherwise the whole list.
func listResult(p api.ListParams, raw json.RawMessage) (api.ListResult, error) {
	if !p.Paged() {
		r, err := entriesResult(p, raw)
		r.Complete = true
		return r, err
	}
	var page struct {
		Files    json.RawMessage `json:"files"`
		Next     string          `json:"next_cursor"`
		Complete bool            `json:"complete"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return api.ListResult{}, err
	}
	r, err := entriesResult(p, page.Files)
	r.Paged, r.Next, r.Complete = true, page.Next, page.Complete
	return r, err
}

// entriesResult reads paths, or objects when details were asked for. A slash at the end marks a folder, and is no part of its
// path.
func entriesResult(p api.ListParams, raw json.RawMessage) (api.ListResult, error) {
	r := api.ListResult{Details: p.Details}
	if p.Details {
		err := json.Unmarshal(raw, &r.Entries)
		for i := range r.Entries {
			r.Entries[i].Path, _ = withoutSlash(r.Entries[i].Path)
		}
		return r, err
	}
	var paths []string
	err := json.Unmarshal(raw, &paths)
	r.Entries = make([]api.Metadata, len(paths))
	for i, path := range paths {
		r.Entries[i].Path, r.Entries[i].IsDirectory = withoutSlash(path)
	}
	return r, err
}

// globResult reads paths, or a page of them.
func globResult(p api.GlobParams, raw json.RawMessage) (api.GlobResult, error) {
	if p.Paged() {
		r := api.GlobResult{Paged: true}
		err := json.Unmarshal(raw, &r)
		return r, err
	}
	r := api.GlobResult{Complete: true}
	err := json.Unmarshal(raw, &r.Matches)
	return r, err
}

// grepResult reads lines, or a page of them. A bare list that is as long as was asked for may have been cut.
func grepResult(p api.GrepParams, raw json.RawMessage) (api.GrepResult, error) {
	if p.Paged || p.Cursor != "" {
		r := api.GrepResult{Paged: true}
		err := json.Unmarshal(raw, &r)
		return r, err
	}
	var r api.GrepResult
	err := json.Unmarshal(raw, &r.Results)
	r.Truncated = len(r.Results) == p.MaxResults
	return r, err
}

func withoutSlash(path string) (clean string, folder bool) {
	if path == "/" {
		return path, true
	}
	return strings.CutSuffix(path, "/")
}
