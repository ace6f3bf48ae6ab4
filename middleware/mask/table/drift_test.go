package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// detect finds texts with "!", and long numbers unless they are strings.
func detect(text []byte, isString bool) string {
	switch {
	case bytes.Contains(text, []byte("!")):
		return "mark"
	case !isString && len(text) > 6:
		return "number"
	}
	return ""
}

// TestDrift: what is found in columns that nothing in the spec speaks of.
func TestDrift(t *testing.T) {
	row := []redact.RowFilter{{Path: "$", Where: []redact.Cond{{Field: "b", Op: "ne", Value: "no"}}}}
	for _, tt := range []struct {
		name, in string
		spec     redact.Spec
		want     string // redacted
		found    []redact.Finding
	}{
		{"nothing", "a,b\n1,2\n", redact.Spec{}, "a,b\n1,2\n", nil},
		{"found", "a,b,c\n\"x!\",12345678,\"q\"\n!,1,\n", redact.Spec{}, "a,b,c\n***,***,\"q\"\n***,1,\n", []redact.Finding{{Path: "$[*].a", Class: "mark", Count: 2}, {Path: "$[*].b", Class: "number", Count: 1}}},
		{"two classes", "a\n!\n1234567\n", redact.Spec{}, "a\n***\n***\n", []redact.Finding{{Path: "$[*].a", Class: "mark", Count: 1}, {Path: "$[*].a", Class: "number", Count: 1}}},
		{"masked and hidden", "a,b,c\n!!,x!,!\n", redact.Spec{Rules: rules(t, "$..a null"), Expose: []string{"$.a", "$.b"}}, "a,b\n,x!\n", nil},
		{"shown", "a,a.b\n!,!\n", redact.Spec{Rules: rules(t, "$.a show")}, "a,a.b\n!,***\n", []redact.Finding{{Path: "$[*]['a.b']", Class: "mark", Count: 1}}},
		{"exposed with all", "a\n!\n", redact.Spec{Expose: []string{"$.*"}}, "a\n***\n", []redact.Finding{{Path: "$[*].a", Class: "mark", Count: 1}}},
		{"known", "a,x.A,a.x,ba\n!,!,!,!\n", redact.Spec{Known: []string{"$.data[*].a"}}, "a,x.A,a.x,ba\n!,!,***,***\n", []redact.Finding{{Path: "$[*].ba", Class: "mark", Count: 1}, {Path: "$[*]['a.x']", Class: "mark", Count: 1}}},
		{"all known", "a\n!\n", redact.Spec{Known: []string{"$..*"}}, "a\n!\n", nil},
		{"dropped rows", "a,b\n!,no\n!,yes\n", redact.Spec{Rows: row}, "a,b\n***,yes\n", []redact.Finding{{Path: "$[*].a", Class: "mark", Count: 1}}},
		{"names that are data", "a!,b!," + strings.Repeat("c", 65) + "\n!,!,!\n", redact.Spec{}, "a!,b!," + strings.Repeat("c", 65) + "\n***,***,***\n", []redact.Finding{{Path: "$[*].*", Class: "mark", Count: 3}}},
		{"long texts", "a,b\n" + strings.Repeat("x", 255) + "!," + strings.Repeat("x", 256) + "!\n", redact.Spec{}, "a,b\n***," + strings.Repeat("x", 256) + "!\n", []redact.Finding{{Path: "$[*].a", Class: "mark", Count: 1}}},
	} {
		for _, redacts := range []bool{false, true} {
			keys, err := redact.NewKeyring("k", map[string]string{"k": strings.Repeat("s", 32)})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := redact.Compile(tt.spec, redact.Options{Keys: keys, Detect: detect, RedactFound: redacts})
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := run(t, plan, tt.in, redact.Limits{})
			if err != nil || !cmp.Equal(report.Found, tt.found) || redacts && got != tt.want || !redacts && strings.Count(got, "!") < strings.Count(tt.want, "!") {
				t.Errorf("%s, %t: %q, %v, %s", tt.name, redacts, got, err, cmp.Diff(tt.found, report.Found))
			}
			plain, without, err := run(t, compile(t, tt.spec), tt.in, redact.Limits{})
			n := 0
			for _, f := range tt.found {
				n += f.Count
			}
			if !redacts {
				n = 0
			}
			if err != nil || !redacts && got != plain || report.Masked != without.Masked+n {
				t.Errorf("%s, %t: %q, %+v; without %q, %+v", tt.name, redacts, got, report, plain, without)
			}
		}
	}
}

// TestFoundIsBounded: more places than can be listed count together.
func TestFoundIsBounded(t *testing.T) {
	var names, fields []string
	for i := range 40 {
		names, fields = append(names, fmt.Sprintf("c%02d", i)), append(fields, "!")
	}
	plan, err := redact.Compile(redact.Spec{}, redact.Options{Detect: detect})
	if err != nil {
		t.Fatal(err)
	}
	_, report, err := run(t, plan, strings.Join(names, ",")+"\n"+strings.Join(fields, ",")+"\n", redact.Limits{})
	if err != nil || len(report.Found) != 33 || report.Found[0] != (redact.Finding{Class: "mark", Count: 8}) {
		t.Errorf("%v, %v", report.Found, err)
	}
}
