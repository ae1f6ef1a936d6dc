package sqlds

import (
	"context"
	"testing"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

func TestSettledWaitsForARunningBatch(t *testing.T) {
	d := productStore(t, Options{})
	writing, proceed := make(chan struct{}), make(chan struct{})
	wrote := make(chan error, 1)
	go func() {
		wrote <- d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
			if err := d.Writer().Write(ctx, tx, touch(viewer("f1", "ann"))); err != nil {
				return err
			}
			close(writing)
			<-proceed
			return nil
		})
	}()
	<-writing
	before := headOf(t, d)
	settled := make(chan relations.Revision, 1)
	go func() {
		r, err := d.Settled(context.Background())
		if err != nil {
			t.Error(err)
		}
		settled <- r
	}()
	select {
	case r := <-settled:
		t.Fatalf("Settled = %d while a batch that writes relationships was running", r)
	default:
	}
	close(proceed)
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if after := <-settled; after <= before {
		t.Errorf("Settled = %d, want a revision after %d", after, before)
	}
}

func TestSettledDoesNotWaitWhereNothingRuns(t *testing.T) {
	d := productStore(t, Options{})
	head := headOf(t, d)
	if r, err := d.Settled(context.Background()); err != nil || r < head {
		t.Errorf("Settled = %d, %v, want at least %d", r, err, head)
	}
}
