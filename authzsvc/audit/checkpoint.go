package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"nexus/internal/errs"
)

const (
	headName = "head"
	keyName  = "key"
	pubName  = "audit.pub"
)

// Signature is the text that a checkpoint signs: origin, sequence number, chain hash in base64, and the time, one a line. These are
// the lines of a C2SP tlog checkpoint, but the hash is the chain's, not a Merkle root.
type Signature struct {
	Origin string
	Seq    uint64
	Hash   Hash
	At     time.Time
}

func (s Signature) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", s.Origin, s.Seq, base64.StdEncoding.EncodeToString(s.Hash[:]), s.At.UTC().Format(time.RFC3339Nano))
}

// sign returns s as a signed note.
func (s Signature) sign(key note.Signer) (string, error) {
	signed, err := note.Sign(&note.Note{Text: s.text()}, key)
	return string(signed), err
}

// ReadSignature returns what a signed checkpoint says, once one of the verifiers has confirmed it.
func ReadSignature(signed string, verifiers note.Verifiers) (Signature, error) {
	n, err := note.Open([]byte(signed), verifiers)
	if err != nil {
		return Signature{}, err
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(lines) != 4 {
		return Signature{}, errors.New("signed text is not a checkpoint")
	}
	s := Signature{Origin: lines[0]}
	var problems [3]error
	var sum []byte
	s.Seq, problems[0] = strconv.ParseUint(lines[1], 10, 64)
	sum, problems[1] = base64.StdEncoding.DecodeString(lines[2])
	s.At, problems[2] = time.Parse(time.RFC3339Nano, lines[3])
	if err := errors.Join(problems[:]...); err != nil || copy(s.Hash[:], sum) != len(s.Hash) || s.text() != n.Text {
		return Signature{}, errors.Join(errors.New("signed text is not a checkpoint"), err)
	}
	return s, nil
}

// Verifiers reads verifier keys, one a line, as audit.pub holds them.
func Verifiers(text string) (note.Verifiers, error) {
	var all []note.Verifier
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, errs.New(errs.Invalid, "verifier key %q", line).Because(err)
		}
		all = append(all, v)
	}
	return note.VerifierList(all...), nil
}

// keys is what signs and what checks it.
type keys struct {
	signer   note.Signer
	verifier string // of signer
	all      note.Verifiers
}

// loadKeys reads the signing key, or makes one, and sees to it that audit.pub names its verifier.
func loadKeys(d disk, dir, keyFile, name string) (keys, error) {
	text, err := os.ReadFile(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKey(d, keyFile, name)
	}
	if err != nil {
		return keys{}, err
	}
	secret, verifier, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	signer, err := note.NewSigner(secret)
	if err != nil {
		return keys{}, errs.New(errs.Invalid, "audit key in %s", keyFile).Because(err)
	}
	k := keys{signer: signer, verifier: strings.TrimSpace(verifier)}
	known, err := publish(d, dir, k.verifier)
	if err != nil {
		return keys{}, err
	}
	k.all, err = Verifiers(known)
	return k, err
}

func makeKey(d disk, keyFile, name string) ([]byte, error) {
	secret, verifier, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return nil, err
	}
	text := []byte(secret + "\n" + verifier + "\n")
	return text, replace(d, filepath.Dir(keyFile), filepath.Base(keyFile), text)
}

// publish adds verifier to audit.pub and returns all that it holds.
func publish(d disk, dir, verifier string) (string, error) {
	if _, err := note.NewVerifier(verifier); err != nil {
		return "", errs.New(errs.Invalid, "audit key has no verifier in its second line").Because(err)
	}
	known, err := os.ReadFile(filepath.Join(dir, pubName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if slices.Contains(strings.Fields(string(known)), verifier) {
		return string(known), nil
	}
	known = append(bytes.TrimRight(known, "\n"), "\n"+verifier+"\n"...)
	known = bytes.TrimLeft(known, "\n")
	return string(known), replace(d, dir, pubName, known)
}

// readHead returns the newest checkpoint as the head file keeps it. A record that never had one gives fs.ErrNotExist.
func readHead(dir string, verifiers note.Verifiers) (Signature, error) {
	text, err := os.ReadFile(filepath.Join(dir, headName))
	if err != nil {
		return Signature{}, err
	}
	return ReadSignature(string(text), verifiers)
}
