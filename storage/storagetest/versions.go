package storagetest

import (
	"fmt"

	"nexus/internal/errs"
)

// versions are claims about what a file was.
var versions = []func(*kit){
	everyVersionCanBeRead,
	versionThatIsNotThereIsMissing,
	versionsAreListedInPages,
	rollbackIsANewVersion,
	versionsOutliveAMoveAndADelete,
}

func (k *kit) version(path string, number int64) (string, error) {
	k.Helper()
	_, body, err := k.files.ReadVersion(k.Context(), grant(k, k.file(path).Read()), number)
	return string(body), err
}

func (k *kit) mustVersion(path string, number int64, want string) {
	k.Helper()
	if got, err := k.version(path, number); err != nil || got != want {
		k.Errorf("version %d of %s = %q, %v, want %q", number, path, got, err, want)
	}
}

func everyVersionCanBeRead(k *kit) {
	for _, body := range []string{"", "two", "three"} {
		k.mustPut("/f", body)
	}
	for i, want := range []string{"", "two", "three"} {
		k.mustVersion("/f", int64(i+1), want)
	}
}

func versionThatIsNotThereIsMissing(k *kit) {
	k.mustPut("/a/f", "x")
	for _, number := range []int64{-1, 0, 2} {
		_, err := k.version("/a/f", number)
		k.mustFail(fmt.Sprint(number), err, errs.NotFound, errs.FileNotFound)
		_, err = k.files.Rollback(k.Context(), grant(k, k.file("/a/f").Write()), number)
		k.mustFail(fmt.Sprint("rollback to ", number), err, errs.NotFound, errs.FileNotFound)
	}
	_, err := k.version("/a", 1)
	k.mustFail("a folder", err, errs.Invalid, errs.NotValid)
}

func versionsAreListedInPages(k *kit) {
	const n = 7
	for i := range n {
		k.mustPut("/f", fmt.Sprint(i))
	}
	for page := 1; page <= n+1; page++ {
		want, next := int64(n), int64(0)
		for more := true; more; more = next != 0 {
			found, after, err := k.files.Versions(k.Context(), grant(k, k.file("/f").Read()), next, page)
			if err != nil {
				k.Fatal(err)
			}
			for _, v := range found {
				if v.Number != want {
					k.Fatalf("pages of %d: version %d, want %d", page, v.Number, want)
				}
				want--
			}
			next = after
		}
		if want != 0 {
			k.Errorf("pages of %d end at version %d", page, want)
		}
	}
}

func rollbackIsANewVersion(k *kit) {
	k.mustPut("/f", "one")
	k.mustPut("/f", "two")
	e, err := k.files.Rollback(k.Context(), grant(k, k.file("/f").Write()), 1)
	if err != nil || e.Version != 3 {
		k.Fatalf("Rollback = %+v, %v, want version 3", e, err)
	}
	k.mustRead("/f", "one")
	k.mustVersion("/f", 2, "two")
}

func versionsOutliveAMoveAndADelete(k *kit) {
	k.mustPut("/a/f", "one")
	k.mustPut("/a/f", "two")
	k.mustMove("/a/f", "/b/g")
	k.mustDelete("/b/g")
	k.mustUndelete("/b/g")
	k.mustVersion("/b/g", 1, "one")
}
