package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// TestEveryCodeHasAScenario keeps the table of codes honest: each is one that a
// client can meet, and a scenario shows how.
func TestEveryCodeHasAScenario(t *testing.T) {
	shown := map[string]bool{}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	line := regexp.MustCompile(`(?m)^code (\w+)$`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			shown[m[1]] = true
		}
	}
	for _, c := range middleware.Codes() {
		switch {
		case c.Code == middleware.InternalError:
			// A fault of our own is what a scenario would have to know of, and
			// then it is repaired. Package problem tests the answer to a panic.
			if shown[string(c.Code)] {
				t.Errorf("%s can be raised: repair that", c.Code)
			}
		case !shown[string(c.Code)]:
			t.Errorf("no scenario says `code %s`", c.Code)
		}
	}
}
