package storagetest

import (
	"context"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
	"nexus/storage/internal/sqlstore"
)

// lists are claims about what is listed.
var lists = []func(*kit){
	everyFileOfAFullFolderIsListed,
	everyFolderOfAFullFolderIsListed,
	listOfAFileIsTheFile,
	listOfNothingIsEmpty,
	listShowsNothingThatIsNotAdmitted,
	flatListShowsFoldersWithSomethingAdmittedBelow,
	obligedFileIsListed,
}

// fill makes files, or folders, in the root without a decision for each, as imports do.
func (k *kit) fill(paths []string, folder bool) {
	k.Helper()
	root := k.at("/")
	for page := range slices.Chunk(paths, 500) {
		err := k.db.Tx(k.Context(), func(ctx context.Context, tx sqldb.Tx) error {
			var updates []relations.Update
			for _, path := range page {
				id := root.Tenant + "/" + ids.New()
				if err := add(ctx, tx, root, id, path, folder); err != nil {
					return err
				}
				updates = append(updates, relations.Update{Kind: relations.Create, Relationship: relations.Relationship{
					Resource: authz.Ref{Type: "file", ID: id}, Relation: "parent", Subject: root.Named().Ref,
				}})
			}
			return k.rels.Write(ctx, tx, updates...)
		})
		if err != nil {
			k.Fatal(err)
		}
	}
}

func add(ctx context.Context, tx sqldb.Tx, root schema.Address, id, path string, folder bool) error {
	if folder {
		return sqlstore.InsertDir(ctx, tx, &sqlstore.Dir{
			ID: id, Tenant: root.Tenant, Parent: root.Anchor, Path: path + "/", State: sqlstore.Explicit, Created: 1, Modified: 1,
		})
	}
	if err := sqlstore.InsertFile(ctx, tx, &sqlstore.File{ID: id, Dir: root.Anchor, Name: path[1:], Version: 1, Etag: "e", Seq: 1, Created: 1, Modified: 1}); err != nil {
		return err
	}
	return sqlstore.InsertVersion(ctx, tx, &sqlstore.Version{File: id, Number: 1, Seq: 1, Etag: "e", Author: "user:default/ann", Created: 1, Body: []byte{}})
}

func everyFileOfAFullFolderIsListed(k *kit) { k.fullFolder(false, number("/f%05d", 10_000)) }

func everyFolderOfAFullFolderIsListed(k *kit) { k.fullFolder(true, number("/f%05d", 2001)) }

// fullFolder fills a folder up to and over the pages in which it is walked.
func (k *kit) fullFolder(folder bool, all []string) {
	k.Helper()
	filled := 0
	for _, n := range []int{999, 1000, 1001, len(all)} {
		k.fill(all[filled:n], folder)
		filled = n
		for _, o := range []storage.ListOptions{{}, {Recursive: true}} {
			got := k.list("/", o)
			for i := range got {
				got[i] = strings.TrimSuffix(got[i], "/")
			}
			if !slices.Equal(got, all[:n]) {
				k.Errorf("%+v: %d of %d listed, or in another order", o, len(got), n)
			}
		}
	}
}

func listOfAFileIsTheFile(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustPut("/a/f2", "x")
	k.mustList("/a/f", whole, "/a/f")
	k.mustList("/a/f", storage.ListOptions{}, "/a/f")
}

func listOfNothingIsEmpty(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustList("/b", whole)
	k.mustList("/a/f/below", whole)
	k.mustMkdir("/empty")
	k.mustList("/empty", whole)
	k.mustList("/empty", storage.ListOptions{})
}

// seen lists a folder for one to whom only paths are readable.
func (k *kit) seen(folder string, o storage.ListOptions, readable ...string) []string {
	k.Helper()
	allowed := map[string]bool{}
	for _, path := range readable {
		allowed[k.at(path).Anchor] = true
	}
	old := k.gate
	defer func() { k.gate = old }()
	k.gate, _ = gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c.Type != "file" || allowed[c.ID] }}.Gate(k)
	return k.list(folder, o)
}

func listShowsNothingThatIsNotAdmitted(k *kit) {
	for _, path := range []string{"/a/b/one", "/a/b/two", "/a/c/three", "/d/four"} {
		k.mustPut(path, "x")
	}
	if got, want := k.seen("/", whole, "/a/b/two", "/d"), []string{"/a/", "/a/b/", "/a/b/two", "/d/"}; !slices.Equal(got, want) {
		k.Errorf("seen %q, want %q", got, want)
	}
	if got := k.seen("/", whole); len(got) != 0 {
		k.Errorf("seen %q, want nothing", got)
	}
}

func flatListShowsFoldersWithSomethingAdmittedBelow(k *kit) {
	for _, path := range []string{"/a/b/one", "/a2/one", "/d/e/f", "/file"} {
		k.mustPut(path, "x")
	}
	if got, want := k.seen("/", storage.ListOptions{}, "/a/b/one", "/d/e"), []string{"/a/", "/d/"}; !slices.Equal(got, want) {
		k.Errorf("seen %q, want %q", got, want)
	}
	if got, want := k.seen("/a", storage.ListOptions{}, "/a/b/one"), []string{"/a/b/"}; !slices.Equal(got, want) {
		k.Errorf("seen %q, want %q", got, want)
	}
}

// obligedFileIsListed: metadata shows no value, so a file whose values are to be masked need not hide.
func obligedFileIsListed(k *kit) {
	k.mustPut("/w/.env", "KEY=secret")
	k.gate, _ = gatetest.Config{Oblige: func(op string, _ authz.Named) []authz.Obligation {
		if op == "files.read" {
			return []authz.Obligation{authz.MaskValues}
		}
		return nil
	}}.Gate(k)
	k.mustList("/", whole, "/w/", "/w/.env")
	k.mustList("/w/.env", whole, "/w/.env")
	k.mustExist(true, "/w/.env")
}
