package client_test

import (
	"errors"
	"reflect"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

func TestEntriesWalksEveryPage(t *testing.T) {
	c := connect(t, "alice-key")
	for _, limit := range []int{1, 0} { // in three pages, the second of which is empty, and in one
		var got []api.Metadata
		for e, err := range client.Entries(t.Context(), c, api.ListParams{Path: "/docs", Details: true, Limit: limit}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if want := []api.Metadata{sample, folder}; !reflect.DeepEqual(got, want) {
			t.Errorf("pages of %d: %+v, want %+v", limit, got, want)
		}
	}
}

func TestEntriesStopsWhenTold(t *testing.T) {
	n := 0
	for range client.Entries(t.Context(), connect(t, "alice-key"), api.ListParams{Path: "/docs", Limit: 1}) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

func TestEntriesEndsWithTheErrorOfAPage(t *testing.T) {
	for path, want := range map[string]errs.Kind{"/endless": errs.Unavailable, "/..": errs.Invalid} {
		var got []error
		for _, err := range client.Entries(t.Context(), connect(t, "alice-key"), api.ListParams{Path: path}) {
			got = append(got, err)
		}
		if len(got) != 1 || !errors.Is(got[0], want) {
			t.Errorf("%s: %v, want one error, %s", path, got, want)
		}
	}
}
