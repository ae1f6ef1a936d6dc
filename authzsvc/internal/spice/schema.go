package spice

import (
	"context"
	"errors"
	"strings"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/datastore"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/input"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"nexus/internal/errs"
)

// CheckSchema compiles text and refuses what no schema of this product may have: a wildcard subject ("user:*"), which would
// admit everybody of every tenant.
func CheckSchema(text string) error {
	compiled, err := compiler.Compile(
		compiler.InputSchema{Source: input.Source("schema"), SchemaString: text},
		compiler.AllowUnprefixedObjectType(), compiler.DisallowImportFlag(),
	)
	if err != nil {
		return invalidSchema(err)
	}
	for _, definition := range compiled.ObjectDefinitions {
		for _, relation := range definition.GetRelation() {
			if t := wildcard(relation); t != "" {
				return errs.New(errs.Invalid, "relation %s of %s admits %s:*, which would be everybody of every tenant",
					relation.GetName(), definition.GetName(), t).Marked(errs.NotValid)
			}
		}
	}
	return nil
}

func wildcard(relation *core.Relation) string {
	for _, allowed := range relation.GetTypeInformation().GetAllowedDirectRelations() {
		if allowed.GetPublicWildcard() != nil {
			return allowed.GetNamespace()
		}
	}
	return ""
}

// WriteSchema makes text the schema, unless it is already: then nothing is written and the head stays where it is. A text
// that does not compile, admits a wildcard or takes away what relationships use is errs.Invalid and says why.
func (e *Engine) WriteSchema(ctx context.Context, text string) error {
	if err := CheckSchema(text); err != nil {
		return err
	}
	stored, err := e.ReadSchema(ctx)
	if err != nil {
		return err
	}
	if stored == text {
		return nil
	}
	_, err = e.server.schema.WriteSchema(ctx, &v1.WriteSchemaRequest{Schema: text})
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition:
		return invalidSchema(errors.New(status.Convert(err).Message()))
	}
	return fault(err)
}

// ReadSchema returns the schema at the head, "" when none was ever written.
func (e *Engine) ReadSchema(ctx context.Context) (string, error) {
	head, err := e.store.HeadRevision(ctx)
	if err != nil {
		return "", fault(err)
	}
	stored, err := e.store.SnapshotReader(head.Revision).ReadStoredSchema(ctx)
	if errors.Is(err, datastore.ErrSchemaNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fault(err)
	}
	return stored.Get().GetV1().GetSchemaText(), nil
}

// invalidSchema is for the author, so it carries the compiler's words, up to the end of their first line.
func invalidSchema(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errs.New(errs.Invalid, "the schema is not valid: %s", text).Marked(errs.NotValid).Because(err)
}
