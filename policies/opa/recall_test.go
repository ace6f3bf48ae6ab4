package opa_test

import (
	"context"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// Whoever records a decision is told whether it was remembered.
func TestRecall(t *testing.T) {
	e, err := opa.Load(t.Context(), tree(map[string]string{"p.rego": "package gatehouse\n\nallow if input.subject.role == \"hr\"\n"}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true} {
		d, remembered, err := e.Recall(t.Context(), question())
		if err != nil || d == nil || remembered != want {
			t.Errorf("question %d: remembered %v, want %v; %v", i, remembered, want, err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if d, remembered, err := e.Recall(gone, question()); err == nil || d != nil || remembered {
		t.Errorf("nobody waits: %v, %v, %v", d, remembered, err)
	}
}
