package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"nexus/apiserver/rpc"
	"nexus/authzsvc/audit"
	"nexus/cmd/nexus/internal/config"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/errs"
	"nexus/storage"
)

func (a *app) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server on a data directory, which is made when missing. On an empty one the first admin key is printed
once; with --admin-key-file it is written there instead. Every flag is also a setting of the YAML file (--config) and an
environment variable: --policy-dir is policy-dir and NEXUS_POLICY_DIR. Flags win over the environment, that over the file.
SIGHUP makes it read its certificate and its policies again.

Settings:
` + config.Describe(),
		Example: "  nexus serve --data ./data --listen 127.0.0.1:8765 --admin-key-file ./admin.key",
		Args:    cobra.NoArgs,
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(cmd.LocalNonPersistentFlags(), a.Environ)
		if err != nil {
			return err
		}
		return a.runServer(cmd.Context(), c)
	}
	return cmd
}

func (a *app) runServer(ctx context.Context, c config.Config) (err error) {
	log := logger(a.Err, c)
	n, err := node.Open(ctx, node.Config{
		DataDir: c.Data, PolicyDir: c.PolicyDir, Disabled: c.PolicyDisabled, Caveats: c.SchemaCaveats, History: c.History,
		Limits: storage.Limits{Reserved: int(c.ReservedPaths)}, Version: Version, Log: log,
		BlobGrace: c.BlobGrace, BlobCheck: c.BlobCheck,
		Record:    audit.Options{KeepFor: c.AuditKeep, KeepBytes: c.AuditKeepBytes, ReserveBytes: c.AuditReserve},
		BackupDir: c.BackupDir, DiskReserve: c.DiskReserve, Ballast: c.DiskBallast, KeepChanges: c.ChangesKeep, KeepTrash: c.TrashKeep,
		Versions: storage.VersionsKept{Newest: c.VersionsKeep, For: c.VersionsKeepFor},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	face, err := faceOf(c, log)
	if err != nil {
		return err
	}
	server, err := n.Server(face)
	if err != nil {
		return err
	}
	listener, reload, err := listen(c, face.Proxies, log)
	if err != nil {
		return err
	}
	if err := a.found(ctx, n, c); err != nil {
		return errors.Join(err, listener.Close())
	}
	stop := onHangUp(ctx, log, reload, func() error { return n.Service.ReloadPolicy(ctx) })
	defer stop()
	fmt.Fprintf(a.Out, "nexus %s serves %s on %s://%s\n", Version, c.Data, scheme(c), listener.Addr())
	return server.Serve(ctx, listener)
}

// found makes the first admin key on an empty store, and hands it out once.
func (a *app) found(ctx context.Context, n *node.Node, c config.Config) error {
	hand, err := a.keyFile(c.AdminKeyFile)
	if err != nil {
		return err
	}
	key, founded, err := n.Store.Founding().Found(ctx)
	if err != nil || !founded {
		return errors.Join(err, hand.discard())
	}
	if c.AdminKeyFile == "" {
		fmt.Fprintf(a.Out, "first admin key, shown once: %s\n", key.Secret)
		return nil
	}
	return hand.keep(key.Secret)
}

// handout is the file that the first admin key goes to. It is opened before the key is made: a key that cannot be handed
// out would be lost.
type handout struct {
	file *os.File
	made bool
}

func (a *app) keyFile(path string) (handout, error) {
	if path == "" {
		return handout{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return handout{}, nil // an earlier start wrote it
	}
	if err != nil {
		return handout{}, errs.New(errs.Invalid, "admin key file %s cannot be written", path).Because(err)
	}
	return handout{f, true}, nil
}

func (h handout) keep(secret string) error {
	if h.file == nil {
		return errs.New(errs.Exists, "the admin key file exists already, but the data directory is new: name another file")
	}
	_, err := io.WriteString(h.file, secret+"\n")
	return errors.Join(err, h.file.Sync(), h.file.Close())
}

func (h handout) discard() error {
	if h.file == nil {
		return nil
	}
	return errors.Join(h.file.Close(), os.Remove(h.file.Name()))
}

func faceOf(c config.Config, log *slog.Logger) (node.Face, error) {
	dialect, err := rpc.ParseDialect(c.Dialect)
	if err != nil {
		return node.Face{}, err
	}
	f := node.Face{
		Dialect: dialect, Log: log, BodyLimit: c.BodyLimit, UploadLimit: c.UploadLimit,
		RateKey: c.RateKey, RateAddress: c.RateAddress, DrainFor: c.DrainFor,
		Origins: c.CORSOrigins, Streams: int(c.StreamsPerKey),
	}
	if c.MCP {
		named := slices.DeleteFunc(slices.Clone(c.CORSOrigins), func(o string) bool { return o == "*" })
		f.MCP = &node.MCP{Base: c.Public(), Origins: named}
	}
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return f, errs.New(errs.Invalid, "trusted-proxies: %q is no network, such as 10.0.0.0/8", text)
		}
		f.Proxies = append(f.Proxies, network)
	}
	return f, nil
}

func logger(w io.Writer, c config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked when the settings were loaded
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
