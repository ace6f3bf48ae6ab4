package opa

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// aged is a question about somebody who signed in so many seconds ago; nil does
// not say.
func aged(age *int64) *policies.Input {
	return &policies.Input{Subject: &policies.Subject{ID: "u7", AuthAge: age, Claims: map[string]any{}}}
}

// TestAuthAgeIsComparedWithoutItsValue: every way to write that a sign-in is fresh
// enough leaves the ages themselves out of the key, and what is remembered is what
// would have been decided.
func TestAuthAgeIsComparedWithoutItsValue(t *testing.T) {
	for _, tt := range []struct {
		fresh string // the body of a rule in a package of its own
		last  int64  // age that is
	}{
		{`input.subject.auth_age <= 300`, 300},
		{`input.subject.auth_age < 300`, 299},
		{`300 >= input.subject.auth_age`, 300},
		{`input.subject.auth_age <= 3e2`, 300},
		{`not input.subject.auth_age > 300; input.subject.auth_age`, 300},
		{`age := input.subject.auth_age; age <= 300`, 300},
		{`within(input.subject.auth_age)`, 300},
		{`"u7" == input.subject.id; input.subject.auth_age <= 300`, 300},
		{`input.subject.auth_age <= data.limits.fresh`, 300},
	} {
		t.Run(tt.fresh, func(t *testing.T) {
			e := loadAge(t, tt.fresh)
			for round := range 2 {
				for age := range int64(600) {
					d, err := e.Decide(t.Context(), aged(&age))
					if err != nil || d.AllFields != (age <= tt.last) {
						t.Fatalf("round %d, age %d: %+v, %v", round, age, d, err)
					}
				}
				if d, err := e.Decide(t.Context(), aged(nil)); err != nil || d.AllFields {
					t.Fatalf("an age that nobody knows is fresh: %+v, %v", d, err)
				}
			}
			if s := e.MemoStats(); s.Misses > 4 || s.Hits < 1198 {
				t.Errorf("%+v: ages are in the key", s)
			}
		})
	}
}

// loadAge loads policies that show all fields, and a word that nobody else is
// told, to whom signed in freshly.
func loadAge(t *testing.T, fresh string) *Engine {
	t.Helper()
	e, err := Load(t.Context(), Options{Path: ".", Budget: 10 * time.Second, Memo: memo.Options{AuditEvery: -1}, FS: fstest.MapFS{
		"limits.json": {Data: []byte(`{"limits": {"fresh": 300}}`)},
		"stepup.rego": {Data: []byte("package stepup\n\nfresh if {\n\t" + strings.ReplaceAll(fresh, "; ", "\n\t") +
			"\n}\n\nwithin(age) if age <= 300\n")},
		"gatehouse.rego": {Data: []byte(`package gatehouse

import data.stepup

allow := true

all_fields if stepup.fresh

deny contains {"code": "stale", "message": "m"} if not stepup.fresh
`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAuthAgeThatIsRead: a policy that makes something else of the age gets the
// right one, and as many decisions as there are ages.
func TestAuthAgeThatIsRead(t *testing.T) {
	e := loadText(t, "allow := true\n\nregion := sprintf(\"%v\", [input.subject.auth_age])\n", nil, memo.Options{AuditEvery: -1})
	for range 2 {
		for age := range int64(50) {
			d, err := e.Decide(t.Context(), aged(&age))
			if err != nil || d.Region != fmt.Sprint(age) {
				t.Fatalf("age %d: %+v, %v", age, d, err)
			}
		}
	}
	if s := e.MemoStats(); s.Misses != 50 || s.Hits != 50 {
		t.Errorf("%+v", s)
	}
	advice := e.Memo().Advice
	if len(advice) != 1 || !strings.Contains(advice[0].Message, "another each second") {
		t.Errorf("advice %v", advice)
	}
}

// TestAuthAgeUnknown: what is not said is not fresh, whether a policy grants by it
// or objects, and nobody at all has not signed in.
func TestAuthAgeUnknown(t *testing.T) {
	e := loadAge(t, "input.subject.auth_age <= 300")
	for range 2 {
		for _, in := range []*policies.Input{aged(nil), aged(new(int64(301))), {}} {
			if d, err := e.Decide(t.Context(), in); err != nil || d.Allowed() || d.AllFields {
				t.Errorf("%+v: %+v, %v", in.Subject, d, err)
			}
		}
		if d, err := e.Decide(t.Context(), aged(new(int64(0)))); err != nil || !d.Allowed() || !d.AllFields {
			t.Errorf("this very second: %+v, %v", d, err)
		}
	}
}

// TestOneTokenTwoMoments: requests with one token share a subject. The question
// of each has the age of its own moment, in what evaluation sees and in the key.
func TestOneTokenTwoMoments(t *testing.T) {
	e := loadText(t, "allow := true\n\nall_fields if input.subject.auth_age <= 300\n", nil, memo.Options{AuditEvery: -1})
	shared := &policies.Subject{ID: "u7", AuthTime: 1_800_000_000}
	for range 2 {
		for _, later := range []int64{0, 300, 301, 86_400, 1} {
			in := policies.NewInput(shared, time.Unix(shared.AuthTime+later, 0))
			in.Subject.Claims = map[string]any{}
			d, err := e.Decide(t.Context(), in)
			if err != nil || d.AllFields != (later <= 300) {
				t.Errorf("%d s later: %+v, %v", later, d, err)
			}
		}
	}
	if shared.AuthAge != nil {
		t.Error("the shared subject was changed")
	}
}
