// Package config reads the server's settings: flags over NEXUS_* environment over a YAML file over defaults. A key that it
// does not know is refused wherever it stands. To add a setting, add its field to Config and its row to settings.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"nexus/internal/errs"
)

// Config is every setting of a server.
type Config struct {
	Data            string        `koanf:"data"`
	Listen          string        `koanf:"listen"`
	AdminKeyFile    string        `koanf:"admin-key-file"`
	Dialect         string        `koanf:"dialect"`
	BodyLimit       int64         `koanf:"body-limit"`
	UploadLimit     int64         `koanf:"upload-limit"`
	BlobGrace       time.Duration `koanf:"blob-grace"`
	BlobCheck       time.Duration `koanf:"blob-check"`
	TrustedProxies  []string      `koanf:"trusted-proxies"`
	RateKey         float64       `koanf:"rate-key"`
	RateAddress     float64       `koanf:"rate-address"`
	PolicyDir       string        `koanf:"policy-dir"`
	PolicyDisabled  []string      `koanf:"policy-disabled"`
	SchemaCaveats   bool          `koanf:"schema-caveats"`
	History         time.Duration `koanf:"history"`
	ReservedPaths   int64         `koanf:"reserved-paths"`
	AuditKeep       time.Duration `koanf:"audit-keep"`
	AuditKeepBytes  int64         `koanf:"audit-keep-bytes"`
	AuditReserve    int64         `koanf:"audit-reserve-bytes"`
	BackupDir       string        `koanf:"backup-dir"`
	DiskReserve     int64         `koanf:"disk-reserve"`
	DiskBallast     int64         `koanf:"disk-ballast"`
	ChangesKeep     time.Duration `koanf:"changes-keep"`
	VersionsKeep    int64         `koanf:"versions-keep"`
	VersionsKeepFor time.Duration `koanf:"versions-keep-for"`
	TrashKeep       time.Duration `koanf:"trash-keep"`
	TLSCert         string        `koanf:"tls-cert"`
	TLSKey          string        `koanf:"tls-key"`
	InsecureListen  bool          `koanf:"insecure-listen"`
	CORSOrigins     []string      `koanf:"cors-origins"`
	StreamsPerKey   int64         `koanf:"streams-per-key"`
	DrainFor        time.Duration `koanf:"drain-for"`
	PublicURL       string        `koanf:"public-url"`
	MCP             bool          `koanf:"mcp"`
	LogLevel        string        `koanf:"log-level"`
	LogFormat       string        `koanf:"log-format"`
}

// setting is one row: the name of a flag and of a key in the file, NEXUS_NAME in the environment.
type setting struct {
	name  string
	value any // the default, of the field's type
	doc   string
}

var settings = []setting{
	{"data", "nexus-data", "data directory: the database, long contents and the decision record"},
	{"listen", "127.0.0.1:8765", "address to serve HTTP on"},
	{"admin-key-file", "", "write the first admin key to this file, mode 0600, instead of printing it"},
	{"dialect", "auto", "form of JSON-RPC answers: auto, document or client"},
	{"body-limit", int64(64 << 20), "largest body of a JSON-RPC request, in bytes"},
	{"upload-limit", int64(5 << 30), "largest body of a PUT or PATCH on /api/files, in bytes"},
	{"blob-grace", 24 * time.Hour, "how long contents stay that no version of a file names any more"},
	{"blob-check", 30 * 24 * time.Hour, "how often the contents of long files are compared with their hashes; 0: never"},
	{"tls-cert", "", "file of the certificate, with its chain, to serve HTTPS with; read again when it changes"},
	{"tls-key", "", "file of the certificate's key"},
	{"trusted-proxies", []string{}, "networks (CIDR) of proxies that end TLS in front of this server: their X-Forwarded-For is believed"},
	{"insecure-listen", false, "serve plain HTTP to other machines, without TLS and without a proxy that has it"},
	{"cors-origins", []string{}, "origins, such as https://app.example, whose pages may call every route; * is every origin"},
	{"streams-per-key", int64(16), "event streams that one key can have open at once"},
	{"rate-key", float64(0), "operations a second of one key; 0: the built-in 20000, negative: no limit"},
	{"rate-address", float64(0), "requests a second of one client address; 0: the built-in 20000, negative: no limit"},
	{"policy-dir", "", "directory of your own *.rego policies"},
	{"policy-disabled", []string{}, "ids of shipped policies to leave out"},
	{"schema-caveats", false, "allow caveats in the definitions of tenants"},
	{"history", 30 * 24 * time.Hour, "how long relationships can be asked as of an earlier time"},
	{"reserved-paths", int64(10_000), "paths of a tenant that are kept for grants on what does not exist yet"},
	{"audit-keep", time.Duration(0), "delete segments of the record older than this; 0: never"},
	{"audit-keep-bytes", int64(0), "delete the oldest segments of the record beyond this total; 0: never"},
	{"audit-reserve-bytes", int64(64 << 20), "room given back to the record when the disk is full"},
	{"changes-keep", 30 * 24 * time.Hour, "how long changes can be followed from; older ones are forgotten"},
	{"trash-keep", 30 * 24 * time.Hour, "how long what was deleted can be brought back before it is removed for good; 0: for ever"},
	{"versions-keep", int64(0), "newest versions of a file that stay; older ones go unless a snapshot sees them or versions-keep-for keeps them; 0: all stay"},
	{"versions-keep-for", 30 * 24 * time.Hour, "how long a version stays at least after another one came behind it"},
	{"backup-dir", "", "directory for backups of the running server; without it there are none"},
	{"disk-reserve", int64(256 << 20), "free bytes below which writes are refused; reads, deletes and administration go on"},
	{"disk-ballast", int64(64 << 20), "bytes kept to be given up when the disk is full, so that deletes work; 0: none"},
	{"drain-for", 10 * time.Second, "how long requests may still run at the end"},
	{"public-url", "", "URL under which clients reach the server, such as https://nexus.example.com; left out, that of listen where it names one"},
	{"mcp", true, "serve the Model Context Protocol at /mcp; pages of cors-origins may call it when they are named there one by one"},
	{"log-level", "info", "debug, info, warn or error"},
	{"log-format", "text", "text or json"},
}

// others are NEXUS_* variables that are no settings of the server.
var others = []string{"NEXUS_URL", "NEXUS_API_KEY", "NEXUS_CONFIG", "NEXUS_CI"}

// Flags adds a flag for each setting, and --config for the file.
func Flags(fs *pflag.FlagSet) {
	fs.String("config", "", "YAML file of settings (or NEXUS_CONFIG)")
	for _, s := range settings {
		switch v := s.value.(type) {
		case string:
			fs.String(s.name, v, s.doc)
		case int64:
			fs.Int64(s.name, v, s.doc)
		case bool:
			fs.Bool(s.name, v, s.doc)
		case float64:
			fs.Float64(s.name, v, s.doc)
		case time.Duration:
			fs.Duration(s.name, v, s.doc)
		case []string:
			fs.StringSlice(s.name, v, s.doc)
		}
	}
}

// Load reads the settings: fs are parsed flags that Flags added, environ is as os.Environ gives it.
func Load(fs *pflag.FlagSet, environ []string) (Config, error) {
	k := koanf.New(".")
	if err := loadFile(k, fs, environ); err != nil {
		return Config{}, err
	}
	if err := loadEnviron(k, environ); err != nil {
		return Config{}, err
	}
	if err := k.Load(posflag.Provider(fs, ".", k), nil); err != nil {
		return Config{}, errs.New(errs.Invalid, "flags cannot be read").Because(err)
	}
	k.Delete("config")
	k.Delete("help")
	var c Config
	err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &c, ErrorUnused: true, WeaklyTypedInput: true, TagName: "koanf",
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	}})
	if err != nil {
		return Config{}, errs.New(errs.Invalid, "settings: %s", firstLine(err)).Because(err)
	}
	return c, c.check()
}

func loadFile(k *koanf.Koanf, fs *pflag.FlagSet, environ []string) error {
	path, _ := fs.GetString("config")
	if path == "" {
		path = lookup(environ, "NEXUS_CONFIG")
	}
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return errs.New(errs.Invalid, "config file %s cannot be read", path).Because(err)
	}
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return errs.New(errs.Invalid, "config file %s: %s", path, firstLine(err)).Because(err)
	}
	for _, key := range k.Keys() {
		if !known(key) {
			return errs.New(errs.Invalid, "config file %s: unknown key %q", path, key)
		}
	}
	return nil
}

func loadEnviron(k *koanf.Koanf, environ []string) error {
	var unknown string
	provider := env.Provider(".", env.Opt{
		Prefix: "NEXUS_",
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "NEXUS_")), "_", "-")
			switch {
			case slices.Contains(others, name) || strings.HasPrefix(name, "NEXUS_TEST_"):
				return "", nil
			case !known(key):
				unknown = name
				return "", nil
			}
			return key, value
		},
		EnvironFunc: func() []string { return environ },
	})
	if err := k.Load(provider, nil); err != nil {
		return errs.New(errs.Invalid, "environment cannot be read").Because(err)
	}
	if unknown != "" {
		return errs.New(errs.Invalid, "unknown setting %s in the environment", unknown)
	}
	return nil
}

func (c Config) check() error {
	switch {
	case c.Data == "":
		return errs.New(errs.Invalid, "data must name a directory")
	case !slices.Contains([]string{"auto", "document", "client"}, c.Dialect):
		return errs.New(errs.Invalid, "dialect must be auto, document or client, not %q", c.Dialect)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel):
		return errs.New(errs.Invalid, "log-level must be debug, info, warn or error, not %q", c.LogLevel)
	case c.LogFormat != "text" && c.LogFormat != "json":
		return errs.New(errs.Invalid, "log-format must be text or json, not %q", c.LogFormat)
	case c.BodyLimit < 1024:
		return errs.New(errs.Invalid, "body-limit must be at least 1024")
	case c.UploadLimit < 1024:
		return errs.New(errs.Invalid, "upload-limit must be at least 1024")
	case c.BlobGrace < time.Minute || c.BlobCheck < 0:
		return errs.New(errs.Invalid, "blob-grace must be at least a minute, and blob-check not negative")
	case c.ReservedPaths < 1:
		return errs.New(errs.Invalid, "reserved-paths must be at least 1")
	case c.History < 0 || c.AuditKeep < 0 || c.AuditKeepBytes < 0 || c.DrainFor < 0:
		return errs.New(errs.Invalid, "history, audit-keep, audit-keep-bytes and drain-for must not be negative")
	case c.DiskReserve < 0 || c.DiskBallast < 0:
		return errs.New(errs.Invalid, "disk-reserve and disk-ballast must not be negative")
	case c.ChangesKeep < 48*time.Hour: // the search index counts on a day
		return errs.New(errs.Invalid, "changes-keep must be at least 48h")
	case c.TrashKeep < 0:
		return errs.New(errs.Invalid, "trash-keep must not be negative")
	case c.VersionsKeep < 0:
		return errs.New(errs.Invalid, "versions-keep must not be negative")
	case c.VersionsKeepFor < time.Hour:
		return errs.New(errs.Invalid, "versions-keep-for must be at least 1h")
	case c.StreamsPerKey < 1:
		return errs.New(errs.Invalid, "streams-per-key must be at least 1")
	}
	return errors.Join(c.checkListen(), c.checkOrigins())
}

// Describe returns every setting for people: its flag, variable, default and meaning.
func Describe() string {
	var b strings.Builder
	for _, s := range settings {
		variable := "NEXUS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
		fmt.Fprintf(&b, "%-22s %-28s %-16v %s\n", s.name, variable, s.value, s.doc)
	}
	return b.String()
}

func known(key string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.name == key })
}

func lookup(environ []string, name string) string {
	for _, kv := range environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

// Public returns the URL under which clients reach the server: what is set, or else the address it listens on. It is "" where
// that is no address to call, such as :8765, which is every address of the machine.
func (c Config) Public() string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return ""
	}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}
