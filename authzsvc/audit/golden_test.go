package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"nexus/authzsvc/authz"
)

var update = flag.Bool("update", false, "write golden files")

// fixedKeys signs the same for ever.
func fixedKeys(t testing.TB) keys {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	verifier, err := note.NewEd25519VerifierKey("nexus/audit", ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	nameAndHash := verifier[:strings.LastIndex(verifier, "+")]
	signer, err := note.NewSigner("PRIVATE+KEY+" + nameAndHash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Verifiers(verifier)
	if err != nil {
		t.Fatal(err)
	}
	return keys{signer, verifier, all}
}

// everyForm is one entry of each form that the record knows, as the log would chain them.
func everyForm(t testing.TB) []byte {
	t.Helper()
	k := fixedKeys(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	b := batch{at: at, sha: sha256.New()}
	full := typical()
	full.ID, full.Durable = "06emfr4hm9s3jc1dh6prw3ge5k", true
	full.Objects[0].Rest, full.Params = "new/file.txt", map[string]string{"size": "12", "content_type": "text/plain; <&>"}
	full.Obligations, full.Incomplete, full.Reason = []string{"mask:email"}, true, "NO_RELATION"
	full.Listed = &authz.Listed{Count: 2, Digest: "9f86d081", IDs: []string{"a", "b"}, Last: true}
	least := &authz.Decided{ID: "06emfr4hm9s3jc1dh6prw3ge5m", At: at, Base: authz.Ref{Type: "user", ID: "acme/ann=2F1"}, Op: "files.read",
		Checks: []authz.Answer{{Check: authz.Check{Type: "file", ID: "acme/ü", Permission: "read"}, Allowed: true}}, Allowed: true}

	b.add(noteBody(&Note{Kind: NoteSegment, Segment: 1, Prev: Hash{}.String(), Verifier: k.verifier}))
	b.add(noteBody(&Note{Kind: NoteStarted}))
	b.add(decidedBody(nil, full))
	b.add(decidedBody(nil, least))
	b.add(withRepeats(decidedBody(nil, least), 41))
	b.add(outcomeBody(nil, &authz.Outcome{ID: full.ID, At: at, State: authz.Done, First: 1042, Last: 1043}))
	b.add(outcomeBody(nil, &authz.Outcome{ID: least.ID, At: at, State: authz.Aborted, Bytes: 65536, Why: "canceled"}))
	b.add(noteBody(&Note{Kind: NoteRefused, Count: 6, Why: "exhausted RATE_LIMITED", Address: "203.0.113.9", Op: "files.read", Key: "k_123"}))
	b.add(noteBody(&Note{Kind: NoteTorn, Segment: 1, Bytes: 27, SHA256: strings.Repeat("ab", 32)}))
	b.add(noteBody(&Note{Kind: NoteDamaged, Segment: 1, First: 9, Last: 31, Why: "the record ends at entry 8, its head is entry 31"}))
	b.add(noteBody(&Note{Kind: NoteGap, Count: 4, Since: &at, Why: "no space left on device"}))
	b.add(noteBody(&Note{Kind: NoteUnsynced, Segment: 1, First: 9, Last: 12, Why: "input/output error"}))
	b.add(noteBody(&Note{Kind: NoteRetired, Segment: 1, First: 1, Last: 12, Prev: strings.Repeat("cd", 32), Bytes: 8123}))
	b.add(noteBody(&Note{Kind: NoteStopped, Open: 3}))
	s := Signature{Origin: "nexus/audit", Seq: b.seq, Hash: b.chain, At: at}
	signed, err := s.sign(k.signer)
	if err != nil {
		t.Fatal(err)
	}
	b.add(checkpointBody(&Checkpoint{Seq: s.Seq, Hash: s.Hash.String(), Open: 3, Signed: signed}))
	return b.buf
}

func TestFormsOfTheRecordAreStable(t *testing.T) {
	const name = "testdata/record.golden"
	got := everyForm(t)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the record reads\n%s\nwant\n%s\nrun with -update if this is meant, and say in the changelog how old records are read", got, want)
	}
}

func TestEveryFormIsCanonical(t *testing.T) {
	in := newFrames(bytes.NewReader(everyForm(t)), 0)
	for n := uint64(1); ; n++ {
		f, err := in.next()
		if err != nil {
			break
		}
		var e Entry
		if err := json.Unmarshal(f.entry, &e); err != nil {
			t.Fatal(err)
		}
		if again := standard(t, e); !bytes.Equal(again, f.entry) {
			t.Fatalf("entry %d reads %s, and again %s", n, f.entry, again)
		}
		p, ok := peek(f.entry)
		if !ok || p.seq != e.Seq || p.kind != e.Type || p.durable != e.Durable || e.Seq != n {
			t.Fatalf("peek = %+v of %s", p, f.entry)
		}
	}
	if in.off != int64(len(everyForm(t))) {
		t.Fatalf("read %d bytes of %d", in.off, len(everyForm(t)))
	}
}
