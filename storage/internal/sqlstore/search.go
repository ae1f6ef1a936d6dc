package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Listed is a file as a search meets it.
type Listed struct {
	File
	Folder string // path of the folder it stands in, with a slash at its end
}

// Held is a file as who follows contents meets it.
type Held struct {
	ID, Etag string
	Version  int64
}

// Followed is a change with what the file that changed holds now. File.ID is empty where none does: a folder changed, or the
// file has gone. Folder is not a clean path for what is in the trash.
type Followed struct {
	Seq  int64
	Kind ChangeKind
	At   int64
	Listed
}

// AtOnce is how many etags one statement looks for.
const AtOnce = 32

var (
	filesHolding = sqldb.SQL(`SELECT f.id, f.dir, f.name, f.version, f.etag, f.type, f.size, f.seq, f.created, f.modified, d.path
		FROM files f JOIN dirs d ON d.id = f.dir
		WHERE f.id > $1 AND f.id < $2 AND d.path >= $3 AND d.path < $4 AND f.version > 0 AND f.etag IN (
			$6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
			$22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)
		LIMIT $5`)
	heldEtags = sqldb.SQL(`SELECT DISTINCT etag FROM files WHERE id > $1 AND id < $2 AND etag IN (
			$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
			$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)`)
	heldByID = sqldb.SQL(`SELECT id, etag, version FROM files WHERE id > $1 AND id < $2 AND version > 0 ORDER BY id LIMIT $3`)
	followed = sqldb.SQL(`SELECT c.seq, c.kind, c.at, COALESCE(f.id, ''), COALESCE(f.dir, ''), COALESCE(f.name, ''), COALESCE(f.version, 0),
			COALESCE(f.etag, ''), COALESCE(f.size, 0), COALESCE(f.seq, 0), COALESCE(d.path, '')
		FROM changes c LEFT JOIN files f ON f.id = c.id AND f.version > 0 LEFT JOIN dirs d ON d.id = f.dir
		WHERE c.tenant = $1 AND c.seq > $2 ORDER BY c.seq LIMIT $3`)
	lastSeqs = sqldb.SQL(`SELECT id, seq FROM tenants ORDER BY id`)
)

// FilesHolding returns up to n files of a tenant at any depth below folder, which ends in a slash, that hold the contents of
// one of at most AtOnce etags, in no order.
func FilesHolding(ctx context.Context, q sqldb.Q, tenant, folder string, etags []string, n int) ([]Listed, error) {
	return listed(ctx, q, filesHolding, padded([]any{tenant + "/", tenant + "0", folder, End(folder), n}, etags)...)
}

// HeldEtags returns those of at most AtOnce etags that a file of the tenant has, one in the trash included.
func HeldEtags(ctx context.Context, q sqldb.Q, tenant string, etags []string) ([]string, error) {
	var all []string
	err := q.Each(ctx, heldEtags, padded([]any{tenant + "/", tenant + "0"}, etags), func(r sqldb.Row) error {
		var etag string
		err := r.Scan(&etag)
		all = append(all, etag)
		return err
	})
	return all, err
}

// padded is args with etags behind them, the last one so often that they are AtOnce.
func padded(args []any, etags []string) []any {
	for _, e := range etags {
		args = append(args, e)
	}
	for range AtOnce - len(etags) {
		args = append(args, etags[len(etags)-1])
	}
	return args
}

// HeldByID returns up to n files of a tenant, those in the trash included, in order of their ids after the id after.
func HeldByID(ctx context.Context, q sqldb.Q, tenant, after string, n int) ([]Held, error) {
	var all []Held
	err := q.Each(ctx, heldByID, []any{max(after, tenant+"/"), tenant + "0", n}, func(r sqldb.Row) error {
		var h Held
		err := r.Scan(&h.ID, &h.Etag, &h.Version)
		all = append(all, h)
		return err
	})
	return all, err
}

// FollowedAfter returns up to n changes of a tenant behind the sequence after, in order.
func FollowedAfter(ctx context.Context, q sqldb.Q, tenant string, after int64, n int) ([]Followed, error) {
	var all []Followed
	err := q.Each(ctx, followed, []any{tenant, after, n}, func(r sqldb.Row) error {
		var f Followed
		l := &f.Listed
		err := r.Scan(&f.Seq, &f.Kind, &f.At, &l.ID, &l.Dir, &l.Name, &l.Version, &l.Etag, &l.Size, &l.File.Seq, &l.Folder)
		all = append(all, f)
		return err
	})
	return all, err
}

// Tenant is a tenant and the last sequence that it gave to a change.
type Tenant struct {
	ID  string
	Seq int64
}

// LastSeqs returns every tenant.
func LastSeqs(ctx context.Context, q sqldb.Q) ([]Tenant, error) {
	var all []Tenant
	err := q.Each(ctx, lastSeqs, nil, func(r sqldb.Row) error {
		var t Tenant
		err := r.Scan(&t.ID, &t.Seq)
		all = append(all, t)
		return err
	})
	return all, err
}

func listed(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Listed, error) {
	var all []Listed
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		var l Listed
		err := r.Scan(&l.ID, &l.Dir, &l.Name, &l.Version, &l.Etag, &l.Type, &l.Size, &l.Seq, &l.Created, &l.Modified, &l.Folder)
		all = append(all, l)
		return err
	})
	return all, err
}
