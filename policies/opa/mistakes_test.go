package opa_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// refused loads files that must not load and gives the mistakes.
func refused(t *testing.T, files map[string]string) opa.Mistakes {
	t.Helper()
	e, err := opa.Load(context.Background(), tree(files))
	var m opa.Mistakes
	if e != nil || !errors.As(err, &m) || len(m) == 0 {
		t.Fatalf("loaded %v with error %v, want mistakes", e, err)
	}
	return m
}

// What the schema leaves open, and builtins that are safe, load.
func TestWhatMayBeUsed(t *testing.T) {
	load(t, map[string]string{"": `import data.people

all_rows if {
	input.subject.claims.department.code == "HR"
	input.resource.params.id == input.subject.id
	input.resource.query.page[0] == "1"
	input.context.headers["x-purpose"][_] == "audit"
	input.body.items[_].pay.salary > 3
	some role in input.subject.roles
	people[role].ok
	net.cidr_contains("192.0.2.0/24", input.context.client_address)
	sprintf("%-5s|%03d|%.2f%%", [role, 7, 1.5]) != ""
	time.parse_rfc3339_ns(concat("", [input.context.time.date, "T00:00:00Z"])) > 0
}

mask contains {"path": path, "action": action} if {
	some action, path in {"drop": concat(".", ["$", input.action.name])}
}

deny contains entry if some entry in data.denials

rows contains {"path": "$", "where": [c | some c in data.conditions]}
`})
}

// Rules are written under a package clause and a grant; the first stands on
// line 5 of p.rego.
func TestMistakesInRules(t *testing.T) {
	for name, tt := range map[string]struct{ rule, want string }{
		"syntax":            {`deny contains {"code": `, "p.rego:6:1: unexpected eof"},
		"input typo":        {`all_rows if input.subject.rolle == "hr"`, `p.rego:5:13: input.subject has no member "rolle": did you mean "role"?`},
		"input typo, names": {`all_rows if input.subject.rolle == "hr"`, `acr, amr, auth_age, auth_time, branch, branches, claims, id`},
		"input typo, deep":  {`all_rows if input.context.time.houre == 3`, `input.context.time has no member "houre": did you mean "hour"?`},
		"input type":        {`all_rows if input.subject.roles == "hr"`, "p.rego:5:13: match error"},
		"clock":             {`all_rows if time.now_ns() > 3`, "p.rego:5:13: time.now_ns is not available"},
		"network":           {`all_rows if http.send({"url": "http://x", "method": "GET"}).ok`, "http.send is not available"},
		"lookup":            {`all_rows if net.lookup_ip_addr("x")`, "net.lookup_ip_addr is not available"},
		"huge shift":        {`all_rows if bits.lsh(1, 100000000) > 1`, "bits.lsh is not available"},
		"huge range":        {`all_rows if count(numbers.range(1, 100000000)) > 1`, "numbers.range is not available"},
		"certificate clock": {`all_rows if crypto.x509.parse_and_verify_certificates(input.resource.path)[0]`, "is not available"},
		"unknown function":  {`all_rows if nothing.such(1)`, "undefined function nothing.such"},
		"template":          {`all_rows if strings.render_template("{{printf \"%999999d\" 1}}", {}) == ""`, "strings.render_template is not available"},
		"wide format":       {`all_rows if sprintf("%2000000d", [1]) == ""`, "p.rego:5:21: sprintf with a width"},
		"star format":       {`all_rows if sprintf("%*d", [9, 1]) == ""`, "sprintf with a width of *"},
		"computed format":   {`all_rows if sprintf(input.resource.path, [1]) == ""`, "the format of sprintf is a text written in place"},
		"nested format":     {`all_rows if count(sprintf("%99999d", [1])) > 1`, "sprintf with a width"},
		"unused variable":   {"all_rows if {\n\tx := 1\n}", "p.rego:6:2: assigned var x unused"},
		"recursion":         {"all_rows if all_fields\n\nall_fields if all_rows", "recursive"},
		"unsafe variable":   {`all_rows if x == 1`, "var x is unsafe"},
		"remote schema":     {"# METADATA\n# schemas:\n#   - input.body: {\"$ref\": \"http://192.0.2.1/x\"}\nall_rows if input.body.x", "remote reference"},

		"unknown rule":    {`alow if true`, `p.rego:5:1: package gatehouse has no rule "alow": did you mean "allow"?`},
		"helper":          {`is_hr if input.subject.role == "hr"`, `p.rego:5:1: package gatehouse has no rule "is_hr"`},
		"test":            {`test_x if true`, `has no rule "test_x"`},
		"function":        {`deny(x) := 1 if x`, "p.rego:5:1: deny is a rule, not a function"},
		"set as value":    {`deny := {1}`, "p.rego:5:1: deny is a set of entries: write `deny contains"},
		"set as object":   {`mask["$.a"] := "drop"`, "mask is a set of entries"},
		"value as set":    {`region contains "eu"`, "p.rego:5:1: region has one value"},
		"value as object": {`audit.level := "none"`, "audit has one value"},
		"open default":    {`default all_rows := true`, "p.rego:5:1: the default of all_rows is false"},
		"no boolean":      {`all_fields := "yes"`, "p.rego:5:15: all_fields: all_fields is true or false, not a string"},
		"no text":         {`region := 7`, "region is a string, not a number"},
		"no region":       {`region := ""`, "region is empty"},
		"audit level":     {`audit := "metdata"`, `p.rego:5:10: audit: there is no audit level "metdata": did you mean "metadata"?`},
		"audit else":      {"audit := \"none\" if {\n\tinput.subject\n} else := \"full\"", `there is no audit level "full"`},

		"deny text":       {`deny contains "no"`, "p.rego:5:15: deny: a deny entry is an object with code, message, not a string"},
		"deny message":    {`deny contains {"code": "no"}`, `a deny entry lacks the member "message"`},
		"deny member":     {`deny contains {"code": "no", "mesage": "x"}`, `has no member "mesage": did you mean "message"?`},
		"deny code":       {`deny contains {"code": "NoGo", "message": "x"}`, `p.rego:5:24: deny: code "NoGo" is not in snake_case`},
		"deny code type":  {`deny contains {"code": 7, "message": "x"}`, "code is a string, not a number"},
		"deny computed":   {`deny contains {"code": "no__go", "message": input.action.name}`, "snake_case"},
		"mask path":       {`mask contains {"path": "ssn", "action": "drop"}`, `p.rego:5:24: mask: path "ssn": begins with $`},
		"mask index":      {`mask contains {"path": "$.items[0].ssn", "action": "drop"}`, "has [ without * or a name"},
		"mask action":     {`mask contains {"path": "$.ssn", "action": "hide"}`, `p.rego:5:43: mask: there is no action "hide"`},
		"mask near":       {`mask contains {"path": "$.ssn", "action": "redcat"}`, `did you mean "redact"?`},
		"mask half known": {`mask contains {"path": p, "action": "nul"} if some p in data.paths`, `there is no action "nul": did you mean "null"?`},
		"mask member":     {`mask contains {"path": "$.a", "action": "drop", "why": 1}`, `a mask entry has no member "why"`},
		"mask bucket":     {`mask contains {"path": "$.a", "action": "generalize", "bucket": 0}`, "bucket is a number above 0"},
		"mask class":      {`mask contains {"path": "$.a", "action": "drop", "class": "PII"}`, `p.rego:5:58: mask: class "PII" is not in snake_case`},
		"mask no class":   {`mask contains {"path": "$.a", "action": "drop", "class": ""}`, `class "" is not in snake_case`},
		"mask class type": {`mask contains {"path": "$.a", "action": "drop", "class": ["pii"]}`, "class is a string, not a list"},
		"classified":      {`classified contains "$.a."`, "p.rego:5:21: classified: path"},
		"classified type": {`classified contains {"path": "$.a"}`, "classified: path is a string, not an object"},
		"classified form": {`classified := ["$.a"]`, "classified is a set of entries"},
		"expose":          {`expose contains "$.a."`, "p.rego:5:17: expose: path"},
		"protect":         {`protect contains {"path": "$.a", "action": "mask"}`, `there is no action "mask" (one of reject, drop)`},

		"rows field":     {row(`{"field": "$.a", "op": "eq", "value": 1}`), `field "$.a": has "$" where a name is expected`},
		"rows wildcard":  {row(`{"field": "a.*", "op": "eq", "value": 1}`), `has "*" where a name is expected`},
		"rows op":        {row(`{"field": "a", "op": "equals", "value": 1}`), `there is no op "equals"`},
		"rows input":     {row(`{"field": "a", "op": "eq", "input": "subject.tenannt"}`), `did you mean "subject.tenant"?`},
		"rows both":      {row(`{"field": "a", "op": "eq", "input": "subject.tenant", "value": 1}`), "value or input, not both"},
		"rows neither":   {row(`{"field": "a", "op": "eq"}`), "op eq needs a value or an input"},
		"rows list":      {row(`{"field": "a", "op": "eq", "value": ["x"]}`), "a value to compare with is a string"},
		"rows no list":   {row(`{"field": "a", "op": "in", "value": "x"}`), "the value of op in is a list, not a string"},
		"rows deep list": {row(`{"field": "a", "op": "in", "value": [["x"]]}`), "a value to compare with is a string"},
		"rows order":     {row(`{"field": "a", "op": "lt", "value": true}`), "op lt compares with a number or a string"},
		"rows exists":    {row(`{"field": "a", "op": "exists", "value": "x"}`), "the value of op exists is true or false"},
		"rows exists in": {row(`{"field": "a", "op": "exists", "input": "subject.id"}`), "op exists takes a boolean value or none"},
		"rows empty":     {`rows contains {"path": "$", "where": []}`, "where is empty"},
		"rows where":     {`rows contains {"path": "$", "where": {"field": "a"}}`, "where is a list, not an object"},
		"rows no where":  {`rows contains {"path": "$"}`, `a rows entry lacks the member "where"`},

		"rows starts":      {row(`{"field": "a", "op": "startswith", "value": 7}`), "op startswith compares with a string, not a number"},
		"rows ends list":   {row(`{"field": "a", "op": "endswith", "value": ["x"]}`), "a value to compare with is a string"},
		"rows contains":    {row(`{"field": "a", "op": "contains", "value": ""}`), "op contains with an empty string would hold for every string"},
		"rows any empty":   {row(`{"any": []}`), "p.rego:5:56: rows: any is empty"},
		"rows all empty":   {row(`{"all": []}`), "all is empty: give at least one condition"},
		"rows any object":  {row(`{"any": {"field": "a", "op": "exists"}}`), "any is a list, not an object"},
		"rows not list":    {row(`{"not": [{"field": "a", "op": "exists"}]}`), "a condition is an object"},
		"rows any and not": {row(`{"any": [{"field": "a", "op": "exists"}], "not": {"field": "a", "op": "exists"}}`), "one of any, all and not, not any and not"},
		"rows any beside":  {row(`{"any": [{"field": "a", "op": "exists"}], "op": "eq"}`), "a condition with any has no member op beside it"},
		"rows or":          {row(`{"or": [{"field": "a", "op": "exists"}]}`), `a condition has no member "or"`},
		"rows inside any":  {row(`{"any": [{"field": "a", "op": "exists"}, {"field": "a", "op": "eqq", "value": 1}]}`), `p.rego:5:110: rows: there is no op "eqq": did you mean "eq"?`},
		"rows inside not":  {row(`{"not": {"all": [{"field": "a.*", "op": "exists"}]}}`), `has "*" where a name is expected`},
		"rows deep":        {row(strings.Repeat(`{"not": `, 16) + `{"field": "a", "op": "exists"}` + strings.Repeat("}", 16)), "nested deeper than 16"},
		"rows half known":  {`rows contains {"path": "$", "where": [{"any": list, "all": []}]} if some list in data.lists`, "all is empty"},

		"require nothing": {`require contains {"acr": "", "amr": [], "max_age": 0}`, "a require entry asks for nothing"},
		"require age":     {`require contains {"max_age": -1}`, "max_age is a whole number"},
		"require part":    {`require contains {"max_age": 1.5}`, "max_age is a whole number"},
		"require amr":     {`require contains {"amr": "otp"}`, "amr is a list, not a string"},
		"require method":  {`require contains {"amr": ["otp", ""]}`, "a method of amr is empty"},
		"require member":  {`require contains {"arm": ["otp"]}`, `a require entry has no member "arm": did you mean "acr"`},

		"headers whole":    {`headers := {"X-A": "b"}`, "p.rego:5:1: headers is set name by name"},
		"headers computed": {`headers[name] := "x" if some name in ["X-A"]`, "p.rego:5:1: the name of a header cannot be computed"},
		"headers deep":     {`headers["X-A"].b := "x"`, "headers is set name by name"},
		"headers set":      {`headers contains "X-A"`, "headers is set name by name"},
		"headers value":    {`headers["X-A"] := 7`, "p.rego:5:19: headers: a header's value"},
		"headers input":    {`headers["X-A"] := {"input": "subject.idd"}`, `did you mean "subject.id"?`},
		"headers member":   {`headers["X-A"] := {"inptu": "subject.id"}`, `has no member "inptu": did you mean "input"?`},
		"headers break":    {`headers["X-A"] := "a\r\nb"`, "it has not at byte 1"},
		"headers unicode":  {`headers["X-A"] := "Zoë"`, "it has not at byte 2"},
		"headers blank":    {`headers["X-A"] := "a "`, "it has not at byte 1"},
		"headers else":     {"headers[\"X-A\"] := \"a\" if {\n\tinput.subject\n} else := \"b\\u0000\"", "it has not at byte 1"},
		"headers name":     {`headers["X A"] := "a"`, `"X A" is not a header name`},
		"headers score":    {`headers["X_A"] := "a"`, "has an underscore"},

		"rates whole":    {`rate_limits := {"a": "5/1m"}`, "p.rego:5:1: rate_limits is set limit by limit"},
		"rates computed": {`rate_limits[name] := "5/1m" if some name in ["a"]`, "p.rego:5:1: the name of a rate limit cannot be computed"},
		"rates set":      {`rate_limits contains "a"`, "rate_limits is set limit by limit"},
		"rates number":   {`rate_limits["a"] := 5`, "p.rego:5:21: rate_limits: a rate is a string, not a number"},
		"rates text":     {`rate_limits["a"] := "5 a minute"`, `p.rego:5:21: rate_limits: "5 a minute" is not a rate; write it like 50/1m`},
		"rates none":     {`rate_limits["a"] := "0/1m"`, `"0/1m" is not a rate`},
		"rates fast":     {`rate_limits["a"] := "5/1us"`, "the time must be between 1ms and a year"},
		"rates else":     {"rate_limits[\"a\"] := \"5/1m\" if {\n\tinput.subject\n} else := \"5/min\"", `"5/min" is not a rate`},
		"rates typo":     {`rate_limit["a"] := "5/1m"`, `did you mean "rate_limits"?`},
	} {
		t.Run(name, func(t *testing.T) {
			if m := refused(t, map[string]string{"": tt.rule + "\n"}); !strings.Contains(m.Error(), tt.want) {
				t.Errorf("mistakes:\n%v\nwant among them: %s", m, tt.want)
			}
		})
	}
}

func row(condition string) string {
	return `rows contains {"path": "$.items[*]", "where": [` + condition + `]}`
}

func TestHeadersThatPoliciesMayNotSet(t *testing.T) {
	for _, name := range []string{
		"Host", "authorization", "Cookie", "Forwarded", "x-forwarded-for", "X-Forwarded-Anything", "Connection",
		"Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "transfer-encoding", "Upgrade",
		"Content-Length", "Content-Encoding", "If-None-Match", "Range", "X-Request-Id", "traceparent",
	} {
		m := refused(t, map[string]string{"": `headers["` + name + `"] := "x"`})
		if len(m) != 1 || m[0].Line != 5 || !strings.Contains(m[0].Message, "is not a policy's to set") {
			t.Errorf("%s: %v", name, m)
		}
	}
}

func TestMistakesInFiles(t *testing.T) {
	const grant = "package gatehouse\n\nallow := true\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":          {map[string]string{"README.md": ""}, "no rule allow"},
		"tests only":       {map[string]string{"p_test.rego": grant}, "no rule allow"},
		"other package":    {map[string]string{"p.rego": "package gateway\n\nallow := true\n"}, "no rule allow stands in package gatehouse"},
		"no allow":         {map[string]string{"p.rego": "package gatehouse\n\nall_rows := true\n"}, "no rule allow"},
		"open default":     {map[string]string{"p.rego": "package gatehouse\n\ndefault allow := true\n"}, "the default of allow is false"},
		"inner package":    {map[string]string{"p.rego": grant, "q.rego": "package gatehouse.lib\n\nx := 1\n"}, "q.rego:1:1: package gatehouse.lib stands inside"},
		"empty policy":     {map[string]string{"p.rego": grant, "q.rego": ""}, "q.rego"},
		"type conflict":    {map[string]string{"p.rego": grant, "q.rego": "package gatehouse\n\nallow contains 1\n"}, "q.rego:3:1: allow has one value"},
		"data in decision": {map[string]string{"p.rego": grant, "gatehouse/x.json": `{"mask": []}`}, "data.gatehouse is where the decision stands"},
		"data over rule":   {map[string]string{"p.rego": grant, "l.rego": "package lib\n\nx := 1\n", "lib.json": `{"lib": {"x": 2}}`}, "l.rego:3:1"},
		"JSON":             {map[string]string{"p.rego": grant, "x.json": "{\n \"a\": tru}"}, "x.json:2:10: is not JSON"},
		"YAML in JSON":     {map[string]string{"p.rego": grant, "x.json": "a: 1"}, "x.json:1:1: is not JSON"},
		"JSON tail":        {map[string]string{"p.rego": grant, "x.json": "{} {}"}, "x.json:1:5: is not JSON"},
		"JSON twice":       {map[string]string{"p.rego": grant, "x.json": "{\"a\": [{\"b\": 1}],\n \"a\": 2}"}, `x.json:2:4: member "a" stands twice`},
		"YAML":             {map[string]string{"p.rego": grant, "x.yaml": "a: 1\n b: : 2\n"}, "x.yaml:2:1: is not YAML"},
		"YAML documents":   {map[string]string{"p.rego": grant, "x.yaml": "# c\n---\na: 1\n---\nb: 1\n"}, "x.yaml:4:1: a second YAML document"},
		"no object":        {map[string]string{"p.rego": grant, "x.yaml": "- a\n"}, "x.yaml: must hold an object"},
		"conflict":         {map[string]string{"p.rego": grant, "a/x.yaml": "b: {c: 1}\n", "y.json": `{"a": {"b": {"c": 2}}}`}, "y.json: gives data.a.b.c, which another file gives differently"},
	} {
		t.Run(name, func(t *testing.T) {
			if m := refused(t, tt.files); !strings.Contains(m.Error(), tt.want) {
				t.Errorf("mistakes:\n%v\nwant among them: %s", m, tt.want)
			}
		})
	}
}

func TestAllMistakesAtOnceInOrder(t *testing.T) {
	m := refused(t, map[string]string{
		"b.rego": "package gatehouse\n\nalow := true\n\nmask contains {\"path\": \"x\", \"action\": \"hide\"}\n",
		"a.rego": "package lib\n\nx := \n",
		"c.json": "{",
	})
	var got []string
	for _, x := range m {
		got = append(got, x.File)
	}
	if files := strings.Join(got, " "); files != "a.rego b.rego b.rego b.rego c.json" {
		t.Errorf("mistakes in %s:\n%v", files, m)
	}
}

// What the compiler finds and what the contract forbids come together.
func TestContractAndCompilerTogether(t *testing.T) {
	m := refused(t, map[string]string{"": "msk contains 1\n\nall_rows if input.subject.rolle\n", "x.json": "[]"})
	want := []string{`no rule "msk"`, `no member "rolle"`, "must hold an object"}
	if len(m) != len(want) {
		t.Fatalf("mistakes:\n%v", m)
	}
	for i := range want {
		if !strings.Contains(m[i].Message, want[i]) {
			t.Errorf("mistake %d is %v, want %s", i, m[i], want[i])
		}
	}
}

// A Kubernetes volume is a folder of links into a hidden one that is swapped.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "..2026"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := []byte("package gatehouse\n\nallow := true\n")
	if err := os.WriteFile(filepath.Join(dir, "..2026", "p.rego"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	link("..2026", "..data")
	link("..data/p.rego", "p.rego")
	e, err := opa.Load(t.Context(), opa.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, files := e.Size(); files != 1 {
		t.Errorf("%d files, want the link only", files)
	}
	link("..2026", "more")
	if _, err := opa.Load(t.Context(), opa.Options{Path: dir}); err == nil || !strings.Contains(err.Error(), "more: is a link to a folder") {
		t.Errorf("error %v, want one about the link", err)
	}
}

func TestFolders(t *testing.T) {
	fsys := fstest.MapFS{
		"pol/p.rego":    {Data: []byte("package gatehouse\n\nallow if data.a.ok\n")},
		"pol/a/x.yaml":  {Data: []byte("same: 1\n")},
		"more/a/x.yaml": {Data: []byte("same: 1\n")},
		"data/a/y.json": {Data: []byte(`{"ok": true}`)},
		"rego/x.rego":   {Data: []byte("package x\n")},
	}
	o := opa.Options{FS: fsys, Path: "pol", More: []string{"more", "pol/"}, Data: "data", Budget: 10 * time.Second}
	e, err := opa.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := e.Decide(t.Context(), question()); err != nil || !d.Allow {
		t.Errorf("decision %+v, %v; want data of all folders to be read", d, err)
	}
	for want, o := range map[string]opa.Options{
		"gone: is not a folder":                      {FS: fsys, Path: "gone"},
		"p.rego: is not a folder":                    {FS: fsys, Path: "pol/p.rego"},
		"policies: no folder is named":               {FS: fsys},
		"rego/x.rego: is Rego in a folder of data":   {FS: fsys, Path: "pol", Data: "rego"},
		"/nowhere/at/all: is not a folder that can ": {Path: "/nowhere/at/all"},
	} {
		if _, err := opa.Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
