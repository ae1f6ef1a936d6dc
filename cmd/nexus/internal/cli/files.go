package cli

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
)

// read returns a file's contents.
func read(ctx context.Context, c *client.Client, path string) (api.ReadResult, error) {
	return client.Call(ctx, c, api.Read, api.ReadParams{PathParams: api.PathParams{Path: path}})
}

// list returns what the caller may see below path, with metadata.
func list(ctx context.Context, c *client.Client, path string, recursive bool) ([]api.Metadata, error) {
	r, err := client.Call(ctx, c, api.List, api.ListParams{Path: path, Recursive: recursive, Details: true})
	return r.Entries, err
}
