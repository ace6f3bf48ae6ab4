package policies

import (
	"strings"
	"testing"
)

// TestWeight: what is large is told to be large, wherever it stands.
func TestWeight(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for name, in := range map[string]*Input{
		"a body":      {Body: map[string]any{"a": []any{1, large}}},
		"a name":      {Body: map[string]any{large: nil}},
		"a claim":     {Subject: &Subject{Claims: map[string]any{"a": large}}},
		"a query":     {Resource: Resource{Query: map[string][]string{"q": {"a", large}}}},
		"a header":    {Context: Context{Headers: map[string][]string{"h": {"a", large}}}},
		"a path":      {Resource: Resource{Path: large}},
		"a deep path": {Resource: Resource{Segments: make([]string, 1<<16)}},
		"a list":      {Body: make([]any, 1<<16)},
	} {
		if got := in.Weight(); got < 1<<20 || got > 2<<20 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := (&Input{}).Weight(); got > 1<<10 {
		t.Errorf("nothing: %d", got)
	}
}
