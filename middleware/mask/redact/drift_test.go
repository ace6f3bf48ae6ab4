package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// detecting compiles a plan that looks for what modelDetect finds.
func detecting(t testing.TB, spec Spec, redactFound bool) *Plan {
	t.Helper()
	p, err := Compile(spec, Options{Keys: testKeys(t, "k1"), Detect: modelDetect, RedactFound: redactFound})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDrift(t *testing.T) {
	tests := []struct {
		name   string
		rules  []string
		expose []string
		known  []string
		rows   []RowFilter
		in     string
		want   []string // "path class count"
	}{
		{name: "nothing is found", in: `{"a":"x","b":1,"c":true,"d":null}`},
		{name: "elements of arrays are one place", in: `{"items":[{"e":"x@y"},{"e":"z@y"}]}`, want: []string{"$.items[*].e email 2"}},
		{name: "a number, and the same as a string", in: `{"n":123456789012,"s":"123456789012"}`, want: []string{"$.n number 1"}},
		{name: "several classes at one place, sorted", in: `[123456789012,"x@y","x@y"]`, want: []string{"$[*] email 2", "$[*] number 1"}},
		{name: "the root", in: `"x@y"`, want: []string{"$ email 1"}},
		{name: "escapes are decoded", in: `{"\u0061":"x\u0040y"}`, want: []string{"$.a email 1"}},
		{name: "256 bytes", in: `{"a":"` + strings.Repeat(`\u0041`, 255) + `@","b":"` + strings.Repeat("A", 256) + `@"}`, want: []string{"$.a email 1"}},
		{name: "not text", in: `["@\ud800"]`},

		{name: "masked", rules: []string{"$.a partial", "$.b redact"}, in: `{"a":"x@y","b":{"c":"x@y"},"d":"x@y"}`, want: []string{"$.d email 1"}},
		{name: "shown, itself or a container of it", rules: []string{"$.a show", "$.b.c show"}, in: `{"a":{"x":["x@y"]},"b":{"c":"x@y","d":"x@y"}}`, want: []string{"$.b.d email 1"}},
		{name: "known, itself or a container of it", known: []string{"$.a", "$.b[*].c", "$..d"}, in: `{"A":{"x":["x@y"]},"b":{"c":"x@y","e":"x@y"},"q":{"D":["x@y"]}}`, want: []string{"$.b.e email 1"}},
		{name: "known elements", known: []string{"$.a[*]"}, in: `{"a":["x@y",["x@y"]],"b":["x@y"]}`, want: []string{"$.b[*] email 1"}},
		{name: "everything is known", known: []string{"$"}, in: `{"a":"x@y"}`},

		{name: "exposed by name", expose: []string{"$.a", "$..e", "$.l[*]"}, in: `{"a":"x@y","b":{"e":["x@y",["x@y"]]},"l":["x@y"],"c":"x@y"}`},
		{name: "exposed with a container", expose: []string{"$.a", "$.a.named"}, in: `{"a":{"e":"x@y","named":"x@y","l":[{"m":"x@y"}]}}`, want: []string{"$.a.e email 1", "$.a.l[*].m email 1"}},
		{name: "an object in a named array", expose: []string{"$.a"}, in: `{"a":["x@y",{"m":"x@y"}]}`, want: []string{"$.a[*].m email 1"}},
		{name: "exposed by a wildcard", expose: []string{"$.a.*", "$.l..[*]"}, in: `{"a":{"e":"x@y"},"l":[["x@y"]]}`, want: []string{"$.a.e email 1", "$.l[*][*] email 1"}},
		{name: "exposed names are exact", expose: []string{"$.a", "$.a.e"}, in: `{"a":{"E":"x@y"}}`, want: []string{"$.a.E email 1"}},
		{name: "what is hidden is not sent", expose: []string{"$.a.b"}, in: `{"a":"x@y","c":{"b":"x@y"}}`},

		{name: "dropped rows", rows: []RowFilter{{Path: "$[*]", Where: []Cond{eq("k", 1)}}}, in: `[{"e":"x@y","k":0},{"k":1,"f":"x@y"},{"g":"x@y"}]`, want: []string{"$[*].f email 1"}},
		{name: "fields of conditions", rows: []RowFilter{{Path: "$[*]", Where: []Cond{{Field: "e", Op: "contains", Value: "x"}}}}, in: `[{"e":"x@y"},{"e":"@"}]`, want: []string{"$[*].e email 1"}},
		{name: "scalar rows", rows: []RowFilter{{Path: "$[*]", Where: []Cond{eq("@", "x@y")}}}, in: `["x@y","@"]`, want: []string{"$[*] email 1"}},

		{
			name: "names",
			in: `{"a b":"@","":"@","it's":"@","\\":"@","\u0001\n":"@","é😀":"@","1a":"@","a@b":{"c":"@"},"` + strings.Repeat("n", 64) + `":"@","` +
				strings.Repeat("n", 65) + `":"@","` + strings.Repeat("n", 2000) + `":"@","\ud800":"@"}`,
			want: []string{
				`$.* email 3`, `$.*.c email 1`, `$.` + strings.Repeat("n", 64) + ` email 1`, `$.é😀 email 1`, `$[''] email 1`, `$['1a'] email 1`,
				`$['\\'] email 1`, `$['\u0001\n'] email 1`, `$['a b'] email 1`, `$['it\'s'] email 1`,
			},
		},
		{
			name: "deep",
			in:   strings.Repeat("[", 17) + `"@"` + strings.Repeat("]", 16) + `,"@"]`,
			want: []string{" email 1", "$[*] email 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{Rules: rules(t, tt.rules...), Expose: tt.expose, Known: tt.known, Rows: tt.rows}
			got, report, err := appendBoth(t, nil, []byte(tt.in), detecting(t, spec, false), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			total := 0
			for _, f := range report.Found {
				found = append(found, fmt.Sprint(f.Path, " ", f.Class, " ", f.Count))
				if total += f.Count; f.Path != "" {
					if _, err := parsePath(f.Path); err != nil {
						t.Error(err)
					}
				}
			}
			if diff := cmp.Diff(tt.want, found); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			// Without a detector all the same is sent, and nothing found.
			plain, plainReport, err := appendBoth(t, nil, []byte(tt.in), compile(t, spec), Limits{})
			if err != nil || !bytes.Equal(plain, got) && len(tt.rules) == 0 || plainReport.Found != nil {
				t.Errorf("without a detector: %s, %+v, %v", plain, plainReport, err)
			}
			// Redacting what is found takes exactly that away.
			hidden, again, err := appendBoth(t, nil, []byte(tt.in), detecting(t, spec, true), Limits{})
			if err != nil || !json.Valid(hidden) || again.Masked != report.Masked+total || cmp.Diff(report.Found, again.Found) != "" {
				t.Errorf("redacted: %s, %+v, %v", hidden, again, err)
			}
			if n := bytes.Count(hidden, []byte(redacted)) - bytes.Count(got, []byte(redacted)); n != total {
				t.Errorf("%d were redacted, want %d: %s", n, total, hidden)
			}
		})
	}
}

// TestFoundIsBounded: whatever a text is like, no more than 32 places are told
// apart, and rows that are dropped take none of them.
func TestFoundIsBounded(t *testing.T) {
	var in strings.Builder
	in.WriteString(`[`)
	for i := range 100 {
		fmt.Fprintf(&in, `{"drop%d":"@","k":0},`, i)
	}
	for i := range 40 {
		fmt.Fprintf(&in, `{"k":1,"keep%02d":"@","n":[123456789012]},`, i)
	}
	in.WriteString(`{"k":1,"keep00":"@"}]`)
	plan := detecting(t, Spec{Rows: []RowFilter{{Path: "$[*]", Where: []Cond{eq("k", 1)}}}}, false)
	_, report, err := appendBoth(t, nil, []byte(in.String()), plan, Limits{})
	if err != nil || len(report.Found) != 33 {
		t.Fatalf("%d places, %v", len(report.Found), err)
	}
	want := []Finding{{"", "email", 9}, {"$[*].keep00", "email", 2}, {"$[*].keep01", "email", 1}}
	if diff := cmp.Diff(want, report.Found[:3]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if last := report.Found[32]; last != (Finding{"$[*].n[*]", "number", 40}) {
		t.Errorf("last of them: %+v", last)
	}
}

// TestFoundTwiceAtAPlace: what counts against the bound is places, not classes.
func TestFoundTwiceAtAPlace(t *testing.T) {
	var in strings.Builder
	for i := range maxFound {
		fmt.Fprintf(&in, `{"p%02d":["@",123456789012]}`+"\n", i)
	}
	_, report, err := linesBoth(t, nil, []byte(in.String()), detecting(t, Spec{}, false), Limits{})
	if err != nil || len(report.Found) != 2*maxFound || report.Found[0].Path == "" {
		t.Errorf("%d findings, %v: %v", len(report.Found), err, report.Found)
	}
}

// TestFoundBehindLongNames: names that have left the window are told as they
// were, or as * if they are long, however long those in front of them are.
func TestFoundBehindLongNames(t *testing.T) {
	for name, lengths := range map[string][]int{
		"long":     {3000, 1, 3000, 64, 65},
		"longer":   {3000, 3000, 3000, 3000, 3000, 300, 300, 300, 300, 64, 64, 64},
		"not long": {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 64, 64, 64, 64},
		"many":     append(slices.Repeat([]int{1000}, 14), 64),
	} {
		var open, path strings.Builder
		for i, n := range lengths {
			name := strings.Repeat(string(rune('a'+i%26)), n)
			fmt.Fprintf(&open, `{%q:`, name)
			if n > 64 {
				name = "*"
			}
			path.WriteString("." + name)
		}
		in := open.String() + `["` + strings.Repeat("x", 9000) + `","x@y",7]` + strings.Repeat("}", len(lengths))
		want := []Finding{{"$" + path.String() + "[*]", "email", 1}}
		plan := detecting(t, Spec{}, true)
		for _, window := range []int{64, 1 << 10, 0} {
			r := NewReader(plan, strings.NewReader(in), Limits{Window: window})
			got, err := io.ReadAll(r)
			diff := cmp.Diff(want, r.Report().Found)
			if err != nil || diff != "" || string(got) != strings.Replace(in, "x@y", "***", 1) {
				t.Errorf("%s, window %d: %v (-want +got)\n%s", name, window, err, diff)
			}
		}
	}
}

func TestKnownPathsAreChecked(t *testing.T) {
	for _, opts := range []Options{{}, {Detect: modelDetect}} {
		if _, err := Compile(Spec{Known: []string{"a"}}, opts); err == nil {
			t.Error("a bad path is known")
		}
	}
}
