package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReferenceIsCurrent holds the reference against the structs.
func TestReferenceIsCurrent(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not current; run go generate ./config\n%s", name, diff)
		}
	}
}

func TestSplit(t *testing.T) {
	for doc, want := range map[string][2]string{
		`MinVersion is "1.2" or "1.3". Default: "1.2".`:            {`"1.2" or "1.3".`, `"1.2"`},
		"MinVersion says what is spoken.":                          {"`min_version` says what is spoken.", ""},
		"Address to listen on. Default: 127.0.0.1:9901. Or other.": {"Address to listen on. Or other.", "127.0.0.1:9901"},
		"Something. Required.":                                     {"Something.", ""},
		"Something. Required unless it is not.":                    {"Something. Required unless it is not.", ""},
	} {
		text, initial := split(doc, "MinVersion", "min_version")
		if text != want[0] || initial != want[1] {
			t.Errorf("%q became %q and %q", doc, text, initial)
		}
	}
}
