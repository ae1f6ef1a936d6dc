package sqlds

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// What a server does for a new file: its place in the tree and its owner, durable.
func BenchmarkCreateFileAt64(b *testing.B) {
	d := productStore(b, Options{})
	mustWrite(b, d, chain("dir", 6, parent)...)
	var n atomic.Int64
	b.SetParallelism(32) // of 2 processors
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name := fmt.Sprint("new", n.Add(1))
			if err := write(d, create(parent(name, "dir0")), create(rel(name, "direct_owner", "user", "ann", ""))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkDurableWrite(b *testing.B) {
	d := productStore(b, Options{})
	for i := 0; b.Loop(); i++ {
		mustWrite(b, d, create(viewer("f", fmt.Sprint("u", i))))
	}
}

func BenchmarkHead(b *testing.B) {
	d := productStore(b, Options{})
	for b.Loop() {
		headOf(b, d)
	}
}

// large returns a store of 200,000 relationships: 100,000 files in 1,000 folders, each with one viewer of 5,000.
func large(b *testing.B) *Datastore {
	b.Helper()
	d := productStore(b, Options{})
	var all []relations.Update
	for i := range 100_000 {
		name := fmt.Sprint("f", i)
		all = append(all, touch(parent(name, fmt.Sprint("dir", i%1000))), touch(viewer(name, fmt.Sprint("u", i%5000))))
	}
	seed(b, d, all)
	return d
}

func BenchmarkPointQueryAt200k(b *testing.B) {
	d := large(b)
	r := d.SnapshotReader(DatastoreRevision(headOf(b, d)))
	for _, c := range []struct {
		name   string
		spread int // objects asked about in turn
	}{{"cached", 1000}, {"not cached", 100_000}} {
		b.Run(c.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				found, err := r.QueryRelationships(context.Background(), datastore.RelationshipsFilter{
					OptionalResourceType: "file", OptionalResourceIds: []string{fmt.Sprint("acme/f", i%c.spread)}, OptionalResourceRelation: "parent",
				})
				if countAll(b, found, err) != 1 {
					b.Fatal("no parent")
				}
			}
		})
	}
}

func BenchmarkReverseQueryAt200k(b *testing.B) {
	d := large(b)
	r := d.SnapshotReader(DatastoreRevision(headOf(b, d)))
	for i := 0; b.Loop(); i++ {
		found, err := r.ReverseQueryRelationships(context.Background(), datastore.SubjectsFilter{
			SubjectType: "user", OptionalSubjectIds: []string{fmt.Sprint("acme/u", i%5000)},
		}, options.WithResRelation(&options.ResourceRelation{Namespace: "file", Relation: "direct_viewer"}))
		if countAll(b, found, err) != 20 {
			b.Fatal("not all files")
		}
	}
}

// Every declared statement fits the tables.
func TestStatementsFitTheTables(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	if err := prepareNotes(d); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.PrepareAll(context.Background(), d.db); err != nil {
		t.Fatal(err)
	}
}
