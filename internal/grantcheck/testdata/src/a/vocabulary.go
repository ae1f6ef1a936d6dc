package a

import "nexus/authzsvc/authz"

type File struct{ Path string }

func (File) Named() string { return "" }

type fileRead struct{}

func (fileRead) Of(File) string { return "read" }

type (
	ReadFile  = authz.Grant[fileRead, File]
	ReadFiles = authz.Scope[fileRead, File]
)
