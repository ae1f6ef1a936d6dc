package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// appendTries is how often contents are put behind those of a file that others keep writing.
const appendTries = 8

// errGrown says that the file has another version than the one that was appended to.
var errGrown = errors.New("storage: the file has a newer version")

// append makes a new version of the file at a: its contents with the staged ones behind them. What comes in between is met by
// joining anew.
func (f *Files) append(ctx context.Context, d *authz.Decision, a schema.Address, st *Staged, o WriteOptions) (Written, error) {
	for range appendTries {
		out, err := f.appendOnce(ctx, d, a, st, o)
		if !errors.Is(err, errGrown) {
			return out, err
		}
	}
	return Written{}, errs.New(errs.Conflict, "others keep writing %s: try again", a.Path).With("path", a.Path)
}

// appendOnce joins the contents with those of the current version, and puts them there unless another version came meanwhile.
func (f *Files) appendOnce(ctx context.Context, d *authz.Decision, a schema.Address, st *Staged, o WriteOptions) (Written, error) {
	base, err := sqlstore.FileByID(ctx, f.s.db, a.Anchor)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Written{}, stale()
	}
	if err != nil {
		return Written{}, err
	}
	ord := order{WriteOptions: o, asked: st, onto: base.Version}
	if base.Version == 0 { // a grant reserved the name
		return f.put(ctx, d, a, st, ord)
	}
	if out, found, err := f.s.ticket(d, a, ord).redeem(ctx, f.s.db); found || err != nil {
		return out, err
	}
	if err := o.check(sqlstore.Place{File: base}, a); err != nil {
		return Written{}, err
	}
	joined, err := f.join(ctx, base, st)
	if err != nil {
		return Written{}, err
	}
	defer joined.Discard()
	return f.put(ctx, d, a, joined, ord)
}

// join stages the contents of a file with st behind them. What has been harmed gets no new name.
func (f *Files) join(ctx context.Context, base *sqlstore.File, st *Staged) (*Staged, error) {
	v, before, err := f.open(ctx, base.ID, base.Version)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, stale()
	}
	if err != nil {
		return nil, err
	}
	defer before.Close()
	behind, err := st.reader()
	if err != nil {
		return nil, err
	}
	defer behind.Close()
	sum := sha256.New()
	joined, err := f.s.stage(ctx, st.tenant, io.MultiReader(io.TeeReader(before, sum), behind))
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != v.Etag {
		joined.Discard()
		err := fmt.Errorf("%w: version %d of %s", blob.ErrCorrupt, v.Number, v.File)
		f.s.harm.found(err)
		return nil, errs.New(errs.Internal, "contents cannot be read").Because(err)
	}
	return joined, nil
}
