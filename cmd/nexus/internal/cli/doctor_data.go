package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nexus/authzsvc/audit"
	"nexus/cmd/nexus/internal/config"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/disk"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// examineData looks at a data directory.
func examineData(ctx context.Context, c config.Config) []diagnosis {
	if _, err := os.Stat(c.Data); errors.Is(err, fs.ErrNotExist) {
		return []diagnosis{
			{"data directory", warn, c.Data + " does not exist", "nexus serve makes it; or name another with --data"},
			freeSpace(nearest(c.Data), c.AuditReserve),
		}
	}
	return examine(ctx,
		func(context.Context) diagnosis { return private(c.Data) },
		func(context.Context) diagnosis { return freeSpace(c.Data, c.AuditReserve) },
		func(ctx context.Context) diagnosis { return integrity(ctx, node.DatabasePath(c.Data)) },
		func(ctx context.Context) diagnosis {
			return contentsThere(ctx, node.DatabasePath(c.Data), node.BlobDir(c.Data))
		},
		func(ctx context.Context) diagnosis { return recordWhole(ctx, node.RecordDir(c.Data)) },
		func(ctx context.Context) diagnosis { return recordTime(ctx, node.RecordDir(c.Data)) },
	)
}

// nearest is the nearest folder above path that exists.
func nearest(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// private reports whether the directory and what it holds can be read by its owner alone, and be written.
func private(dir string) diagnosis {
	var open []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server removed it meanwhile
		}
		if err == nil && at.Mode().Perm()&0o077 != 0 && (name == dir || at.Mode().IsRegular()) {
			open = append(open, name)
		}
		return err
	})
	switch {
	case err != nil:
		return diagnosis{"data directory", bad, err.Error(), "run as the user who owns it"}
	case len(open) > 0 && open[0] == dir:
		return diagnosis{"data directory", bad, dir + " can be entered by others", "chmod 700 " + dir}
	case len(open) > 0:
		return diagnosis{"data directory", warn, fmt.Sprintf("%s and %d more can be read by others", open[0], len(open)-1), "chmod 600 them"}
	}
	return diagnosis{Check: "data directory", State: fine, Found: dir + " belongs to its owner alone"}
}

// freeSpace compares what is free with what the record holds back for the day the disk is full.
func freeSpace(dir string, reserve int64) diagnosis {
	free, err := disk.Free(dir)
	if err != nil {
		return diagnosis{"disk", warn, "free space cannot be told: " + err.Error(), ""}
	}
	found := fmt.Sprintf("%d MiB free, %d MiB in reserve for the record", free>>20, reserve>>20)
	switch {
	case free < max(reserve, 16<<20):
		return diagnosis{"disk", bad, found, "make room: a server that cannot record refuses everything"}
	case free < max(8*reserve, 1<<30):
		return diagnosis{"disk", warn, found, "make room soon, or set audit-keep-bytes"}
	}
	return diagnosis{Check: "disk", State: fine, Found: found}
}

var quickCheck = sqldb.SQL(`PRAGMA quick_check(1)`)

// integrity checks the database, unless a server has it.
func integrity(ctx context.Context, path string) (d diagnosis) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return diagnosis{"database", warn, "there is none yet", "nexus serve makes it"}
	}
	db, err := sqldb.OpenLite(ctx, path, sqldb.LiteOptions{Readers: 1})
	if errors.Is(err, errs.Unavailable) {
		return diagnosis{Check: "database", State: fine, Found: "in use by a server, so not checked: " + describe(err)}
	}
	if err != nil {
		return diagnosis{"database", bad, describe(err), "restore a backup"}
	}
	defer func() {
		if err := db.Close(); err != nil && d.State == fine {
			d = diagnosis{"database", bad, describe(err), "see the disk's health"}
		}
	}()
	var answer string
	if err := db.Row(ctx, quickCheck).Scan(&answer); err != nil {
		return diagnosis{"database", bad, describe(err), "restore a backup"}
	}
	if answer != "ok" {
		return diagnosis{"database", bad, answer, "restore a backup"}
	}
	return diagnosis{Check: "database", State: fine, Found: "sound"}
}

// contentsThere compares the long contents that the database names with the files that hold them, unless a server has it.
func contentsThere(ctx context.Context, path, dir string) diagnosis {
	const check = "long contents"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return diagnosis{check, warn, "there is no " + dir, "nexus serve makes it; if there was one, restore it from a backup"}
	}
	db, err := sqldb.OpenLite(ctx, path, sqldb.LiteOptions{Readers: 1})
	if errors.Is(err, errs.Unavailable) {
		return diagnosis{Check: check, State: fine, Found: "not compared: " + describe(err)}
	}
	if err != nil {
		return diagnosis{check, bad, describe(err), "restore a backup"}
	}
	r, err := storage.InspectBlobs(ctx, db, dir)
	if err = errors.Join(err, db.Close()); err != nil {
		return diagnosis{check, bad, describe(err), "start nexus serve once, so that the database is up to date"}
	}
	if r.Wrong > 0 {
		return diagnosis{check, bad, fmt.Sprintf("%d of %d are missing or cut short, such as %s", r.Wrong, r.Blobs, r.First), "restore " + dir + " from a backup"}
	}
	return diagnosis{Check: check, State: fine, Found: fmt.Sprintf("%d, of %d bytes in all, are there", r.Blobs, r.Bytes)}
}

// recordWhole verifies the record against itself.
func recordWhole(ctx context.Context, dir string) diagnosis {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return diagnosis{"record", warn, "there is none yet", "nexus serve makes it"}
	}
	r, err := audit.Verify(ctx, dir, audit.VerifyOptions{})
	switch {
	case err != nil:
		return diagnosis{"record", bad, describe(err), "run nexus audit verify"}
	case r.Findings > 0:
		return diagnosis{"record", bad, fmt.Sprintf("%d findings", r.Findings), "run nexus audit verify, and keep the directory as evidence"}
	case r.Gaps > 0 || r.Unsynced > 0:
		return diagnosis{"record", warn, fmt.Sprintf("whole, but the disk refused %d entries and %d fsyncs", r.Gaps, r.Unsynced), "see the disk's health"}
	}
	return diagnosis{Check: "record", State: fine, Found: fmt.Sprintf("%d entries, whole", r.Entries)}
}

// recordTime compares this machine's clock with the newest entry: a clock that went back would date decisions wrongly.
func recordTime(ctx context.Context, dir string) diagnosis {
	var newest time.Time
	view, err := audit.OpenView(dir)
	if err == nil {
		err = view.Read(ctx, audit.Query{Newest: true, Limit: 1}, func(e audit.Entry) bool { newest = e.At; return false })
	}
	if err != nil || newest.IsZero() {
		return diagnosis{"time of the record", warn, "it has no entry that can be read", ""}
	}
	if ahead := time.Until(newest); ahead > skew {
		return diagnosis{"time of the record", bad, fmt.Sprintf("its newest entry lies %s ahead of the clock", ahead.Round(time.Second)), "set the clock right"}
	}
	return diagnosis{Check: "time of the record", State: fine, Found: "not ahead of the clock"}
}
