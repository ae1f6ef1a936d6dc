// Package node wires one running server: database, decision service, storage, operations and faces. It holds no logic of
// its own. To add a part, open it in Open, close it in Close, in the reverse order.
package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/apiserver/ops"
	"nexus/authzsvc"
	"nexus/authzsvc/audit"
	"nexus/cmd/nexus/internal/backup"
	"nexus/cmd/nexus/internal/room"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// Config says what a node works with. DataDir is required.
type Config struct {
	DataDir   string   // holds the database, long contents and the record; made when missing
	PolicyDir string   // of the operator's own policies; empty: policies in DataDir, if it is there
	Disabled  []string // ids of shipped policies to leave out
	Caveats   bool     // whether tenants' definitions may hold caveats
	History   time.Duration
	BlobGrace time.Duration // 0: the built-in
	BlobCheck time.Duration // how often each is compared with its hash; 0: never
	Record    audit.Options
	Limits    storage.Limits // zero: storage.DefaultLimits
	Version   string
	Log       *slog.Logger
	Clock     clock.Clock // nil: the machine's
	Lite      sqldb.LiteOptions

	BackupDir   string // where backups of the running node are made; empty: none are
	DiskReserve int64  // bytes that must be free for what adds; 0: none
	Ballast     int64  // bytes given up when the disk is full; 0: none

	KeepChanges time.Duration // how long changes can be followed from; 0: 30 days
	KeepTrash   time.Duration // how long what was deleted can be brought back; 0: for ever

	Versions storage.VersionsKept // which versions of a file stay; zero: all
}

// Node is one server without its listener. It is safe for concurrent use.
type Node struct {
	DB          *sqldb.Lite
	Service     *authzsvc.Service
	Store       *storage.Store
	Search      *storage.Search
	Credentials *storage.Credentials
	Table       *op.Table
	Room        *room.Room

	grace       time.Duration
	check       time.Duration
	keepChanges time.Duration
	versions    storage.VersionsKept

	backups *backup.Keeper
	log     *slog.Logger
	clock   clock.Clock
	version string
	stop    context.CancelFunc
	idle    chan error
}

// Files of a data directory.
const (
	databaseFile = "nexus.db"
	recordDir    = "audit"
	blobDir      = "blobs"
	indexDir     = "index"
	policiesDir  = "policies" // unless Config names another place
)

// DatabasePath returns where the database of a data directory is.
func DatabasePath(dir string) string { return filepath.Join(dir, databaseFile) }

// RecordDir returns where the decision record of a data directory is.
func RecordDir(dir string) string { return filepath.Join(dir, recordDir) }

// BlobDir returns where the longer contents of a data directory are.
func BlobDir(dir string) string { return filepath.Join(dir, blobDir) }

// IndexDir returns where the search index of a data directory is. It can be deleted while nothing serves the directory: it is
// made anew.
func IndexDir(dir string) string { return filepath.Join(dir, indexDir) }

// Open opens everything below the faces, and closes what an earlier process left open in the record. It refuses a directory
// that another process serves.
func Open(ctx context.Context, c Config) (_ *Node, err error) {
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, errs.New(errs.Invalid, "data directory %s cannot be made", c.DataDir).Because(err)
	}
	if err := backup.Unfinished(c.DataDir); err != nil {
		return nil, err
	}
	n := &Node{clock: c.Clock, grace: c.BlobGrace, check: c.BlobCheck, version: c.Version, log: c.Log, keepChanges: cmp.Or(c.KeepChanges, 30*24*time.Hour), versions: c.Versions}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.DB, err = sqldb.OpenLite(ctx, DatabasePath(c.DataDir), c.Lite); err != nil {
		return nil, err
	}
	if err := n.open(ctx, c); err != nil {
		return nil, err
	}
	n.run(c.Log)
	return n, nil
}

func (n *Node) open(ctx context.Context, c Config) (err error) {
	if err := storage.CheckVersion(ctx, n.DB); err != nil {
		return err
	}
	policyDir := c.PolicyDir
	if policyDir == "" {
		policyDir = filepath.Join(c.DataDir, policiesDir)
	}
	n.Service, err = authzsvc.Open(ctx, authzsvc.Config{
		Database: n.DB, RecordDir: RecordDir(c.DataDir), Operations: names(), PolicyDir: policyDir, PolicyMayLack: c.PolicyDir == "", Disabled: c.Disabled, Caveats: c.Caveats,
		History: c.History, Record: c.Record, Clock: c.Clock, Log: c.Log,
	})
	if err != nil {
		return err
	}
	if err := storage.Migrate(ctx, n.DB); err != nil {
		return err
	}
	blobs, err := storage.OpenBlobDir(BlobDir(c.DataDir))
	if err != nil {
		return err
	}
	n.Store = storage.New(n.DB, blobs, n.Service.Writer(), n.Service.Reader(), c.Clock)
	if c.Limits != (storage.Limits{}) {
		n.Store.Limit(c.Limits)
	}
	n.Store.KeepTrash(c.KeepTrash)
	n.Credentials = n.Store.Credentials().Remember(rememberedKeys)
	if err := n.Store.Founding().Staff(ctx); err != nil {
		return err
	}
	if err := n.Store.Founding().Recover(ctx); err != nil {
		return err
	}
	settled, err := n.Service.Settle(ctx, n.Store.Effect)
	if err != nil {
		return err
	}
	if settled > 0 {
		c.Log.Warn("an earlier server ended early: its open decisions were closed by what was committed", "decisions", settled)
	}
	if n.Search, err = n.Store.OpenSearch(IndexDir(c.DataDir)); err != nil {
		return err
	}
	cursors, err := n.Store.Cursors(ctx)
	if err != nil {
		return err
	}
	if err := n.equip(c); err != nil {
		return err
	}
	n.Table = op.NewTable(n.Service.Gate())
	n.Table.Standing(n.Credentials.Stands)
	n.Table.Within(n.Room)
	answers := inquiry{n.Service, n.Store.Names()}
	return ops.Fill(n.Table, ops.Deps{
		Store: n.Store, Search: n.Search, Inquiry: answers, Definer: n.Service.Definer(), Policies: policies{n.Service}, Record: record{answers},
		Info: info(c), Backups: n.backups, Cursors: cursors,
	})
}

// equip opens what keeps an eye on the data directory: how full it is, and copies of it.
func (n *Node) equip(c Config) (err error) {
	n.Room, err = room.New(room.Options{
		Dir: c.DataDir, Reserve: c.DiskReserve, Ballast: c.Ballast, LastGasp: n.Service.Record().OnReserve, Clock: c.Clock, Log: c.Log,
	})
	if err != nil {
		return err
	}
	source := backup.Source{
		Dir: c.DataDir, DB: n.DB, Record: n.Service.Record(), Pause: n.Store.Blobs().Pause, Program: c.Version, Clock: c.Clock,
	}
	n.backups = backup.NewKeeper(c.BackupDir, source, c.Log)
	return nil
}

// rememberedKeys bounds the holders of keys that are kept in memory: a few hundred bytes each.
const rememberedKeys = 65_536

// run starts what works in the background.
func (n *Node) run(log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.idle = stop, make(chan error, 1)
	var all errgroup.Group
	all.Go(func() error {
		return n.Credentials.Run(ctx, func(err error) { log.Warn("last uses of keys could not be written", "error", err) })
	})
	all.Go(func() error { return n.work(ctx, log) })
	all.Go(func() error { return n.Room.Run(ctx) })
	go func() { n.idle <- all.Wait() }()
}

// Ready returns nil while the node can decide, record and answer.
func (n *Node) Ready(ctx context.Context) error {
	return errors.Join(n.Service.Ready(ctx), n.Store.Ready(ctx))
}

// Close ends the node, the newest part first. It is idempotent.
func (n *Node) Close() error {
	var all []error
	if n.stop != nil {
		n.stop()
		all = append(all, <-n.idle)
		n.stop = nil
	}
	if n.Search != nil {
		n.Search.Close()
	}
	if n.backups != nil {
		n.backups.Close()
	}
	if n.Service != nil {
		all = append(all, n.Service.Close())
	}
	if n.DB != nil {
		all = append(all, n.DB.Close())
	}
	return errors.Join(all...)
}

func info(c Config) ops.Info {
	store := map[string]string{"type": "sqlite"}
	return ops.Info{Version: c.Version, Backend: map[string]string{"type": "local"}, Metadata: store}
}

// names returns every operation that is decided: those of the table, and what the server does by itself.
func names() []string {
	all := slices.Clone(servants)
	for _, d := range api.All() {
		if d.As == "" { // rules about the other one hold for those
			all = append(all, d.Name)
		}
	}
	return all
}
