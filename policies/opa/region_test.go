package opa_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// A region that nobody is in is told of, where rules name it as a constant.
func TestUnknownRegions(t *testing.T) {
	const rules = "allow if true\n\n" +
		"region := \"eu-west\" if input.subject.tenant == \"acme\"\nelse := \"us\" if input.subject.tenant == \"beta\"\nelse := input.subject.tenant\n"
	for name, tt := range map[string]struct {
		known []string
		want  []string
	}{
		"no configuration": {nil, nil},
		"both":             {[]string{"eu-west", "us"}, nil},
		"one of them":      {[]string{"eu-west"}, []string{`p.rego:8:1: no endpoint of any upstream is in region "us" (one of eu-west)`}},
		"a slip":           {[]string{"eu-wst", "us"}, []string{`p.rego:7:1: no endpoint of any upstream is in region "eu-west": did you mean "eu-wst"?`}},
		"none": {[]string{}, []string{
			`p.rego:7:1: no endpoint of any upstream has a region: what is to be served in "eu-west" is refused`,
			`p.rego:8:1: no endpoint of any upstream has a region: what is to be served in "us" is refused`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tree(map[string]string{"": rules})
			o.Regions = tt.known
			e, err := opa.Load(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			got := e.Warnings()
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %q", got, tt.want)
			}
			for i, w := range tt.want {
				if !strings.Contains(got[i].Error(), w) {
					t.Errorf("got %v, want %s", got[i], w)
				}
			}
		})
	}
}
