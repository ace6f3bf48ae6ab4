package graphql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

const secret = "4711-secret"

func rows(path string, conds ...redact.Cond) []redact.RowFilter {
	return []redact.RowFilter{{Path: path, Where: conds}}
}

func eq(field, value string) redact.Cond { return redact.Cond{Field: field, Op: "eq", Value: value} }

// TestAttacks sends answers that hold a secret, which the names in the query
// were chosen to get hold of.
func TestAttacks(t *testing.T) {
	mask := func(path string) redact.Spec { return redact.Spec{Rules: masks(path)} }
	shown := func(mask, show string) redact.Spec {
		return redact.Spec{Rules: append(masks(mask), redact.Rule{Path: show, Action: redact.Show})}
	}
	many := ""
	for i := range 2 * manyMembers {
		many += fmt.Sprint(" f", i)
	}
	own := redact.Spec{Rows: rows("$.data.employees", eq("tenant", "mine"))}
	missing := redact.Spec{Rows: rows("$.data.employees", redact.Cond{Field: "hidden", Op: "exists", Value: false})}
	not := redact.Spec{Rows: rows("$.data.employees", redact.Cond{Not: &redact.Cond{Field: "tenant", Op: "eq", Value: "theirs"}})}
	either := redact.Spec{Rows: rows("$.data.employees", redact.Cond{Any: []redact.Cond{eq("tenant", "mine"), {All: []redact.Cond{eq("org.id", "mine")}}}})}
	tests := []struct {
		name, query, answer string
		spec                redact.Spec
	}{
		{"alias", `{employees{x: salary}}`, `{"data":{"employees":[{"x":"%s"}]}}`, mask("$.data.employees.salary")},
		{"alias of a container", `{x: employees{salary}}`, `{"data":{"x":[[{"salary":"%s"}]]}}`, mask("$.data.employees[*].salary")},
		{"alias in a fragment", `{employees{...F}} fragment F on E {... on E {x: salary}}`, `{"data":{"employees":{"x":"%s"}}}`, mask("$.data.employees.salary")},
		{"name of another field", `{employees{name: salary}}`, `{"data":{"employees":{"name":"%s"}}}`, mask("$..salary")},
		{"name of a shown field", `{employees{name: salary}}`, `{"data":{"employees":{"name":"%s"}}}`, shown("$.data.employees", "$.data.employees.name")},
		{"name of a shown container", `{office: employees{name}}`, `{"data":{"office":{"name":"%s"}}}`, shown("$.data..name", "$.data.office.name")},
		{"shown for one of two types", `{employees{... on A {x: name} ... on B {x: salary}}}`, `{"data":{"employees":{"x":"%s"}}}`, shown("$.data.employees.*", "$.data.employees.name")},
		{"name of an exposed field", `{employees{name: salary}}`, `{"data":{"employees":{"name":"%s"}}}`, redact.Spec{Expose: []string{"$..name"}}},
		{"name of an exposed container", `{office: employees{name}}`, `{"data":{"office":{"name":"%s"}}}`, redact.Spec{Expose: []string{"$.data.office"}}},
		{"exposed, not asked for", `{employees{salary}}`, `{"data":{"employees":{"salary":"%s"}}}`, redact.Spec{Expose: []string{"$.data.office.name"}}},
		{"exposed by a name inside of a leaf", `{employees{info: salary}}`, `{"data":{"employees":{"info":{"name":"%s"}}}}`, redact.Spec{Expose: []string{"$.data.employees.info.name"}}},
		{"masked in a custom scalar", `{employees{m: meta}}`, `{"data":{"employees":{"m":{"a":[{"s_s-n":"%s"}]}}}}`, mask("$.data.employees.meta.a.ssn")},
		{"masked anywhere in a custom scalar", `{employees{m: meta}}`, `{"data":{"employees":{"m":{"a":[{"ssn":"%s"}]}}}}`, mask("$..ssn")},
		{"masked in errors", `{employees{x: salary}}`, `{"data":null,"errors":[{"message":"%s"}]}`, mask("$.errors.message")},
		{"masked where data is called errors", `{errors: employees{x: salary}}`, `{"data":{"errors":[{"x":"%s"}]}}`, mask("$.data.employees.salary")},
		{"members of an object", `{e: employees{x: salary}}`, `{"data":{"e":{"x":"%s"}}}`, mask("$.data.employees[*]")},
		{"any member, then a field", `{e: employees{x: salary}}`, `{"data":{"e":{"x":"%s"}}}`, mask("$.data[*].salary")},
		{"an element here is a member there", `{a{y: p{p: zed{q}}}}`, `{"data":{"a":[{"y":{"p":{"q":"%s"}}}]}}`, mask("$.data.a[*].p[*].q")},
		{"a member here is an element there", `{a{y: p{p: zed{q}}}}`, `{"data":{"a":{"y":[{"p":{"q":"%s"}}]}}}`, mask("$.data.a.*.zed.q")},
		{"masked already if there were a list", `{a{p: m{y: p{q}}}}`, `{"data":{"a":{"p":{"y":{"q":"%s"}}}}}`, mask("$.data.a.*.p..q")},
		{"masked already if there were no list", `{a: z{k: z{p: z{a{y: p{q}}}}}}`, `{"data":{"a":[{"k":{"p":{"a":{"y":{"q":"%s"}}}}}]}}`, mask("$.data..a[*].p..q")},
		{"row by the name of another field", `{employees{tenant: name secret}}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
		{"row without its field", `{employees{secret}}`, `{"data":{"employees":[{"secret":"%s"}]}}`, own},
		{"row by one of two fields", `{employees{... on A {tenant} ... on B {tenant: name} secret}}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
		{"row by a field with arguments", `{employees{tenant(of: "mine") secret}}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
		{"row by a field with arguments elsewhere", `{employees{tenant secret ...F}} fragment F on E {tenant(of: "mine")}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
		{"row by a field with arguments first", `{employees{tenant(of: "mine") secret tenant}}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
		{"row by a name among many", `{employees{` + many + ` t: tenant t: name secret}}`, `{"data":{"employees":[{"t":"mine","secret":"%s"}]}}`, own},
		{"row under another name", `{e: employees{tenant secret}}`, `{"data":{"e":[{"tenant":"theirs","secret":"%s"}]}}`, own},
		{"row under a name of another type, too", `{... on A {e: offices{tenant secret}} ... on Q {e: employees{tenant secret}}}`, `{"data":{"e":[{"tenant":"theirs","secret":"%s"}]}}`, own},
		{"row twice", `{employees{tenant secret} e: employees{tenant secret}}`, `{"data":{"employees":[],"e":[{"tenant":"theirs","secret":"%s"}]}}`, own},
		{"row with its field renamed", `{employees{t: tenant secret tenant: name}}`, `{"data":{"employees":[{"t":"theirs","tenant":"mine","secret":"%s"}]}}`, own},
		{"row with its field in another spelling", `{employees{tenant Tenant: name secret}}`, `{"data":{"employees":[{"tenant":"mine","Tenant":"x","secret":"%s"}]}}`, own},
		{"row by what is not there", `{employees{secret}}`, `{"data":{"employees":[{"secret":"%s"}]}}`, missing},
		{"row by what is left out", `{employees{secret hidden @include(if: false)}}`, `{"data":{"employees":[{"secret":"%s"}]}}`, missing},
		{"row by what is named otherwise", `{employees{secret hiddn: hidden}}`, `{"data":{"employees":[{"hiddn":true,"secret":"%s"}]}}`, missing},
		{"not", `{employees{tenant: name secret}}`, `{"data":{"employees":[{"tenant":"x","secret":"%s"}]}}`, not},
		{"not, without the field", `{employees{secret}}`, `{"data":{"employees":[{"secret":"%s"}]}}`, not},
		{"not, renamed", `{employees{t: tenant secret}}`, `{"data":{"employees":[{"t":"theirs","secret":"%s"}]}}`, not},
		{"any and all", `{employees{tenant: name org{id: name} secret}}`, `{"data":{"employees":[{"tenant":"mine","org":{"id":"mine"},"secret":"%s"}]}}`, either},
		{"container of a field", `{employees{org: parent{id} secret}}`, `{"data":{"employees":[{"org":{"id":"mine"},"secret":"%s"}]}}`, either},
		{"field that is a leaf", `{employees{org secret}}`, `{"data":{"employees":[{"org":{"id":"theirs"},"secret":"%s"}]}}`, either},
		{
			"nested row", `{o: offices{e: employees{t: tenant secret}}}`, `{"data":{"o":[{"e":[{"t":"theirs","secret":"%s"}]}]}}`,
			redact.Spec{Rows: rows("$.data.offices[*].employees[*]", eq("tenant", "mine"))},
		},
		{
			"row in a custom scalar", `{m: meta}`, `{"data":{"m":{"list":[{"tenant":"theirs","secret":"%s"}]}}}`,
			redact.Spec{Rows: rows("$.data.meta.list[*]", eq("tenant", "mine"))},
		},
		{
			"row of errors, and nothing else", `{a: other}`, `{"data":{"a":"%s"},"errors":[{"tenant":"mine"}]}`,
			redact.Spec{Rows: rows("$.errors[*]", eq("tenant", "mine"))},
		},
		{"nothing that is filtered", `{other{secret}}`, `{"data":{"other":[{"secret":"%s"}]}}`, own},
		{"the name of what is filtered", `{employees: other{tenant secret}}`, `{"data":{"employees":[{"tenant":"mine","secret":"%s"}]}}`, own},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := answer(t, tt.query, fmt.Sprintf(tt.answer, secret), tt.spec)
			if err != nil && !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			if strings.Contains(out, secret) {
				t.Errorf("the secret is out: %s", out)
			}
		})
	}
}

// TestPasses is about what a policy lets through under whatever name.
func TestPasses(t *testing.T) {
	own := redact.Spec{Rows: rows("$.data.employees[*]", eq("tenant", "mine"))}
	tests := []struct {
		name, query, answer, want string
		spec                      redact.Spec
	}{
		{
			"masks", `{e: employees{n: name s: salary b: boss{s: salary n: name}}}`,
			`{"data":{"e":[{"n":"N","s":1,"b":{"s":2,"n":"M"}}]},"extensions":{"salary":3}}`,
			`{"data":{"e":[{"n":"N","b":{"s":2,"n":"M"}}]},"extensions":{"salary":3}}`,
			redact.Spec{Rules: masks("$.data.employees.salary")},
		},
		{
			"show", `{e: employees{n: name s: salary}}`,
			`{"data":{"e":[{"n":"N","s":1}]}}`, `{"data":{"e":[{"n":"N"}]}}`,
			redact.Spec{Rules: append(masks("$.data.employees"), redact.Rule{Path: "$.data.employees.name", Action: redact.Show})},
		},
		{
			"expose", `{e: employees{n: name s: salary ...F}} fragment F on E {b: boss{n: name}}`,
			`{"data":{"e":[{"n":"N","s":1,"b":{"n":"M"}}]},"errors":[{"message":"m"}]}`, `{"data":{"e":[{"n":"N","b":{"n":"M"}}]}}`,
			redact.Spec{Expose: []string{"$.data..name"}},
		},
		{
			"rows", `{e: employees{t: tenant n: name}}`,
			`{"data":{"e":[{"t":"mine","n":1},{"t":"theirs","n":2},{"n":3}]}}`, `{"data":{"e":[{"t":"mine","n":1}]}}`, own,
		},
		{
			"nested rows", `{o: offices{e: employees{t: tenant ...F}}} fragment F on E {org{i: id}}`,
			`{"data":{"o":[{"e":[{"t":"mine","org":{"i":1}},{"t":"mine","org":{"i":2}}]}]}}`, `{"data":{"o":[{"e":[{"t":"mine","org":{"i":1}}]}]}}`,
			redact.Spec{Rows: rows("$['data'].offices[*].employees[*]", eq("tenant", "mine"), redact.Cond{Field: "@.org['id']", Op: "in", Value: []any{1}})},
		},
		{
			"row of the whole", `{v: viewer{t: tenant}}`,
			`{"data":{"v":{"t":"mine"}}}`, `{"data":{"v":{"t":"mine"}}}`,
			redact.Spec{Rows: rows("$", eq("data.viewer.tenant", "mine"))},
		},
		{
			"a filter for each", `{e: employees{tenant} f: employees{t: tenant} offices{x}}`,
			`{"data":{"e":[{"tenant":"theirs"},{"tenant":"mine"}],"f":[{"t":"theirs"}],"offices":[{"x":1}]}}`,
			`{"data":{"e":[{"tenant":"mine"}],"f":[],"offices":[{"x":1}]}}`, own,
		},
		{
			"rows in a custom scalar", `{m: meta}`,
			`{"data":{"m":{"l":[{"a":1},{"a":2},{"b":1}]}}}`, `{"data":{"m":{"l":[{"b":1}]}}}`,
			redact.Spec{Rows: rows("$.data.meta.l[*]", redact.Cond{Field: "a", Op: "exists", Value: false})},
		},
		{
			"field in a custom scalar", `{e: employees{m: meta}}`,
			`{"data":{"e":[{"m":{"tenant":"mine"}},{"m":{"tenant":"theirs"}}]}}`, `{"data":{"e":[{"m":{"tenant":"mine"}}]}}`,
			redact.Spec{Rows: rows("$.data.employees[*]", eq("meta.tenant", "mine"))},
		},
		{
			"a value that is there and null", `{e: employees{d: deleted n: name}}`,
			`{"data":{"e":[{"d":null,"n":1},{"d":"x","n":2}]}}`, `{"data":{"e":[{"d":null,"n":1}]}}`,
			redact.Spec{Rows: rows("$.data.employees[*]", redact.Cond{Field: "deleted", Op: "eq"})},
		},
		{
			"combined", `{e: employees{t: tenant o: owner}}`,
			`{"data":{"e":[{"t":"theirs","o":"me"},{"t":"mine","o":"x"},{"t":"theirs","o":"x"}]}}`, `{"data":{"e":[{"t":"theirs","o":"me"},{"t":"mine","o":"x"}]}}`,
			redact.Spec{Rows: rows("$.data.employees[*]", redact.Cond{Any: []redact.Cond{eq("owner", "me"), {Not: &redact.Cond{Field: "tenant", Op: "ne", Value: "mine"}}}})},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := answer(t, tt.query, tt.answer, tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if out != tt.want {
				t.Errorf("got  %s\nwant %s", out, tt.want)
			}
		})
	}
}

func TestBatch(t *testing.T) {
	s := Settings{Batch: 3}
	batch := jsonBody(`[{"query":"{e: employees{t: tenant x: salary}}"},{"query":"{e: employees{t: tenant x: name}}"}]`)
	spec := redact.Spec{
		Rules:  masks("$.data.employees.salary"),
		Rows:   rows("$.data.employees[*]", eq("tenant", "mine")),
		Expose: []string{"$.data.employees"},
	}
	got, _, err := parse(t, s, batch).Translate(spec)
	if err != nil {
		t.Fatal(err)
	}
	const src = `[{"data":{"e":[{"t":"mine","x":1},{"t":"theirs"}]}},{"data":{"e":[{"t":"mine","x":"N"},{"t":"x","x":"M"}]}}]`
	const want = `[{"data":{"e":[{"t":"mine"}]}},{"data":{"e":[{"t":"mine"}]}}]`
	out, _, err := redact.Append(nil, []byte(src), compile(t, got), redact.Limits{})
	if err != nil || string(out) != want {
		t.Errorf("got %s, %v\nwant %s", out, err, want)
	}
	// What one operation asks for does not excuse another.
	other := jsonBody(`[{"query":"{employees{tenant}}"},{"query":"{offices{secret}}"}]`)
	if _, _, err := parse(t, s, other).Translate(spec); !errors.Is(err, ErrRefused) {
		t.Errorf("an operation without rows: %v", err)
	}
}

// TestBatchAttacks has batches in which what one operation asks for could make
// another's answer pass.
func TestBatchAttacks(t *testing.T) {
	own := redact.Spec{Rows: rows("$.data.employees", eq("tenant", "mine"))}
	tests := []struct {
		name, one, two, answer string
		spec                   redact.Spec
	}{
		{"another field", `{employees{tenant secret}}`, `{employees{tenant: name secret}}`, `{"employees":{"tenant":"mine","secret":"%s"}}`, own},
		{"arguments", `{employees{tenant secret}}`, `{employees{tenant(of: 1) secret}}`, `{"employees":{"tenant":"mine","secret":"%s"}}`, own},
		{
			"field in what is a leaf elsewhere", `{employees{org}}`, `{employees{org{id: name} secret}}`, `{"employees":{"org":{"id":"mine"},"secret":"%s"}}`,
			redact.Spec{Rows: rows("$.data.employees", eq("org.id", "mine"))},
		},
		{"exposed in what is a leaf elsewhere", `{m: meta}`, `{m: meta{x: secret}}`, `{"m":{"x":"%s"}}`, redact.Spec{Expose: []string{"$.data.meta.x"}}},
		{"masked in a leaf that is none elsewhere", `{m: meta{id}}`, `{m: meta}`, `{"m":{"secret":"%s"}}`, redact.Spec{Rules: masks("$.data.meta.secret")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := jsonBody(fmt.Sprintf(`[{"query":%q},{"query":%q}]`, tt.one, tt.two))
			got, _, err := parse(t, Settings{Batch: 2}, body).Translate(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			src := fmt.Sprintf(`[{"data":{"employees":[]}},{"data":`+tt.answer+`}]`, secret)
			out, _, err := redact.Append(nil, []byte(src), compile(t, got), redact.Limits{})
			if err != nil || strings.Contains(string(out), secret) {
				t.Errorf("got %s, %v", out, err)
			}
		})
	}
}

// TestHashes is about values that a caller can set and would like to see hashed
// as another field is.
func TestHashes(t *testing.T) {
	spec := redact.Spec{Rules: []redact.Rule{{Path: "$..ssn", Action: redact.Hash}, {Path: "$..mail", Action: redact.Hash}, {Path: "$.data.a.*", Action: redact.Hash}}}
	scoped := redact.Spec{Rules: []redact.Rule{{Path: "$.data.me..ssn", Action: redact.Hash}}}
	honest, err := answer(t, `{me{ssn}}`, `{"data":{"me":{"ssn":"guess"}}}`, spec)
	if err != nil {
		t.Fatal(err)
	}
	hash := honest[strings.Index(honest, `"h`):strings.Index(honest, "}")]
	const stars = `"***"`
	tests := []struct {
		name, query, answer string
		spec                redact.Spec
		want                string
	}{
		{"alias", `{me{x: ssn}}`, `{"data":{"me":{"x":"guess"}}}`, spec, hash},
		{"container", `{m: me{ssn}}`, `{"data":{"m":{"ssn":"guess"}}}`, spec, hash},
		{"in a list", `{m: me{x: ssn}}`, `{"data":{"m":[{"x":["guess"]}]}}`, spec, hash},
		{"field without a mask", `{me{ssn: nick}}`, `{"data":{"me":{"ssn":"guess"}}}`, spec, stars},
		{"field without a mask, loosely", `{me{s_SN: nick}}`, `{"data":{"me":{"s_SN":"guess"}}}`, spec, stars},
		{"field of another domain", `{me{ssn: mail}}`, `{"data":{"me":{"ssn":"guess"}}}`, spec, stars},
		{"field of another domain under a new name", `{me{x: mail}}`, `{"data":{"me":{"x":"guess"}}}`, spec, `"h`},
		{"of two types", `{me{... on A {x: ssn} ... on B {x: nick}}}`, `{"data":{"me":{"x":"guess"}}}`, spec, stars},
		{"container of two types", `{... on A {x: a{y: ssn}} ... on B {x: b{y: ssn}}}`, `{"data":{"x":{"y":"guess"}}}`, spec, stars},
		{"in a container that is renamed", `{m: me{ssn: nick}}`, `{"data":{"m":{"ssn":"guess"}}}`, scoped, stars},
		{"under two masks", `{a{x: ssn}}`, `{"data":{"a":{"x":"guess"}}}`, spec, stars},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := answer(t, tt.query, tt.answer, tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out, tt.want) || tt.want != hash && strings.Contains(out, hash) {
				t.Errorf("honest %s, got %s", hash, out)
			}
		})
	}
}
