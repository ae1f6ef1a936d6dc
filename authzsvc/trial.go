package authzsvc

import (
	"context"

	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/trial"
	"nexus/schema"
)

// What authors of schemas try out in memory, without a server.
type (
	SchemaReport  = trial.Report
	SchemaFailure = trial.Failure
	SchemaChange  = spice.Change
	SchemaEffect  = trial.Effect
)

// TestSchema holds a schema against a file in SpiceDB's validation format; open reads the schema that the file names. A
// schema without types of the product's is a tenant's, and runs beside the product's.
func TestSchema(ctx context.Context, file []byte, open func(name string) ([]byte, error)) (*SchemaReport, error) {
	product, err := spice.CompileProduct(ctx, schema.Text)
	if err != nil {
		return nil, err
	}
	return trial.Run(ctx, product, file, open)
}

// TestOpenFGA holds a schema against an OpenFGA test file, whose own model is not looked at.
func TestOpenFGA(ctx context.Context, text string, file []byte) (*SchemaReport, error) {
	product, err := spice.CompileProduct(ctx, schema.Text)
	if err != nil {
		return nil, err
	}
	return trial.RunOpenFGA(ctx, product, text, file)
}

// DiffSchemas returns what changes when the text after takes the place of before.
func DiffSchemas(ctx context.Context, before, after string) ([]SchemaChange, error) {
	return spice.Diff(ctx, before, after)
}

// SchemaEffects returns who gains and who loses which permissions when a tenant's schema after takes the place of before, over
// relationships as people write them; orphans are those for which after has no place.
func SchemaEffects(ctx context.Context, before, after string, relationships []string) (effects []SchemaEffect, orphans []string, err error) {
	product, err := spice.CompileProduct(ctx, schema.Text)
	if err != nil {
		return nil, nil, err
	}
	return trial.Effects(ctx, product, before, after, relationships)
}
