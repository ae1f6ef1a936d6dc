package mcp

import (
	"bytes"
	"encoding/json"
	"net/url"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// shapes gives the form of the results that do not travel as their JSON, by operation.
var shapes = map[string]func(arguments json.RawMessage, value any) (*sdk.CallToolResult, error){
	api.Read.Name:          shape(api.Read, readShape),
	api.List.Name:          shape(api.List, listShape),
	api.GetVersion.Name:    shape(api.GetVersion, versionShape),
	api.DiffVersions.Name:  shape(api.DiffVersions, diffShape),
	api.WorkspaceDiff.Name: shape(api.WorkspaceDiff, differenceShape),
}

func shape[P, R any](c *op.Contract[P, R], form func(arguments json.RawMessage, r R) (*sdk.CallToolResult, error)) func(json.RawMessage, any) (*sdk.CallToolResult, error) {
	return func(arguments json.RawMessage, value any) (*sdk.CallToolResult, error) {
		r, ok := value.(R)
		if !ok {
			return nil, errs.Bug("operation %s answers a %T", c.Name, value)
		}
		return form(arguments, r)
	}
}

// form returns the result of a call: as an object for programs, and as its text for models. What is no object stands in one
// under result.
func form(operation string, arguments json.RawMessage, value any) (*sdk.CallToolResult, error) {
	if f := shapes[operation]; f != nil {
		return f(arguments, value)
	}
	return plain(value)
}

func plain(value any) (*sdk.CallToolResult, error) {
	raw, err := marshal(value)
	if err != nil {
		return nil, err
	}
	structured := raw
	if raw[0] != '{' {
		structured = append(append([]byte(`{"result":`), raw...), '}')
	}
	return &sdk.CallToolResult{
		StructuredContent: json.RawMessage(structured), Content: []sdk.Content{&sdk.TextContent{Text: string(raw)}},
	}, nil
}

// marshal returns value as JSON. Models read it, so nothing is escaped that need not be.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, errs.New(errs.Internal, "a result has no JSON").Because(err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// contents describes what a file holds. The contents themselves are the text, or the resource, of the result.
type contents struct {
	Size     int           `json:"size"`
	Encoding string        `json:"encoding"` // utf-8 or base64
	Metadata *api.Metadata `json:"metadata,omitempty"`
	Text     *string       `json:"text,omitempty"`
}

func readShape(arguments json.RawMessage, r api.ReadResult) (*sdk.CallToolResult, error) {
	if r.WithMetadata {
		return contentsOf(arguments, r.Content, &r.Meta)
	}
	return contentsOf(arguments, r.Content, nil)
}

func versionShape(arguments json.RawMessage, body []byte) (*sdk.CallToolResult, error) {
	return contentsOf(arguments, body, nil)
}

// contentsOf is the text of a file that is text, and a resource for what is not.
func contentsOf(arguments json.RawMessage, body []byte, m *api.Metadata) (*sdk.CallToolResult, error) {
	out := contents{Size: len(body), Encoding: "utf-8", Metadata: m}
	if utf8.Valid(body) {
		text := string(body)
		out.Text = &text
		return &sdk.CallToolResult{StructuredContent: out, Content: []sdk.Content{&sdk.TextContent{Text: text}}}, nil
	}
	out.Encoding = "base64"
	var asked struct {
		Path string `json:"path"`
	}
	_ = json.Unmarshal(arguments, &asked) // the operation has read it
	uri := url.URL{Scheme: "nexus", Host: "files", Path: asked.Path}
	return &sdk.CallToolResult{StructuredContent: out, Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{
		URI: uri.String(), MIMEType: "application/octet-stream", Blob: body,
	}}}}, nil
}

// diffShape is the comparison as text where that was asked for.
func diffShape(_ json.RawMessage, r api.DiffResult) (*sdk.CallToolResult, error) {
	if r.Mode != api.DiffContent {
		return plain(r)
	}
	return &sdk.CallToolResult{
		StructuredContent: map[string]string{"diff": r.Text}, Content: []sdk.Content{&sdk.TextContent{Text: r.Text}},
	}, nil
}

// difference says by path what changed between two snapshots.
type difference struct {
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`
	Modified  []string `json:"modified"`
	Unchanged int      `json:"unchanged"`
	Hidden    int      `json:"hidden"` // what the caller may not read now
}

func differenceShape(_ json.RawMessage, r api.Difference) (*sdk.CallToolResult, error) {
	return plain(difference{pathsOf(r.Added), pathsOf(r.Removed), pathsOf(r.Modified), r.Unchanged, r.Hidden})
}

func pathsOf(all []api.FileChange) []string {
	paths := make([]string, len(all))
	for i, c := range all {
		paths[i] = c.Path
	}
	return paths
}

// listing is a list of a folder: paths, folders with a slash at the end, or what is known of each.
type listing struct {
	Paths   []string       `json:"paths,omitempty"`
	Entries []api.Metadata `json:"entries,omitempty"`
	Count   int            `json:"count"`
}

func listShape(_ json.RawMessage, r api.ListResult) (*sdk.CallToolResult, error) {
	out := listing{Count: len(r.Entries)}
	if r.Details {
		out.Entries = r.Entries
		return plain(out)
	}
	for _, e := range r.Entries {
		if e.IsDirectory && e.Path != "/" {
			e.Path += "/"
		}
		out.Paths = append(out.Paths, e.Path)
	}
	return plain(out)
}
