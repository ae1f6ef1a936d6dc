package a

import "nexus/authzsvc/authz"

var (
	last    ReadFile            // want `package variable last keeps a grant` `variable of a\.ReadFile`
	pointer *ReadFile           // want `package variable pointer keeps a grant`
	byName  map[string]ReadFile // want `package variable byName keeps a grant`
	made    = unnamedMap()      // want `package variable made keeps a grant`
	count   int
)

func unnamedMap() map[string]renameGrant { return nil }

type renameGrant struct {
	What ReadFile
	Into ReadFile
	N    int
}

type RenameGrant struct {
	What ReadFile
}

type Rename struct {
	What ReadFile // want `field keeps a grant`
	Walk *walk    // want `field keeps a grant`
}

type walk struct {
	scope ReadFiles
	found []string
}

type keeper struct {
	w *walk
	g []ReadFile // want `field keeps a grant`
}

type handler struct {
	g    ReadFile // want `field keeps a grant`
	p    *ReadFiles
	all  []renameGrant // want `field keeps a grant`
	call func(ReadFile) error
	n    int
}

type grants struct {
	inner struct {
		g ReadFile // want `field keeps a grant`
	}
	authz.Pair[ReadFile, int] // want `field keeps a grant`
}

type mine ReadFile // want `type mine is made of a\.ReadFile`

type alias = ReadFile
