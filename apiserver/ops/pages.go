package ops

import (
	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
)

// pages are the cursors of one question: an operation, who asks it, and what he asks for.
type pages struct {
	cursors  *cursor.Sealer
	question string
}

// about returns the cursors of an operation's list for who; parameters are those that must stay the same from page to page.
func about(cursors *cursor.Sealer, operation string, who authz.Principal, parameters ...string) pages {
	question := operation + "\n" + who.Tenant + "\n" + who.Base.String()
	for _, p := range parameters {
		question += "\n" + p
	}
	return pages{cursors, question}
}

// resume puts where the page of p begins into place, which stays as it is for the first page.
func (a pages) resume(p *api.PageParams, place any) error {
	if p.Cursor == "" {
		return nil
	}
	return a.cursors.Open(a.question, p.Cursor, place)
}

// page returns what a page says of itself that ends at place.
func (a pages) page(p *api.PageParams, place any, more bool) (api.Page, error) {
	if !more {
		return p.Last(), nil
	}
	next, err := a.cursors.Seal(a.question, place)
	return api.Page{Next: next, Paged: p.Paged()}, err
}
