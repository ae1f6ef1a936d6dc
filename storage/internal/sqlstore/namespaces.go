package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"nexus/internal/sqldb"
	"nexus/schema"
)

// Namespace is a type that a tenant defined, or a caveat of one.
type Namespace struct {
	ID               string
	Name             string
	Caveat           bool
	Text             string
	Config           json.RawMessage
	Kind             schema.Kind // without the name
	Created, Updated int64
}

// vocabulary is how a kind stands in its row.
type vocabulary struct {
	Relations   []string `json:"relations"`
	Permissions []string `json:"permissions"`
}

// Schema is what a tenant defines.
type Schema struct {
	Number     int64 // 0: it has defined nothing yet
	Generation int64
	Namespaces []Namespace // by name
}

// tenantNumbers is the setting that counts the tenants that got a number.
const tenantNumbers = "tenant_numbers"

var (
	schemaOf     = sqldb.SQL(`SELECT number, generation FROM schemas WHERE tenant = $1`)
	insertSchema = sqldb.SQL(`INSERT INTO schemas (tenant, number, generation) VALUES ($1, $2, 1) ON CONFLICT (tenant) DO NOTHING`)
	claimSchema  = sqldb.SQL(`UPDATE schemas SET generation = generation + 1 WHERE tenant = $1 AND generation = $2`)
	nextNumber   = sqldb.SQL(`INSERT INTO settings (name, value) VALUES ($1, '1')
		ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT) RETURNING value`)
	namespacesOf = sqldb.SQL(`SELECT id, name, caveat, text, config, vocabulary, created, updated FROM namespaces WHERE tenant = $1 ORDER BY name`)
	namespaceBy  = sqldb.SQL(`SELECT id, name, caveat, text, config, vocabulary, created, updated FROM namespaces WHERE tenant = $1 AND name = $2`)
	putNamespace = sqldb.SQL(`INSERT INTO namespaces (tenant, name, id, caveat, text, config, vocabulary, created, updated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant, name) DO UPDATE SET caveat = excluded.caveat, text = excluded.text, config = excluded.config,
		vocabulary = excluded.vocabulary, updated = excluded.updated`)
	dropNamespace = sqldb.SQL(`DELETE FROM namespaces WHERE tenant = $1 AND name = $2`)
	dropTuples    = sqldb.SQL(`DELETE FROM tuples WHERE resource_type = $1`)
	kindsOf       = sqldb.SQL(`SELECT s.number, n.name, n.vocabulary FROM schemas s JOIN namespaces n ON n.tenant = s.tenant
		WHERE s.tenant = $1 AND n.caveat IS FALSE ORDER BY n.name`)
	kindBy = sqldb.SQL(`SELECT s.number, n.name, n.vocabulary FROM schemas s JOIN namespaces n ON n.tenant = s.tenant
		WHERE s.tenant = $1 AND n.name = $2 AND n.caveat IS FALSE`)
)

// SchemaOf returns what a tenant defines.
func SchemaOf(ctx context.Context, q sqldb.Q, tenant string) (Schema, error) {
	var s Schema
	err := q.Row(ctx, schemaOf, tenant).Scan(&s.Number, &s.Generation)
	if errors.Is(err, sqldb.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Namespaces, err = Namespaces(ctx, q, tenant)
	return s, err
}

// ClaimSchema gives a tenant's definitions their next generation, and the tenant its number when it has none. It returns the
// number, and false when the generation is no longer that of s.
func ClaimSchema(ctx context.Context, tx sqldb.Tx, tenant string, s Schema) (number int64, current bool, err error) {
	if s.Number != 0 {
		n, err := tx.Exec(ctx, claimSchema, tenant, s.Generation)
		return s.Number, n > 0, err
	}
	var text string
	if err := tx.Row(ctx, nextNumber, tenantNumbers).Scan(&text); err != nil {
		return 0, false, err
	}
	if number, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, false, err
	}
	n, err := tx.Exec(ctx, insertSchema, tenant, number)
	return number, n > 0, err
}

// Namespaces returns what a tenant defines, by name.
func Namespaces(ctx context.Context, q sqldb.Q, tenant string) ([]Namespace, error) {
	var all []Namespace
	err := q.Each(ctx, namespacesOf, []any{tenant}, func(r sqldb.Row) error {
		n, err := scanNamespace(r)
		if err == nil {
			all = append(all, *n)
		}
		return err
	})
	return all, err
}

// NamespaceBy returns a tenant's namespace; ErrNoRows when there is none.
func NamespaceBy(ctx context.Context, q sqldb.Q, tenant, name string) (*Namespace, error) {
	return scanNamespace(q.Row(ctx, namespaceBy, tenant, name))
}

// PutNamespace writes a tenant's namespace. One that is there keeps its id and the time it was made.
func PutNamespace(ctx context.Context, tx sqldb.Tx, tenant string, n *Namespace) error {
	words, err := json.Marshal(vocabulary{n.Kind.Relations, n.Kind.Permissions})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, putNamespace, tenant, n.Name, n.ID, n.Caveat, n.Text, string(n.Config), string(words), n.Created, n.Updated)
	return err
}

// DropNamespace deletes a tenant's namespace, with the ids of relationships that its objects once had.
func DropNamespace(ctx context.Context, tx sqldb.Tx, tenant, name, definition string) error {
	if _, err := tx.Exec(ctx, dropNamespace, tenant, name); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, dropTuples, definition)
	return err
}

// KindBy returns a type that a tenant defined, by its name; ErrNoRows when there is none.
func KindBy(ctx context.Context, q sqldb.Q, tenant, name string) (schema.Kind, error) {
	return scanKind(q.Row(ctx, kindBy, tenant, name))
}

// Kinds returns the types that a tenant defined, by name.
func Kinds(ctx context.Context, q sqldb.Q, tenant string) ([]schema.Kind, error) {
	var all []schema.Kind
	err := q.Each(ctx, kindsOf, []any{tenant}, func(r sqldb.Row) error {
		k, err := scanKind(r)
		all = append(all, k)
		return err
	})
	return all, err
}

func scanNamespace(r sqldb.Row) (*Namespace, error) {
	var n Namespace
	var config, words string
	if err := r.Scan(&n.ID, &n.Name, &n.Caveat, &n.Text, &config, &words, &n.Created, &n.Updated); err != nil {
		return nil, err
	}
	var v vocabulary
	if err := json.Unmarshal([]byte(words), &v); err != nil {
		return nil, err
	}
	n.Config, n.Kind = json.RawMessage(config), schema.Kind{Relations: v.Relations, Permissions: v.Permissions}
	return &n, nil
}

func scanKind(r sqldb.Row) (schema.Kind, error) {
	var number int64
	var name, words string
	if err := r.Scan(&number, &name, &words); err != nil {
		return schema.Kind{}, err
	}
	var v vocabulary
	err := json.Unmarshal([]byte(words), &v)
	return schema.Kind{Type: schema.OwnType(number, name), Relations: v.Relations, Permissions: v.Permissions}, err
}
