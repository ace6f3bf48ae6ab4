package authz

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	patchType     = "application/json-patch+json"
	mergeType     = "application/merge-patch+json"
	multipartType = "multipart/form-data; boundary=b"
)

// part writes a part of a form; a media type or file name of "" is none.
func part(name, file, media, content string) string {
	head := `Content-Disposition: form-data; name="` + name + `"`
	if file != "" {
		head += `; filename="` + file + `"`
	}
	if media != "" {
		head += "\r\nContent-Type: " + media
	}
	return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n"
}

func multipart(parts ...string) string { return strings.Join(parts, "") + "--b--\r\n" }

// sent is a body that is to be judged, and what becomes of it.
type sent struct {
	name, media, body string
	code              string // of the refusal
	detail            string // is in it
	want              string // what is forwarded; for multipart, all of it but the boundary
}

// send runs a body through the stage. The multipart body that goes on is given
// with the boundary b.
func send(t *testing.T, policy config.Policy, d *policies.Decision, media, body string, opts ...func(*middleware.Exchange)) (*middleware.Exchange, string, error) {
	t.Helper()
	u := mt.NewUpstream(t, 200, jsonType, "{}")
	opts = append(opts, func(x *middleware.Exchange) {
		x.Route.Upload = &config.Upload{FileBytes: 1 << 20, Files: 10}
		if media != "" {
			x.Request.Header.Set("Content-Type", media)
		}
	})
	x := mt.Exchange(t, "PATCH", "https://h/", strings.NewReader(body), opts...)
	_, _, err := mt.Run(t, New(policy, &fixed{d: d}, nil, []string{"k1"}), x, u.Handle)
	if err != nil && u.Calls.Load() != 0 {
		t.Error("refused and sent on")
	}
	got := u.Got
	if _, boundary, ok := strings.Cut(x.Request.Header.Get("Content-Type"), "boundary="); ok {
		got = strings.ReplaceAll(got, boundary, "b")
	}
	return x, got, err
}

func judge(t *testing.T, policy config.Policy, d *policies.Decision, tests []sent) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := send(t, policy, d, tt.media, tt.body)
			if mt.Code(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Fatalf("got %v, want %q", err, tt.code)
			}
			if err != nil && !strings.Contains(err.Error(), tt.detail) {
				t.Errorf("%v does not say %s", err, tt.detail)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("forwarded (-want +got):\n%s", diff)
			}
		})
	}
}

func protecting() *policies.Decision {
	return allow(func(d *policies.Decision) {
		d.Protect = []policies.Protect{
			{Path: "$..salary", Action: "reject"},
			{Path: "$.role", Action: "drop"},
			{Path: "$.bank.iban", Action: "reject"},
			{Path: "$.items.*.price", Action: "reject"},
			{Path: "$.flags.admin", Action: "drop"},
			{Path: "$.home_town", Action: "drop"},
		}
	})
}

func same(name, media, body string) sent {
	return sent{name: name, media: media, body: body, want: body}
}

func refused(name, media, body, detail string) sent {
	return sent{name: name, media: media, body: body, code: "forbidden", detail: detail}
}

func TestProtectJSON(t *testing.T) {
	judge(t, config.Policy{}, protecting(), []sent{
		same("nothing protected", jsonType, `{"a": 1.0}`),
		refused("rejected", jsonType, `{"pay":{"salary":1}}`, "/pay/salary"),
		refused("in an array", jsonType, `[{"salary":1}]`, "/0/salary"),
		refused("in arrays of arrays", jsonType, `{"a":[[{"salary":1}]]}`, "/a/0/0/salary"),
		refused("in another spelling", jsonType, `{"Sal_Ary":1}`, "/Sal_Ary"),
		refused("with a long s", jsonType, `{"ſalary":1}`, "ſalary"),
		same("a full-width letter makes another name", jsonType, `{"ｓalary":1}`),
		refused("behind an escape", jsonType, `{"\u0073alary":1}`, "/salary"),
		refused("null is a value", jsonType, `{"salary":null}`, "/salary"),
		{name: "dropped", media: jsonType, body: `{"a": 1.0, "role": "admin"}`, want: `{"a": 1.0}`},
		{name: "dropped in every spelling", media: jsonType, body: `{"ROLE":1,"a":1,"r-ole":2}`, want: `{"a":1}`},
		{name: "a name that stands twice", media: jsonType, body: `{"a":1,"a":2}`, code: "body_malformed"},
		{name: "broken JSON", media: jsonType, body: `{"a":`, code: "body_malformed"},
		{name: "no type", body: `{"salary":1}`, code: "media_type_unsupported"},
		{name: "another charset", media: "application/json; charset=utf-16", body: `{}`, code: "media_type_unsupported"},
		{name: "a type in two pieces", media: "application/json; charset*0=utf-; charset*1=7", body: `{}`, code: "media_type_unsupported"},
		{name: "text", media: "text/plain", body: `{"salary":1}`, code: "media_type_unsupported"},
		{name: "xml", media: "application/xml", body: `<salary/>`, code: "media_type_unsupported"},
		{name: "lines", media: "application/x-ndjson", body: `{"salary":1}`, code: "media_type_unsupported"},
		{name: "a patch of SCIM, which names members in values", media: "application/scim+json", body: `{}`, code: "media_type_unsupported"},
		refused("a type of one's own", "application/vnd.acme.employee+json; v=2", `{"salary":1}`, "/salary"),
		refused("a path for a name, of MongoDB", jsonType, `{"bank.iban":1}`, "$.bank.iban"),
		refused("behind an operator of MongoDB", jsonType, `{"$set":{"bank.iban":1}}`, "$.bank.iban"),
		refused("what objects inherit", jsonType, `{"__proto__":{"role":1}}`, "$.role"),
		refused("a piece of a date, of Rails", jsonType, `{"salary(1i)":"2020"}`, "$..salary"),
		refused("a name that ends for some", jsonType, `{"role\u0000x":1}`, "$.role"),
		same("other names with dots", jsonType, `{"bank.name":1,"v1.2":{"x(y)":null},"..":0,"$set":{"a":1}}`),
		refused("merge patch", mergeType, `{"salary":null}`, "/salary"),
		refused("merge patch that takes the container away", mergeType, `{"bank":null}`, "$.bank.iban"),
		refused("merge patch that replaces the container", mergeType, `{"bank":[1]}`, "$.bank.iban"),
		refused("merge patch of everything", mergeType, `[]`, "$."),
		same("merge patch beside", mergeType, `{"bank":{"name":null}, "home":null}`),
		same("no merge patch", jsonType, `{"bank":null}`),
		same("nothing at all", "", ""),
	})
}

func TestProtectPatch(t *testing.T) {
	op := func(s string) string { return `[{"op":"test","path":"/a","value":1},` + s + `]` }
	judge(t, config.Policy{}, protecting(), []sent{
		same("beside", patchType, op(`{"op":"replace","path":"/name","value":"role"}`)),
		same("beside, in the container", patchType, op(`{"op":"remove","path":"/bank/name"}`)),
		same("none", patchType, `[]`),
		refused("the target", patchType, op(`{"op":"replace","path":"/pay/salary","value":1}`), "$..salary"),
		refused("the target in another spelling", patchType, op(`{"op":"add","path":"/pay/SALARY","value":1}`), "$..salary"),
		refused("a path with escapes", patchType, op(`{"op":"add","path":"\u002fsalary","value":1}`), "$..salary"),
		refused("below the target", patchType, op(`{"op":"add","path":"/salary/net/0","value":1}`), "$..salary"),
		refused("in an array", patchType, op(`{"op":"add","path":"/items/-/price","value":1}`), "$.items.*.price"),
		refused("in the value", patchType, op(`{"op":"add","path":"/x","value":{"y":[{"salary":1}]}}`), "$..salary"),
		refused("in the value, by the place of both", patchType, op(`{"op":"add","path":"/bank","value":{"iban":1}}`), "$.bank.iban"),
		refused("removed", patchType, op(`{"op":"remove","path":"/salary"}`), "$..salary"),
		refused("removed with the container", patchType, op(`{"op":"remove","path":"/bank"}`), "$.bank.iban"),
		refused("replaced with the container", patchType, op(`{"op":"replace","path":"/bank","value":{}}`), "$.bank.iban"),
		refused("replaced with everything", patchType, op(`{"op":"replace","path":"","value":{}}`), "$."),
		refused("moved away", patchType, op(`{"op":"move","from":"/salary","path":"/x"}`), "$..salary"),
		refused("moved away with the container", patchType, op(`{"op":"move","from":"/bank","path":"/x"}`), "$.bank.iban"),
		refused("copied to where it is seen", patchType, op(`{"op":"copy","from":"/salary","path":"/x"}`), "$..salary"),
		refused("copied onto", patchType, op(`{"op":"copy","from":"/x","path":"/salary"}`), "$..salary"),
		refused("guessed", patchType, op(`{"op":"test","path":"/salary","value":1}`), "$..salary"),
		refused("what is to be dropped refuses the whole patch", patchType, op(`{"op":"add","path":"/role","value":1}`), "$.role"),
		refused("a patch that says it is JSON", jsonType, op(`{"op":"replace","path":"/salary","value":1}`), "$..salary"),
		refused("moved away by an operation in capitals", patchType, op(`{"op":"MOVE","from":"/salary","path":"/x"}`), "$..salary"),
		refused("an index with a sign", patchType, op(`{"op":"add","path":"/items/+0/price","value":1}`), "$.items.*.price"),
		{name: "a member in two spellings", media: patchType, body: `[{"op":"add","path":"/a","Path":"/salary","value":1}]`, code: "body_malformed"},
		{name: "a value in another spelling", media: patchType, body: `[{"op":"add","path":"","value":{},"Value":{"salary":1}}]`, code: "body_malformed"},
		{name: "a patch that says it is JSON, in two spellings", media: jsonType, body: `[{"op":"add","path":"/a","Path":"/salary","value":1}]`, code: "body_malformed"},
		{name: "a patch that says it is JSON, one spelling without a path", media: jsonType, body: `[{"op":"add","path":1,"Path":"/salary","value":1}]`, code: "body_malformed"},
		refused("a patch that says it is JSON, in another spelling", jsonType, `[{"Op":"add","Path":"/salary","Value":1}]`, "$..salary"),
		refused("a patch that says it is JSON, with bare names", jsonType, `[{"op":"add","path":"salary","value":1}]`, "$..salary"),
		refused("a patch that says it is JSON, with something else", jsonType, `[{},{"op":"add","path":"/salary","value":1}]`, "$..salary"),
		{name: "a patch of SCIM that says it is JSON", media: jsonType, body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"salary","value":1}]}`, code: "media_type_unsupported"},
		{name: "no list", media: patchType, body: `{"op":"add","path":"/salary","value":1}`, code: "body_malformed"},
		{name: "no pointer", media: patchType, body: `[{"op":"add","path":"salary","value":1}]`, code: "body_malformed"},
		{name: "a member twice", media: patchType, body: `[{"op":"add","path":"/a","path":"/salary","value":1}]`, code: "body_malformed"},
		same("a list of people", jsonType, `[{"op":"add","path":"c:/x"}]`),
	})
}

func TestProtectForm(t *testing.T) {
	judge(t, config.Policy{}, protecting(), []sent{
		same("names of other things", formType, `new-salary=1&min--salary=1&salary-2024=1&e-1=2&a(b)=1`),
		same("beside", formType, `a=1&b=%41+x&&=&c&a=2`),
		refused("by name", formType, `a=1&salary=1`, "/salary"),
		refused("without a value", formType, `salary`, "/salary"),
		refused("in another spelling", formType, `SAL-ary=1`, "/SAL-ary"),
		refused("escaped", formType, `%73alary=1`, "/salary"),
		refused("brackets", formType, `employee[salary]=1`, "employee[salary]"),
		refused("brackets, escaped", formType, `employee%5Bsalary%5D=1`, "employee[salary]"),
		refused("dots", formType, `employee.salary=1`, "employee.salary"),
		refused("both", formType, `items[0].salary=1`, "items[0].salary"),
		refused("both, the other way", formType, `a.b[salary]=1`, "a.b[salary]"),
		refused("a list", formType, `salary[]=1`, "salary[]"),
		refused("below", formType, `salary[net]=1`, "salary[net]"),
		refused("a bracket without its other", formType, `employee[salary=1`, "employee[salary"),
		refused("blanks around", formType, `+salary+=1`, "salary"),
		refused("by an index", formType, `items[0][price]=1`, "price"),
		refused("by an index that is not written", formType, `items[][price]=1`, "price"),
		same("not what it leads past", formType, `items[price]=1&bank=1&iban=2`),
		{name: "dropped wherever it stands", media: formType, body: `role=a&x=%41&role=b&y&Role=c`, want: `x=%41&y`},
		{name: "all of it dropped", media: formType, body: `role=a`, want: ``},
		{name: "with a container", media: formType, body: `flags[admin]=1&flags[new]=1`, want: `flags[new]=1`},
		{name: "as PHP reads it", media: formType, body: `home.town=x&a=1`, want: `a=1`},
		refused("an operator of MongoDB", formType, `$set[bank][iban]=1`, "$set[bank][iban]"),
		refused("what objects inherit", formType, `__proto__[bank][iban]=1`, "__proto__[bank][iban]"),
		refused("the default of Spring", formType, `!salary=1`, "/!salary"),
		refused("the marker of Spring", formType, `_salary=on`, "_salary"),
		refused("a key in quotes, of Spring", formType, `pay['salary']=1`, "pay['salary']"),
		refused("a key in double quotes", formType, `pay["salary"]=1`, `pay["salary"]`),
		refused("a piece of a date, of Rails", formType, `pay[salary(1i)]=2020`, "salary(1i)"),
		refused("a member of a form set, of Django", formType, `form-0-salary=1`, "form-0-salary"),
		{name: "as PHP reads a bracket without its other", media: formType, body: `home[town=x&a=1`, want: `a=1`},
		refused("behind a semicolon", formType, `a=1;salary=2`, "a"),
		refused("JSON in a field, as a member", formType, `x={"salary":1}`, "/x/salary"),
		refused("JSON in a field, by both places", formType, `bank={"iban":1}`, "$.bank.iban"),
		refused("JSON in a field, as the document", formType, `data={"bank":{"iban":1}}`, "/data/bank/iban"),
		{name: "JSON in a field, dropped", media: formType, body: `b=1&data={"role":1,"n":1.0}`, want: `b=1&data=%7B%22n%22%3A1.0%7D`},
		{name: "JSON in a field, twice", media: formType, body: `x={"salary":1,"salary":2}`, code: "body_malformed"},
		{name: "JSON of Python in a field", media: formType, body: `x={"salary":1,"n":NaN}`, code: "body_malformed"},
		{name: "JSON with other quotes", media: formType, body: `x=[{'Sal-ary'+:1}]`, code: "body_malformed"},
		{name: "JSON with a comment", media: formType, body: `x={a:1,/**/salary/**/:1}`, code: "body_malformed"},
		{name: "JSON with escapes and a comma too many", media: formType, body: `x={"\u0073alary":1,}`, code: "body_malformed"},
		same("what is no JSON, and text about what is protected", formType, `x={"n":NaN}&y={salary: see below&z=[Update] salary: 5`),
		refused("a patch in a field", formType, `x=[{"op":"replace","path":"/bank/iban","value":1}]`, "$.bank.iban"),
		same("text that begins like JSON", formType, `x={salary}&y=[1`),
		{name: "no escape", media: formType, body: `a=%u0073`, code: "body_malformed"},
		{name: "not UTF-8", media: formType, body: `a=%ff`, code: "body_malformed"},
		{name: "overlong", media: formType, body: `%c1%b3alary=1`, code: "body_malformed"},
		{name: "NUL", media: formType, body: `salary%00x=1`, code: "body_malformed"},
		{name: "charset", media: formType + "; charset=utf-7", body: `a=1`, code: "media_type_unsupported"},
		{name: "charset in a field", media: formType, body: `_charset_=utf-7&+AHM-alary=1`, code: "media_type_unsupported"},
		same("charset that is right", formType, `_charset_=UTF-8&a=1`),
		{name: "more fields than there may be", media: formType, body: strings.Repeat("a&", maxFields), code: "body_too_large"},
		{name: "names that cost too much", media: formType, body: strings.Repeat("a[b].c[d].e=1&", maxTurns/4+1), code: "body_too_large"},
		{name: "as many pieces", media: formType, body: strings.Repeat("a;", maxTurns+1), code: "body_too_large"},
		{name: "deeper than there may be", media: formType, body: "a" + strings.Repeat("[b]", 40) + "=1", code: "body_malformed"},
	})
}

func TestProtectMultipart(t *testing.T) {
	text := part("a", "", "", "1")
	judge(t, config.Policy{}, protecting(), []sent{
		same("beside", multipartType, multipart(text, part("file", "a.txt", "text/plain", "salary"))),
		refused("by name", multipartType, multipart(text, part("salary", "", "", "1")), "/salary"),
		refused("nested", multipartType, multipart(text, part("employee[Salary]", "", "", "1")), "employee[Salary]"),
		refused("a file by that name", multipartType, multipart(part("salary", "a.txt", "text/plain", "1")), "/salary"),
		{name: "dropped", media: multipartType, body: multipart(text, part("role", "", "", "x"), part("role", "f.txt", "", "x")), want: multipart(text)},
		refused("a JSON part", multipartType, multipart(part("employee", "", jsonType, `{"bank":{"iban":1}}`)), "/employee/bank/iban"),
		{name: "a JSON part, dropped", media: multipartType, body: multipart(part("e", "", jsonType, `{"role":1, "n":1.0}`)), want: multipart(part("e", "", jsonType, `{ "n":1.0}`))},
		{name: "a JSON part that is none", media: multipartType, body: multipart(part("e", "", jsonType, `{"a":1,"a":2}`)), code: "body_malformed"},
		refused("JSON in a text", multipartType, multipart(part("e", "", "", ` {"salary":1}`)), "/e/salary"),
		refused("a JSON part as a browser sends it", multipartType, multipart(part("e", "blob", jsonType, `{"salary":1}`)), "/e/salary"),
		refused("a file cannot be changed", multipartType, multipart(part("e", "blob", jsonType, `{"role":1}`)), "/e/role"),
		{name: "another charset of a JSON file", media: multipartType, body: multipart(part("e", "blob", "application/json; charset=utf-7", `{"+AHM-alary":1}`)), code: "media_type_unsupported"},
		{name: "another charset,", media: multipartType, body: multipart(part("a", "", "text/plain; charset=utf-16", "1")), code: "media_type_unsupported"},
		{name: "charset in a field", media: multipartType, body: multipart(part("_charset_", "", "", "utf-7")), code: "media_type_unsupported"},
		{name: "not UTF-8", media: multipartType, body: multipart(part("a", "", "", "\xff")), code: "body_malformed"},
		{name: "another multipart", media: "multipart/mixed; boundary=b", body: multipart(text), code: "media_type_unsupported"},
		{name: "not a form", media: multipartType, body: "salary=1", code: "body_malformed"},
	})
}

func TestProtectDropReachesTheRecord(t *testing.T) {
	x, _, err := send(t, config.Policy{}, protecting(), formType, "role=secret&a=1")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(x.Notes()); got != "[{protected [/role]}]" {
		t.Errorf("noted %s", got)
	}
}

// A document that calls itself a form is one to backends that do not look at the
// media type.
func TestDocumentsThatCallThemselvesForms(t *testing.T) {
	for body, want := range map[string]bool{
		`{"salary":1}`: true, "\xef\xbb\xbf {\"a\":1}": true, `[{"salary":1}]`: true, "[[[": true, "[1,{}]": true, "[]": true, `/**/{"a":1}`: true,
		"a=1": false, "": false, "[0].salary=1": false, "[12][a]=1": false, "salary={}": false, "&{": false,
	} {
		if got := isDocument([]byte(body)); got != want {
			t.Errorf("%q: %v", body, got)
		}
	}
}
