package rego

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"nexus/internal/errs"
)

// A directory of policies is kept by hand, or by a server that bundles are installed on: then its .bundles folder has one
// folder a bundle, named by its digest, and current names the one in force and the one before it.
const (
	bundlesDir  = ".bundles"
	currentFile = "current"
)

// Limits of what is installed at once.
const (
	maxFiles = 200
	maxBytes = 1 << 20
)

// pathForm is what the path of an installed module looks like.
var pathForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,8}[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.rego$`)

// CheckFiles refuses files that cannot be installed, whatever they say.
func CheckFiles(files map[string]string) error {
	if len(files) > maxFiles {
		return errs.New(errs.Invalid, "a bundle has at most %d files, not %d", maxFiles, len(files)).Marked(errs.NotValid)
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !pathForm.MatchString(name) {
			return errs.New(errs.Invalid, "%q is no path of a file of a bundle, such as rules/office_hours.rego", name).Marked(errs.NotValid)
		}
		size += len(files[name])
	}
	if size > maxBytes {
		return errs.New(errs.Invalid, "a bundle takes at most %d bytes, not %d", maxBytes, size).Marked(errs.NotValid)
	}
	return nil
}

// ReadOwn returns an operator's own modules in dir, and the digest of the bundle they are; "" when the directory is kept by
// hand. A directory in which a bundle was installed and that is kept by hand, too, is refused: one of them would be overlooked.
func ReadOwn(dir string) (modules map[string]string, installed string, err error) {
	if modules, err = LoadDir(dir); err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", unreadable(dir, err)
	}
	defer root.Close()
	digest, _, err := current(root)
	if err != nil {
		return nil, "", unreadable(dir, err)
	}
	if digest == "" {
		return modules, "", nil
	}
	if len(modules) > 0 {
		return nil, "", errs.New(errs.Invalid, "policy: %s holds files beside the bundle %s that was installed there: install them, or delete %s/%s to keep the directory by hand",
			dir, digest, bundlesDir, currentFile)
	}
	modules, err = readBundle(root, digest)
	if err != nil {
		return nil, "", unreadable(dir, err)
	}
	if Digest(modules) != digest {
		return nil, "", errs.New(errs.Invalid, "policy: the files of bundle %s in %s are not those that were installed", digest, dir)
	}
	return modules, digest, nil
}

func unreadable(dir string, err error) error {
	return errs.New(errs.Invalid, "read the policies in %s", dir).Because(err)
}

// current returns the digests of the bundle in force and of the one before it, "" for none.
func current(root *os.Root) (digest, previous string, err error) {
	text, err := root.ReadFile(path.Join(bundlesDir, currentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	digest, previous, _ = strings.Cut(strings.TrimSpace(string(text)), "\n")
	return digest, previous, err
}

func readBundle(root *os.Root, digest string) (map[string]string, error) {
	modules := map[string]string{}
	dir := path.Join(bundlesDir, digest)
	err := fs.WalkDir(root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := root.ReadFile(name)
		modules[strings.TrimPrefix(name, dir+"/")] = string(text)
		return err
	})
	return modules, err
}

// InstallOwn makes files the operator's own modules in dir, which is made when missing. They are on disk, whole, before they
// take the place of others; the bundle before them stays beside them, older ones go. A directory kept by hand is refused.
func InstallOwn(dir string, files map[string]string) (installed string, err error) {
	if err := CheckFiles(files); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", unwritable(dir, err)
	}
	byHand, err := LoadDir(dir)
	if err != nil {
		return "", err
	}
	if len(byHand) > 0 {
		return "", errs.New(errs.Precondition, "policy: %s is kept by hand: move its files into the bundle first", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", unwritable(dir, err)
	}
	defer root.Close()
	installed = Digest(files)
	if err := install(root, installed, files); err != nil {
		return "", unwritable(dir, err)
	}
	return installed, nil
}

func unwritable(dir string, err error) error {
	return errs.New(errs.Unavailable, "policy: %s cannot be written", dir).Because(err)
}

func install(root *os.Root, digest string, files map[string]string) error {
	was, before, err := current(root)
	if err != nil || was == digest {
		return err
	}
	if err := root.MkdirAll(bundlesDir, 0o700); err != nil {
		return err
	}
	if err := writeBundle(root, digest, files); err != nil {
		return err
	}
	if err := replace(root, path.Join(bundlesDir, currentFile), digest+"\n"+was+"\n"); err != nil {
		return err
	}
	if before != "" && before != digest && before != was {
		return root.RemoveAll(path.Join(bundlesDir, before))
	}
	return nil
}

// writeBundle writes a bundle under another name first, so that one that bears its digest is whole.
func writeBundle(root *os.Root, digest string, files map[string]string) error {
	made, dir := path.Join(bundlesDir, "."+digest), path.Join(bundlesDir, digest)
	for _, old := range []string{made, dir} {
		if err := root.RemoveAll(old); err != nil {
			return err
		}
	}
	folders := map[string]bool{made: true}
	for name, text := range files {
		at := path.Join(made, name)
		for folder := path.Dir(at); folder != made; folder = path.Dir(folder) {
			folders[folder] = true
		}
		if err := root.MkdirAll(path.Dir(at), 0o700); err != nil {
			return err
		}
		if err := put(root, at, text); err != nil {
			return err
		}
	}
	if err := root.MkdirAll(made, 0o700); err != nil { // a bundle of no files
		return err
	}
	for folder := range folders {
		if err := settle(root, folder); err != nil {
			return err
		}
	}
	if err := root.Rename(made, dir); err != nil {
		return err
	}
	return settle(root, bundlesDir)
}

// replace gives a file a new text, all at once.
func replace(root *os.Root, name, text string) error {
	if err := put(root, name+".new", text); err != nil {
		return err
	}
	if err := root.Rename(name+".new", name); err != nil {
		return err
	}
	return settle(root, path.Dir(name))
}

func put(root *os.Root, name, text string) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func settle(root *os.Root, folder string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
