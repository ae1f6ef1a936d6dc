package api

import "nexus/internal/errs"

// MaxPage is the longest page of a list.
const MaxPage = 1000

// PageParams ask for a page of a list.
type PageParams struct {
	Limit  int    `json:"limit" audit:"plain" doc:"page size, at most 1000"`
	Cursor string `json:"cursor" doc:"next_cursor of the page before"`
}

// Clean refuses page sizes that are none.
func (p *PageParams) Clean() error {
	if p.Limit < 0 || p.Limit > MaxPage {
		return errs.New(errs.Invalid, "limit must be 1 to %d", MaxPage).Marked(errs.NotValid)
	}
	return nil
}

// Paged reports whether a page was asked for, and not everything.
func (p *PageParams) Paged() bool { return p.Limit > 0 || p.Cursor != "" }

// Size returns how long the page may be.
func (p *PageParams) Size() int {
	if p.Limit == 0 {
		return 100
	}
	return p.Limit
}

// Last returns what a page says of itself that no other follows.
func (p *PageParams) Last() Page { return Page{Complete: true, Paged: p.Paged()} }

// Page is what a page says of itself.
type Page struct {
	Next     string `json:"next_cursor,omitempty"` // to be sent as cursor for the page behind this one
	Complete bool   `json:"complete"`              // whether no page follows
	Paged    bool   `json:"-"`                     // whether a page was asked for
}
