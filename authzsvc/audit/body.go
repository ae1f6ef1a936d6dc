package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"nexus/authzsvc/authz"
)

// A body is an entry without its opening brace, sequence and time: the log puts those in front once it knows them, so that all
// else is encoded before the log's lock is taken.

func decidedBody(b []byte, d *authz.Decided) []byte {
	b = append(b, `"type":"decided",`...)
	if d.Durable {
		b = append(b, `"durable":true,`...)
	}
	b = append(b, `"decided":`...)
	return append(appendDecided(b, d), '}')
}

func outcomeBody(b []byte, o *authz.Outcome) []byte {
	b = append(b, `"type":"outcome","outcome":`...)
	return append(appendOutcome(b, o), '}')
}

func noteBody(n *Note) []byte {
	return append(appendJSON([]byte(`"type":"note","note":`), n), '}')
}

func checkpointBody(c *Checkpoint) []byte {
	return append(appendJSON([]byte(`"type":"checkpoint","checkpoint":`), c), '}')
}

// withRepeats returns the body of a decision, written without repeats, with n of them. Repeats is Decided's last field.
func withRepeats(body []byte, n int) []byte {
	b := bytes.TrimSuffix(slices.Clone(body), []byte("}}"))
	b = append(b, `,"repeats":`...)
	return append(strconv.AppendInt(b, int64(n), 10), '}', '}')
}

func appendJSON(b []byte, v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // for people's eyes: <, > and & as they are
	if err := enc.Encode(v); err != nil {
		return append(b, "null"...) // unreachable: the record's own types always encode
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
