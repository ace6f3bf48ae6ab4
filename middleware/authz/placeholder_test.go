package authz

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func masking() *policies.Decision {
	return allow(func(d *policies.Decision) {
		d.Mask = []policies.Mask{
			{Path: "$..salary", Action: "redact"},
			{Path: "$..ssn", Action: "partial"},
			{Path: "$..email", Action: "partial"},
			{Path: "$.born", Action: "generalize"},
			{Path: "$.pay", Action: "generalize", Bucket: 500},
			{Path: "$..iban", Action: "null"},
			{Path: "$.me.iban", Action: "show"},
			{Path: "$..id", Action: "hash"},
			{Path: "$.gone", Action: "drop"},
		}
	})
}

// pseudonyms gives a hash and a token as the mask stage makes them.
func pseudonyms(t *testing.T) (hash, token string) {
	t.Helper()
	keys, err := redact.NewKeyring("k1", map[string]string{"k1": strings.Repeat("s", 32)})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := redact.Compile(redact.Spec{Rules: []redact.Rule{
		{Path: "$.h", Action: redact.Hash}, {Path: "$.t", Action: redact.Tokenize},
	}}, redact.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := redact.Append(nil, []byte(`{"h":"Ada","t":"Ada"}`), plan, redact.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	texts := strings.Split(string(out), `"`)
	return texts[3], texts[7]
}

func stopped(name, media, body, detail string) sent {
	return sent{name: name, media: media, body: body, code: "input_rejected", detail: detail}
}

func TestPlaceholders(t *testing.T) {
	hash, token := pseudonyms(t)
	judge(t, config.Policy{}, masking(), []sent{
		stopped("the constant", jsonType, `{"salary":"***"}`, ": /salary"),
		stopped("the constant, escaped", jsonType, `{"salary":"\u002a**"}`, ": /salary"),
		stopped("the constant under another name", jsonType, `{"a":[{"income":"***"}]}`, ": /a/0/income"),
		stopped("the constant, with what an editor adds", jsonType, `{"salary":" ***\n"}`, ": /salary"),
		stopped("the constant alone", jsonType, `"***"`, "the whole body"),
		same("emphasis", jsonType, `{"note":"***bold***", "rule":"* * *", "stars":"****", "x":"** *"}`),
		same("a number", jsonType, `{"salary": 1.50}`),
		stopped("partial", jsonType, `{"person":{"SSN":"****6789"}}`, "/person/SSN"),
		stopped("partial of an address", jsonType, `{"email":"a***@example.com"}`, "/email"),
		same("a card that another system cut short", jsonType, `{"card":"****4242"}`),
		same("what partial would change", jsonType, `{"ssn":"123-45-6789","email":"ada@example.com"}`),
		stopped("null where null is shown", jsonType, `{"bank":{"iban":null}}`, "/bank/iban"),
		same("null where the value is shown", jsonType, `{"me":{"iban":null}}`),
		same("null elsewhere", jsonType, `{"salary":null,"x":null}`),
		stopped("a year", jsonType, `{"born":"1990"}`, "/born"),
		same("a date", jsonType, `{"born":"1990-05-17"}`),
		stopped("the bound of a bucket", jsonType, `{"pay":1500.0}`, "/pay"),
		same("within a bucket", jsonType, `{"pay":1501, "other":1500}`),
		stopped("a hash", jsonType, `{"id":"`+hash+`"}`, "/id"),
		stopped("a hash elsewhere", jsonType, `{"x":"`+hash+`"}`, "/x"),
		stopped("a token", jsonType, `{"x":"`+token+`"}`, "/x"),
		same("under another key", jsonType, `{"id":"h2`+hash[2:]+`","x":"`+token[:len(token)-1]+`","y":"hk1_short","z":"`+hash+`A"}`),
		stopped("in a merge patch", mergeType, `{"salary":"***"}`, "/salary"),
		stopped("in a patch", patchType, `[{"op":"add","path":"/x","value":"***"}]`, "/0/value"),
		stopped("in a patch, by its target", patchType, `[{"op":"test","path":"/x","value":1},{"op":"replace","path":"/person/ssn","value":"****6789"}]`, "/1/value"),
		stopped("null in a patch", patchType, `[{"op":"replace","path":"/iban","value":null}]`, "/0/value"),
		same("removed in a patch", patchType, `[{"op":"remove","path":"/iban"}]`),
		stopped("in a form", formType, `a=1&employee%5Bsalary%5D=***`, "/employee[salary]"),
		stopped("in a form, partial", formType, `items[0].ssn=****6789`, "/items[0].ssn"),
		stopped("in a form, nothing for null", formType, `iban=&a=`, "/iban"),
		stopped("in a form, a number", formType, `pay=1500`, "/pay"),
		stopped("in a form, JSON", formType, `data={"salary":"***"}`, "/data/salary"),
		same("a form", formType, `a=***bold***&b=100%&c=%ff&&=`),
		stopped("in a part", multipartType, multipart(part("salary", "", "", "***")), "/salary"),
		stopped("in a JSON part", multipartType, multipart(part("e", "", jsonType, `{"ssn":"****6789"}`)), "/e/ssn"),
		stopped("in a JSON part of a browser", multipartType, multipart(part("e", "blob", jsonType, `{"ssn":"****6789"}`)), "/e"),
		same("a file", multipartType, multipart(part("salary", "a.txt", "text/plain", "***"))),
		same("an upload", "application/pdf", "***"),
		{name: "broken JSON", media: jsonType, body: `{`, code: "body_malformed"},
		{name: "nested too deeply", media: jsonType, body: strings.Repeat("[", 200) + strings.Repeat("]", 200), code: "body_malformed"},
	})
}

func TestPlaceholdersAreDropped(t *testing.T) {
	dropped := func(name, media, body, want string) sent {
		return sent{name: name, media: media, body: body, want: want}
	}
	judge(t, config.Policy{Placeholders: "drop"}, masking(), []sent{
		same("none", jsonType, "{ \"a\" : 1.0 ,\n\"b\":[1, 2 ] }"),
		dropped("the first", jsonType, `{"salary":"***", "a": 1.0}`, `{ "a": 1.0}`),
		dropped("the last", jsonType, `{"a": 1.0 , "salary":"***" }`, `{"a": 1.0 }`),
		dropped("one between", jsonType, `{"a":1, "salary":"***", "b":{ }}`, `{"a":1, "b":{ }}`),
		dropped("all", jsonType, `{"salary":"***"}`, `{}`),
		dropped("within", jsonType, `{"p":{"ssn":"****6789","n":"x\"}"},"iban":null}`, `{"p":{"n":"x\"}"}}`),
		dropped("in the elements of a document", jsonType, `[{"salary":"***","n":1},{"n":2}]`, `[{"n":1},{"n":2}]`),
		stopped("an element", jsonType, `{"a":["***"]}`, "/a/0"),
		stopped("an element of the document", jsonType, `["***"]`, "/0"),
		stopped("within a list, which is replaced as a whole", jsonType, `{"a":[{"salary":"***"}]}`, "/a/0/salary"),
		stopped("in a patch", patchType, `[{"op":"add","path":"/x","value":{"salary":"***"}}]`, "/0/value/salary"),
		dropped("in a form", formType, `a=%41&salary=***&b`, `a=%41&b`),
		dropped("in a form, JSON", formType, `d={"salary":"***","n":1}`, `d=%7B%22n%22%3A1%7D`),
		dropped("a part", multipartType, multipart(part("salary", "", "", "***"), part("a", "", "", "1")), multipart(part("a", "", "", "1"))),
		dropped("in a part", multipartType, multipart(part("e", "", jsonType, `{"salary":"***","n":1}`)), multipart(part("e", "", jsonType, `{"n":1}`))),
		stopped("in a file", multipartType, multipart(part("e", "blob", jsonType, `{"salary":"***","n":1}`)), "/e"),
	})
	x, _, err := send(t, config.Policy{Placeholders: "drop"}, masking(), jsonType, `{"salary":"***"}`)
	if got := fmt.Sprint(x.Notes()); err != nil || got != "[{placeholders [/salary]}]" {
		t.Errorf("noted %s, %v", got, err)
	}
}

// TestPlaceholdersInWhatCannotBeRead: a coding would hide them.
func TestPlaceholdersInWhatCannotBeRead(t *testing.T) {
	gzip := mt.Header("Content-Encoding", "gzip")
	for media, opts := range map[string][]func(*middleware.Exchange){
		jsonType: {gzip}, formType: {gzip}, jsonType + "; charset=utf-16": nil,
	} {
		if _, _, err := send(t, config.Policy{}, masking(), media, "\x1f\x8b", opts...); mt.Code(err) != "media_type_unsupported" {
			t.Errorf("%s: %v", media, err)
		}
	}
	if _, _, err := send(t, config.Policy{}, masking(), formType+"; charset=iso-8859-1", "a=%e9"); err != nil {
		t.Error(err)
	}
}

// TestPlaceholdersWhereNothingIsMasked: what masks nothing makes no
// placeholders, and its bodies are not even read.
func TestPlaceholdersWhereNothingIsMasked(t *testing.T) {
	const body = `{"salary":"***"`
	with := func(masks ...policies.Mask) *policies.Decision {
		return allow(func(d *policies.Decision) { d.Mask = masks })
	}
	for name, tt := range map[string]struct {
		policy config.Policy
		d      *policies.Decision
	}{
		"no mask":           {config.Policy{}, allow(nil)},
		"dropped and shown": {config.Policy{}, with(policies.Mask{Path: "$.salary", Action: "drop"}, policies.Mask{Path: "$.a", Action: "show"})},
		"off":               {config.Policy{Placeholders: "off"}, masking()},
	} {
		if _, got, err := send(t, tt.policy, tt.d, jsonType, body); err != nil || got != body {
			t.Errorf("%s: %v, forwarded %s", name, err, got)
		}
	}
	// A route that does not say which files it takes has its forms pass unread.
	u := mt.NewUpstream(t, 200, jsonType, "{}")
	form := multipart(part("f", "a.bin", "", "***"), part("salary", "", "", "***"))
	x := mt.Exchange(t, "POST", "https://h/", strings.NewReader(form), mt.Header("Content-Type", multipartType))
	if _, _, err := mt.Run(t, New(config.Policy{}, &fixed{d: masking()}, nil, nil), x, u.Handle); err != nil || u.Got != form {
		t.Errorf("a form: %v, forwarded %s", err, u.Got)
	}
	// Where the route masks what no policy has thought of, the constant may come
	// from there.
	redacts := func(x *middleware.Exchange) { x.Route.Mask.Unclassified = "redact" }
	d := allow(func(d *policies.Decision) { d.Rows = []policies.Row{{Path: "$"}} })
	if _, _, err := send(t, config.Policy{}, d, jsonType, `{"x":"***"}`, redacts); err == nil {
		t.Error("the constant passed where the route redacts")
	}
}
