package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: Short %q, Example %q; want both", c.CommandPath(), c.Short, c.Example)
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" {
				walk(sub)
			}
		}
	}
	walk((&app{}).root())
}

func TestReferenceIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"/a/b": "file:/a/b", "file:/a#b": "file:/a#b", "user:alice": "user:alice", "group:eng#member": "group:eng#member", "user:a:b": "user:a:b",
	} {
		if got, err := parseRef(text); err != nil || got.String() != want {
			t.Errorf("parseRef(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "alice", ":alice", "user:"} {
		if got, err := parseRef(text); err == nil {
			t.Errorf("parseRef(%q) = %v, want an error", text, got)
		}
	}
}

func TestParameterIsJSONOrText(t *testing.T) {
	for text, want := range map[string]string{"/src": "/src", "true": "true", "3": "3", `["user","a"]`: `["user","a"]`} {
		v, err := paramValue(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		switch v := v.(type) {
		case string:
			got = v
		case interface{ MarshalJSON() ([]byte, error) }:
			raw, _ := v.MarshalJSON()
			got = string(raw)
		}
		if got != want {
			t.Errorf("paramValue(%q) = %#v", text, v)
		}
	}
	if _, err := paramValue("@/no/such/file"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestExitStatusIsTheKinds(t *testing.T) {
	for want, args := range map[int][]string{
		0: {"help"}, 2: {"no-such-command"}, 3: {"ls"}, 5: {"audit", "verify", "--data", "no-such-directory"}, 13: {"ls", "--url", "http://127.0.0.1:1"},
	} {
		var out, problems bytes.Buffer
		environ := []string{"NEXUS_API_KEY=k"}
		if want == 3 {
			environ = nil
		}
		got := Run(context.Background(), args, World{In: strings.NewReader(""), Out: &out, Err: &problems, Environ: environ})
		if got != want || want != 0 && !strings.HasPrefix(problems.String(), "nexus: ") {
			t.Errorf("nexus %v = %d, want %d; %s", args, got, want, problems.String())
		}
	}
}
