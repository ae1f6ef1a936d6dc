package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	account "os/user"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// Recover makes a platform admin's key for a user of the default tenant, in a data directory that no server has open. It is
// recorded like every decision, before and after it is done; nobody decides it, because whoever can write the directory
// can do as he likes with it.
func Recover(ctx context.Context, c Config, name string) (key storage.Key, err error) {
	if _, err := os.Stat(DatabasePath(c.DataDir)); errors.Is(err, fs.ErrNotExist) {
		return key, errs.New(errs.NotFound, "there is no database in %s", c.DataDir)
	}
	n, err := Open(ctx, c)
	if err != nil {
		return key, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	d, err := n.recovery(name)
	if err != nil {
		return key, err
	}
	if err := n.Service.Record().Decide(ctx, d); err != nil {
		return key, err
	}
	key, seq, failed := n.Store.Founding().NewAdmin(ctx, d.ID, name)
	o := &authz.Outcome{ID: d.ID, At: n.clock.Now(), State: authz.Done, First: seq, Last: seq}
	if failed != nil {
		o.State, o.Why = authz.Failed, errs.KindOf(failed).String()
	}
	return key, errors.Join(failed, n.Service.Record().Conclude(ctx, o))
}

// recovery is the entry of the record about making a key for the user of that name.
func (n *Node) recovery(name string) (*authz.Decided, error) {
	who, err := schema.UserOf(ids.Quote(storage.DefaultTenant), name)
	if err != nil {
		return nil, err
	}
	return &authz.Decided{
		ID: ids.New(), At: n.clock.Now().UTC().Truncate(time.Microsecond), Tenant: ids.Quote(storage.DefaultTenant),
		Base: authz.Ref{Type: "service", ID: ids.Quote(storage.DefaultTenant) + "/recovery"}, Op: "keys.recover", Allowed: true, Durable: true,
		Objects: []authz.Named{{Ref: schema.Platform}, who.Named()}, Params: map[string]string{"user_id": name, "operator": operator()},
	}, nil
}

// operator names whoever runs the program, as the machine knows him.
func operator() string {
	u, err := account.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
