package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/authzsvc/explain"
	"nexus/internal/errs"
)

// RelateParams are those of relations.create.
type RelateParams struct {
	Subject  Ref    `json:"subject" need:"required" audit:"plain" doc:"who gets the relation: [type, id], or [group, id, member]"`
	Relation string `json:"relation" need:"required" audit:"plain" doc:"direct_owner, direct_editor, direct_viewer, parent, member, manager or admin"`
	Object   Ref    `json:"object" need:"required" audit:"plain" doc:"what it is on: [type, id]; a file's id is its path"`
	Expires  Time   `json:"expires_at" audit:"plain" doc:"when it ends; never, when left out"`
	Tenant   string `json:"tenant_id" audit:"plain" doc:"the caller's own tenant (default)"`
	Columns  any    `json:"column_config" doc:"accepted for compatibility"`
	Caveat   string `json:"caveat" audit:"plain" doc:"the condition under which it holds: a caveat of the tenant's, on an object of its own types"`
	Context  Object `json:"caveat_context" doc:"what is known already of the caveat's parameters"`
}

// Clean brings paths into their one form.
func (p *RelateParams) Clean() error {
	if len(p.Object) == 3 {
		return errs.New(errs.Invalid, "an object is [type, id]")
	}
	return cleanAll(p.Subject, p.Object)
}

// AskParams are those of the questions about a subject and an object.
type AskParams struct {
	Subject    Ref    `json:"subject" need:"required" audit:"plain" doc:"about whom"`
	Permission string `json:"permission" need:"required" audit:"plain" doc:"a permission, such as read, write, share"`
	Object     Ref    `json:"object" need:"required" audit:"plain" doc:"on what: [type, id]"`
	Tenant     string `json:"tenant_id" audit:"plain" doc:"the caller's own tenant (default)"`
	Context    Object `json:"caveat_context" doc:"values for the parameters of caveats; what lacks one is a denial"`
}

// Clean brings paths into their one form.
func (p *AskParams) Clean() error { return cleanAll(p.Subject, p.Object) }

// ExplainParams are those of relations.explain.
type ExplainParams struct {
	AskParams
	At   Time `json:"at" audit:"plain" doc:"as of this time; now, when left out"`
	Full bool `json:"full" doc:"trace past every cache (default: false)"`
}

// ExpandParams are those of relations.expand.
type ExpandParams struct {
	Permission string `json:"permission" need:"required" audit:"plain" doc:"a permission or relation"`
	Object     Ref    `json:"object" need:"required" audit:"plain" doc:"on what: [type, id]"`
}

// Clean brings paths into their one form.
func (p *ExpandParams) Clean() error { return cleanAll(p.Object) }

// TupleID is the id of a relationship as relations.create answers it.
type TupleID string

// UnrelateParams are those of relations.delete.
type UnrelateParams struct {
	ID string `json:"tuple_id" need:"required" audit:"plain" doc:"as relations.create answered it"`
}

// TuplesParams are those of relations.list.
type TuplesParams struct {
	Subject  Ref    `json:"subject" audit:"plain" doc:"only of this subject"`
	Relation string `json:"relation" audit:"plain" doc:"only this relation"`
	Object   Ref    `json:"object" audit:"plain" doc:"only on this object"`
	PageParams
}

// Clean brings paths into their one form.
func (p *TuplesParams) Clean() error {
	return cmp.Or(p.PageParams.Clean(), cleanAll(p.Subject, p.Object))
}

// TupleList is a list of relationships, or a page of one.
type TupleList struct {
	Tuples []Tuple `json:"tuples"`
	Page
}

// Tuple is a relationship that the caller may see.
type Tuple struct {
	ID          string `json:"tuple_id"`
	Subject     Ref    `json:"subject"`
	Relation    string `json:"relation"`
	Object      Ref    `json:"object"`
	Created     Time   `json:"created_at"`
	Expires     Time   `json:"expires_at"`
	SubjectType string `json:"subject_type"`
	SubjectID   string `json:"subject_id"`
	ObjectType  string `json:"object_type"`
	ObjectID    string `json:"object_id"`
	Tenant      string `json:"tenant_id"`
	Caveat      string `json:"caveat,omitempty"`         // the condition under which it holds
	Context     Object `json:"caveat_context,omitempty"` // what is known of its parameters
}

// Allowed is the answer to a check.
type Allowed struct {
	Allowed bool `json:"allowed"`
}

// Subjects is the answer to an expansion.
type Subjects struct {
	Subjects []Ref `json:"subjects"`
}

// Explanation says why a subject has a permission, or what is missing. Nodes that the asker may not read are hidden.
type Explanation struct {
	explain.Explanation
	Result bool   `json:"result"` // Allowed, as older clients read it
	Text   string `json:"text"`   // for people
}

// unexplained is the explanation for who may not ask: the question, and no.
func unexplained(p *ExplainParams) Explanation {
	return Explanation{Explanation: explain.Explanation{
		Subject: explain.Entity{Type: p.Subject.Type(), Name: p.Subject.ID()}, Permission: p.Permission,
		Object: explain.Entity{Type: p.Object.Type(), Name: p.Object.ID()},
		Reason: "not yours to ask", Path: []explain.Step{}, Paths: []*explain.Branch{},
	}}
}

func cleanAll(refs ...Ref) error {
	for _, r := range refs {
		if err := r.clean(); err != nil {
			return err
		}
	}
	return nil
}

// Operations on relationships. Their JSON-RPC names are those of nexus-rpc.txt.
var (
	Relate = &op.Contract[RelateParams, TupleID]{
		Decl: op.Decl{
			Name: "relations.create", Method: "rebac_create", Access: op.Writes,
			Summary: "Share: relate a subject to an object.",
			Doc: "Needs share on a file, manage on a group, administer on a tenant; to put a group into another, manage on both; relation parent, which makes a file visible in a second folder, " +
				"share on the file and write on the folder. The same relationship gets the same id again, and ends when the newer expires_at says. A group as the subject means its members.",
		},
		Sample: RelateParams{Subject: Ref{"user", "sample-reader"}, Relation: "direct_viewer", Object: Ref{"file", "/sample/file.txt"}},
	}
	Check = &op.Contract[AskParams, Allowed]{
		Decl: op.Decl{
			Name: "relations.check", Method: "rebac_check", Access: op.Reads, Prompt: true,
			Summary: "Tell whether a subject has a permission on an object.",
			Doc:     "Anybody may ask about himself; about others who may share the object, a tenant's admin, or a key with scope evaluate. Otherwise the answer is false.",
		},
		Sample: AskParams{Subject: Ref{"user", "sample-owner"}, Permission: "read", Object: Ref{"file", "/sample/file.txt"}},
		Hidden: func(*AskParams) Allowed { return Allowed{} },
	}
	Expand = &op.Contract[ExpandParams, Subjects]{
		Decl: op.Decl{
			Name: "relations.expand", Method: "rebac_expand", Access: op.Reads, Prompt: true,
			Summary: "List every subject that has a permission on an object.",
			Doc:     "Needs share on the object, or administer on the tenant.",
		},
		Sample: ExpandParams{Permission: "read", Object: Ref{"file", "/sample/file.txt"}},
		Hidden: func(*ExpandParams) Subjects { return Subjects{Subjects: []Ref{}} },
	}
	Explain = &op.Contract[ExplainParams, Explanation]{
		Decl: op.Decl{
			Name: "relations.explain", Method: "rebac_explain", Access: op.Reads, Prompt: true,
			Summary: "Show the path by which a subject has a permission, or what is missing.",
			Doc:     "The rules of relations.check say who may ask about whom.",
		},
		Sample: ExplainParams{AskParams: AskParams{Subject: Ref{"user", "sample-owner"}, Permission: "read", Object: Ref{"file", "/sample/file.txt"}}},
		Hidden: unexplained,
	}
	Unrelate = &op.Contract[UnrelateParams, bool]{
		Decl: op.Decl{
			Name: "relations.delete", Method: "rebac_delete", Access: op.Writes, Essential: true,
			Summary: "Unshare: delete a relationship by its id.",
			Doc:     "Needs what creating it needs; of two groups that stand in one another, manage on either. Answers false for an id that does not exist or that the caller may not delete. The right is gone when the answer arrives.",
		},
		Sample: UnrelateParams{ID: "sample-tuple"},
		Hidden: func(*UnrelateParams) bool { return false },
	}
	Tuples = &op.Contract[TuplesParams, TupleList]{
		Decl: op.Decl{
			Name: "relations.list", Method: "rebac_list_tuples", Access: op.Reads, Prompt: true,
			Summary: "List relationships of an object, of a subject, or of the tenant.",
			Doc: "Of a file: needs share on it. Of a group, and of the groups that a group stands in: manage on it. Of oneself: access to the tenant. Otherwise administer on the tenant. " +
				"Without limit and cursor the answer is the bare list, of 100,000 relationships at the most; with either it is a page with next_cursor and complete.",
		},
		Sample: TuplesParams{Object: Ref{"file", "/sample/file.txt"}},
		Hidden: func(p *TuplesParams) TupleList { return TupleList{Tuples: []Tuple{}, Page: p.Last()} },
	}
)
