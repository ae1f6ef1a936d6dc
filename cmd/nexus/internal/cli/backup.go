package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/cmd/nexus/internal/backup"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

func (a *app) backup() *cobra.Command {
	var data, resume string
	cmd := &cobra.Command{
		Use:   "backup [--data DIR TARGET]",
		Short: "Make a backup of a running server, or of a directory that no server has",
		Long: `Without --data, ask the server to make a backup in the directory that its operator named (nexus serve --backup-dir), and
wait until it is done. Others go on writing meanwhile; the backup is the server's state of one moment. It needs a key that
administers the platform. One that was interrupted is gone on with by --resume.

With --data, copy a directory that no server has to TARGET, which must not exist. When that is broken off, the same command
goes on with it.

The signing key of the decision record is not in a backup: a restored server makes one of its own.`,
		Example: "  nexus backup\n  nexus backup --data ./data /mnt/backups/monday\n  nexus backup verify /mnt/backups/monday",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory that no server has")
	cmd.Flags().StringVar(&resume, "resume", "", "id of a backup of the server that was interrupted")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case data == "" && len(args) == 0:
			return a.backupServer(cmd.Context(), resume)
		case data == "":
			return wrong("a running server makes its backups where its operator said (nexus serve --backup-dir): give no target, or --data as well")
		case len(args) == 0 || resume != "":
			return wrong("with --data give the directory to make, and no --resume")
		}
		return a.backupDirectory(cmd.Context(), data, args[0])
	}
	cmd.AddCommand(a.backupVerify())
	return cmd
}

// backupServer begins a backup on the server and waits for its end. When it is interrupted, the server goes on.
func (a *app) backupServer(ctx context.Context, resume string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	b, err := client.Call(ctx, c, api.StartBackup, api.BackupParams{ID: resume})
	if err != nil {
		return err
	}
	said := ""
	for b.State == api.BackupRunning {
		if b.Phase != said {
			fmt.Fprintf(a.Err, "%s: %s\n", b.ID, b.Phase)
			said = b.Phase
		}
		select {
		case <-ctx.Done():
			return errs.New(errs.Canceled, "backup %s goes on without being watched", b.ID)
		case <-time.After(pollEvery):
		}
		if b, err = client.Call(ctx, c, api.BackupStatus, api.BackupParams{ID: b.ID}); err != nil {
			return err
		}
	}
	if a.json {
		return errors.Join(a.print(b), notDone(b))
	}
	if err := notDone(b); err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "%s\n%d files, %d bytes, as of %s\n", b.Path, b.Files, b.Bytes, b.At.Format(time.RFC3339))
	return nil
}

func notDone(b api.Backup) error {
	if b.State == api.BackupDone {
		return nil
	}
	return errs.New(errs.Unavailable, "backup %s %s: %s; go on with --resume %s", b.ID, b.State, b.Error, b.ID)
}

// backupDirectory copies a data directory that no server has.
func (a *app) backupDirectory(ctx context.Context, data, target string) (err error) {
	path := node.DatabasePath(data)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.NotFound, "there is no database %s", path)
	}
	if err := backup.Unfinished(data); err != nil {
		return err
	}
	db, err := sqldb.OpenLite(ctx, path, sqldb.LiteOptions{Readers: 1})
	if errors.Is(err, errs.Unavailable) {
		return errs.New(errs.Unavailable, "%s belongs to a running server: give no --data, and it makes the backup itself", data).Because(err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := backup.Take(ctx, backup.Source{Dir: data, DB: db, Program: Version, Clock: clock.System{}}, target, silent)
	if err != nil {
		return err
	}
	return a.summarise(target, s)
}

func (a *app) backupVerify() *cobra.Command {
	return &cobra.Command{
		Use:     "verify BACKUP",
		Short:   "Read a whole backup and compare it with its manifest",
		Example: "  nexus backup verify /mnt/backups/monday",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := backup.Verify(cmd.Context(), args[0], silent)
			if err != nil {
				return err
			}
			return a.summarise(args[0], s)
		},
	}
}

func (a *app) restore() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore BACKUP --data DIR",
		Short: "Make a data directory of a backup",
		Long: `Copy a backup to a directory that is empty or missing, comparing every file with the manifest. Nothing can serve the
directory before it is whole. The restored record notes at its first start what it is a copy of, and goes on with a signing
key of its own. A backup of an older program is migrated when it is first served; one of a newer program is refused.`,
		Example: "  nexus restore /mnt/backups/monday --data ./data",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory to make (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if data == "" {
			return wrong("name the directory to make with --data")
		}
		s, err := backup.Restore(cmd.Context(), args[0], data, silent)
		if err != nil {
			return err
		}
		return a.summarise(data, s)
	}
	return cmd
}

func (a *app) summarise(path string, s backup.Summary) error {
	if a.json {
		return a.print(s)
	}
	_, err := fmt.Fprintf(a.Out, "%s\n%d files, %d bytes, as of %s, the record up to entry %d\n", path, s.Files, s.Bytes, s.At.Format(time.RFC3339), s.Seq)
	return err
}

func silent(backup.Phase, int64, int64, int64) {}
