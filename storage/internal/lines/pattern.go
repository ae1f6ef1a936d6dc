// Package lines searches texts for a regular expression, line by line. It knows no files and no permissions, it holds a few
// hundred kilobytes of a text at a time, and no expression keeps it longer than the caller allows.
package lines

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"nexus/internal/errs"
	"nexus/storage/internal/trigram"
)

// Bounds of an expression. The second one keeps a match within a piece of a line below a second.
const (
	MaxExpression = 1000 // bytes
	maxProgram    = 2000 // instructions
)

// Pattern is a regular expression with what is known of its matches. It is safe for concurrent use.
type Pattern struct {
	re    *regexp.Regexp
	query *trigram.Query
	need  factor
}

// Compile returns the pattern of an expression in the syntax of RE2. What is no expression, or too large a one, is errs.Invalid.
func Compile(expr string, ignoreCase bool) (*Pattern, error) {
	switch {
	case expr == "":
		return nil, invalid("the pattern is empty")
	case len(expr) > MaxExpression:
		return nil, invalid("the pattern is longer than %d bytes", MaxExpression)
	}
	flags := syntax.Perl
	if ignoreCase {
		flags |= syntax.FoldCase
	}
	parsed, err := syntax.Parse(expr, flags)
	if err != nil {
		return nil, invalid("the pattern is no regular expression: %s", reason(err))
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return nil, invalid("the pattern is too large: use smaller repetitions")
	}
	if ignoreCase {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, invalid("the pattern is no regular expression: %s", reason(err))
	}
	return &Pattern{re: re, query: trigram.Of(parsed), need: required(parsed)}, nil
}

// Query returns what contents must hold to be worth searching.
func (p *Pattern) Query() *trigram.Query { return p.query }

// reason is what is wrong with an expression, without the expression.
func reason(err error) string {
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		return wrong.Code.String() + " `" + wrong.Expr + "`"
	}
	return "it cannot be read"
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, format, args...).Marked(errs.NotValid)
}
