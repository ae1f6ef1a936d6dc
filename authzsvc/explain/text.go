package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes e for people at a terminal. It returns the first error of w.
func Text(w io.Writer, e Explanation) error {
	var b strings.Builder
	verb := "may not"
	if e.Allowed {
		verb = "may"
	}
	fmt.Fprintf(&b, "%s %s %s %s\n", e.Subject.words(), verb, e.Permission, e.Object.words())
	switch {
	case e.Allowed:
		writePath(&b, e)
	case e.Incomplete:
		b.WriteString("  the relationships are nested too deep to follow, so the answer is no\n")
	case len(e.Context) > 0:
		fmt.Fprintf(&b, "  that depends on what was not given: %s\n", strings.Join(e.Context, ", "))
	default:
		b.WriteString("  no relation leads from one to the other\n")
	}
	if e.Alternative != nil {
		writeAlternative(&b, e)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writePath(b *strings.Builder, e Explanation) {
	for _, s := range e.Path {
		subject := s.Subject.words()
		if s.SubjectRelation != "" {
			subject += "#" + s.SubjectRelation
		}
		fmt.Fprintf(b, "  %s is %s %s\n", subject, s.edge(), s.Object.words())
	}
	if e.Partial {
		b.WriteString("  (answered from a cache: ask for the full path to see each step)\n")
	}
}

func writeAlternative(b *strings.Builder, e Explanation) {
	alt := e.Alternative
	if len(alt.Ways) == 0 {
		fmt.Fprintf(b, "  no single relation of %s would give it to a %s\n", e.Object.words(), e.Subject.Type)
	} else {
		b.WriteString("  any one of these would allow it, the least first:\n")
		table := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
		for _, way := range alt.Ways {
			fmt.Fprintf(table, "    %s of %s\tgives %s\n", way.Relation, e.Object.words(), strings.Join(way.Gives, ", "))
		}
		_ = table.Flush() // a strings.Builder takes everything
	}
	writeSharers(b, alt)
}

func writeSharers(b *strings.Builder, alt *Alternative) {
	if len(alt.Sharers) == 0 {
		if alt.More {
			b.WriteString("  who could share it is hidden\n")
		}
		return
	}
	b.WriteString("  these could share it:\n")
	for _, sharer := range alt.Sharers {
		fmt.Fprintf(b, "    %s\n", sharer)
	}
	if alt.More {
		b.WriteString("    and others\n")
	}
}
