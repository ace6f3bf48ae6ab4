package opa_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// The mask of records is the policies' own, with helpers and data, and with the
// objects of OPA's convention.
func TestRecordMask(t *testing.T) {
	e, err := opa.Load(t.Context(), tree(map[string]string{
		"gatehouse.rego": "package gatehouse\n\nallow if input.subject.role == \"hr\"\n",
		"log.rego": `package system.log

import data.privacy

mask contains sprintf("/input/subject/claims/%s", [name]) if some name in privacy.claims

mask contains {"op": "upsert", "path": "/input/subject/id", "value": "somebody"}
`,
		"privacy/x.yaml": "claims: [email, phone]\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject.ID = "u-4711"
	in.Subject.Claims = map[string]any{"email": "ann@acme.example", "phone": "0123", "grade": "7"}
	var out bytes.Buffer
	w := record.Open(record.Options{Output: &out, Queue: 1})
	w.Write(record.Entry{Input: in, Mask: e.RecordMask(), Revision: e.Revision()})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	line := out.String()
	for text, want := range map[string]bool{"u-4711": false, "somebody": true, "ann@": false, "0123": false, `"grade":"7"`: true} {
		if strings.Contains(line, text) != want {
			t.Errorf("%q is on record: %v, want %v\n%s", text, !want, want, line)
		}
	}
}

// Policies without a mask keep nothing out.
func TestNoRecordMask(t *testing.T) {
	e, err := opa.Load(t.Context(), tree(map[string]string{"p.rego": "package gatehouse\n\nallow if input.subject.role == \"hr\"\n"}))
	if err != nil || e.RecordMask() != nil {
		t.Errorf("%v, %v", e.RecordMask(), err)
	}
}
