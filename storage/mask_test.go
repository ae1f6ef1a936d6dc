package storage

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const m = "********"

func TestNamesAndCommentsStayAndValuesGo(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"\n\n":                           "\n\n",
		"# a note":                       "# a note",
		"KEY=value":                      "KEY=" + m,
		"KEY=value\n":                    "KEY=" + m + "\n",
		"KEY=\n":                         "KEY=" + m + "\n",
		"KEY=value\r\nB=2\r\n":           "KEY=" + m + "\nB=" + m + "\n",
		"export KEY=value":               "export KEY=" + m,
		"  my.key-1 = value":             "  my.key-1 =" + m,
		"A=1\n# note\n\nB=2\n":           "A=" + m + "\n# note\n\nB=" + m + "\n",
		"A=1 # don't\nB=2":               "A=" + m + "\nB=" + m,
		`A={"a":"b"}` + "\nB=2":          "A=" + m + "\nB=" + m,
		`A=postgres://u:p@h/?x=y` + "\n": "A=" + m + "\n",
		`A="x" # note` + "\nB=2":         "A=" + m + "\nB=" + m,
	} {
		if got := string(maskValues([]byte(in))); got != want {
			t.Errorf("maskValues(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestValueOverSeveralLinesIsOne(t *testing.T) {
	for in, want := range map[string]string{
		"A=\"one\ntwo=\nthree\"\nB=2":        "A=" + m + "\nB=" + m,
		"A='one\ntwo=\n'\nB=2":               "A=" + m + "\nB=" + m,
		"A=`one\ntwo=`  # note\nB=2\n":       "A=" + m + "\nB=" + m + "\n",
		"A=\"never\nends=\nB=2\n":            "A=" + m,
		"A='it is \"\nB=x'\nC=3":             "A=" + m + "\nC=" + m,
		"A=\"-----BEGIN\nMIIabc=\n-----\"\n": "A=" + m + "\n",
	} {
		if got := string(maskValues([]byte(in))); got != want {
			t.Errorf("maskValues(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWhatReadersDisagreeAboutHidesTheRest(t *testing.T) {
	for _, in := range []string{
		"A=\"x\\\"\nSECRET=\"\nB=2",  // an escaped quote that looks like the end
		"A='x\\'\nSECRET='\nB=2",     // which ends it in a shell alone
		"A=x\\\nSECRET=y\nB=2",       // a line that goes on
		"A=it's\nB='\nSECRET=\n'",    // a quote in the middle
		"A=x'\nSECRET=y'\nB=2",       // which opens one in a shell
		"A=\"x\"'\nSECRET=y'\nB=2",   // one string after the other
		"A='x\n'\"\nSECRET=y\"\nB=2", // likewise, over lines
		"A=$(cat <<E\nSECRET=y\nE\n)\nB=2",
		"A=\\'x\nSECRET=y'\nB=2",
	} {
		got := string(maskValues([]byte(in)))
		if strings.Contains(got, "SECRET") || strings.Contains(got, "B=2") || !strings.HasPrefix(got, "A="+m) {
			t.Errorf("maskValues(%q) = %q, want nothing after A", in, got)
		}
	}
}

func TestWhatIsNoAssignmentIsNotShown(t *testing.T) {
	for in, want := range map[string]string{
		"secret":                   m,
		"-----BEGIN KEY-----\nx\n": m + "\n" + m + "\n",
		"key: value":               m,
		"c2VjcmV0cw==":             m,
		"c2VjcmV0c2==\n":           m + "\n",
		"c2VjcmV0cw=":              m,
		"two words=1":              m,
		"set A=1":                  m,
		"# OLD=secret":             "# OLD=" + m,
		"#OLD='secret\nA=1":        "#OLD=" + m + "\nA=" + m,
		"## export OLD=secret\n":   "## export OLD=" + m + "\n",
		"# see https://h/?q=1\n":   "# see https://h/?q=1\n",
		"\xff\xfeA\x00=\x001\x00":  m,
		"a\x00b=c":                 m,
	} {
		if got := string(maskValues([]byte(in))); got != want {
			t.Errorf("maskValues(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNoPartOfAValueIsShown writes values as a careful program would, whatever is in them.
func TestNoPartOfAValueIsShown(t *testing.T) {
	styles := []func(string) string{
		func(v string) string {
			return strings.NewReplacer("\n", "", "'", "", `"`, "", "`", "", `\`, "", " ", "").Replace(v)
		},
		func(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" },
		func(v string) string {
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`).Replace(v) + `"`
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			parts := rapid.SliceOf(rapid.SampledFrom([]string{"SECRET", "\n", "=", "'", `"`, "`", `\`, "#", " ", "\nSECRET=", "x", "\r\n", "$("})).Draw(t, "value")
			style := rapid.SampledFrom(styles).Draw(t, "style")
			file.WriteString("NAME=" + style(strings.Join(parts, "")) + "\n")
		}
		if got := maskValues([]byte(file.String())); bytes.Contains(got, []byte("SECRET")) {
			t.Fatalf("maskValues(%q) = %q", file.String(), got)
		}
	})
}
