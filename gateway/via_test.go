package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	m, other := newMark(), newMark()
	if m.name == other.name || len(m.name) != len("gatehouse-")+16 || m.name != strings.ToLower(m.name) {
		t.Errorf("%q, %q", m.name, other.name)
	}
	for text, want := range map[string]bool{
		"1.1 NAME":                               true,
		"NAME":                                   true,
		"2 NAME, 1.1 next":                       true,
		"1.0 first, 1.1 NAME":                    true,
		"1.1 first,1.1 NAME,1.1 last":            true,
		"HTTP/1.1 NAME:8080 (nginx/1.2)":         true,
		"1.1\tNAME\t(a, b)":                      true,
		"1.1 a (by 1.1 NAME)":                    true,
		"1.1 xNAME, 1.1 NAME":                    true,
		"1.1 NAMENAME, 1.1 NAME":                 true,
		"1.1 a|1.1 b|1.1 NAME":                   true, // lines
		"":                                       false,
		"1.1 " + other.name:                      false,
		"1.1 gatehouse-":                         false,
		"1.1 xNAME":                              false,
		"1.1 NAMEx":                              false,
		"1.1 NAME.example":                       false,
		"1.1 NAMENAME":                           false,
		"1.1 -NAME":                              false,
		"1.1 " + strings.ToUpper(m.name):         false,
		"1.1 " + m.name[:20]:                     false,
		"1.1 " + m.name[:20] + "|" + m.name[20:]: false,
	} {
		h := http.Header{"Via": strings.Split(strings.ReplaceAll(text, "NAME", m.name), "|"), "X-Via": {m.name}}
		if got := m.on(h); got != want {
			t.Errorf("%q: %v", h["Via"], got)
		}
	}
	if m.on(nil) || m.on(http.Header{"X-Via": {m.name}}) {
		t.Error("no Via has the mark")
	}
}

func TestMarkCostsNothing(t *testing.T) {
	m := newMark()
	r := &http.Request{ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Via": {"1.1 a, 1.1 b (c)", "2 gatehouse-d"}}}
	if n := testing.AllocsPerRun(100, func() {
		if m.on(r.Header) || m.via(r) == "" {
			t.Error("it is not on it")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
