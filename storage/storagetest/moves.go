package storagetest

import (
	"fmt"
	"strings"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// moves are claims about giving things another place.
var moves = []func(*kit){
	fileMovesWithItsRightsAndVersions,
	folderMovesWithAllThatIsInIt,
	moveChangesOneRelationship,
	moveIntoOwnChildRefused,
	moveToWhatExistsRefused,
	moveToAReservedNameRefused,
	moveOfTheRootRefused,
	moveMakesTheFoldersOnTheWay,
	moveThatMakesAPathTooLongOrTooDeepRefused,
	renameKeepsTheFolder,
	moveOfWhatWasMovedMeanwhileIsStale,
	writeAfterAMoveMakesANewFile,
	emptiedImplicitFolderGoes,
	emptiedImplicitFolderWithGrantsIsReserved,
	emptiedExplicitFolderStays,
	folderOfOtherLettersIsNotCarried,
	copyIsAFileOfItsOwn,
	copyOverWhatExistsRefused,
}

func (k *kit) move(from, to string) error {
	k.Helper()
	return k.files.Move(k.Context(), storage.MoveGrant{What: grant(k, k.file(from).Own()), Into: grant(k, k.dir(to).Write())})
}

func (k *kit) mustMove(from, to string) {
	k.Helper()
	if err := k.move(from, to); err != nil {
		k.Fatalf("move %s to %s: %v", from, to, err)
	}
}

func (k *kit) rename(from, to string) error {
	k.Helper()
	return k.files.Rename(k.Context(), grant(k, k.file(from).Write()), k.at(to))
}

func fileMovesWithItsRightsAndVersions(k *kit) {
	k.mustPut("/a/f", "one")
	k.mustPut("/a/f", "two")
	k.share("/a/f", "bob")
	id := k.at("/a/f").Anchor
	k.mustMove("/a/f", "/b/g")
	if got := k.at("/b/g"); got.Anchor != id || !got.Exists() {
		k.Errorf("moved file is %+v, want id %s", got, id)
	}
	if e := k.stat("/b/g"); e.Version != 2 {
		k.Errorf("version = %d, want 2", e.Version)
	}
	k.mustRead("/b/g", "two")
	k.mustExist(false, "/a/f")
	if tuples := k.tuplesOn("/b/g"); len(tuples) == 0 {
		k.Error("the grant did not move along")
	}
}

func folderMovesWithAllThatIsInIt(k *kit) {
	k.mustPut("/a/b/c/f", "deep")
	k.mustPut("/a/b/g", "flat")
	k.mustMkdir("/a/b/empty")
	k.mustMove("/a/b", "/x/y")
	k.mustList("/", whole, "/x/", "/x/y/", "/x/y/c/", "/x/y/c/f", "/x/y/empty/", "/x/y/g")
	k.mustRead("/x/y/c/f", "deep")
	k.mustPut("/x/y/c/h", "new")
	k.mustRead("/x/y/c/h", "new")
}

func moveChangesOneRelationship(k *kit) {
	k.mustPut("/a/b/f", "x")
	k.mustMkdir("/c")
	before := k.rels.All()
	k.mustMove("/a/b", "/c/b")
	if after := k.rels.All(); len(after) != len(before)-1 { // the implicit /a went
		k.Errorf("%d relationships, want %d", len(after), len(before)-1)
	}
}

func moveIntoOwnChildRefused(k *kit) {
	k.mustPut("/a/b/f", "x")
	for _, to := range []string{"/a/c", "/a/b/c", "/a/b/c/d"} {
		k.mustFail("move /a to "+to, k.move("/a", to), errs.Invalid, errs.NotValid)
	}
	k.mustMove("/a", "/ab") // it only begins alike
	k.mustRead("/ab/b/f", "x")
}

func moveToWhatExistsRefused(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustPut("/b/g", "y")
	for _, to := range []string{"/b/g", "/b", "/a"} {
		k.mustFail("move /a/f to "+to, k.move("/a/f", to), errs.Exists, errs.FileExists)
	}
	k.mustRead("/a/f", "x")
	k.mustRead("/b/g", "y")
}

func moveToAReservedNameRefused(k *kit) {
	k.mustPut("/f", "x")
	k.share("/r/s", "bob")
	k.mustFail("move to a reserved name", k.move("/f", "/r/s"), errs.Exists, errs.FileExists)
	k.mustMove("/f", "/r/s/t") // the reserved name becomes a folder
	k.mustRead("/r/s/t", "x")
}

func moveOfTheRootRefused(k *kit) {
	k.mustMkdir("/a")
	k.mustFail("move /", k.move("/", "/a/b"), errs.Invalid, errs.NotValid)
}

func moveMakesTheFoldersOnTheWay(k *kit) {
	k.mustPut("/f", "x")
	k.mustMove("/f", "/a/b/c/f")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/c/", "/a/b/c/f")
}

func moveThatMakesAPathTooLongOrTooDeepRefused(k *kit) {
	k.mustPut("/d"+strings.Repeat("/d", 60)+"/f", "x")
	k.mustMkdir("/e" + strings.Repeat("/e", 60))
	k.mustFail("too deep", k.move("/d", "/e"+strings.Repeat("/e", 60)+"/d"), errs.Invalid, errs.InvalidPath)
	long := strings.Repeat("ü", 120)
	k.mustPut("/l"+strings.Repeat("/"+long, 12)+"/f", "x")
	k.mustMkdir("/m" + strings.Repeat("/"+long, 5))
	k.mustFail("too long", k.move("/l", "/m"+strings.Repeat("/"+long, 5)+"/l"), errs.Invalid, errs.InvalidPath)
	k.mustMove("/l", "/m/"+long+"/l")
	k.mustRead("/m/"+long+"/l"+strings.Repeat("/"+long, 12)+"/f", "x")
}

func renameKeepsTheFolder(k *kit) {
	k.mustPut("/a/f", "x")
	if err := k.rename("/a/f", "/a/g"); err != nil {
		k.Fatal(err)
	}
	k.mustList("/", whole, "/a/", "/a/g")
	if err := k.rename("/a", "/b"); err != nil {
		k.Fatal(err)
	}
	k.mustRead("/b/g", "x")
}

func moveOfWhatWasMovedMeanwhileIsStale(k *kit) {
	k.mustPut("/a/f", "x")
	g := storage.MoveGrant{What: grant(k, k.file("/a/f").Own()), Into: grant(k, k.dir("/b/f").Write())}
	k.mustMove("/a/f", "/c/f")
	k.mustBeStale("a move of what has moved", k.files.Move(k.Context(), g))
	k.mustList("/", whole, "/c/", "/c/f")
}

// writeAfterAMoveMakesANewFile: the write comes second, so it makes what is no longer there.
func writeAfterAMoveMakesANewFile(k *kit) {
	k.mustPut("/a/f", "old")
	over := grant(k, k.file("/a/f").Write())
	k.mustMove("/a/f", "/b/f")
	_, err := k.files.Write(k.Context(), over, []byte("new"), storage.Condition{})
	k.mustBeStale("a write over what has moved", err)
	k.mustPut("/a/f", "new")
	k.mustRead("/b/f", "old")
	k.mustRead("/a/f", "new")
}

func emptiedImplicitFolderGoes(k *kit) {
	k.mustPut("/a/b/c/f", "x")
	k.mustPut("/a/g", "y")
	k.mustMove("/a/b/c/f", "/f")
	k.mustList("/", whole, "/a/", "/a/g", "/f")
}

func emptiedImplicitFolderWithGrantsIsReserved(k *kit) {
	k.mustPut("/a/b/f", "x")
	k.share("/a/b", "bob")
	id := k.at("/a/b").Anchor
	k.mustMove("/a/b/f", "/f")
	k.mustList("/", whole, "/f")
	k.mustPut("/a/b/g", "y")
	if got := k.at("/a/b").Anchor; got != id {
		k.Errorf("the folder that came back is %s, want %s, which bob was granted", got, id)
	}
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/g", "/f")
}

func emptiedExplicitFolderStays(k *kit) {
	k.mustMkdir("/a")
	k.mustPut("/a/f", "x")
	k.mustMove("/a/f", "/f")
	k.mustList("/", whole, "/a/", "/f")
}

// folderOfOtherLettersIsNotCarried: a range over paths must be bytewise.
func folderOfOtherLettersIsNotCarried(k *kit) {
	for _, path := range []string{"/a/x", "/A/x", "/a-b/x", "/a b/x", "/ä/x", "/a0/x", "/a.b/x"} {
		k.mustPut(path, path)
	}
	k.mustMove("/a", "/ümläut")
	for _, path := range []string{"/A/x", "/a-b/x", "/a b/x", "/ä/x", "/a0/x", "/a.b/x"} {
		k.mustRead(path, path)
	}
	k.mustRead("/ümläut/x", "/a/x")
	k.mustMove("/ümläut", "/c")
	k.mustRead("/c/x", "/a/x")
}

func copyIsAFileOfItsOwn(k *kit) {
	k.mustPut("/a/f", "x")
	k.share("/a/f", "bob")
	e, err := k.files.Copy(k.Context(), storage.CopyGrant{From: grant(k, k.file("/a/f").Read()), Into: grant(k, k.dir("/b/g").Write())})
	if err != nil || e.Version != 1 {
		k.Fatalf("Copy = %+v, %v", e, err)
	}
	k.mustPut("/a/f", "changed")
	k.mustRead("/b/g", "x")
	if n := len(k.tuplesOn("/b/g")); n != len(k.tuplesOn("/a/f"))-1 {
		k.Errorf("the copy has %d relationships", n)
	}
}

func copyOverWhatExistsRefused(k *kit) {
	k.mustPut("/f", "x")
	k.mustPut("/g", "y")
	into := grant(k, schema.Dir{Address: k.at("/g")}.Write())
	_, err := k.files.Copy(k.Context(), storage.CopyGrant{From: grant(k, k.file("/f").Read()), Into: into})
	k.mustFail("copy", err, errs.Exists, errs.FileExists)
	k.mustRead("/g", "y")
}

// many fills a folder with n files over some folders.
func (k *kit) many(folder string, n int) {
	k.Helper()
	for i := range n {
		k.mustPut(fmt.Sprintf("%s/d%d/f%d", folder, i%7, i), "x")
	}
}
