package opa_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

func TestFormat(t *testing.T) {
	const tidy = "package p\n\n# Kept.\nx := 1\n"
	for range 2 { // and laid out once more, nothing changes
		got, err := opa.Format("p.rego", []byte("package p\n# Kept.\nx:=1"))
		if err != nil || string(got) != tidy {
			t.Fatalf("%q, %v", got, err)
		}
		if got, err = opa.Format("p.rego", got); err != nil || string(got) != tidy {
			t.Fatalf("again: %q, %v", got, err)
		}
	}
	for text, want := range map[string]string{
		"package p\n\nx { true }\n": "p.rego:3:1: this is Rego v0; today one writes: x := true",
		"package p\n\nx if\n":       "p.rego:4:1: unexpected eof",
		"":                          "p.rego",
	} {
		if got, err := opa.Format("p.rego", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %s", text, got, err, want)
		}
	}
}
