package opa_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// What is computed is judged when it is used. Each rule takes an entry from
// data, where the gate cannot see it.
func TestComputedAnswersAreJudged(t *testing.T) {
	set := func(name string) string { return name + " contains x if some x in data.x\n" }
	for name, tt := range map[string]struct{ rule, data, want string }{
		"deny text":       {set("deny"), `["x"]`, "a deny entry is an object"},
		"deny code":       {set("deny"), `[{"code": "A", "message": "x"}]`, "snake_case"},
		"deny member":     {set("deny"), `[{"code": "a", "message": "x", "status": 403}]`, `no member "status"`},
		"deny message":    {set("deny"), `[{"code": "a"}]`, `lacks the member "message"`},
		"deny null":       {set("deny"), `[{"code": "a", "message": null}]`, "message is a string, not null"},
		"mask action":     {set("mask"), `[{"path": "$.a", "action": "hide"}]`, `no action "hide"`},
		"mask path":       {set("mask"), `[{"path": "a", "action": "drop"}]`, "begins with $"},
		"mask path type":  {set("mask"), `[{"path": ["a"], "action": "drop"}]`, "path is a string, not a list"},
		"mask bucket":     {set("mask"), `[{"path": "$.a", "action": "generalize", "bucket": 1e400}]`, "bucket"},
		"mask one bad":    {set("mask"), `[{"path": "$.a", "action": "drop"}, {}]`, `lacks the member "path"`},
		"expose":          {set("expose"), `["$["]`, "has [ without"},
		"protect":         {set("protect"), `[{"path": "$.a", "action": "mask"}]`, `no action "mask"`},
		"require empty":   {set("require"), `[{}]`, "asks for nothing"},
		"require amr":     {set("require"), `[{"amr": [1]}]`, "a method of amr is a string"},
		"require age":     {set("require"), `[{"max_age": 1e30}]`, "max_age"},
		"rows where":      {set("rows"), `[{"path": "$", "where": "x"}]`, "where is a list"},
		"rows empty":      {set("rows"), `[{"path": "$", "where": []}]`, "where is empty"},
		"rows condition":  {set("rows"), `[{"path": "$", "where": [1]}]`, "a condition is an object"},
		"rows op":         {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "like", "value": "x"}]}]`, `no op "like"`},
		"rows both":       {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "eq", "value": null, "input": "subject.id"}]}]`, "not both"},
		"rows neither":    {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "eq"}]}]`, "needs a value or an input"},
		"rows input":      {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "eq", "input": "subject"}]}]`, "names no value of the caller"},
		"rows value":      {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "eq", "value": {}}]}]`, "a value to compare with"},
		"rows field":      {set("rows"), `[{"path": "$", "where": [{"field": "a[*]", "op": "eq", "value": 1}]}]`, "field"},
		"rows any":        {set("rows"), `[{"path": "$", "where": [{"any": []}]}]`, "any is empty"},
		"rows mixed":      {set("rows"), `[{"path": "$", "where": [{"any": [{"field": "a", "op": "exists"}], "all": []}]}]`, "one of any, all and not"},
		"rows inside":     {set("rows"), `[{"path": "$", "where": [{"not": {"field": "a", "op": "eq"}}]}]`, "needs a value or an input"},
		"rows empty text": {set("rows"), `[{"path": "$", "where": [{"field": "a", "op": "startswith", "value": ""}]}]`, "would hold for every string"},
		"mask class":      {set("mask"), `[{"path": "$.a", "action": "drop", "class": "a b"}]`, "snake_case"},
		"classified":      {set("classified"), `["a"]`, "begins with $"},
		"allow":           {"all_rows := data.x\n", `"true"`, "all_rows is true or false, not a string"},
		"region":          {"region := data.x\n", `["eu"]`, "region is a string, not a list"},
		"region empty":    {"region := data.x\n", `""`, "region is empty"},
		"audit":           {"audit := data.x\n", `"all"`, `no audit level "all"`},
		"header type":     {"headers[\"X-A\"] := data.x\n", `7`, "a header's value"},
		"header break":    {"headers[\"X-A\"] := data.x\n", `"a\nSet-Cookie: b"`, "it has not at byte 1"},
		"header tab":      {"headers[\"X-A\"] := data.x\n", `"a\tb"`, "it has not at byte 1"},
		"header null":     {"headers[\"X-A\"] := data.x\n", `"\u0000"`, "it has not at byte 0"},
		"header name":     {"headers[\"X-A\"] := data.x\n", `{"input": "subject.nothing"}`, "names no value of the caller"},
		"header members":  {"headers[\"X-A\"] := data.x\n", `{"input": "subject.id", "default": "x"}`, `no member "default"`},
		"header twice":    {"headers[\"X-A\"] := \"1\"\n\nheaders[\"x-a\"] := \"2\"\n", `0`, "set twice"},
		"conflict":        {"region := \"a\" if data.x\n\nregion := \"b\" if data.x\n", `1`, "eval_conflict_error"},
		"builtin error":   {"all_rows if data.x / 0 > 1\n", `1`, "eval_builtin_error: div"},
		"builtin type":    {"all_rows if to_number(data.x) > 1\n", `"abc"`, "eval_builtin_error: to_number"},
	} {
		t.Run(name, func(t *testing.T) {
			e := load(t, map[string]string{"": tt.rule, "x.json": `{"x": ` + tt.data + `}`})
			d, err := e.Decide(t.Context(), question())
			if d != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("decision %+v, error %v; want none and: %s", d, err, tt.want)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	for _, good := range []string{
		"$", "$.a", "$.a.b", "$['a b']", "$.*", "$[*]", "$.a[*].b", "$..a", "$..['a-b']", "$..*", "$.items[*]..ssn.*",
		`$['it\'s']`, `$['\\\/\b\f\n\r\t']`, `$['\u0041']`, `$['\ud83d\ude00']`, "$.größe", "$._1", "$['*']", "$['a\"b']", "$['']",
		"$" + strings.Repeat(".a", 60),
	} {
		load(t, map[string]string{"": "expose contains `" + good + "`\n"})
	}
	for _, bad := range []string{
		"", "a", ".a", "$a", "$.", "$..", "$...a", "$.a.", "$.1a", "$.a-b", "$[0]", "$[1:2]", "$[?@.a]", `$["a"]`, "$['a'", "$['a",
		"$['a'b']", "$[a]", "$[]", "$[**]", "$.**", "$..[*]", "$ .a", "$.a ", "$.a,b", "$['a','b']", `$['\x']`, `$['\u12']`,
		`$['\ud800']`, `$['\udc00']`, `$['\ud800\u0041']`, `$['\u+123']`, `$['\`, "$['a\tb']", "$[*", "$.length()", "@.a",
		"$" + strings.Repeat(".a", 61),
	} {
		m := refused(t, map[string]string{"": "expose contains `" + bad + "`\n"})
		if len(m) != 1 || !strings.Contains(m[0].Message, "expose: path") {
			t.Errorf("%q: %v", bad, m)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a.*", "a[*]", "a[0]", "*", "$", "a b", "['a'", "a['b']c", "1"} {
		refused(t, map[string]string{"": row("{\"field\": `" + bad + "`, \"op\": \"exists\"}")})
	}
	load(t, map[string]string{"": row(`{"field": "['a b'].c['d'].e", "op": "exists"}`)})
}

func TestInvalidUTF8InPath(t *testing.T) {
	e := load(t, map[string]string{"": "expose contains p if p := concat(\"\", [\"$.\", input.resource.path])\n"})
	in := question()
	for _, path := range []string{"a\xff", "['\xff']", "\xc3"} {
		in.Resource.Path = path
		if d, err := e.Decide(t.Context(), in); err == nil {
			t.Errorf("%q: decision %+v, want an error", path, d)
		}
	}
}

// No question may panic, and every answer holds only what can be enforced.
func FuzzDecide(f *testing.F) {
	e := load(f, map[string]string{"": `
expose contains input.resource.path

mask contains {"path": input.resource.host, "action": input.action.name}

headers["X-A"] := input.subject.id

require contains {"amr": input.subject.amr, "max_age": input.subject.auth_time} if input.subject.amr

deny contains {"code": input.subject.role, "message": json.marshal(input.body)} if input.body

rows contains {"path": "$", "where": [{"field": input.subject.tenant, "op": "in", "value": input.subject.branches}]}
`})
	f.Add("$.a", "$..b", "drop", "e1", "otp", int64(60), "no_go", "a.b", "x", true)
	f.Add("$['\\ud800']", "$", "hide", "a\r\nb", "", int64(-1), "A", "$", "\xff", false)
	f.Fuzz(func(t *testing.T, path, host, action, id, amr string, age int64, role, tenant, body string, subject bool) {
		in := &policies.Input{
			Action:   policies.Action{Name: action},
			Resource: policies.Resource{Path: path, Host: host},
			Body:     map[string]any{body: []any{body}},
		}
		if subject {
			in.Subject = &policies.Subject{
				ID: id, AMR: []string{amr}, AuthTime: age, Role: role, Tenant: tenant, Branches: []string{body},
			}
		}
		d, err := e.Decide(t.Context(), in)
		if (d == nil) == (err == nil) {
			t.Fatalf("decision %+v with error %v", d, err)
		}
		if d == nil {
			return
		}
		if strings.ContainsAny(d.Headers["X-A"].Text, "\r\n\x00") {
			t.Errorf("header %q", d.Headers["X-A"].Text)
		}
		for _, p := range append(d.Expose, d.Mask[0].Path) {
			if !strings.HasPrefix(p, "$") {
				t.Errorf("path %q", p)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	for name, files := range map[string]map[string]string{
		"trivial":    {"": ""},
		"everything": everythingFiles(),
	} {
		o := tree(files)
		o.Memo.Entries = -1 // evaluation is what is measured
		e, err := opa.Load(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		in := question()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decide(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestPolicyTests(t *testing.T) {
	files := map[string]string{
		"p.rego": `package gatehouse

allow if input.subject.role == "hr"

all_rows if input.subject.role == "root"
`,
		"p_test.rego": `package gatehouse_test

import data.gatehouse

test_hr if gatehouse.allow with input as {"subject": {"role": "hr"}}

test_staff if {
	print("who", "staff")
	gatehouse.allow with input as {"subject": {"role": "staff"}}
}

todo_test_later if false
`,
	}
	var out strings.Builder
	rep, err := opa.Test(t.Context(), tree(files), &out)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Passed != 1 || rep.Failed != 1 || rep.Skipped != 1 || rep.Coverage <= 0 || rep.Coverage >= 100 {
		t.Errorf("report %+v", rep)
	}
	want := `PASS  gatehouse_test.test_hr  p_test.rego:5
FAIL  gatehouse_test.test_staff  p_test.rego:7
      p_test.rego:9: not true: gatehouse.allow with input as {"subject": {"role": "staff"}}
      who staff
SKIP  gatehouse_test.todo_test_later  p_test.rego:12
`
	if out.String() != want {
		t.Errorf("output:\n%s\nwant:\n%s", out.String(), want)
	}
	files["p_test.rego"] += "\ntest_x if nothing.such(1)\n"
	if _, err := opa.Test(t.Context(), tree(files), &out); err == nil || !strings.Contains(err.Error(), "p_test.rego:14:") {
		t.Errorf("error %v, want the test file's", err)
	}
}
