// Package cursor seals what a caller carries from one page of an answer to the next. It keeps nothing and it decides nothing:
// a cursor says where a walk goes on, and each page is decided anew. To page an answer, seal the place behind its last
// element for the question that was asked.
package cursor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"nexus/internal/errs"
)

// step is what the length of a place is made a multiple of, so that a cursor does not tell how long a hidden name is.
const step = 128

// KeySize is the length of a key in bytes.
const KeySize = 32

// Sealer seals and opens cursors with one key: those of every server that shares the key. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// New returns a Sealer. A sealer without a key of KeySize bytes is errs.Internal.
func New(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, errs.New(errs.Internal, "a key of cursors has %d bytes, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errs.New(errs.Internal, "key of cursors").Because(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, errs.New(errs.Internal, "key of cursors").Because(err)
	}
	return &Sealer{aead}, nil
}

// NewKey returns a fresh key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return key
}

// Seal returns place as a cursor for the question: the operation, who asks it, and the parameters that must stay the same.
// The cursor tells nothing of place, so that a page does not show what is not the caller's.
func (s *Sealer) Seal(question string, place any) (string, error) {
	raw, err := json.Marshal(place)
	if err != nil {
		return "", errs.New(errs.Internal, "seal a cursor").Because(err)
	}
	for len(raw)%step != 0 {
		raw = append(raw, ' ')
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, []byte(question))), nil
}

// Open puts the place of a cursor, which was sealed for the same question, into place. Anything else is errs.Invalid.
func (s *Sealer) Open(question, cursor string, place any) error {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return notOurs()
	}
	raw, err := s.aead.Open(nil, nil, sealed, []byte(question))
	if err != nil {
		return notOurs()
	}
	if err := json.Unmarshal(raw, place); err != nil {
		return notOurs()
	}
	return nil
}

func notOurs() error {
	return errs.New(errs.Invalid, "the cursor is not one for this question: begin again without a cursor").Marked(errs.NotValid)
}
