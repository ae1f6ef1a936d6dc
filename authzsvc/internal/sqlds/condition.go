package sqlds

import (
	"context"
	"encoding/json"

	"github.com/authzed/spicedb/pkg/caveats"
	caveattypes "github.com/authzed/spicedb/pkg/caveats/types"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
)

// maxContext bounds what a relationship says of its condition's parameters, in bytes.
const maxContext = 4096

// condition returns what is stored of the condition of u; nil when there is none. What the schema knows nothing of, or knows
// otherwise, is refused: evaluating it would fail, for everybody who is asked about.
func (j *join) condition(ctx context.Context, u *relations.Update) ([]byte, error) {
	if u.Caveat == "" || u.Kind == relations.Delete {
		return nil, nil
	}
	values := map[string]any{}
	if u.Context != "" {
		if len(u.Context) > maxContext {
			return nil, errs.New(errs.Invalid, "the context of a condition takes at most %d bytes", maxContext).Marked(errs.NotValid)
		}
		if err := json.Unmarshal([]byte(u.Context), &values); err != nil || values == nil {
			return nil, errs.New(errs.Invalid, "the context of a condition is an object").Marked(errs.NotValid)
		}
	}
	m, err := j.schemaModel(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.knows(u.Caveat, values); err != nil {
		return nil, err
	}
	known, err := structpb.NewStruct(values)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the context of a condition cannot be kept").Marked(errs.NotValid).Because(err)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&core.RelationTuple{
		Caveat: &core.ContextualizedCaveat{CaveatName: u.Caveat, Context: known},
	})
}

// knows refuses a condition that there is not, and values that are none of its parameters.
func (m *model) knows(caveat string, values map[string]any) error {
	rule := m.rules[caveat]
	if rule == nil {
		return errs.New(errs.Invalid, "there is no caveat %q", schema.TypeName(caveat)).Marked(errs.NotValid)
	}
	_, err := caveats.ConvertContextToParameters(caveattypes.Default.TypeSet, values, rule.GetParameterTypes(), caveats.ErrorForUnknownParameters)
	if err != nil {
		return errs.New(errs.Invalid, "the context does not fit caveat %s: %s", schema.TypeName(caveat), err.Error()).Marked(errs.NotValid)
	}
	return nil
}

// conditionOf reads what condition made.
func conditionOf(extra []byte) (caveat, values string) {
	var kept core.RelationTuple
	if len(extra) == 0 || kept.UnmarshalVT(extra) != nil || kept.GetCaveat() == nil {
		return "", ""
	}
	if known := kept.GetCaveat().GetContext().AsMap(); len(known) > 0 {
		if text, err := json.Marshal(known); err == nil {
			values = string(text)
		}
	}
	return kept.GetCaveat().GetCaveatName(), values
}
