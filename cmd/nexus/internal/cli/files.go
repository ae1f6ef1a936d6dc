package cli

import (
	"context"
	"io"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
)

// show writes a file's contents to out. What is too long for a call is streamed.
func show(ctx context.Context, c *client.Client, path string, out io.Writer) error {
	r, err := client.Call(ctx, c, api.Read, api.ReadParams{PathParams: api.PathParams{Path: path}})
	if client.IsTooLong(err) {
		_, err = c.Download(ctx, path, out)
		return err
	}
	if err == nil {
		_, err = out.Write(r.Content)
	}
	return err
}
