package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// group is a set of rows that share what they are measured on.
type group struct {
	name string
	rows []string
	run  func(ctx context.Context, o Options) ([]Row, error)
}

// onTree are the groups that are measured on one tree after the other, each in a world of its own.
var onTree = []struct {
	rows []string
	run  func(ctx context.Context, o Options, w *world, files int) ([]Row, error)
}{
	{[]string{gateCached, gatePolicy, gateMissed, cacheHits}, gate},
	{[]string{checkMedian, checkRate, writeMedian, writeRate, readMedian, readShare}, overHTTP},
	{[]string{listSome, listOwns, listNone, listWhole}, lists},
}

var groups = []group{
	{"trees", treeRows(), trees},
	{"renames", []string{renameFull, renameDeep}, renames},
	{"searches", []string{indexRate, indexSize, grepRare, grepCommon, grepPlain}, searches},
	{"an import", []string{importRow}, importing},
	{"relationships", []string{heapRow, diskRow}, relationships},
	{"a process", []string{startRow, idleRow}, process},
}

func treeRows() []string {
	var all []string
	for _, g := range onTree {
		all = append(all, g.rows...)
	}
	return all
}

func trees(ctx context.Context, o Options) ([]Row, error) {
	var rows []Row
	for _, files := range o.Files {
		more, err := tree(ctx, o, files)
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// tree measures every group on one tree.
func tree(ctx context.Context, o Options, files int) (rows []Row, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	o.Note(fmt.Sprintf("writing a tree of %d files", files))
	owner := user("owner")
	if err := w.own(ctx, owner); err != nil {
		return nil, err
	}
	if err := w.grow(ctx, owner, files); err != nil {
		return nil, err
	}
	if err := w.crowd(ctx, o, files); err != nil {
		return nil, err
	}
	for _, g := range onTree {
		if !slices.ContainsFunc(g.rows, o.wants) {
			continue
		}
		more, err := g.run(ctx, o, w, files)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}
