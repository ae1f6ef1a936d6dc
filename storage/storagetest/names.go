package storagetest

import (
	"fmt"
	"slices"
	"strings"

	"nexus/internal/paths"
	"nexus/storage"
)

// names are claims about what a path means.
var names = []func(*kit){
	caseIsKeptAndToldApart,
	namesAreOrderedByBytes,
	unicodeNamesAreKept,
	wildcardsOfLikeAreLetters,
	siblingsThatShareAPrefixStayApart,
	hundredFoldersDeep,
	emptyFileIsAFile,
}

func caseIsKeptAndToldApart(k *kit) {
	k.mustPut("/Read.me", "upper")
	k.mustPut("/read.me", "lower")
	k.mustPut("/DIR/x", "1")
	k.mustPut("/dir/x", "2")
	k.mustRead("/Read.me", "upper")
	k.mustRead("/read.me", "lower")
	k.mustRead("/DIR/x", "1")
	k.mustRead("/dir/x", "2")
	k.mustExist(false, "/READ.ME", "/Dir", "/Dir/x")
	k.mustList("/", whole, "/DIR/", "/DIR/x", "/Read.me", "/dir/", "/dir/x", "/read.me")
}

func namesAreOrderedByBytes(k *kit) {
	all := []string{"/A", "/B", "/Z", "/_", "/a", "/a b", "/a!", "/a-", "/a.b", "/a0", "/aa", "/b", "/~", "/é", "/世", "/🜁"}
	slices.Sort(all)
	for _, path := range slices.Backward(all) {
		k.mustPut(path, "x")
	}
	k.mustList("/", whole, all...)
	k.mustList("/", storage.ListOptions{}, all...)
}

func unicodeNamesAreKept(k *kit) {
	decomposed := "/cafe\u0301/na\u0308me" // as some file systems send it
	clean, err := paths.Clean(decomposed)
	if err != nil {
		k.Fatal(err)
	}
	if clean == decomposed {
		k.Fatal("the edge does not normalise")
	}
	for _, path := range []string{clean, "/Ω", "/\u212a", "/K", "/ﬁ", "/fi", "/ß", "/ss", "/\u200bx", "/x"} {
		k.mustPut(path, "at "+path)
	}
	for _, path := range []string{clean, "/Ω", "/\u212a", "/K", "/ﬁ", "/fi", "/ß", "/ss", "/\u200bx", "/x"} {
		k.mustRead(path, "at "+path) // look-alikes are not the same
	}
}

func wildcardsOfLikeAreLetters(k *kit) {
	for _, path := range []string{"/%/a", "/_/a", "/ab/a", "/x%y", "/x_y", "/xzy", "/x\\y", "/*", "/[a]"} {
		k.mustPut(path, "x")
	}
	k.mustList("/%", whole, "/%/a")
	k.mustList("/_", whole, "/_/a")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/x%"}, "/x%y")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/x_"}, "/x_y")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/*"}, "/*")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/["}, "/[a]")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/%/"}, "/%/a")
}

func siblingsThatShareAPrefixStayApart(k *kit) {
	for _, path := range []string{"/a/b", "/a-b", "/a.b", "/a0/x", "/aa/x", "/a!/x", "/a~/x"} {
		k.mustPut(path, "x")
	}
	k.mustList("/a", whole, "/a/b")
	k.mustList("/a0", whole, "/a0/x")
	k.mustList("/a!", whole, "/a!/x")
	k.mustList("/", storage.ListOptions{Recursive: true, Prefix: "/a/"}, "/a/b")
	k.mustList("/", storage.ListOptions{},
		"/a!/", "/a-b", "/a.b", "/a/", "/a0/", "/aa/", "/a~/")
}

func hundredFoldersDeep(k *kit) {
	deep := strings.Repeat("/d", paths.MaxDepth-1) + "/leaf"
	if _, err := paths.Clean(deep); err != nil {
		k.Fatal(err)
	}
	k.mustPut(deep, "deep down")
	k.mustRead(deep, "deep down")
	if got := len(k.list("/", whole)); got != paths.MaxDepth {
		k.Errorf("%d entries, want %d", got, paths.MaxDepth)
	}
	k.mustList(strings.Repeat("/d", paths.MaxDepth-1), whole, deep)
	if _, err := paths.Clean(deep + "/x"); err == nil {
		k.Error("one deeper is accepted at the edge")
	}
}

func emptyFileIsAFile(k *kit) {
	e := k.mustPut("/empty", "")
	if e.Size != 0 || e.Version != 1 || len(e.Etag) != 64 {
		k.Errorf("entry = %+v", e)
	}
	k.mustRead("/empty", "")
	if s := k.stat("/empty"); s.Folder || s.Etag != e.Etag || s.Path != "/empty" {
		k.Errorf("stat = %+v, want the file", s)
	}
	k.mustPut("/empty", "no more")
	k.mustPut("/empty", "")
	k.mustRead("/empty", "")
	if v := k.stat("/empty").Version; v != 3 {
		k.Errorf("version = %d, want 3", v)
	}
}

func number(format string, n int) []string {
	all := make([]string, n)
	for i := range n {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}
