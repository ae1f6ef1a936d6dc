package bench

import (
	"context"
	"errors"
	"fmt"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
)

// Rows of renaming a folder, decided, recorded and committed, by what lies in it.
const (
	renameFull = "rename of a folder, its files in 100 folders"
	renameDeep = "rename of a folder, its files 10 to a folder"
)

const (
	renameFiles  = 100_000
	renameBudget = 10 // ms
	renameRounds = 50
)

func renames(ctx context.Context, o Options) (rows []Row, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	who, files := user("owner"), o.scaled(renameFiles)
	if err := w.own(ctx, who); err != nil {
		return nil, err
	}
	row := func(name, folder string, inFolder int) measure {
		return measure{Row{Name: name, Budget: renameBudget, Unit: "ms"}, func() (float64, error) {
			return w.renamed(ctx, o, who, folder, files, inFolder)
		}}
	}
	return o.measure(files, []measure{row(renameFull, "/full", (files+99)/100), row(renameDeep, "/deep", 10)}), nil
}

// renamed fills a folder with files, so many to a folder and a hundred of these to another, and returns how long giving it
// another name takes.
func (w *world) renamed(ctx context.Context, o Options, who authz.Principal, folder string, files, inFolder int) (float64, error) {
	err := eachOf(ctx, files, inFolder, func(i int) error {
		below := i / inFolder
		path := fmt.Sprintf("%s/d%03d/e%02d/f%05d.txt", folder, below/100, below%100, i)
		return w.invoke(ctx, who, api.Write.Method, writeParams(path, []byte("x")))
	})
	if err != nil {
		return 0, err
	}
	names := []string{folder, folder + "-renamed"}
	took, err := timed(o, renameRounds, func(i int) error {
		return w.invoke(ctx, who, api.Rename.Method, api.RenameParams{Old: names[i%2], New: names[(i+1)%2]})
	})
	return millis(took), err
}
