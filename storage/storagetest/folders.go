package storagetest

import (
	"time"

	"nexus/internal/errs"
)

// folders are claims about making folders.
var folders = []func(*kit){
	mkdirMakesOneFolder,
	mkdirWithParentsMakesThem,
	mkdirOfWhatExistsRefused,
	mkdirOfAnImplicitFolderRefused,
	mkdirWithoutAParentRefused,
	folderThatAppearsMakesAMkdirStale,
	reservedFolderIsNoParent,
	folderIsAsOldAsItIsReal,
}

func mkdirMakesOneFolder(k *kit) {
	k.mustMkdir("/a")
	if err := k.mkdir("/a/b", false); err != nil {
		k.Fatal(err)
	}
	k.mustList("/", whole, "/a/", "/a/b/")
}

func mkdirWithParentsMakesThem(k *kit) {
	k.mustMkdir("/a/b/c")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/c/")
}

func mkdirOfWhatExistsRefused(k *kit) {
	k.mustMkdir("/a")
	k.mustPut("/f", "x")
	for _, path := range []string{"/a", "/f", "/"} {
		k.mustFail("mkdir "+path, k.mkdir(path, true), errs.Exists, errs.FileExists)
	}
}

func mkdirOfAnImplicitFolderRefused(k *kit) {
	k.mustPut("/a/b/f", "x")
	k.mustFail("mkdir /a/b", k.mkdir("/a/b", false), errs.Exists, errs.FileExists)
	if err := k.mkdir("/a/b/c", false); err != nil {
		k.Errorf("mkdir in an implicit folder: %v", err)
	}
}

func mkdirWithoutAParentRefused(k *kit) {
	err := k.mkdir("/a/b", false)
	k.mustFail("mkdir /a/b", err, errs.NotFound, errs.FileNotFound)
	if path := errs.From(err).Fields["path"]; path != "/a" {
		k.Errorf("missing is %q, want /a", path)
	}
	k.mustExist(false, "/a", "/a/b")
}

func folderThatAppearsMakesAMkdirStale(k *kit) {
	at := grant(k, k.dir("/a/b").Write())
	k.mustMkdir("/a")
	k.mustBeStale("mkdir in a folder that appeared", k.files.Mkdir(k.Context(), at, false))
	k.mustExist(false, "/a/b")
}

// reservedFolderIsNoParent: a grant on something missing must not make it possible to build there as if it existed.
func reservedFolderIsNoParent(k *kit) {
	k.share("/r/s/f", "bob")
	for _, path := range []string{"/r/s/other", "/r/s/f", "/r/s"} {
		k.mustFail("mkdir "+path+" without parents", k.mkdir(path, false), errs.NotFound, errs.FileNotFound)
	}
	k.mustExist(false, "/r", "/r/s", "/r/s/f", "/r/s/other")
	if err := k.mkdir("/r", false); err != nil {
		k.Errorf("mkdir of a reserved folder in a real one: %v", err)
	}
	if err := k.mkdir("/r/s/f", true); err != nil {
		k.Errorf("mkdir of a reserved name with parents: %v", err)
	}
	k.mustList("/", whole, "/r/", "/r/s/", "/r/s/f/")
}

func folderIsAsOldAsItIsReal(k *kit) {
	k.share("/r/s/f", "bob")
	k.clock.Advance(time.Hour)
	k.mustPut("/r/s/f", "x")
	for _, path := range []string{"/r", "/r/s", "/r/s/f"} {
		if e := k.stat(path); !e.Created.Equal(k.clock.Now()) {
			k.Errorf("%s was made at %v, want %v", path, e.Created, k.clock.Now())
		}
	}
}
