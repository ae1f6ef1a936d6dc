package api

import (
	"nexus/apiserver/op"
	"nexus/internal/paths"
)

// GlobParams are those of files.glob.
type GlobParams struct {
	Pattern string `json:"pattern" need:"required" audit:"plain" doc:"pattern of paths below path: * and ? and [a-z] within a component, ** for any number of components, {a,b} for either"`
	Path    string `json:"path" audit:"plain" doc:"folder (default: /)"`
	Limit   int    `json:"limit" doc:"matches of a page, at most 1000; with it, or with a cursor, the answer is a page"`
	Cursor  string `json:"cursor" doc:"next_cursor of the page before"`
}

// Clean brings the path into its one form.
func (p *GlobParams) Clean() error {
	if p.Path == "" {
		p.Path = paths.Root
	}
	return cleanPaths(&p.Path)
}

// Paged reports whether the caller asks for a page rather than for all.
func (p *GlobParams) Paged() bool { return p.Limit > 0 || p.Cursor != "" }

// GlobResult is paths that match, in order of their bytes.
type GlobResult struct {
	Paged      bool     `json:"-"`
	Matches    []string `json:"matches"`
	NextCursor string   `json:"next_cursor,omitempty"`
	Complete   bool     `json:"complete"` // nothing follows
}

// GrepParams are those of files.grep.
type GrepParams struct {
	Pattern     string `json:"pattern" need:"required" audit:"hash" doc:"regular expression (RE2), held against each line"`
	Path        string `json:"path" audit:"plain" doc:"folder or file (default: /)"`
	FilePattern string `json:"file_pattern" audit:"plain" doc:"only files that match this pattern of paths; one without a slash means names at any depth"`
	IgnoreCase  bool   `json:"ignore_case" doc:"upper and lower case are the same (default: false)"`
	MaxResults  int    `json:"max_results" doc:"lines, at most 10000 (default: 1000)"`
	SearchMode  string `json:"search_mode" doc:"accepted for compatibility: there is one mode"`
	Paged       bool   `json:"paged" doc:"answer an object that says whether the search was cut, and where to go on (default: false)"`
	Cursor      string `json:"cursor" doc:"next_cursor of the page before"`
}

// Defaults are those of the document.
func (p *GrepParams) Defaults() { p.Path, p.MaxResults = paths.Root, 1000 }

// Clean brings the path into its one form.
func (p *GrepParams) Clean() error {
	if p.Path == "" {
		p.Path = paths.Root
	}
	p.Paged = p.Paged || p.Cursor != ""
	return cleanPaths(&p.Path)
}

// GrepMatch is the first match on a line of a file.
type GrepMatch struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Content string `json:"content"`
	Match   string `json:"match"`
	Cut     bool   `json:"cut,omitempty"` // the line, or the match, is longer than shown
}

// GrepResult is what was found, in order of path and line.
type GrepResult struct {
	Paged     bool        `json:"-"`
	Results   []GrepMatch `json:"results"`
	Truncated bool        `json:"truncated"`        // not everything was searched, or shown
	Reason    string      `json:"reason,omitempty"` // why: max_results, time, bytes or unreadable
	// NextCursor goes on where the search was cut. A truncated answer without one left out what no search will show.
	NextCursor string `json:"next_cursor,omitempty"`
}

// Operations that search files.
var (
	Glob = &op.Contract[GlobParams, GlobResult]{
		Decl: op.Decl{
			Name: "files.glob", Method: "glob", Access: op.Reads, Prompt: true,
			Summary: "Find files by their paths.",
			Doc:     "Each file is decided for itself. A pattern that begins with a slash is held against whole paths, and finds what is below path.",
		},
		Sample: GlobParams{Pattern: "**/*.txt", Path: "/sample"},
	}
	Grep = &op.Contract[GrepParams, GrepResult]{
		Decl: op.Decl{
			Name: "files.grep", Method: "grep", Access: op.Reads, Prompt: true,
			Summary: "Find lines of files by a regular expression.",
			Doc: "Each file is decided for itself before it is read; one whose values are to be masked is left out. Binary files are not searched, and lines beyond 16 KiB in pieces. " +
				"A search that takes longer than some seconds is cut: with paged it answers what it found and where to go on, otherwise only an answer cut at max_results is given.",
		},
		Sample: GrepParams{Pattern: "sam[a-z]le", Path: "/sample", MaxResults: 100},
	}
)
