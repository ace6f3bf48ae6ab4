package redact

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestExpectedNames reads records whose names are alike but for one byte, in
// every length and place, so that the name that is expected is nearly the one
// that stands there.
func TestExpectedNames(t *testing.T) {
	const long = "abcdefghijklmnopqrstuvwxyz012345"
	for n := 1; n < len(long); n++ {
		name := long[:n]
		plan := compile(t, Spec{Rules: rules(t, "$.data[*]."+name+" redact"), Expose: []string{"$.data[*]." + name, "$.data[*].after"}})
		record := func(name string) string {
			return fmt.Sprintf(`{%q:"secret","other":{%q:1},"after":%q}`, name, name, name)
		}
		for i := range n {
			b := []byte(name)
			b[i]++
			texts := []string{record(name), record(string(b)), record(name), record(name[:i] + name[i+1:]), record(name[:i] + "é" + name[i:]), record(name)}
			got, report, err := appendBoth(t, nil, []byte(`{"data":[`+strings.Join(texts, ",")+`]}`), plan, Limits{})
			if err != nil || report.Masked != 3 || bytes.Contains(got, []byte("secret")) {
				t.Fatalf("%s at %d: %d masked, %v\n%s", name, i, report.Masked, err, got)
			}
		}
	}
}

// TestKnownNames reads one text after another, so that what is known of names
// comes from other texts: of another plan, or under other limits.
func TestKnownNames(t *testing.T) {
	text := []byte(`[{"first":1,"second":2},{"first":1,"second":2}]`)
	for range 3 {
		for path, want := range map[string]string{
			"$..first":   `[{"second":2},{"second":2}]`,
			"$..second":  `[{"first":1},{"first":1}]`,
			"$[*].first": `[{"second":2},{"second":2}]`,
			"$..third":   string(text),
		} {
			plan := compile(t, Spec{Rules: rules(t, path+" drop")})
			for range 2 {
				if got, _, err := Append(nil, text, plan, Limits{}); err != nil || string(got) != want {
					t.Fatalf("%s: %s, %v", path, got, err)
				}
			}
			if _, _, err := Append(nil, text, plan, Limits{Key: 5}); !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%s: a name longer than allowed: %v", path, err)
			}
		}
	}
}
