package redact

import (
	"encoding/json"
	"math/big"
	"strings"
)

// modelCond is a comparison, or parts joined by "any", "all" or "not".
type modelCond struct {
	field []string
	op    string
	value any // string, json.Number or a list
	parts []modelCond
}

func (c modelCond) cond() Cond {
	var parts []Cond
	for _, p := range c.parts {
		parts = append(parts, p.cond())
	}
	switch c.op {
	case "any":
		return Cond{Any: parts}
	case "all":
		return Cond{All: parts}
	case "not":
		return Cond{Not: &parts[0]}
	}
	return Cond{Field: strings.Join(c.field, "."), Op: c.op, Value: c.value, Missing: c.op != "exists" && c.value == nil}
}

// find gives the field, and whether there is more than one way to read it.
func (n *node) find(field []string) (found *node, ambiguous bool) {
	if len(field) == 0 {
		return n, false
	}
	if n.kind == '[' {
		return nil, true
	}
	var hit *node
	hits := 0
	for i, name := range n.names {
		if loose(name, field[0]) {
			hit = n.kids[i]
			if hits++; name != field[0] {
				return nil, true
			}
		}
	}
	switch hits {
	case 0:
		return nil, false
	case 1:
		return hit.find(field[1:])
	}
	return nil, true
}

// could says what a condition may come to if every comparison that is undefined
// may come to anything: both is undefined, and the row stays if it cannot be
// false. It is another way to say Kleene's logic.
func (c modelCond) could(n *node) (yes, no bool) {
	switch c.op {
	case "any", "all":
		each := c.op == "all"
		yes, no = each, !each
		for _, p := range c.parts {
			y, f := p.could(n)
			if each {
				yes, no = yes && y, no || f
			} else {
				yes, no = yes || y, no && f
			}
		}
		return yes, no
	case "not":
		yes, no = c.parts[0].could(n)
		return no, yes
	}
	is, ok := c.compare(n)
	return is || !ok, !is || !ok
}

// compare gives what a comparison comes to; ok is false where it is undefined.
func (c modelCond) compare(n *node) (is, ok bool) {
	f, ambiguous := n.find(c.field)
	switch {
	case ambiguous:
		return false, false
	case c.op == "exists":
		return f != nil, true
	case f == nil || c.value == nil:
		return false, false
	}
	equal := func(v any) (same, ok bool) {
		switch v := v.(type) {
		case string:
			return f.text == v, f.kind == '"'
		case json.Number:
			if f.kind != '-' {
				return false, false
			}
			a, _ := new(big.Rat).SetString(f.text)
			b, _ := new(big.Rat).SetString(v.String())
			return a.Cmp(b) == 0, true
		}
		panic("no such value")
	}
	within := map[string]func(text, part string) bool{
		"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains,
	}
	if test := within[c.op]; test != nil {
		part, isText := c.value.(string)
		return test(f.text, part), isText && f.kind == '"'
	}
	list, isList := c.value.([]any)
	if !isList {
		list = []any{c.value}
	}
	ok = true
	for _, v := range list {
		same, comparable := equal(v)
		if same && comparable {
			return c.op == "eq" || c.op == "in", true
		}
		ok = ok && comparable
	}
	return c.op == "ne" || c.op == "not_in", ok
}
