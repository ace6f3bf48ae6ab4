package gateway

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Some rotations leave no file behind, some leave a new one.
func TestLogFileIsReopenedAfterARotation(t *testing.T) {
	for what, created := range map[string]bool{"moved away": false, "moved away, a new one made": true} {
		t.Run(what, func(t *testing.T) { rotate(t, created) })
	}
}

func rotate(t *testing.T, created bool) {
	name := filepath.Join(t.TempDir(), "access.log")
	l, err := OpenLog(config.Log{Level: "info", Output: name}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l.Info("one")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if created {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.Info("two") // still to the old file: nothing is lost in between
	for range 2 { // the second time there is nothing to do
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	l.Info("three")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{name + ".1": {"one", "two"}, name: {"three"}} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(b), "\n"); got != len(want) {
			t.Errorf("%s: %d lines, want %v", file, got, want)
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s lacks %q", file, w)
			}
		}
	}
}
