package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nexus/internal/disk"
	"nexus/internal/errs"
)

// format is the form of manifests that this program writes, and the newest that it reads.
const format = 1

// Header is the first line of a manifest.
type Header struct {
	Format  int       `json:"nexus_backup"`
	ID      string    `json:"id"`
	Program string    `json:"program"` // version of the program that made it
	At      time.Time `json:"at"`      // the moment that it is of
	Seq     uint64    `json:"seq"`     // newest entry of the record
}

// entry is a line of a manifest: one file.
type entry struct {
	Path   string `json:"path"` // with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Summary is what a manifest says of the whole.
type Summary struct {
	Header
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// trailer is the last line of a manifest. Its sum is over all lines in front of it.
type trailer struct {
	Files  *int64 `json:"files"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// manifest is one being written. It gets its name when it is whole.
type manifest struct {
	dir string
	f   *os.File
	out *bufio.Writer
	sha hash.Hash
	sum Summary
}

func newManifest(dir string, h Header) (*manifest, error) {
	f, err := os.OpenFile(filepath.Join(dir, manifestName+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	m := &manifest{dir: dir, f: f, sha: sha256.New(), sum: Summary{Header: h}}
	m.out = bufio.NewWriter(io.MultiWriter(f, m.sha))
	return m, m.line(h)
}

func (m *manifest) line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = m.out.Write(append(text, '\n'))
	return err
}

func (m *manifest) add(e entry) error {
	m.sum.Files++
	m.sum.Bytes += e.Size
	return m.line(e)
}

// finish writes the last line and gives the manifest its name.
func (m *manifest) finish() (Summary, error) {
	if err := m.out.Flush(); err != nil {
		return Summary{}, err
	}
	if err := m.line(trailer{&m.sum.Files, m.sum.Bytes, hex.EncodeToString(m.sha.Sum(nil))}); err != nil {
		return Summary{}, err
	}
	if err := errors.Join(m.out.Flush(), m.f.Sync()); err != nil {
		return Summary{}, err
	}
	if err := os.Rename(m.f.Name(), filepath.Join(m.dir, manifestName)); err != nil {
		return Summary{}, err
	}
	return m.sum, disk.SyncDir(m.dir)
}

func (m *manifest) close() { _ = m.f.Close() } // what matters was synced by finish

// readManifest calls f for each file that the manifest in root lists, and returns the summary once the last line has
// confirmed all others. A manifest that is not whole is errs.Precondition, as is every other fault of a backup.
func readManifest(root *os.Root, f func(entry) error) (s Summary, err error) {
	in, err := root.Open(manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return s, bad("%s is no finished backup: it has no %s", root.Name(), manifestName)
	}
	if err != nil {
		return s, err
	}
	defer in.Close()
	lines, sha := bufio.NewReader(in), sha256.New()
	for first := true; ; first = false {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return s, bad("the manifest is cut short")
		}
		if err != nil {
			return s, err
		}
		if first {
			err = s.header(text)
		} else if last, ok := asTrailer(text); ok {
			return s, s.confirm(last, hex.EncodeToString(sha.Sum(nil)), lines)
		} else {
			err = s.file(text, f)
		}
		if err != nil {
			return s, err
		}
		sha.Write(text)
	}
}

func (s *Summary) header(text []byte) error {
	if err := json.Unmarshal(text, &s.Header); err != nil || s.Format < 1 {
		return bad("the manifest does not begin as one")
	}
	if s.Format > format {
		return bad("the backup has form %d, this program knows %d: it needs a newer program", s.Format, format)
	}
	return nil
}

func (s *Summary) file(text []byte, f func(entry) error) error {
	var e entry
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || !ofABackup(e.Path) || e.Size < 0 {
		return bad("line %d of the manifest names no file of a backup", s.Files+2)
	}
	s.Files++
	s.Bytes += e.Size
	return f(e)
}

// asTrailer reports whether a line is the last one.
func asTrailer(text []byte) (t trailer, ok bool) {
	err := json.Unmarshal(text, &t)
	return t, err == nil && t.Files != nil
}

func (s *Summary) confirm(last trailer, sum string, rest io.Reader) error {
	n, err := io.Copy(io.Discard, rest)
	if err != nil {
		return err
	}
	if n > 0 || last.SHA256 != sum || *last.Files != s.Files || last.Bytes != s.Bytes {
		return bad("the manifest is not the one that was written")
	}
	return nil
}

// bad is a fault of a backup.
func bad(text string, args ...any) error { return errs.New(errs.Precondition, text, args...) }
