package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// status N command... runs a command that must end with exit status N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command...")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// keep NAME sets a variable to what the last command printed.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// contents NAME FILE sets a variable to what a file holds.
func contents(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: contents NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// member NAME PATH sets a variable to a text in the JSON that the last command printed; the path is keys and indexes with
// dots between them.
func member(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: member NAME PATH")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for step := range strings.SplitSeq(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: no element %s", args[1], step)
			}
			v = at[i]
		}
	}
	text, ok := v.(string)
	if !ok {
		ts.Fatalf("%s is no text: %v", args[1], v)
	}
	ts.Setenv(args[0], text)
}

// decision NAME sets a variable to the id of the decision that the last command printed as JSON.
func decision(ts *testscript.TestScript, _ bool, args []string) {
	var e struct{ Decided struct{ ID string } }
	if len(args) != 1 || json.Unmarshal([]byte(ts.ReadFile("stdout")), &e) != nil || e.Decided.ID == "" {
		ts.Fatalf("usage: decision NAME, after a command that printed a decision")
	}
	ts.Setenv(args[0], e.Decided.ID)
}

// post FILE METHOD PATH calls a method about a path with the key in NEXUS_API_KEY, and writes the whole answer to FILE: its
// status, its header but for what is of each request alone, and its body, byte for byte.
func post(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: post FILE METHOD PATH")
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"path":%q}}`, args[1], args[2])
	r, err := http.NewRequest(http.MethodPost, ts.Getenv("NEXUS_URL")+"/api/nfs/"+args[1], strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("NEXUS_API_KEY"))
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	for _, own := range []string{"Date", "X-Request-Id"} {
		resp.Header.Del(own)
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, resp.Status)
	ts.Check(resp.Header.Write(&text))
	_, err = io.Copy(&text, resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o600))
}

// alike FILE1 WORD1 FILE2 WORD2 compares two files byte for byte, the words aside.
func alike(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: alike FILE1 WORD1 FILE2 WORD2")
	}
	one := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], "WORD")
	two := strings.ReplaceAll(ts.ReadFile(args[2]), args[3], "WORD")
	if !strings.Contains(one, "WORD") {
		ts.Fatalf("%s does not hold %s", args[0], args[1])
	}
	if (one == two) == neg {
		ts.Fatalf("%s:\n%s\n%s:\n%s", args[0], one, args[2], two)
	}
}

// mode FILE MODE compares permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mode FILE MODE")
	}
	at, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", at.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// flip FILE WORD changes one byte behind the first WORD of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	edit(ts, args, func(text []byte, at int) []byte {
		text[at+len(args[1])] ^= 1
		return text
	})
}

// cut FILE WORD ends a file at the last line that holds WORD.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	edit(ts, args, func(text []byte, _ int) []byte {
		at := bytes.LastIndex(text, []byte(args[1]))
		return text[:bytes.LastIndexByte(text[:at], '\n')+1]
	})
}

// drop FILE WORD takes out the first line that holds WORD.
func drop(ts *testscript.TestScript, _ bool, args []string) {
	edit(ts, args, func(text []byte, at int) []byte {
		from := bytes.LastIndexByte(text[:at], '\n') + 1
		end := at + bytes.IndexByte(text[at:], '\n') + 1
		return append(text[:from:from], text[end:]...)
	})
}

func edit(ts *testscript.TestScript, args []string, f func(text []byte, at int) []byte) {
	if len(args) != 2 {
		ts.Fatalf("usage: flip|cut|drop FILE WORD")
	}
	name := filepath.Clean(ts.MkAbs(args[0]))
	text, err := os.ReadFile(name)
	ts.Check(err)
	at := bytes.Index(text, []byte(args[1]))
	if at < 0 {
		ts.Fatalf("%s does not hold %s", name, args[1])
	}
	ts.Check(os.WriteFile(name, f(text, at), 0o600))
}
