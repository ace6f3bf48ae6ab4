package graphql

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

func masks(paths ...string) (rules []redact.Rule) {
	for _, p := range paths {
		rules = append(rules, redact.Rule{Path: p, Action: redact.Drop})
	}
	return rules
}

func parse(t testing.TB, s Settings, req Request) *Query {
	t.Helper()
	q, err := Parse(s, req)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestMasks is about the paths that are added to masks.
func TestMasks(t *testing.T) {
	const salary, ssn = "$.data.employees.salary", "$..ssn"
	tests := []struct {
		name, query string
		rules       []string
		want        []string
	}{
		{"nothing renamed", `{employees{salary ssn}}`, []string{salary, ssn}, nil},
		{"alias", `{employees{x: salary}}`, []string{salary}, []string{"$.data.employees.x"}},
		{"container", `{e: employees{salary}}`, []string{salary}, []string{"$.data.e.salary"}},
		{"both", `{e: employees{x: salary name}}`, []string{salary}, []string{"$.data.e.x"}},
		{"twice", `{e: employees{x: salary y: salary} f: employees{x: salary}}`, []string{salary}, []string{"$.data.e.x", "$.data.e.y", "$.data.f.x"}},
		{"quoted and [*]", `{e: employees{x: salary}}`, []string{"$['data'][*]['employees'][*].salary"}, []string{"$.data.e[*].salary", "$.data.e.x"}},
		{"loosely", `{employees{x: SALARY y: sal_ary}}`, []string{salary}, []string{"$.data.employees.x", "$.data.employees.y"}},
		{"anywhere", `{employees{x: ssn boss{y: ssn ssn}}}`, []string{ssn}, []string{"$.data.employees.x", "$.data.employees.boss.y"}},
		{"covered by what is anywhere", `{e: employees{ssn}}`, []string{ssn}, nil},
		{"anywhere in a container", `{e: employees{boss{ssn x: ssn}}}`, []string{"$.data.employees..ssn"}, []string{"$.data.e..ssn", "$.data.e.boss.x"}},
		{"container of a container", `{a: employees{b: boss{c: boss{salary}}}}`, []string{"$.data.employees.boss"}, []string{"$.data.a.b"}},
		{"all members", `{e: employees{x: salary}}`, []string{"$.data.employees.*"}, []string{"$.data.e.*"}},
		{"all below", `{e: employees{x: boss{y: salary}}}`, []string{"$.data.employees..*"}, []string{"$.data.e..*"}},
		{"all fields, and then one", `{e: employees{x: salary}}`, []string{"$.data.*.salary"}, []string{"$.data.e.x"}},
		{"elements", `{t: tags}`, []string{"$.data.tags[*]"}, []string{"$.data.t[*]"}},
		{"the leaf itself", `{e: employees{m: meta}}`, []string{"$.data.employees.meta"}, []string{"$.data.e.m"}},
		{"inside of a leaf", `{e: employees{m: meta}}`, []string{"$.data.employees.meta.ssn"}, []string{"$.data.e.m.ssn"}},
		{"inside of a leaf, quoted", `{m: meta}`, []string{"$.data.meta['a b'][*]..c"}, []string{"$.data.m['a b'][*]..c"}},
		{"not inside of what is no leaf", `{m: meta{x: y}}`, []string{"$.data.meta.ssn"}, nil},
		{"fragment", `{...F} fragment F on Q {e: employees{...G}} fragment G on E {x: salary}`, []string{salary}, []string{"$.data.e.x"}},
		{"types", `{employees{... on A {x: name} ... on B {x: salary}}}`, []string{salary}, []string{"$.data.employees.x"}},
		{"type of a container", `{... on A {x: offices} ... on Q {x: employees{y: salary}}}`, []string{salary}, []string{"$.data.x.salary", "$.data.x.y"}},
		{"mutation", `mutation {m: raise{e: employee{x: salary}}}`, []string{"$.data.raise.employee.salary"}, []string{"$.data.m.e.x"}},
		{"introspection", `{s: __schema{t: types{n: name}}}`, []string{"$.data.__schema"}, []string{"$.data.s"}},
		{"type name", `{e: employees{t: __typename}}`, []string{"$.data.employees.__typename"}, []string{"$.data.e.t"}},
		{"errors", `{errors: employees{salary}}`, []string{"$.errors[*].message", "$.extensions"}, nil},
		{"left out", `{employees{x: salary @skip(if: true)}}`, []string{salary}, []string{"$.data.employees.x"}},
		{"the whole", `{a: b}`, []string{"$", "$.data"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := redact.Spec{Rules: masks(tt.rules...)}
			got, origin, err := parse(t, Settings{}, post(tt.query)).Translate(spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(spec.Rules, got.Rules[:len(tt.rules)]); diff != "" {
				t.Errorf("the policy's masks are others:\n%s", diff)
			}
			var added []string
			for i, r := range got.Rules {
				if o := spec.Rules[origin[i]]; o.Action != r.Action {
					t.Errorf("%+v comes from %+v", r, o)
				}
				if i >= len(tt.rules) {
					added = append(added, r.Path)
				}
			}
			if diff := cmp.Diff(tt.want, added); diff != "" {
				t.Error(diff)
			}
			compile(t, got)
		})
	}
}

func TestStrictestMask(t *testing.T) {
	spec := redact.Spec{Rules: []redact.Rule{
		{Path: "$..pay", Action: redact.Generalize, Bucket: 10},
		{Path: "$.data.e.pay", Action: redact.Show},
		{Path: "$.data.e.pay", Action: redact.Generalize, Bucket: 500},
		{Path: "$.data.f.pay", Action: redact.Hash},
	}}
	got, origin, err := parse(t, Settings{}, post(`{a: e{p: pay} b: f{p: pay} c: f{pay}}`)).Translate(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := []redact.Rule{
		spec.Rules[0], spec.Rules[2], spec.Rules[3],
		{Path: "$.data.a.p", Action: redact.Generalize, Bucket: 500, Domain: "pay"},
		{Path: "$.data.b.p", Action: redact.Hash, Domain: "pay"},
		{Path: "$.data.c.pay", Action: redact.Hash, Domain: "pay"},
		{Path: "$.data.a.p", Action: redact.Show},
	}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 2, 3, 2, 3, 3, 1}, origin); diff != "" {
		t.Errorf("origins:\n%s", diff)
	}
}

// TestConfusedMask is about the rule that keeps a value from being hashed as
// another field: it must not take the place of a stricter one.
func TestConfusedMask(t *testing.T) {
	spec := redact.Spec{Rules: []redact.Rule{
		{Path: "$.data.me.nick", Action: redact.Drop},
		{Path: "$..ssn", Action: redact.Hash},
	}}
	got, origin, err := parse(t, Settings{}, post(`{me{ssn: nick} you{ssn: nick}}`)).Translate(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := append(spec.Rules[:2:2], redact.Rule{Path: "$.data.me.ssn", Action: redact.Drop, Domain: "nick"},
		redact.Rule{Path: "$.data.you.ssn", Action: redact.Redact})
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 1, 0, 1}, origin); diff != "" {
		t.Errorf("origins:\n%s", diff)
	}
}

// TestGrants is about exposed paths and shows, which are followed alike.
func TestGrants(t *testing.T) {
	const name = "$.data.employees.name"
	many, some := "{", "{"
	var manyPaths []string
	for i := range maxChains + 1 {
		f := fmt.Sprint("f", i)
		manyPaths = append(manyPaths, "$.data."+f+".name")
		if many += " ... on T {n: " + f + "{name}}"; i > 0 {
			some += " ... on T {n: " + f + "{name}}"
		}
	}
	tests := []struct {
		name, query string
		grants      []string
		expose      []string
		show        []string
		known       []string // where it is not expose
	}{
		{"nothing renamed", `{employees{name salary}}`, []string{name}, []string{name}, []string{name}, nil},
		{"alias", `{e: employees{n: name salary}}`, []string{name}, []string{"$.data.e.n"}, []string{"$.data.e.n"}, nil},
		{"another field under the name", `{employees{name: salary}}`, []string{name}, []string{nothing}, nil, nil},
		{"another container under the name", `{employees: bosses{name}}`, []string{name}, []string{nothing}, nil, nil},
		{"not asked for", `{employees{salary}}`, []string{name}, []string{nothing}, nil, nil},
		{"spelling counts", `{employees{Name n_ame}}`, []string{name}, []string{nothing}, nil, []string{"$.data.employees.Name", "$.data.employees.n_ame"}},
		{"two fields, one granted", `{employees{... on A {name: salary} ... on B {name}}}`, []string{name}, []string{nothing}, nil, nil},
		{"two fields, both granted", `{employees{... on A {x: salary} ... on B {x: name}}}`, []string{name, "$.data.employees.salary"}, []string{"$.data.employees.x"}, []string{"$.data.employees.x"}, nil},
		{"two containers, one granted", `{... on A {x: employees{name}} ... on B {x: bosses{name}}}`, []string{name}, []string{nothing}, nil, nil},
		{"two containers, both granted", `{... on A {x: employees{name}} ... on B {x: bosses{name}}}`, []string{"$.data.*.name"}, []string{"$.data.x.name"}, []string{"$.data.x.name"}, nil},
		{"two containers, granted in two ways", `{... on A {x: employees{name}} ... on B {x: bosses{name}}}`, []string{"$.data.employees", "$.data.bosses.name"}, []string{"$.data.x.name"}, nil, nil},
		{"too many containers", many + "}", manyPaths, []string{nothing}, nil, nil},
		{"as many containers as there may be", some + "}", manyPaths, []string{"$.data.n.name"}, []string{"$.data.n.name"}, nil},
		{"container", `{e: employees{n: name}}`, []string{"$.data.employees"}, []string{"$.data.e"}, []string{"$.data.e"}, nil},
		{"container, and inside", `{e: employees{n: name}}`, []string{"$.data.employees", name}, []string{"$.data.e"}, []string{"$.data.e", "$.data.e.n"}, nil},
		{"elements in the middle", `{e: employees{n: name}}`, []string{"$.data[*].employees[*].name"}, []string{"$.data.e.n"}, []string{"$.data.e.n"}, nil},
		{"elements at the end", `{t: tags}`, []string{"$.data.tags[*]"}, []string{"$.data.t"}, []string{"$.data.t[*]"}, nil},
		{"elements at any depth", `{e: employees{n: name}}`, []string{"$.data.employees..[*].name"}, []string{nothing}, nil, nil},
		{"anywhere", `{e: employees{n: name b: boss{name}}}`, []string{"$.data..name"}, []string{"$.data.e.n", "$.data.e.b.name"}, []string{"$.data.e.n", "$.data.e.b.name"}, nil},
		{"anywhere in a leaf", `{e: employees{m: meta}}`, []string{"$..meta..name", "$..meta..[*].x"}, []string{"$.data.e.m..name", "$.data.e.m..[*].x", "$.errors..meta..name", "$.errors..meta..[*].x", "$.extensions..meta..name", "$.extensions..meta..[*].x"}, []string{"$.data.e.m..name", "$.data.e.m..[*].x", "$.errors..meta..name", "$.errors..meta..[*].x", "$.extensions..meta..name", "$.extensions..meta..[*].x"}, nil},
		{"all members", `{e: employees{n: name b: boss{name}}}`, []string{"$.data.employees.*"}, []string{"$.data.e.n", "$.data.e.b"}, []string{"$.data.e.n", "$.data.e.b"}, nil},
		{"inside of a leaf", `{m: meta}`, []string{"$.data.meta.ssn"}, []string{"$.data.m.ssn"}, []string{"$.data.m.ssn"}, nil},
		{"not inside of what is no leaf", `{m: meta{name: ssn}}`, []string{"$.data.meta.name"}, []string{nothing}, nil, nil},
		{"inside of two leaves", `{... on A {m: meta} ... on B {m: info}}`, []string{"$.data.meta.ssn"}, []string{nothing}, nil, nil},
		{"the whole", `{a: b}`, []string{"$"}, []string{"$"}, []string{"$"}, nil},
		{"errors", `{a: b}`, []string{"$.errors[*].message", "$.extensions"}, []string{"$.errors[*].message", "$.extensions"}, []string{"$.errors[*].message", "$.extensions"}, nil},
		{"errors among data", `{errors: b{message: c}}`, []string{"$.errors.message"}, []string{"$.errors.message"}, []string{"$.errors.message"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := redact.Spec{Expose: tt.grants, Known: tt.grants}
			for _, g := range tt.grants {
				spec.Rules = append(spec.Rules, redact.Rule{Path: g, Action: redact.Show})
			}
			got, _, err := parse(t, Settings{}, post(tt.query)).Translate(spec)
			if err != nil {
				t.Fatal(err)
			}
			var show []string
			for _, r := range got.Rules {
				show = append(show, r.Path)
			}
			if diff := cmp.Diff(tt.expose, got.Expose); diff != "" {
				t.Errorf("exposed:\n%s", diff)
			}
			if diff := cmp.Diff(tt.show, show); diff != "" {
				t.Errorf("shown:\n%s", diff)
			}
			known := tt.known
			if known == nil && tt.expose[0] != nothing {
				known = tt.expose
			}
			if diff := cmp.Diff(known, got.Known); diff != "" {
				t.Errorf("known:\n%s", diff)
			}
			compile(t, got)
		})
	}
}

// TestSpec fails when a spec gets something more that might hold paths.
func TestSpec(t *testing.T) {
	typ := reflect.TypeFor[redact.Spec]()
	var got []string
	for i := range typ.NumField() {
		got = append(got, typ.Field(i).Name)
	}
	if diff := cmp.Diff([]string{"Rules", "Rows", "Expose", "Known", "Sensitive"}, got); diff != "" {
		t.Errorf("Translate does not know all of a spec:\n%s", diff)
	}
}

func TestTranslateErrors(t *testing.T) {
	wide := "{"
	for i := range 300 {
		wide += " e" + strings.Repeat("x", i) + ": employees{tenant}"
	}
	wide += "}"
	deep := strings.Repeat("{a: b", 50) + strings.Repeat("}", 50)
	row := func(path, field string) redact.Spec {
		return redact.Spec{Rows: []redact.RowFilter{{Path: path, Where: []redact.Cond{{Field: field, Op: "eq", Value: "x"}}}}}
	}
	long := "$..b" + strings.Repeat(".c", 9)
	var inside []string
	for i := range 60 {
		inside = append(inside, "$.data.employees.tenant.a.b"+strings.Repeat("c", i))
	}
	tests := []struct {
		name, query string
		spec        redact.Spec
		refused     bool
	}{
		{"path of a mask", `{a}`, redact.Spec{Rules: masks("a")}, false},
		{"path of a grant", `{a}`, redact.Spec{Expose: []string{"$.a", "$["}}, false},
		{"path of a row", `{a}`, row("$[0]", "x"), false},
		{"row anywhere", `{employees{x}}`, row("$..employees", "x"), false},
		{"row in any member", `{employees{x}}`, row("$.data.*", "x"), false},
		{"field", `{employees{x}}`, row("$.data.employees", "x.*"), false},
		{"nothing about the rows", `{other{x}}`, row("$.data.employees", "x"), true},
		{"too many rows", wide, row("$.data.employees", "tenant"), true},
		{"too many names", wide, redact.Spec{Rules: masks(inside...)}, true},
		{"too long", deep, redact.Spec{Rules: masks(long + ".c")}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parse(t, Settings{Depth: 50}, post(tt.query)).Translate(tt.spec)
			if err == nil || errors.Is(err, ErrRefused) != tt.refused || errors.Is(err, ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, _, err := parse(t, Settings{Depth: 50}, post(deep)).Translate(redact.Spec{Rules: masks(long)}); err != nil {
		t.Errorf("a path of the greatest length: %v", err)
	}
}
