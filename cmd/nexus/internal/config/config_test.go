package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func load(t *testing.T, yaml string, environ []string, args ...string) (Config, error) {
	t.Helper()
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "nexus.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(fs, environ)
}

func TestDefaultsAreUsable(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8765" || c.History != 30*24*time.Hour || c.BodyLimit != 64<<20 {
		t.Errorf("Load() = %+v", c)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	c, err := load(t, "listen: 127.0.0.1:1\ndata: from-file\nhistory: 48h\n", []string{"NEXUS_LISTEN=127.0.0.1:2", "NEXUS_DATA=from-env"}, "--listen", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Data != "from-env" || c.History != 48*time.Hour {
		t.Errorf("Load() = %+v", c)
	}
}

func TestListsComeFromEveryPlace(t *testing.T) {
	for name, got := range map[string]func() (Config, error){
		"file":        func() (Config, error) { return load(t, "policy-disabled: [a, b]\n", nil) },
		"environment": func() (Config, error) { return load(t, "", []string{"NEXUS_POLICY_DISABLED=a,b"}) },
		"flag":        func() (Config, error) { return load(t, "", nil, "--policy-disabled", "a,b") },
	} {
		c, err := got()
		if err != nil || strings.Join(c.PolicyDisabled, " ") != "a b" {
			t.Errorf("%s: PolicyDisabled = %q, %v", name, c.PolicyDisabled, err)
		}
	}
}

func TestUnknownKeysRefused(t *testing.T) {
	if _, err := load(t, "lisen: x\n", nil); err == nil || !strings.Contains(err.Error(), `"lisen"`) {
		t.Errorf("file: err = %v", err)
	}
	if _, err := load(t, "", []string{"NEXUS_LISEN=x"}); err == nil || !strings.Contains(err.Error(), "NEXUS_LISEN") {
		t.Errorf("environment: err = %v", err)
	}
}

func TestClientVariablesAreNoSettings(t *testing.T) {
	if _, err := load(t, "", []string{"NEXUS_URL=x", "NEXUS_API_KEY=y", "NEXUS_CI=1"}); err != nil {
		t.Error(err)
	}
}

func TestWrongValuesRefused(t *testing.T) {
	for _, yaml := range []string{"dialect: french\n", "log-level: loud\n", "body-limit: 3\n", "history: soon\n", "data: ''\n", "disk-reserve: -1\n", "changes-keep: 1s\n",
		"streams-per-key: 0\n", "cors-origins: [app.example]\n", "cors-origins: ['https://app.example/']\n", "tls-cert: a.pem\n", "tls-key: a.key\n", "listen: here\n"} {
		if c, err := load(t, yaml, nil); err == nil {
			t.Errorf("%s: Load() = %+v, want an error", yaml, c)
		}
	}
}

// TestPlainHTTPToOtherMachinesMustBeMeant: keys would cross the network in clear.
func TestPlainHTTPToOtherMachinesMustBeMeant(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8765", ":8765", "[::]:8765", "192.0.2.1:8765", "example.com:8765", "[::ffff:192.0.2.1]:1"} {
		if c, err := load(t, "", nil, "--listen", listen); err == nil || !strings.Contains(err.Error(), "insecure-listen") {
			t.Errorf("%s: Load() = %+v, %v, want it refused with a way out", listen, c, err)
		}
		for _, meant := range [][]string{{"--insecure-listen"}, {"--tls-cert", "a.pem", "--tls-key", "a.key"}, {"--trusted-proxies", "10.0.0.0/8"}} {
			if _, err := load(t, "", nil, append(meant, "--listen", listen)...); err != nil {
				t.Errorf("%s with %s: %v", listen, meant[0], err)
			}
		}
	}
	for _, listen := range []string{"127.0.0.1:0", "localhost:1", "[::1]:1", "127.0.0.9:1", "[::ffff:127.0.0.1]:1"} {
		if _, err := load(t, "", nil, "--listen", listen); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
}
