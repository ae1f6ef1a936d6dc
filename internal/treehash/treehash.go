// Package treehash is the hash of a tree of files: two trees have the same when they hold the same names with the same contents,
// wherever they stand. It reads no storage.
//
// The hash of a file is the SHA-256 of its contents. That of a folder is the SHA-256 of the line "nexus/tree/v1" and one line for
// each thing that stands directly in it, in order of the bytes of their names:
//
//	file <hash of the file> <name>
//	folder <hash of the folder> <name>
//
// Each line ends in a line feed, hashes are 64 lower-case hexadecimal digits, and names are UTF-8 in normal form C. Times, types,
// owners and versions are no part of it; an empty folder is one.
package treehash

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"slices"
	"strings"

	"nexus/internal/errs"
	"nexus/internal/paths"
)

// Entry is what stands directly in a folder.
type Entry struct {
	Name   string
	Folder bool
	Hash   string // hexadecimal
}

// Of returns the hash of a folder, hexadecimal. It brings entries into order.
func Of(entries []Entry) string {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	_, _ = io.WriteString(h, "nexus/tree/v1\n") // a hash takes everything
	for _, e := range entries {
		kind := "file "
		if e.Folder {
			kind = "folder "
		}
		_, _ = io.WriteString(h, kind+e.Hash+" "+e.Name+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// OfFolder returns the hash of a folder of fsys, such as "." of os.DirFS. What is neither a folder nor a regular file is left
// out; a name that no path can hold is errs.InvalidPath.
func OfFolder(fsys fs.FS, folder string) (string, error) {
	found, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return "", errs.New(errs.Invalid, "the folder cannot be read").Because(err)
	}
	var all []Entry
	for _, f := range found {
		if !f.IsDir() && !f.Type().IsRegular() {
			continue
		}
		e, err := entry(fsys, folder, f)
		if err != nil {
			return "", err
		}
		all = append(all, e)
	}
	return Of(all), nil
}

func entry(fsys fs.FS, folder string, f fs.DirEntry) (Entry, error) {
	clean, err := paths.Clean(paths.Root + f.Name())
	if err != nil {
		return Entry{}, err
	}
	e, at := Entry{Name: clean[1:], Folder: f.IsDir()}, f.Name()
	if folder != "." {
		at = folder + "/" + at
	}
	if e.Folder {
		e.Hash, err = OfFolder(fsys, at)
	} else {
		e.Hash, err = ofFile(fsys, at)
	}
	return e, err
}

func ofFile(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", errs.New(errs.Invalid, "%s cannot be read", name).Because(err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	_ = f.Close() // it was read only
	if err != nil {
		return "", errs.New(errs.Invalid, "%s cannot be read", name).Because(err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
