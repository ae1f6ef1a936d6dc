// Package paths says what a path is. It cleans what can be cleaned without changing what is meant, and refuses the rest;
// nothing behind the API's edge sees a path that did not go through Clean.
package paths

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"nexus/internal/errs"
)

// Limits of a path.
const (
	MaxLength    = 4096 // bytes, of a whole path
	MaxComponent = 255  // bytes, of one component
	MaxDepth     = 100  // components (architecture.md, Limits)
)

// Root is the path of a tenant's root folder.
const Root = "/"

// Clean returns path in the one form used inside: absolute, components joined by single slashes, no slash at the end,
// Unicode in normal form C. It refuses, as errs.InvalidPath: "." and ".." components, control characters, text that is not
// UTF-8, components that begin or end with a space, and what is too long or too deep.
func Clean(path string) (string, error) {
	switch {
	case path == "":
		return "", bad(path, "is empty")
	case !utf8.ValidString(path):
		return "", bad(strings.ToValidUTF8(path, "?"), "is not UTF-8")
	case strings.IndexFunc(path, unicode.IsControl) >= 0:
		return "", bad(path, "has a control character")
	}
	var parts []string
	for part := range strings.SplitSeq(norm.NFC.String(path), "/") {
		if part == "" {
			continue
		}
		if err := component(path, part); err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	clean := Root + strings.Join(parts, "/")
	switch {
	case len(clean) > MaxLength:
		return "", bad(clean[:64]+"…", "is longer than 4096 bytes")
	case len(parts) > MaxDepth:
		return "", bad(clean[:64]+"…", "is deeper than 100 components")
	}
	return clean, nil
}

// Prefix returns the beginning of a path in the form that Clean gives paths. It refuses, as errs.InvalidPath, what no path
// can begin with: control characters, and text that is not UTF-8.
func Prefix(prefix string) (string, error) {
	switch {
	case !utf8.ValidString(prefix):
		return "", bad(strings.ToValidUTF8(prefix, "?"), "is not UTF-8")
	case strings.IndexFunc(prefix, unicode.IsControl) >= 0:
		return "", bad(prefix, "has a control character")
	}
	return norm.NFC.String(prefix), nil
}

func component(path, part string) error {
	switch {
	case part == "." || part == "..":
		return bad(path, "has a component "+part)
	case strings.TrimSpace(part) != part:
		return bad(path, "has a component with a space at its start or end")
	case len(part) > MaxComponent:
		return bad(path[:min(len(path), 64)]+"…", "has a component longer than 255 bytes")
	}
	return nil
}

func bad(path, what string) error {
	return errs.New(errs.Invalid, "path %q %s", path, what).Marked(errs.InvalidPath)
}

// Split returns the folder a clean path stands in and its name there. The root has no name.
func Split(path string) (folder, name string) {
	if path == Root {
		return Root, ""
	}
	i := strings.LastIndexByte(path, '/')
	if i == 0 {
		return Root, path[1:]
	}
	return path[:i], path[i+1:]
}

// Join returns the clean path of name, which may itself be a path, below folder.
func Join(folder, name string) string {
	if folder == Root {
		return Root + name
	}
	return folder + "/" + name
}
