package redact

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rules makes masks of "path action" pairs.
func rules(t testing.TB, pairs ...string) []Rule {
	t.Helper()
	var out []Rule
	for _, p := range pairs {
		path, action, _ := strings.Cut(p, " ")
		a, err := ParseAction(action)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Rule{Path: path, Action: a})
	}
	return out
}

func compile(t testing.TB, spec Spec) *Plan {
	t.Helper()
	p, err := Compile(spec, Options{Keys: testKeys(t, "k1"), Tenant: "t1"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMasks(t *testing.T) {
	tests := []struct {
		name   string
		rules  []string
		expose []string
		in     string
		want   string
	}{
		{name: "nothing to do keeps every byte", in: " {\"b\" : 1.0e+2 ,\t\"a\":[ ]}\r\n", want: " {\"b\" : 1.0e+2 ,\t\"a\":[ ]}\r\n"},
		{name: "byte order mark", in: "\ufeff{}", want: "{}"},
		{name: "redact", rules: []string{"$.a redact"}, in: `{"a": 1, "b": 2}`, want: `{"a": "***", "b": 2}`},
		{name: "redact hides null and containers", rules: []string{"$.a redact", "$.b redact"}, in: `{"a":null,"b":{"c":1}}`, want: `{"a":"***","b":"***"}`},
		{name: "null", rules: []string{"$.a null"}, in: `{"a":[1]}`, want: `{"a":null}`},
		{name: "drop first", rules: []string{"$.a drop"}, in: `{ "a": 1 , "b": 2 }`, want: `{ "b": 2 }`},
		{name: "drop middle", rules: []string{"$.b drop"}, in: `{"a":1 , "b":2 , "c":3}`, want: `{"a":1  , "c":3}`},
		{name: "drop last", rules: []string{"$.b drop"}, in: `{"a":1, "b":2 }`, want: `{"a":1 }`},
		{name: "drop all", rules: []string{"$.* drop"}, in: `{ "a":1 , "b":2 }`, want: `{}`},
		{name: "drop first two", rules: []string{"$.a drop", "$.b drop"}, in: `{"a":1,"b":2,"c":3,"d":4}`, want: `{"c":3,"d":4}`},
		{name: "drop elements", rules: []string{"$[*].x[*] drop"}, in: `[{"x":[1,2]},{"x":[]}]`, want: `[{"x":[]},{"x":[]}]`},
		{name: "drop the root", rules: []string{"$ drop"}, in: ` {"a":1} `, want: `null`},
		{name: "duplicates are all masked", rules: []string{"$.a redact"}, in: `{"a":1,"a":2}`, want: `{"a":"***","a":"***"}`},

		{name: "a list policy covers the record", rules: []string{"$.data[*].ssn drop"}, in: `{"data":{"ssn":1,"n":2}}`, want: `{"data":{"n":2}}`},
		{name: "a record policy covers the list", rules: []string{"$.data.ssn drop"}, in: `{"data":[[{"ssn":1,"n":2}]]}`, want: `{"data":[[{"n":2}]]}`},
		{name: "root list", rules: []string{"$.ssn null"}, in: `[{"ssn":1},{"ssn":2}]`, want: `[{"ssn":null},{"ssn":null}]`},
		{name: "[*] at the end selects elements", rules: []string{"$.t[*] redact"}, in: `{"t":[1,[2]]}`, want: `{"t":["***","***"]}`},
		{name: "[*] at the end selects what is no array", rules: []string{"$.t[*] redact"}, in: `{"t":{"a":1}}`, want: `{"t":"***"}`},
		{name: "[*] selects members too", rules: []string{"$.u[*].ssn redact"}, in: `{"u":{"7":{"ssn":1}}}`, want: `{"u":{"7":{"ssn":"***"}}}`},
		{name: ".* selects elements too", rules: []string{"$.t.* null"}, in: `{"t":[1,{"a":2}]}`, want: `{"t":[null,null]}`},
		{name: "descendants", rules: []string{"$..ssn redact"}, in: `{"ssn":1,"a":[{"b":{"ssn":[2]}}]}`, want: `{"ssn":"***","a":[{"b":{"ssn":"***"}}]}`},
		{name: "descendants of a name", rules: []string{"$.a..c null"}, in: `{"c":1,"a":{"b":{"c":2}}}`, want: `{"c":1,"a":{"b":{"c":null}}}`},
		{name: "all descendants", rules: []string{"$..* drop"}, in: `{"a":{"b":1}}`, want: `{}`},
		{name: "quoted names", rules: []string{`$["it's"] null`}, in: `{"it's":2}`, want: `{"it's":null}`},

		{name: "loose names", rules: []string{"$.bank_account redact"}, in: `{"bankAccount":1,"BANK-ACCOUNT":2,"ban\u212a_account":3,"bank":4}`, want: `{"bankAccount":"***","BANK-ACCOUNT":"***","ban\u212a_account":"***","bank":4}`},
		{name: "escaped names", rules: []string{"$.ssn redact"}, in: `{"\u0073\u017fn":1}`, want: `{"\u0073\u017fn":"***"}`},
		{name: "half a surrogate pair is no name", rules: []string{"$.a redact"}, in: `{"a\ud800":"\udc00"}`, want: `{"a\ud800":"\udc00"}`},

		{name: "the strictest wins", rules: []string{"$.a partial", "$..a null", "$.* redact"}, in: `{"a":"123456789","b":1}`, want: `{"a":null,"b":"***"}`},
		{name: "inherited by elements", rules: []string{"$.a partial", "$.a[*] drop"}, in: `{"a":["123456789"]}`, want: `{"a":[]}`},
		{name: "partial through arrays, objects redacted", rules: []string{"$.a partial"}, in: `{"a":["123456789",null,true,[ "abcdefgh" ],{"b":"123456789"}]}`, want: `{"a":["****6789",null,"***",[ "****efgh" ],"***"]}`},

		{name: "show lifts a mask at the value", rules: []string{"$..name redact", "$.name show"}, in: `{"name":1,"a":{"name":2}}`, want: `{"name":1,"a":{"name":"***"}}`},
		{name: "show lifts a mask of a container", rules: []string{"$.p redact", "$.p.name show"}, in: `{"p":{"name":"x","ssn":1,"o":{"q":2}}}`, want: `{"p":{"name":"x","ssn":"***","o":"***"}}`},
		{name: "show in a dropped container", rules: []string{"$.p drop", "$.p.name show"}, in: `{"p":{"ssn":1,"name":"x"},"q":1}`, want: `{"p":{"name":"x"},"q":1}`},
		{name: "show that matches nothing", rules: []string{"$.p redact", "$.p.name show"}, in: `{"p":{"ssn":1}}`, want: `{"p":"***"}`},
		{name: "show that matches nothing in a dropped container", rules: []string{"$.p drop", "$.p.name show"}, in: `{"o":1,"p":{"ssn":1}}`, want: `{"o":1}`},
		{name: "show does not lift a mask further inside", rules: []string{"$.p redact", "$.p.ssn null", "$.p show"}, in: `{"p":{"ssn":1,"n":2}}`, want: `{"p":{"ssn":null,"n":2}}`},
		{name: "show of a container is no show of its inside", rules: []string{"$..ssn null", "$.p show"}, in: `{"p":{"ssn":1}}`, want: `{"p":{"ssn":null}}`},
		{name: "show is exact", rules: []string{"$.name redact", "$.name show"}, in: `{"Name":1,"name":2}`, want: `{"Name":"***","name":2}`},
		{name: "show under partial redacts the rest", rules: []string{"$.p partial", "$.p.n show"}, in: `{"p":{"n":1,"c":"123456789"}}`, want: `{"p":{"n":1,"c":"***"}}`},
		{name: "[*] shows no members", rules: []string{"$..ssn redact", "$.u[*].ssn show"}, in: `{"u":[{"ssn":1}],"v":0}`, want: `{"u":[{"ssn":1}],"v":0}`},
		{name: "[*] of an object shows no members", rules: []string{"$..ssn redact", "$.u[*].ssn show"}, in: `{"u":{"x":{"ssn":1}}}`, want: `{"u":{"x":{"ssn":"***"}}}`},

		{name: "expose", expose: []string{"$.a"}, in: `{"a":{"b":1},"c":2}`, want: `{"a":{"b":1}}`},
		{name: "expose keeps containers", expose: []string{"$.data.name"}, in: `{"n":1,"data":[{"name":"x","s":1},{"s":2}]}`, want: `{"data":[{"name":"x"},{}]}`},
		{name: "expose is exact", expose: []string{"$.name"}, in: `{"Name":1}`, want: `{}`},
		{name: "a scalar instead of a container", expose: []string{"$.data.name"}, in: `{"data":5}`, want: `{"data":null}`},
		{name: "a scalar instead of the root", expose: []string{"$.name"}, in: `"secret"`, want: `null`},
		{name: "expose by descent", expose: []string{"$..name"}, in: `{"s":1,"a":{"s":1},"b":[{"name":2,"s":3},4,{"s":5}]}`, want: `{"b":[{"name":2}]}`},
		{name: "expose by wildcard", expose: []string{"$.*.name"}, in: `{"count":5,"a":{"name":1,"s":2},"b":{"s":3}}`, want: `{"a":{"name":1}}`},
		{name: "a masked scalar instead of a container", rules: []string{"$.data partial"}, expose: []string{"$.data.name"}, in: `{"data":"123456789"}`, want: `{"data":"***"}`},
		{name: "masks hold where exposed", rules: []string{"$..ssn redact"}, expose: []string{"$.p"}, in: `{"p":{"ssn":1,"n":2},"ssn":3}`, want: `{"p":{"ssn":"***","n":2}}`},
		{name: "show does not expose", rules: []string{"$.p redact", "$.p.ssn show"}, expose: []string{"$.p.n"}, in: `{"p":{"ssn":1,"n":2}}`, want: `{"p":"***"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, Spec{Rules: rules(t, tt.rules...), Expose: tt.expose})
			got, _, err := appendBoth(t, []byte("before "), []byte(tt.in), p, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("before "+tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReport(t *testing.T) {
	p := compile(t, Spec{
		Rules:  rules(t, "$.data.ssn redact", "$.data.p drop", "$.data.p.q null"),
		Rows:   []RowFilter{{Path: "$.data", Where: []Cond{{Field: "ok", Op: "eq", Value: true}}}},
		Expose: []string{"$.data"},
	})
	in := `{"data":[{"ok":true,"ssn":1,"p":{"q":1}},{"ok":false,"ssn":2}],"a/~b":1}`
	_, rep, err := appendBoth(t, nil, []byte(in), p, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := Report{Masked: 2, Dropped: 1, Hidden: 1, Rows: 1, Documents: 1, Rules: []int{1, 1, 0}, Pointers: []string{"/data/0/ssn", "/data/0/p", "/data/1", "/a~1~0b"}}
	if diff := cmp.Diff(want, rep); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestPointersAreBounded: what is reported of a hostile text stays small.
func TestPointersAreBounded(t *testing.T) {
	name := strings.Repeat("n", 400)
	in := strings.Repeat(`{"`+name+`":`, 900) + `[` + strings.Repeat(`{"ssn":1},`, 99) + `{"ssn":1}]` + strings.Repeat("}", 900)
	_, rep, err := appendBoth(t, nil, []byte(in), compile(t, Spec{Rules: rules(t, "$..ssn redact")}), Limits{})
	if err != nil || rep.Masked != 100 || len(rep.Pointers) != maxPointers {
		t.Fatalf("%d masked, %d pointers, %v", rep.Masked, len(rep.Pointers), err)
	}
	if got, want := rep.Pointers[0], "/"+name+"/"+name; got != want {
		t.Errorf("pointer of %d bytes, want %d", len(got), len(want))
	}
}

func TestAppendLines(t *testing.T) {
	row := []RowFilter{{Path: "$", Where: []Cond{{Field: "b", Op: "eq", Value: "x"}}}}
	tests := []struct {
		name, in, want string
		spec           Spec
		err            error
	}{
		{name: "identity", in: "{}\r\n\n[1]", want: "{}\r\n\n[1]"},
		{name: "mask", spec: Spec{Rules: rules(t, "$.a null")}, in: "{\"a\":1}\n{\"a\":2}\n", want: "{\"a\":null}\n{\"a\":null}\n"},
		{name: "rows", spec: Spec{Rows: row}, in: "{\"b\":\"x\"}\n{\"b\":\"y\"}\n{}\n", want: "{\"b\":\"x\"}\n"},
		{name: "dropped", spec: Spec{Rules: rules(t, "$ drop")}, in: "1\n2\n", want: ""},
		{name: "one document over two lines", in: "{\n}", err: ErrSyntax},
		{name: "two documents on a line", in: "{}{}\n", err: ErrSyntax},
		{name: "no rows", spec: Spec{Rows: []RowFilter{{Path: "$.items[*]", Where: row[0].Where}}}, in: "{}\n", err: ErrRowsAbsent},
		{name: "no documents", spec: Spec{Rows: row}, in: "\n", want: "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := linesBoth(t, nil, []byte(tt.in), compile(t, tt.spec), Limits{})
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	p := compile(t, Spec{Rules: rules(t, "$.a partial")})
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	long := strings.Repeat("x", 100)
	tests := []struct {
		name, in string
		limits   Limits
		want     string
		err      error
		offset   int
	}{
		{name: "depth", in: deep(1000), want: deep(1000)},
		{name: "too deep", in: deep(1001), err: ErrDepth, offset: 1000},
		{name: "name", in: `{"` + long[:4] + `":1}`, limits: Limits{Key: 4}, want: `{"xxxx":1}`},
		{name: "name too long", in: `{"xxxxx":1}`, limits: Limits{Key: 4}, err: ErrTooLarge, offset: 1},
		{name: "long value", in: `{"a":"` + long + `"}`, limits: Limits{Scalar: 50}, want: `{"a":"***"}`},
		{name: "long value untouched", in: `{"b":"` + long + `"}`, limits: Limits{Scalar: 50}, want: `{"b":"` + long + `"}`},
		{name: "utf-8", in: "[\"a\xff\"]", err: ErrUTF8, offset: 3},
		{name: "syntax", in: `{"a":1,}`, err: ErrSyntax, offset: 7},
		{name: "trailing", in: `{} x`, err: ErrSyntax, offset: 3},
		{name: "empty", in: ``, err: ErrSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := appendBoth(t, nil, []byte(tt.in), p, tt.limits)
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Fatalf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
			var e *Error
			if errors.As(err, &e) && e.Offset != tt.offset {
				t.Errorf("offset %d, want %d", e.Offset, tt.offset)
			}
		})
	}
}
