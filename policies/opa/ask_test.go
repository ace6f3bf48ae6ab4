package opa_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

func TestParseInput(t *testing.T) {
	in, err := opa.ParseInput("q.json", []byte(`{
  "subject": {"id": "e2", "roles": ["staff", "hr"], "claims": {"level": 12345678901234567890, "any": {"thing": null}}},
  "action": {"method": "PATCH"}, "resource": {"path": "/api/employees/e2"}, "body": {"free": [1.5]}
}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(in.Subject.Role, in.Subject.Roles, in.Action.Name, in.Resource.Segments, in.Subject.Claims["level"]); got != "staff [staff hr] update [api employees e2] 12345678901234567890\n" {
		t.Errorf("read as %s", got)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"another name", "{\n  \"sobject\": {}}", `q.json:2:3: input has no member "sobject": did you mean "subject"?`},
		{"in another case", `{"subject": {"ID": "x"}}`, `q.json:1:14: input.subject has no member "ID": did you mean "id"?`},
		{"another type", `{"subject": {"roles": "hr"}}`, `q.json:1:23: input.subject.roles is a text, not a list`},
		{"a member of another type", `{"subject": {"roles": ["hr", 1]}}`, `q.json:1:30: a member of input.subject.roles is a whole number, not a text`},
		{"null", `{"subject": null}`, "q.json:1:13: input.subject is null, not an object"},
		{"a fraction", `{"context": {"time": {"hour": 1.5}}}`, "q.json:1:31: input.context.time.hour is a fraction, not a whole number"},
		{"a long number", `{"subject": {"id": -12.5e3, "role": true}}`, "q.json:1:20: input.subject.id is a fraction, not a text\nq.json:1:37: input.subject.role is true or false, not a text"},
		{"twice", `{"subject": {"id": "a", "id": "b"}}`, `q.json:1:25: input.subject has the member "id" twice`},
		{"twice in a claim", `{"subject": {"claims": {"id": "a", "id": "b"}}}`, `has the member "id" twice`},
		{"two questions", "{}\n{}", "something behind the question"},
		{"a list", "[]", "input is a list, not an object"},
		{"no end", `{"subject": {`, "is not JSON: unexpected EOF"},
		{"nothing", "", "is not JSON"},
		{"too deep", `{"body": ` + strings.Repeat("[", 300), "nested too deeply"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := opa.ParseInput("q.json", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// What is read as a question reads the same when it is written out again.
func FuzzParseInput(f *testing.F) {
	f.Add(`{"subject": {"id": "e2", "roles": ["hr"], "claims": {"a": [1, null]}}, "action": {"method": "GET"}, "body": 1e5}`)
	f.Add(`{"context": {"time": {"hour": 3}, "headers": {"x": ["y"]}}}`)
	f.Add(`{"subject": {"rolle": "hr"}} x`)
	f.Fuzz(func(t *testing.T, text string) {
		in, err := opa.ParseInput("q.json", []byte(text))
		if err != nil {
			if in != nil || err.Error() == "" {
				t.Fatalf("%v beside %v", in, err)
			}
			return
		}
		written, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := opa.ParseInput("q.json", written)
		if err != nil {
			t.Fatalf("written as %s: %v", written, err)
		}
		if d := cmp.Diff(in, again, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("written as %s (-first +again):\n%s", written, d)
		}
	})
}
