package errs_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"nexus/internal/errs"
)

func TestForeignErrorIsInternalAndKeepsItsTextToItself(t *testing.T) {
	e := errs.From(fmt.Errorf("open: %w", io.ErrUnexpectedEOF))
	if e.Kind != errs.Internal || errs.Public(e) != "internal error" || !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Errorf("From(foreign) = %+v, public %q", e, errs.Public(e))
	}
	if errs.From(nil) != nil {
		t.Error("From(nil) is an error")
	}
}

func TestForgottenKindHidesItsText(t *testing.T) {
	e := &errs.Error{Text: "password is hunter2"}
	if got := errs.Public(e); strings.Contains(got, "hunter2") {
		t.Errorf("Public of an error without a kind = %q", got)
	}
}

func TestPublicNeverShowsTheCause(t *testing.T) {
	for _, k := range errs.Kinds() {
		e := errs.New(k, "in the caller's words").Because(errors.New("SELECT * FROM keys")).With("path", "/a")
		if got := errs.Public(e); strings.Contains(got, "SELECT") {
			t.Errorf("Public of kind %s = %q", k, got)
		}
		if got := e.Error(); !strings.Contains(got, "SELECT") || !strings.Contains(got, "in the caller's words") {
			t.Errorf("Error of kind %s = %q, want text and cause for the log", k, got)
		}
	}
}

func TestKindIsFoundThroughWrapping(t *testing.T) {
	inner := errs.New(errs.NotFound, "no file").Marked(errs.FileNotFound)
	wrapped := fmt.Errorf("read: %w", inner)
	if !errors.Is(wrapped, errs.NotFound) || errors.Is(wrapped, errs.Denied) || errs.KindOf(wrapped) != errs.NotFound {
		t.Errorf("kind of %v = %s, want not_found alone", wrapped, errs.KindOf(wrapped))
	}
	if errs.RPC(wrapped) != -32000 || errs.From(wrapped) != inner {
		t.Errorf("RPC = %d, From = %v", errs.RPC(wrapped), errs.From(wrapped))
	}
	outer := errs.New(errs.Unavailable, "cannot decide").Because(inner)
	if errs.KindOf(outer) != errs.Unavailable {
		t.Errorf("kind of an error about another = %s, want that of the outer", errs.KindOf(outer))
	}
}

func TestKindIsAnErrorByItself(t *testing.T) {
	e := errs.From(fmt.Errorf("lookup: %w", errs.Denied))
	if e.Kind != errs.Denied || errs.Public(e) != "denied" {
		t.Errorf("From(kind) = %+v, public %q", e, errs.Public(e))
	}
}

func TestKindOutOfRangeIsInternal(t *testing.T) {
	k := errs.Kind(200)
	if k.String() != "internal" || k.HTTP() != 500 || k.RPC() != -32603 || k.Retry() {
		t.Errorf("kind 200 = %s, %d, %d, retry %t", k, k.HTTP(), k.RPC(), k.Retry())
	}
}

func TestErrorTellsOperationTextAndCauseInThisOrder(t *testing.T) {
	e := errs.New(errs.Conflict, "etag %q is old", "e1").Because(io.EOF)
	e.Op = "files.write"
	if got := e.Error(); got != `files.write: etag "e1" is old: EOF` {
		t.Errorf("Error = %q", got)
	}
	if got := (&errs.Error{Kind: errs.Deadline}).Error(); got != "deadline" {
		t.Errorf("Error without a text = %q, want the kind", got)
	}
}

func TestBrokenInvariantPanicsUnderTest(t *testing.T) {
	defer func() {
		if p := recover(); p != "bug: two grants" {
			t.Errorf("Bug panicked with %v", p)
		}
	}()
	_ = errs.Bug("two %s", "grants")
}
