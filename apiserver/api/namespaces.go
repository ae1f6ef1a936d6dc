package api

import (
	"bytes"
	"encoding/json"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// Object is a JSON object that is passed on as it was written.
type Object json.RawMessage

// WireType names the form for help texts.
func (Object) WireType() string { return "object" }

// MarshalJSON writes the object; null for none.
func (o Object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// UnmarshalJSON takes an object.
func (o *Object) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if bytes.Equal(raw, []byte("null")) {
		*o = nil
		return nil
	}
	if len(raw) == 0 || raw[0] != '{' {
		return errs.New(errs.Invalid, "not an object")
	}
	*o = Object(bytes.Clone(raw))
	return nil
}

// Values returns the members of the object; nil for none.
func (o Object) Values() (values map[string]any, err error) {
	if len(o) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(o, &values); err != nil {
		return nil, errs.New(errs.Invalid, "an object cannot be read").Because(err)
	}
	return values, nil
}

// CreateNamespaceParams are those of namespaces.create.
type CreateNamespaceParams struct {
	ObjectType string `json:"object_type" need:"required" audit:"plain" doc:"name of the type: 3 to 63 of a-z, 0-9 and _"`
	Config     Object `json:"config" need:"required" audit:"hash" doc:"its relations and permissions; docs/schemas.md has the form"`
}

// NamespaceParams name a type that the tenant defined.
type NamespaceParams struct {
	ObjectType string `json:"object_type" need:"required" audit:"plain" doc:"name of the type"`
}

// Namespace is a type that the tenant defined.
type Namespace struct {
	ID         string `json:"namespace_id"`
	ObjectType string `json:"object_type"`
	Config     Object `json:"config"`
	Created    Time   `json:"created_at"`
	Updated    Time   `json:"updated_at"`
}

// Available is the answer of namespaces.available.
type Available struct {
	Namespaces []string `json:"namespaces"`
}

// WriteSchemaParams are those of schema.write.
type WriteSchemaParams struct {
	Schema string `json:"schema" need:"required" audit:"hash" doc:"all definitions of the tenant, in SpiceDB's language; empty text deletes them"`
	DryRun bool   `json:"dry_run" audit:"plain" doc:"only tell whether it could be written (default: false)"`
}

// Schema is what a tenant can speak of: its own definitions, and the product's.
type Schema struct {
	Schema  string `json:"schema"`  // the tenant's own
	Product string `json:"product"` // as every tenant has it
	Digest  string `json:"product_digest"`
}

// Operations on what a tenant defines. The JSON-RPC names of the first five are those of nexus-rpc.txt.
var (
	CreateNamespace = &op.Contract[CreateNamespaceParams, Success]{
		Decl: op.Decl{
			Name: "namespaces.create", Method: "namespace_create", Access: op.Writes,
			Summary: "Define a type of one's own, or define it anew.",
			Doc:     "Needs administer on the tenant. Nothing that it says reaches the product's types or another tenant. Refused when relationships are stored that the new definition does not admit.",
		},
		Sample: CreateNamespaceParams{ObjectType: "sample_doc", Config: Object(`{"relations":{"viewer":{}},"permissions":{"read":["viewer"]}}`)},
	}
	GetNamespace = &op.Contract[NamespaceParams, *Namespace]{
		Decl: op.Decl{
			Name: "namespaces.get", Method: "namespace_get", Aliases: []string{"get_namespace"}, Access: op.Reads, Prompt: true,
			Summary: "Read the definition of a type of one's own.",
			Doc:     "Needs access to the tenant. Answers null when the tenant defines no such type.",
		},
		Sample: NamespaceParams{ObjectType: "sample_doc"},
	}
	ListNamespaces = &op.Contract[Nothing, []Namespace]{
		Decl: op.Decl{
			Name: "namespaces.list", Method: "namespace_list", Access: op.Reads, Prompt: true,
			Summary: "List the types that the tenant defined.",
			Doc:     "Needs access to the tenant.",
		},
	}
	DeleteNamespace = &op.Contract[NamespaceParams, bool]{
		Decl: op.Decl{
			Name: "namespaces.delete", Method: "namespace_delete", Access: op.Writes,
			Summary: "Delete the definition of a type of one's own.",
			Doc:     "Needs administer on the tenant. Answers false when there is none. Refused while relationships of the type exist, be it as their object or as their subject, and while another type refers to it.",
		},
		Sample: NamespaceParams{ObjectType: "sample_doc"},
	}
	AvailableNamespaces = &op.Contract[Nothing, Available]{
		Decl: op.Decl{
			Name: "namespaces.available", Method: "get_available_namespaces", Access: op.Reads, Prompt: true,
			Summary: "List the names of namespaces: those of the product, and the tenant's own types.",
			Doc:     "Needs access to the tenant.",
		},
	}
	ReadSchema = &op.Contract[Nothing, Schema]{
		Decl: op.Decl{
			Name: "schema.read", Method: "schema_read", Access: op.Reads, Prompt: true,
			Summary: "Read the schema in SpiceDB's language: the tenant's own definitions, and the product's.",
			Doc:     "Needs access to the tenant.",
		},
	}
	WriteSchema = &op.Contract[WriteSchemaParams, Success]{
		Decl: op.Decl{
			Name: "schema.write", Method: "schema_write", Access: op.Writes,
			Summary: "Write all definitions of the tenant at once.",
			Doc:     "Needs administer on the tenant. What the text does not define is deleted; the rules of namespaces.create and namespaces.delete hold for each.",
		},
		Sample: WriteSchemaParams{Schema: "definition sample_note {\n\trelation viewer: user\n}\n"},
	}
)
