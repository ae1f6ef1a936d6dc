package storagetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
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
	pagesOfEverySizeAreTheList,
	pageOfNoGrantsLooksAtNothing,
	longListsArePaged,
	listThatTakesTooLongIsAnError,
	refusedFolderHidesNothingBelow,
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

// seen lists a folder for one to whom only paths are readable, where that is known beforehand and where it is not.
func (k *kit) seen(folder string, o storage.ListOptions, readable ...string) []string {
	k.Helper()
	allowed, ids := map[string]bool{}, []string{}
	for _, path := range readable {
		id := k.at(path).Anchor
		allowed[id], ids = true, append(ids, id)
	}
	old := k.gate
	defer func() { k.gate = old }()
	c := gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c.Type != "file" || allowed[c.ID] }}
	k.gate, _ = c.Gate(k)
	got := k.list(folder, o)
	c.Roots = func([]authz.Ref, string) []string { return ids }
	k.gate, _ = c.Gate(k)
	if known := k.list(folder, o); !slices.Equal(known, got) {
		k.Errorf("list %s is %q where grants are known, and %q where they are not", folder, known, got)
	}
	return got
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

// pages lists a folder page by page.
func (k *kit) pages(folder string, o storage.ListOptions) (all []string, pages int) {
	k.Helper()
	for {
		page, err := k.files.List(k.Context(), k.scope(), k.at(folder), o)
		if err != nil {
			k.Fatalf("list %s %+v: %v", folder, o, err)
		}
		if len(page.Entries) > o.Limit {
			k.Errorf("a page of %d has %d entries", o.Limit, len(page.Entries))
		}
		for _, e := range page.Entries {
			all = append(all, e.Path)
		}
		if pages++; page.Complete {
			return all, pages
		}
		o.From = page.Next
	}
}

func pagesOfEverySizeAreTheList(k *kit) {
	all := number("/f%03d", 101)
	filled := 0
	for _, n := range []int{99, 100, 101} {
		k.fill(all[filled:n], false)
		filled = n
		for _, limit := range []int{50, 99, 100, 101} {
			for _, recursive := range []bool{false, true} {
				got, pages := k.pages("/", storage.ListOptions{Recursive: recursive, Limit: limit})
				if want := (n + limit - 1) / limit; !slices.Equal(got, all[:n]) || pages != want {
					k.Errorf("%d files in pages of %d, recursive %v: %d entries in %d pages, want %d", n, limit, recursive, len(got), pages, want)
				}
			}
		}
	}
}

// pageOfNoGrantsLooksAtNothing: who is known to see nothing costs no walk through what others see.
func pageOfNoGrantsLooksAtNothing(k *kit) {
	k.fill(number("/f%04d", 2000), false)
	sifted := 0
	k.gate, _ = gatetest.Config{
		Relations: func(_ []authz.Ref, c authz.Check) bool { sifted++; return c.Type != "file" },
		Roots:     func([]authz.Ref, string) []string { return nil },
	}.Gate(k)
	k.mustList("/", whole)
	k.mustExist(false, "/")
	if sifted > 10 {
		k.Errorf("%d files were looked at, want none", sifted)
	}
}

func longListsArePaged(k *kit) {
	for i := range 5 {
		k.mustPut(fmt.Sprintf("/d/%d", i), "x")
	}
	page, err := k.files.List(k.Context(), k.scope(), k.at("/"), storage.ListOptions{Recursive: true, Limit: 2, Details: true})
	if err != nil || page.Complete || len(page.Entries) != 2 || page.Entries[0].Path != "/d" || page.Entries[1].Etag == "" {
		k.Errorf("the first page is %+v, %v", page, err)
	}
	decided := k.notes.Decided()
	if l := decided[len(decided)-1].Listed; l == nil || l.Last || l.Count != 2 {
		k.Errorf("recorded %+v, want two entries of a list that goes on", l)
	}
}

func listThatTakesTooLongIsAnError(k *kit) {
	k.fill(number("/f%04d", 1500), false)
	o := storage.ListOptions{Recursive: true, Bounds: storage.Bounds{Time: 1}}
	page, err := k.files.List(k.Context(), k.scope(), k.at("/"), o)
	k.mustFail("the whole list", err, errs.Exhausted, errs.NotValid)
	if len(page.Entries) > 0 || !strings.Contains(errs.Public(err), "limit and cursor") {
		k.Errorf("%d entries, %v, want an error that says what to do", len(page.Entries), err)
	}
	o.Limit = 10_000
	if all, pages := k.pages("/", o); len(all) != 1500 || pages < 2 {
		k.Errorf("%d entries in %d pages, want 1500 in some", len(all), pages)
	}
}

// refusedFolderHidesNothingBelow: a rule that refuses the folder that is listed is no rule about what stands in it, also where
// the right to that comes from further up.
func refusedFolderHidesNothingBelow(k *kit) {
	k.mustPut("/a/b/c", "x")
	id := k.at("/a").Anchor
	k.gate, _ = gatetest.Config{
		RefuseObject: func(op string, o authz.Named) bool { return op == "files.read" && o.Name == "/a/b" },
		Roots:        func([]authz.Ref, string) []string { return []string{id} },
	}.Gate(k)
	for _, places := range []int{-1, 10} { // grants that are not known, and those that are gone to
		k.mustList("/a/b", storage.ListOptions{Recursive: true, Bounds: storage.Bounds{Places: places}}, "/a/b/c")
		k.mustList("/a", storage.ListOptions{Recursive: true, Bounds: storage.Bounds{Places: places}}, "/a/b/", "/a/b/c")
	}
	k.mustExist(true, "/a/b")
}
