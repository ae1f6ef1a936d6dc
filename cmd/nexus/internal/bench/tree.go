package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// perFolder is how many files stand in one folder of the tree.
const perFolder = 100

// seedWorkers write the tree side by side.
const seedWorkers = 32

// filePath is the path of the tree's i-th file: six deep, the root and the file counted.
func filePath(i int) string {
	folder := i / perFolder
	return fmt.Sprintf("/bench/a%d/b%d/c%03d/f%02d.txt", folder/100, folder/10%10, folder, i%perFolder)
}

// own makes somebody a member of the tenant, and the owner of what he makes in the tree.
func (w *world) own(ctx context.Context, who authz.Principal) error {
	root, err := w.Store.Names().Address(ctx, who.Tenant, "/")
	if err != nil {
		return err
	}
	rights := []relations.Relationship{
		{Resource: authz.Ref{Type: "tenant", ID: who.Tenant}, Relation: "member", Subject: who.Base}, may(who, "direct_editor", root),
	}
	return w.relate(ctx, len(rights), func(i int) relations.Relationship { return rights[i] })
}

// grow writes the files of the tree.
func (w *world) grow(ctx context.Context, who authz.Principal, files int) error {
	body := make([]byte, 64)
	return w.eachFile(ctx, files, func(i int) error { return w.invoke(ctx, who, api.Write.Method, writeParams(filePath(i), body)) })
}

// eachFile writes the files of the tree, first one of each folder and then the others.
func (w *world) eachFile(ctx context.Context, files int, write func(i int) error) error {
	return eachOf(ctx, files, perFolder, write)
}

// eachOf calls write for 0 to files-1, of which so many follow on one another in each folder: first for one of each folder, then
// for the others side by side.
func eachOf(ctx context.Context, files, inFolder int, write func(i int) error) error {
	folders := (files + inFolder - 1) / inFolder
	if err := all(ctx, 1, folders, func(i int) error { return write(i * inFolder) }); err != nil {
		return err
	}
	return all(ctx, seedWorkers, files, func(i int) error {
		if i%inFolder == 0 {
			return nil
		}
		return write(i)
	})
}

func writeParams(path string, body []byte) api.WriteParams {
	return api.WriteParams{PathParams: api.PathParams{Path: path}, Content: body}
}

// invoke calls an operation in process.
func (w *world) invoke(ctx context.Context, who authz.Principal, method string, params any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	_, err = w.Table.Method(method).Invoke(ctx, who, raw)
	return err
}

// addresses returns where the first n files of the tree are.
func (w *world) addresses(ctx context.Context, n int) ([]schema.Address, error) {
	found := make([]schema.Address, n)
	return found, all(ctx, 4, n, func(i int) (err error) {
		found[i], err = w.Store.Names().Address(ctx, ids.Quote(storage.DefaultTenant), filePath(i))
		return err
	})
}

// relateChunk is how many relationships one transaction writes.
const relateChunk = 200

// relate writes n relationships.
func (w *world) relate(ctx context.Context, n int, of func(i int) relations.Relationship) error {
	for from := 0; from < n; from += relateChunk {
		updates := make([]relations.Update, 0, relateChunk)
		for i := from; i < min(from+relateChunk, n); i++ {
			updates = append(updates, relations.Update{Kind: relations.Touch, Relationship: of(i)})
		}
		err := w.DB.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error { return w.Service.Writer().Write(ctx, tx, updates...) })
		if err != nil {
			return err
		}
	}
	return nil
}

// crowd adds people who may read files of the tree, one by one, until about as many relationships are stored as o asks for in
// the largest tree, and as many a file in every other. Each file has two already: its parent and its owner.
func (w *world) crowd(ctx context.Context, o Options, files int) error {
	more := o.Relationships/slices.Max(o.Files)*files - 2*files
	if more <= 0 {
		return nil
	}
	o.Note(fmt.Sprintf("writing %d relationships", more))
	shared, err := w.addresses(ctx, min(files, 100_000))
	if err != nil {
		return err
	}
	return w.relate(ctx, more, func(i int) relations.Relationship {
		return may(user(fmt.Sprintf("crowd%d", i/len(shared)*100+i%100)), "direct_viewer", shared[i%len(shared)])
	})
}

// may is a direct relation of a person on the file at a.
func may(who authz.Principal, relation string, a schema.Address) relations.Relationship {
	return relations.Relationship{Resource: a.Named().Ref, Relation: relation, Subject: who.Base}
}

// in makes somebody a member of a group.
func in(group string, member authz.Ref, relation string) relations.Relationship {
	return relations.Relationship{Resource: groupRef(group), Relation: "member", Subject: member, SubjectRelation: relation}
}

func groupRef(name string) authz.Ref {
	return authz.Ref{Type: "group", ID: ids.Quote(storage.DefaultTenant) + "/" + name}
}
