package authzsvc

import (
	"testing"

	"nexus/authzsvc/internal/sqlds"
)

// TestTreeReadsManyAtOnce: without it a list of a rooted mandate would cost a read for each member.
func TestTreeReadsManyAtOnce(t *testing.T) {
	if _, ok := new(sqlds.Datastore).Reader().(manyReader); !ok {
		t.Error("the reader of relationships does not offer what the tree asks it for")
	}
}
