package redact

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSegments(t *testing.T) {
	for _, path := range []string{
		"$", "$.a.b_1", "$['a.b']", "$..a.*[*]..*..[*]", "$..['a b']", "$.größe", `$['it\'s']['\\']['\u0000\u001f']['"']['']`,
	} {
		segs, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendPath([]byte("$"), segs...)); got != path {
			t.Errorf("%s is written %s", path, got)
		}
	}
	segs, err := ParseField("@.a['b c']")
	want := []Segment{{Name: "a"}, {Name: "b c"}}
	if diff := cmp.Diff(want, segs, cmpopts.IgnoreUnexported(Segment{})); diff != "" || err != nil {
		t.Errorf("field: %v\n%s", err, diff)
	}
	if _, err := ParseField("a.*"); err == nil {
		t.Error("a wildcard is taken for a field")
	}
	if _, err := ParsePath("a"); err == nil {
		t.Error("a path without $ is taken")
	}
}

func TestSegmentNames(t *testing.T) {
	tests := []struct {
		seg          Segment
		name         string
		exact, loose bool
	}{
		{Segment{Name: "ssn"}, "ssn", true, true},
		{Segment{Name: "ssn"}, "S_s-N", false, true},
		{Segment{Name: "first_name"}, "firstName", false, true},
		{Segment{Name: "ssn"}, "ssn2", false, false},
		{Segment{Any: true}, "", false, false},
		{Segment{Elements: true}, "", false, false},
		{Segment{Name: "-"}, "_", false, true},
	}
	for _, tt := range tests {
		tt.seg.fold = Fold(tt.seg.Name)
		if got := tt.seg.Names(tt.name); got != tt.exact {
			t.Errorf("%+v names %q: %v", tt.seg, tt.name, got)
		}
		if got := tt.seg.NamesLoosely(Fold(tt.name)); got != tt.loose {
			t.Errorf("%+v names %q loosely: %v", tt.seg, tt.name, got)
		}
	}
	plain := Segment{Name: "a"}
	deep := Segment{Name: "a", Deep: true}
	if !plain.Plain() || deep.Plain() || (&Segment{Any: true}).Plain() || (&Segment{Elements: true}).Plain() {
		t.Error("only a name without .. is plain")
	}
}

// TestDomain pins that a rule that says nothing, one that says the domain of its
// own path, and one on another path that says it give the same hash.
func TestDomain(t *testing.T) {
	keys, err := NewKeyring("k", map[string]string{"k": "0123456789abcdef0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	hash := func(r Rule, src string) string {
		t.Helper()
		r.Action = Hash
		plan, err := Compile(Spec{Rules: []Rule{r}}, Options{Keys: keys, Tenant: "t"})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := Append(nil, []byte(src), plan, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return string(out[len(`{"x":`):])
	}
	segs, err := ParsePath("$.b.First_Name.*[*]")
	if err != nil {
		t.Fatal(err)
	}
	domain := Domain(segs)
	if domain != "firstname" {
		t.Errorf("domain %q", domain)
	}
	a := hash(Rule{Path: "$.firstName"}, `{"firstName":"v"}`)
	b := hash(Rule{Path: "$.x", Domain: domain}, `{"x":"v"}`)
	c := hash(Rule{Path: "$.x"}, `{"x":"v"}`)
	if tail := a[len(a)-len(b):]; tail != b {
		t.Errorf("the domain of a rule is not that of the path: %s and %s", tail, b)
	}
	if b == c {
		t.Error("the domain of a rule does not count")
	}
	if got := Domain(nil); got != "*" {
		t.Errorf("domain of the whole text: %q", got)
	}
}
