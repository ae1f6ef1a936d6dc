package client

import (
	"context"
	"errors"
	"iter"

	"nexus/apiserver/api"
)

// Entries walks through what the caller may see below a folder, page by page, in the order of the list. p.Limit is the number
// of entries the client asks for at a time (0: the server's), p.Cursor where it begins. Each page is decided when it is asked
// for. An error ends the walk, and comes with no entry.
func Entries(ctx context.Context, c *Client, p api.ListParams) iter.Seq2[api.Metadata, error] {
	return func(yield func(api.Metadata, error) bool) {
		if p.Limit == 0 {
			p.Limit = api.DefaultListLimit
		}
		for {
			page, err := Call(ctx, c, api.List, p)
			if err != nil {
				yield(api.Metadata{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if page.Complete {
				return
			}
			if page.Next == "" {
				yield(api.Metadata{}, strange(errors.New("a page that is not the last has no cursor")))
				return
			}
			p.Cursor = page.Next
		}
	}
}
