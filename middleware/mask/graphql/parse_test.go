package graphql

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const simple = `{employees{name}}`

func jsonBody(body string) Request {
	return Request{Method: "POST", MediaType: "application/json", Body: []byte(body)}
}

func get(query string) Request { return Request{Method: "GET", RawQuery: query} }

// outline writes what a query selects, as key=field|field{…}.
func outline(n *node) string {
	var b strings.Builder
	if n.key.name != "" {
		b.WriteString(n.key.name)
	}
	if n.key.name != "" && !n.is(n.key.name) {
		sign := "="
		for _, l := range n.names {
			b.WriteString(sign + l.name)
			sign = "|"
		}
	}
	if len(n.members) > 0 {
		var list []string
		for _, m := range n.members {
			list = append(list, outline(m))
		}
		b.WriteString("{" + strings.Join(list, " ") + "}")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	sum := strings.TrimPrefix(hashOf(simple), hashPrefix)
	persisted := map[string]string{hashPrefix + sum: simple, "list": `{list{id}}`}
	tests := []struct {
		name string
		s    Settings
		req  Request
		want string
	}{
		{"plain", Settings{}, post(simple), "{data{employees{name}}}"},
		{"alias", Settings{}, post(`{e: employees { n: name, name }}`), "{data{e=employees{n=name name}}}"},
		{"one name for two fields", Settings{}, post(`{e: employees { x: name ... on M { x: pay } ... { x: name } }}`), "{data{e=employees{x=name|pay}}}"},
		{"fragments", Settings{}, post(`query Q { ...A } fragment A on Query { e: employees { ...B } } fragment B on E { b: boss { name } } fragment C on E { ...C }`), "{data{e=employees{b=boss{name}}}}"},
		{"the same field twice", Settings{}, post(`{e{a} e{b c{d}} e{c{f}}}`), "{data{e{a b c{d f}}}}"},
		{"directives leave things out, at most", Settings{}, post(`query($v: Boolean!) {a @skip(if: true) ...F @include(if: $v) ... @skip(if: $v) {c}} fragment F on Q {b}`), "{data{a b c}}"},
		{"arguments and variables", Settings{}, post(`query Q($n: Int = 3, $in: [In!]! = [{a: "}"}]) {e(first: $n, in: $in, s: "{ x: salary }") {name}}`), "{data{e{name}}}"},
		{"comments", Settings{}, post("{ # a: salary }\n employees # }\r\n {name}}"), "{data{employees{name}}}"},
		{"introspection", Settings{}, post(`{__schema{types{n: name}} __typename t: __typename}`), "{data{__schema{types{n=name}} __typename t=__typename}}"},
		{"mutation", Settings{}, post(`mutation M {raise(id: 1) {e: employee {name}}}`), "{data{raise{e=employee{name}}}}"},
		{"operation by name", Settings{}, jsonBody(`{"query":"query A {a} query B {b} subscription C {c}","operationName":"B"}`), "{data{b}}"},
		{"charset", Settings{}, Request{Method: "POST", MediaType: "application/json; charset=UTF-8", Body: []byte(` {"query":"{a}"} `)}, "{data{a}}"},
		{"all members", Settings{}, jsonBody(`{"query":"{a}","operationName":null,"variables":{"query":"{b}"},"extensions":{"clientLibrary":{"name":"x"}}}`), "{data{a}}"},
		{"nulls", Settings{}, jsonBody(`{"query":"{a}","operationName":"","variables":null,"extensions":null}`), "{data{a}}"},
		{"get", Settings{}, get("query=%7Ba%7D&operationName=&variables=%7B%7D&extensions=%7B%7D"), "{data{a}}"},
		{"get by name", Settings{}, get("operationName=B&query=" + url.QueryEscape("query A {a} query B {b}")), "{data{b}}"},
		{"hash and text", Settings{}, jsonBody(`{"query":"` + simple + `","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + sum + `"}}}`), "{data{employees{name}}}"},
		{"hash alone", Settings{Persisted: persisted}, jsonBody(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + sum + `"}}}`), "{data{employees{name}}}"},
		{"hash and no text", Settings{Persisted: persisted}, jsonBody(`{"query":null,"documentId":"sha256:` + sum + `"}`), "{data{employees{name}}}"},
		{"hash in the url", Settings{Persisted: persisted}, get("extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+sum+`"}}`)), "{data{employees{name}}}"},
		{"id", Settings{Persisted: persisted}, jsonBody(`{"id":"list"}`), "{data{list{id}}}"},
		{"id and its text", Settings{Persisted: persisted}, jsonBody(`{"id":"list","query":"{list{id}}"}`), "{data{list{id}}}"},
		{"id and documentId agree", Settings{Persisted: persisted}, jsonBody(`{"id":"` + sum + `","documentId":"sha256:` + sum + `"}`), "{data{employees{name}}}"},
		{"batch", Settings{Batch: 2}, jsonBody(` [{"query":"{x: a {b}}"},{"query":"{x: c {d}}"}]`), "{data{x=a|c{b d}}}"},
		{"batch of one", Settings{Batch: 2}, jsonBody(`[{"query":"{a}"}]`), "{data{a}}"},
		{"batch in no need of an array", Settings{Batch: 2}, jsonBody(`{"query":"{a}"}`), "{data{a}}"},
		{"as deep as it may be", Settings{Depth: 3}, post(`{a{... on A {b{... {c}}}}}`), "{data{a{b{c}}}}"},
		{"as much as it may be", Settings{Selections: 4}, post(`{a{b ...F}} fragment F on X {c}`), "{data{a{b c}}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := Parse(tt.s, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimSuffix(tt.want, "}") + " errors extensions}"
			if got := outline(q.root); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	sum := strings.TrimPrefix(hashOf(simple), hashPrefix)
	other := strings.TrimPrefix(hashOf("{a}"), hashPrefix)
	some := Settings{Persisted: map[string]string{hashPrefix + sum: simple, "list": `{list{id}}`}}
	apollo := func(members string) string { return `"extensions":{"persistedQuery":{` + members + `}}` }
	bomb := "{...F0}"
	for i := range 40 {
		n := string(rune('A'+i%26)) + strings.Repeat("x", i/26)
		next := string(rune('A'+(i+1)%26)) + strings.Repeat("x", (i+1)/26)
		if i == 0 {
			bomb = "{..." + n + "}"
		}
		bomb += " fragment " + n + " on T {..." + next + " ..." + next + "}"
		if i == 39 {
			bomb += " fragment " + next + " on T {a}"
		}
	}
	tests := []struct {
		name string
		s    Settings
		req  Request
		want error
	}{
		{"method", Settings{}, Request{Method: "PUT", MediaType: "application/graphql", Body: []byte(simple)}, ErrMalformed},
		{"head", Settings{}, Request{Method: "HEAD", RawQuery: "query={a}"}, ErrMalformed},
		{"lower case method", Settings{}, Request{Method: "get", RawQuery: "query={a}"}, ErrMalformed},
		{"no type", Settings{}, Request{Method: "POST", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"form", Settings{}, Request{Method: "POST", MediaType: "application/x-www-form-urlencoded", Body: []byte(`query={a}`)}, ErrMalformed},
		{"upload", Settings{}, Request{Method: "POST", MediaType: "multipart/form-data; boundary=x", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"charset", Settings{}, Request{Method: "POST", MediaType: "application/json; charset=utf-7", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"another parameter", Settings{}, Request{Method: "POST", MediaType: "application/json; profile=x", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"body in a get", Settings{}, Request{Method: "GET", RawQuery: "query={a}", Body: []byte(`{"query":"{b}"}`)}, ErrMalformed},
		{"url in a post", Settings{}, Request{Method: "POST", RawQuery: "query={b}", MediaType: "application/json", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"unknown in the url of a post", Settings{}, Request{Method: "POST", RawQuery: "id=x", MediaType: "application/json", Body: []byte(`{"query":"{a}"}`)}, ErrMalformed},
		{"parameter twice", Settings{}, get("query={a}&query={b}"), ErrMalformed},
		{"parameter twice, escaped", Settings{}, get("query={a}&%71uery={b}"), ErrMalformed},
		{"parameter in other case", Settings{}, get("query={a}&Query={b}"), ErrMalformed},
		{"parameter as a list", Settings{}, get("query={a}&query[]={b}"), ErrMalformed},
		{"semicolon", Settings{}, get("query={a};query={b}"), ErrMalformed},
		{"bad escape", Settings{}, get("query={a}%zz"), ErrMalformed},
		{"bad bytes in the url", Settings{}, get("query=%7Ba%7D%23%ff"), ErrMalformed},
		{"mutation by get", Settings{}, get("query=mutation{a}"), ErrMalformed},
		{"variables in the url", Settings{}, get("query={a}&variables=[]"), ErrMalformed},
		{"variables in the url are nothing", Settings{}, get("query={a}&variables="), ErrMalformed},
		{"no parameters", Settings{}, get(""), ErrMalformed},
		{"empty body", Settings{}, jsonBody(""), ErrMalformed},
		{"no object", Settings{}, jsonBody(`"{a}"`), ErrMalformed},
		{"no query", Settings{}, jsonBody(`{}`), ErrMalformed},
		{"query is null", Settings{}, jsonBody(`{"query":null}`), ErrMalformed},
		{"query is empty", Settings{}, jsonBody(`{"query":""}`), ErrMalformed},
		{"query is no string", Settings{}, jsonBody(`{"query":["{a}"]}`), ErrMalformed},
		{"member twice", Settings{}, jsonBody(`{"query":"{a}","query":"{b}"}`), ErrMalformed},
		{"member twice, escaped", Settings{}, jsonBody(`{"query":"{a}","\u0071uery":"{b}"}`), ErrMalformed},
		{"member in other case", Settings{}, jsonBody(`{"query":"{a}","Query":"{b}"}`), ErrMalformed},
		{"unknown member", Settings{}, jsonBody(`{"query":"{a}","doc":"{b}"}`), ErrMalformed},
		{"trailing data", Settings{}, jsonBody(`{"query":"{a}"}{"query":"{b}"}`), ErrMalformed},
		{"bad bytes", Settings{}, jsonBody("{\"query\":\"{a} #\xff\"}"), ErrMalformed},
		{"bad bytes in variables", Settings{}, jsonBody("{\"query\":\"{a}\",\"variables\":{\"a\":\"\xff\"}}"), ErrMalformed},
		{"bad bytes in variables of the url", Settings{}, get("query={a}&variables=%7B%22a%22:%22%ff%22%7D"), ErrMalformed},
		{"half a surrogate pair", Settings{}, jsonBody(`{"query":"{a} #\ud800"}`), ErrMalformed},
		{"variables", Settings{}, jsonBody(`{"query":"{a}","variables":"{}"}`), ErrMalformed},
		{"extensions", Settings{}, jsonBody(`{"query":"{a}","extensions":[]}`), ErrMalformed},
		{"extension twice", Settings{}, jsonBody(`{"query":"{a}","extensions":{"clientLibrary":1,"clientLibrary":2}}`), ErrMalformed},
		{"unknown extension", Settings{}, jsonBody(`{"query":"{a}","extensions":{"PersistedQuery":{}}}`), ErrRefused},
		{"batch", Settings{}, jsonBody(`[{"query":"{a}"}]`), ErrRefused},
		{"large batch", Settings{Batch: 2}, jsonBody(`[{"query":"{a}"},{"query":"{a}"},{"query":"{a}"}]`), ErrRefused},
		{"empty batch", Settings{Batch: 2}, jsonBody(`[]`), ErrMalformed},
		{"batch in a batch", Settings{Batch: 2}, jsonBody(`[[{"query":"{a}"}]]`), ErrMalformed},
		{"one bad in a batch", Settings{Batch: 2}, jsonBody(`[{"query":"{a}"},{"query":"{"}]`), ErrMalformed},
		{"a batch shares the bounds", Settings{Batch: 2, Selections: 3}, jsonBody(`[{"query":"{a b}"},{"query":"{a b}"}]`), ErrRefused},
		{"not configured", Settings{}, jsonBody(`{"id":"list"}`), ErrRefused},
		{"not configured, by hash", Settings{}, jsonBody(`{` + apollo(`"version":1,"sha256Hash":"`+sum+`"`) + `}`), ErrRefused},
		{"unknown id", some, jsonBody(`{"id":"other"}`), ErrRefused},
		{"unknown hash", some, jsonBody(`{` + apollo(`"version":1,"sha256Hash":"`+other+`"`) + `}`), ErrRefused},
		{"hash of another text", some, jsonBody(`{"query":"{a}",` + apollo(`"version":1,"sha256Hash":"`+sum+`"`) + `}`), ErrMalformed},
		{"id of another text", some, jsonBody(`{"query":"{a}","id":"list"}`), ErrRefused},
		{"two names", some, jsonBody(`{"id":"list",` + apollo(`"version":1,"sha256Hash":"`+sum+`"`) + `}`), ErrMalformed},
		{"id and documentId", some, jsonBody(`{"id":"list","documentId":"other"}`), ErrMalformed},
		{"empty id", some, jsonBody(`{"id":"","query":"{a}"}`), ErrMalformed},
		{"another version", some, jsonBody(`{` + apollo(`"version":2,"sha256Hash":"`+sum+`"`) + `}`), ErrMalformed},
		{"hash in capitals", some, jsonBody(`{` + apollo(`"version":1,"sha256Hash":"`+strings.ToUpper(sum)+`"`) + `}`), ErrMalformed},
		{"hash twice", some, jsonBody(`{` + apollo(`"version":1,"sha256Hash":"`+sum+`","sha256Hash":"`+other+`"`) + `}`), ErrMalformed},
		{"more in persistedQuery", some, jsonBody(`{` + apollo(`"version":1,"sha256Hash":"`+sum+`","id":"list"`) + `}`), ErrMalformed},
		{"no hash", some, jsonBody(`{"query":"{a}",` + apollo(`"version":1`) + `}`), ErrMalformed},
		{"syntax", Settings{}, post(`{a`), ErrMalformed},
		{"nothing selected", Settings{}, post(`{a{}}`), ErrMalformed},
		{"schema", Settings{}, post(`{a} type T {a: Int}`), ErrMalformed},
		{"no operation", Settings{}, post(`fragment F on T {a}`), ErrMalformed},
		{"none asked for", Settings{}, post(`query A {a} query B {b}`), ErrMalformed},
		{"not there", Settings{}, jsonBody(`{"query":"query A {a}","operationName":"B"}`), ErrMalformed},
		{"not there, without a name", Settings{}, jsonBody(`{"query":"{a}","operationName":"B"}`), ErrMalformed},
		{"operations of one name", Settings{}, jsonBody(`{"query":"query A {a} query A {b}","operationName":"A"}`), ErrMalformed},
		{"operations without a name", Settings{}, post(`{a} {b}`), ErrMalformed},
		{"fragments of one name", Settings{}, post(`{...F} fragment F on T {a} fragment F on T {a: b}`), ErrMalformed},
		{"unknown fragment", Settings{}, post(`{...F}`), ErrMalformed},
		{"fragment in itself", Settings{}, post(`{...F} fragment F on T {a{...F}}`), ErrMalformed},
		{"fragments in each other", Settings{}, post(`{...F} fragment F on T {...G} fragment G on T {...F}`), ErrMalformed},
		{"subscription", Settings{}, post(`subscription {a}`), ErrRefused},
		{"defer", Settings{}, post(`{a ... @defer {b}}`), ErrRefused},
		{"defer on a spread", Settings{}, post(`{...F @defer} fragment F on T {a}`), ErrRefused},
		{"directive on a fragment", Settings{}, post(`{...F} fragment F on T @live {a}`), ErrRefused},
		{"directive on an operation", Settings{}, post(`query @live {a}`), ErrRefused},
		{"stream", Settings{}, post(`{a @stream {b}}`), ErrRefused},
		{"too deep", Settings{Depth: 2}, post(`{a{b{c}}}`), ErrRefused},
		{"too deep by fragments", Settings{Depth: 2}, post(`{a{...F}} fragment F on T {b{c}}`), ErrRefused},
		{"deeper than a path", Settings{Depth: 1000}, post(strings.Repeat("{a", 51) + strings.Repeat("}", 51)), ErrRefused},
		{"too much", Settings{Selections: 3}, post(`{a b c d}`), ErrRefused},
		{"too much by fragments", Settings{Selections: 5}, post(`{x{...F} y{...F}} fragment F on T {b c}`), ErrRefused},
		{"grows without end", Settings{}, post(bomb), ErrRefused},
		{"too long", Settings{Selections: 10}, post(`{a(x: [` + strings.Repeat("1 ", 2000) + `])}`), ErrRefused},
		{"end of a line for some", Settings{}, post("{a #\r x: salary\n}"), ErrMalformed},
		{"another end of a line for some", Settings{}, post("{a #\u2028 x: salary\n}"), ErrMalformed},
		{"mark within a name", Settings{}, post("{sal\ufeffary}"), ErrMalformed},
		{"control character", Settings{}, post("{a #\x00\n}"), ErrMalformed},
		{"block string", Settings{}, post(`{a(x: [ """x"""" "] ) { b } } #" ]) { c } }` + "\n"), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := Parse(tt.s, tt.req)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if q != nil {
				t.Error("there is a query beside the error")
			}
			for _, word := range []string{"salary", "employees", "PersistedQ", sum[:8]} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("the error says %q of the request: %v", word, err)
				}
			}
		})
	}
}

func TestLoadPersisted(t *testing.T) {
	sum := strings.TrimPrefix(hashOf(simple), hashPrefix)
	tests := []struct {
		name, src string
		want      map[string]string
	}{
		{"ids and sums", ` {"list": "{list}", "` + sum + `": "` + simple + `"}`, map[string]string{"list": "{list}", hashPrefix + sum: simple}},
		{"sum with its name", `{"sha256:` + strings.ToUpper(sum) + `": "` + simple + `"}`, map[string]string{hashPrefix + sum: simple}},
		{"sum in capitals", `{"` + strings.ToUpper(sum) + `": "` + simple + `"}`, map[string]string{hashPrefix + sum: simple}},
		{"none", `{}`, map[string]string{}},
		{"twice", `{"a": "{a}", "a": "{a}"}`, nil},
		{"twice in two spellings", `{"` + sum + `": "` + simple + `", "sha256:` + sum + `": "` + simple + `"}`, nil},
		{"sum of another", `{"` + sum + `": "{a}"}`, nil},
		{"no sum", `{"sha256:12": "{a}"}`, nil},
		{"empty name", `{"": "{a}"}`, nil},
		{"does not parse", `{"a": "{"}`, nil},
		{"block string", `{"a": "{a(x: \"\"\"\"\"\")}"}`, nil},
		{"no string", `{"a": {"query": "{a}"}}`, nil},
		{"no object", `["{a}"]`, nil},
		{"no JSON", `{"a": "{a}"`, nil},
		{"bad bytes", "{\"a\": \"{a} #\xff\"}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := LoadPersisted(strings.NewReader(tt.src))
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
