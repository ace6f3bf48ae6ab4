package opa_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrigins(t *testing.T) {
	e := load(t, map[string]string{
		"p.rego": `package gatehouse

import data.m
import data.words

allow if m.grants

mask contains entry if some entry in m.first

mask contains {"path": "$..own", "action": "drop"}

deny contains {"code": code, "message": "No."} if some code in words.codes

audit := words.level

headers["X-Role"] := words.level

all_rows if {
	m.grants
	words.yes
}
`,
		"m/m.rego": `package m

first contains entry if some entry in second

second contains {"path": path, "action": "null"} if some path in ["$..a", "$..b"]

second contains {"path": "$..a", "action": "null"} if input.action.name == "read"

grants if input.subject.role == "manager"
`,
		"words/words.rego": `package words

codes contains "stop" if input.action.name == "delete"

level := "none" if input.action.name == "delete" else := "detail"

yes := true
`,
	})
	fired, err := e.Explain(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range fired {
		var from []string
		for _, o := range f.Origins() {
			from = append(from, fmt.Sprintf("%s %s:%d", o.Name, o.File, o.Line))
		}
		got[f.Name+" "+f.Entry] = strings.Join(from, ", ")
		if f.Part == nil {
			t.Errorf("%s %s has no part in the decision", f.Name, f.Entry)
		}
	}
	want := map[string]string{
		"allow true": "m.grants m/m.rego:9",
		`mask {"action": "null", "path": "$..a"}`:   "m.second m/m.rego:5, m.second m/m.rego:7",
		`mask {"action": "null", "path": "$..b"}`:   "m.second m/m.rego:5",
		`mask {"action": "drop", "path": "$..own"}`: "mask p.rego:10",
		`audit "detail"`:             "words.level words/words.rego:5",
		`headers["X-Role"] "detail"`: "words.level words/words.rego:5",
		// Two things had to be true: neither alone is where it comes from.
		"all_rows true": "all_rows p.rego:18",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("origins (-want +got):\n%s", d)
	}
}
