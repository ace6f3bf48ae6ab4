package table

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// rules reads masks written as "path action".
func rules(t testing.TB, list ...string) []redact.Rule {
	t.Helper()
	var out []redact.Rule
	for _, s := range list {
		path, name, _ := cutLast(s, " ")
		action, err := redact.ParseAction(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, redact.Rule{Path: path, Action: action})
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func compile(t testing.TB, spec redact.Spec) *redact.Plan {
	t.Helper()
	keys, err := redact.NewKeyring("", map[string]string{"k1": strings.Repeat("s", 32)})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := redact.Compile(spec, redact.Options{Keys: keys, Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// run reads all of a text, and checks that its division into reads makes no
// difference.
func run(t testing.TB, plan *redact.Plan, in string, limits redact.Limits) (string, redact.Report, error) {
	t.Helper()
	r := NewReader(plan, strings.NewReader(in), limits)
	out, err := io.ReadAll(r)
	if cerr := r.Close(); cerr != nil {
		t.Fatal(cerr)
	}
	limits.Window = 1
	one := NewReader(plan, iotest.OneByteReader(strings.NewReader(in)), limits)
	got, oneErr := io.ReadAll(one)
	if err == nil && string(got) != string(out) || !same(err, oneErr) {
		t.Fatalf("whole: %q, %v\nbyte by byte: %q, %v", out, err, got, oneErr)
	}
	if err == nil && !cmp.Equal(r.Report(), one.Report()) {
		t.Fatalf("reports: %v", cmp.Diff(r.Report(), one.Report()))
	}
	return string(out), r.Report(), err
}

func same(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	var x, y *redact.Error
	return errors.As(a, &x) && errors.As(b, &y) && *x == *y
}

// TestMasks: which masks hold for which columns.
func TestMasks(t *testing.T) {
	for _, tt := range []struct {
		path   string
		masked []string
		others []string
	}{
		{
			"$.employees[*].ssn",
			[]string{"ssn", "SSN", "s_s_n", "S-S-N", "employee.ssn", "bank/ssn/raw", "SSN (primary)", "ns:ssn", "employees__ssn", "a;ssn", "a\tssn", " ssn ", "s\u017fn", "s s n", "s.s.n", "s\u200bsn", "ssn--old", "ssn_-x", "ssn²", "ssn\ufe0f"},
			[]string{"ssns", "employee_ssn", "ssn_hash", "assn", "sssn", "employees", "s", "ss.nn"},
		},
		{
			"$..date_of_birth",
			[]string{"Date of Birth", "DateOfBirth", "date.of.birth", "date-of-birth", "DATE_OF_BIRTH", "employee.dateOfBirth", "Employee: Date of Birth", "d a t e of birth"},
			[]string{"date", "birth", "date of", "Date of Joining", "update of birth", "date of births"},
		},
		{"$['Date of Birth']", []string{"Date of Birth", "date_of_birth", "DateOfBirth"}, []string{"date", "of"}},
		{"$.pay.*", []string{"pay.base", "pay", "Pay Grade", "x/pay/y"}, []string{"base", "payment", "paying.base"}},
		{"$.items[*]", []string{"items.0", "items", "item", "0th"}, nil},
		{"$.items[*].*", []string{"items.0", "anything"}, nil},
		{"$.pay[*].*.*", []string{"pay.base", "base"}, nil},
		{"$..*", []string{"anything", "pay.base"}, nil},
		{"$[*]", []string{"anything"}, nil},
		{"$", []string{"anything"}, nil},
		{"$.*", []string{"anything"}, nil},
		{"$['%']", []string{"%", "tax %"}, []string{"tax"}},
		{"$['имя']", []string{"имя", "сотрудник.имя"}, []string{"имяотца", "Имя"}},
		{"$['a.b']", []string{"a.b", "x.a.b", "ab", "A B"}, []string{"a", "b", "b.a", "a.x.b"}},
	} {
		plan := compile(t, redact.Spec{Rules: rules(t, tt.path+" redact")})
		for want, names := range map[string][]string{"***": tt.masked, "v": tt.others} {
			for _, name := range names {
				header := `"` + name + `",k` + "\n"
				if got, _, err := run(t, plan, header+"v,w\n", redact.Limits{}); err != nil || !strings.HasPrefix(got, header+want+",") {
					t.Errorf("%s on %q: %q, %v", tt.path, name, got, err)
				}
			}
		}
	}
}

// TestMasksOnElements: a mask on what is in a list holds for the columns that
// name it, or else for the rows themselves.
func TestMasksOnElements(t *testing.T) {
	plan := compile(t, redact.Spec{Rules: rules(t, "$.items[*].* redact", "$.name show")})
	for in, want := range map[string]string{
		"id,items,name\n1,2,3\n": "id,items,name\n1,***,3\n",
		"id,pay,name\n1,2,3\n":   "id,pay,name\n***,***,3\n",
	} {
		if got, _, err := run(t, plan, in, redact.Limits{}); err != nil || got != want {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

// TestActions: what becomes of a field.
func TestActions(t *testing.T) {
	const header = "a,x,b\n"
	for _, tt := range []struct{ action, in, want string }{
		{"redact", "v", "***"},
		{"redact", "", "***"},
		{"redact", `"a, b"`, "***"},
		{"null", "v", ""},
		{"null", "", ""},
		{"null", `"a, b"`, ""},
		{"partial", "", ""},
		{"partial", `""`, ""},
		{"partial", "v", "***"},
		{"partial", "true", "***"},
		{"partial", "DE89370400440532013000", "****3000"},
		{"partial", "4111111111111111", "****1111"},
		{"partial", "123456.78", "***"},
		{"partial", "-12345678", "***"},
		{"partial", "00.12345678", "****5678"},
		{"partial", "ada@example.com", "a***@example.com"},
		{"partial", `"ada lovelace, ada"`, "**** ada"},
		{"partial", `"12345678""ab"`, `"****8""ab"`},
		{"partial", `"1234567,abc"`, `"****,abc"`},
		{"partial", "\"1234567\n\r8\"", "\"****7\n\r8\""},
		{"partial", `12345678\u00`, `****\u00`},
		{"partial", "1234567äöüß", "****äöüß"},
		{"generalize", "1984-05-17", "1984"},
		{"generalize", "2024", "2000"},
		{"generalize", "61234.5", "61000"},
		{"generalize", "-1", "-1000"},
		{"generalize", "1e3", "1000"},
		{"generalize", "007", "***"},
		{"generalize", "London", "***"},
		{"generalize", " 1", "***"},
		{"generalize", "", ""},
		{"generalize", "1e999", "***"},
		{"generalize", "NaN", "***"},
		{"hash", "", ""},
		{"tokenize", "", ""},
	} {
		plan := compile(t, redact.Spec{Rules: rules(t, "$.x "+tt.action)})
		want := header + "1," + tt.want + ",\"2\"\r\n"
		got, report, err := run(t, plan, header+"1,"+tt.in+",\"2\"\r\n", redact.Limits{})
		if got != want || err != nil || report.Masked != 1 {
			t.Errorf("%s of %s: %q, %+v, %v, want %q", tt.action, tt.in, got, report, err, want)
		}
	}
}

// TestSealed: hashes and tokens are those of the text in JSON, numbers too.
func TestSealed(t *testing.T) {
	for _, action := range []string{"hash", "tokenize"} {
		plan := compile(t, redact.Spec{Rules: rules(t, "$..x "+action)})
		for _, s := range []string{"v", "12", "true", "a b"} {
			json, _, err := redact.Append(nil, []byte(`{"x":"`+s+`"}`), plan, redact.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			want := "k.x\n" + strings.TrimSuffix(strings.TrimPrefix(string(json), `{"x":"`), `"}`) + "\n"
			if got, _, err := run(t, plan, "k.x\n"+s+"\n", redact.Limits{}); got != want || err != nil {
				t.Errorf("%s of %s: %q, %v, want %q", action, s, got, err, want)
			}
		}
	}
}

// TestStrictest: where masks meet on a column, the strictest wins.
func TestStrictest(t *testing.T) {
	list := []string{"generalize", "partial", "tokenize", "hash", "redact", "null", "drop"}
	for i, weak := range list {
		for _, strong := range list[i:] {
			alone := compile(t, redact.Spec{Rules: rules(t, "$.x "+strong)})
			both := compile(t, redact.Spec{Rules: rules(t, "$.x "+weak, "$..y.x "+strong, "$..* generalize")})
			const in = "k.x\n12345678901234\n"
			want, _, err := run(t, alone, in, redact.Limits{})
			if got, _, gotErr := run(t, both, in, redact.Limits{}); got != want || err != nil || gotErr != nil {
				t.Errorf("%s and %s: %q, want %q", weak, strong, got, want)
			}
		}
	}
}

// TestGrants: show and expose say exactly which column they mean.
func TestGrants(t *testing.T) {
	const in = "id,pay.id,ID,\"Full Name\"\n1,2,3,4\n"
	const all = in
	const idOnly = "id\n1\n"
	for _, tt := range []struct {
		path, shown, exposed string // "": nothing
	}{
		{"$..id", "id,pay.id,ID,\"Full Name\"\n1,***,***,***\n", idOnly},
		{"$.id", "id,pay.id,ID,\"Full Name\"\n1,***,***,***\n", idOnly},
		{"$[*].id", "id,pay.id,ID,\"Full Name\"\n1,***,***,***\n", idOnly},
		{"$..['pay.id']", "id,pay.id,ID,\"Full Name\"\n***,2,***,***\n", "pay.id\n2\n"},
		{"$['Full Name']", "id,pay.id,ID,\"Full Name\"\n***,***,***,4\n", "\"Full Name\"\n4\n"},
		{"$['FullName']", "", ""},
		{"$.pay.id", "", ""},
		{"$.data.id", "", ""},
		{"$.data[*].id", "", ""},
		{"$..data.id", "", ""},
		{"$.*.id", "", ""},
		{"$[*][*].id", "", ""},
		{"$[*]..id", "", ""},
		{"$..[*].id", "", ""},
		{"$..pay", "", ""},
		{"$.data.*", "", ""},
		{"$.data[*]", "", ""},
		{"$..[*]", "", ""},
		{"$[*]..*", "", ""},
		{"$[*][*]", "", ""},
		{"$.*.*", "", ""},
		{"$", "", all},
		{"$.*", "", all},
		{"$..*", "", all},
		{"$[*]", "", all},
		{"$[*].*", "", all},
	} {
		if tt.shown == "" {
			tt.shown = "id,pay.id,ID,\"Full Name\"\n***,***,***,***\n"
		}
		plan := compile(t, redact.Spec{Rules: rules(t, "$..* redact", tt.path+" show")})
		if got, _, err := run(t, plan, in, redact.Limits{}); got != tt.shown || err != nil {
			t.Errorf("show %s: %q, %v", tt.path, got, err)
		}
		plan = compile(t, redact.Spec{Expose: []string{tt.path}})
		if got, _, err := run(t, plan, in, redact.Limits{}); got != tt.exposed || err != nil {
			t.Errorf("expose %s: %q, %v", tt.path, got, err)
		}
	}
}

// TestRemoved: what is left when columns are removed, and how it is counted.
func TestRemoved(t *testing.T) {
	show := rules(t, "$..a drop", "$..b redact", "$.a show")
	row := []redact.RowFilter{{Path: "$.data", Where: []redact.Cond{{Field: "a", Op: "ne", Value: "0"}}}}
	for _, tt := range []struct {
		name, in, want string
		spec           redact.Spec
		report         redact.Report
	}{
		{"first", "\ufeffa,b,c\n1,2,3\n", "\ufeffb,c\n2,3\n", redact.Spec{Rules: rules(t, "$.a drop")}, redact.Report{Masked: 1}},
		{"middle", "a,b,c\r\n1,\"2\",3", "a,c\r\n1,3", redact.Spec{Rules: rules(t, "$.b drop")}, redact.Report{Masked: 1}},
		{"last", "a,b,c\n1,2,3\n4,5,6\n", "a,b\n1,2\n4,5\n", redact.Spec{Rules: rules(t, "$.c drop")}, redact.Report{Masked: 2}},
		{"two at once", "a,b,c,d\n1,2,3,4\n", "a,d\n1,4\n", redact.Spec{Rules: rules(t, "$.b drop", "$.c drop")}, redact.Report{Masked: 2}},
		{"all", "\ufeffa,b\n1,2\n3,4\n\n", "", redact.Spec{Rules: rules(t, "$.* drop")}, redact.Report{Masked: 4}},
		{"one left and empty", "a,b\n1,\n,\n2,3\n\n", "b\n\"\"\n\"\"\n3\n\n", redact.Spec{Rules: rules(t, "$.a drop")}, redact.Report{Masked: 3}},
		{"one made empty", "a\n1\n\n\"\"\n", "a\n\"\"\n\n\"\"\n", redact.Spec{Rules: rules(t, "$.a null")}, redact.Report{Masked: 3}},
		{"not exposed and shown", "a,b\n1,2\n", "b\n***\n", redact.Spec{Rules: show, Expose: []string{"$.b"}}, redact.Report{Masked: 1, Hidden: 1}},
		{"not exposed and masked", "a,b\n1,2\n", "a\n1\n", redact.Spec{Rules: show, Expose: []string{"$.a"}}, redact.Report{Hidden: 1}},
		{"twice", "a,b,a\n1,2,3\n", "b\n2\n", redact.Spec{Rules: rules(t, "$.a drop")}, redact.Report{Masked: 2}},
		{"rows", "a,b\n0,1\n1,2\n0,3\n", "a,b\n1,***\n", redact.Spec{Rules: rules(t, "$.b redact"), Rows: row}, redact.Report{Masked: 1, Dropped: 2}},
		{"judged before masks", "a,b\n0,1\n1,2", "b\n2", redact.Spec{Rules: rules(t, "$.a drop"), Rows: row}, redact.Report{Masked: 1, Dropped: 1}},
		{"header alone", "a,b", "a", redact.Spec{Rules: rules(t, "$.b drop"), Rows: row}, redact.Report{}},
		{"nothing", "\ufeffa,\"b\"\r\n\"1\",2\n,\n\r\n", "\ufeffa,\"b\"\r\n\"1\",2\n,\n\r\n", redact.Spec{}, redact.Report{}},
	} {
		got, report, err := run(t, compile(t, tt.spec), tt.in, redact.Limits{})
		if got != tt.want || err != nil || !cmp.Equal(report, tt.report, cmpopts.IgnoreFields(report, "Rules")) {
			t.Errorf("%s: %q, %+v, %v", tt.name, got, report, err)
		}
	}
}

// TestRules: every rule is told how many fields it masked, the strictest alone.
func TestRules(t *testing.T) {
	plan := compile(t, redact.Spec{
		Rules:  rules(t, "$.x show", "$..b redact", "$..ssn drop", "$.none null", "$..* partial", "$.x null"),
		Expose: []string{"$.a", "$.b", "$.x", "$['k.ssn']"},
		Rows:   []redact.RowFilter{{Path: "$", Where: []redact.Cond{{Field: "x", Op: "ne", Value: "0"}}}},
	})
	const in = "a,b,k.ssn,x,b,z\n1,2,3,4,5,6\n,,,1,,\n1,2,3,0,5,6\n"
	got, report, err := run(t, plan, in, redact.Limits{})
	want := redact.Report{Masked: 8, Dropped: 1, Hidden: 2, Rules: []int{0, 4, 2, 0, 2, 0}}
	if got != "a,b,x,b\n***,***,4,***\n,***,1,***\n" || err != nil || !cmp.Equal(report, want) {
		t.Errorf("%q, %v, %s", got, err, cmp.Diff(want, report))
	}
	if r := NewReader(plan, strings.NewReader(in), redact.Limits{}); !cmp.Equal(r.Report(), redact.Report{Rules: make([]int, 6)}) {
		t.Errorf("at first: %+v", r.Report())
	}
}
