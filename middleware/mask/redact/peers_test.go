package redact

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chore is a plan as a programmer would write it down who has no engine: what
// to do with the records of the list of [benchList].
type chore struct {
	mask []string // members that become "***"
	drop []string // members that go
	deep bool     // the same in objects at any depth
	// branch, if it is not empty, is that of the records that stay.
	branch string
	pass   passes // if it is not nil, what alone passes
}

// passes is a tree of names, nil where the value passes with all inside.
type passes map[string]passes

func passTree(paths []string) passes {
	root := passes{}
	for _, path := range paths {
		at := root
		names := strings.Split(path, ".")[1:]
		for i, name := range names {
			if i == len(names)-1 {
				at[name] = nil
			} else if at[name] == nil {
				at[name] = passes{}
			}
			at = at[name]
		}
	}
	return root
}

// peer is another way to do a chore. It may keep memory between texts.
type peer struct {
	name string
	run  func(dst, text []byte, c *chore) ([]byte, error)
}

func peers() []peer {
	fast := &fastPeer{}
	out := []peer{{"encoding/json", treePeer}, {"fastjson", fast.run}}
	if spans := spansPeer(); spans != nil {
		out = append(out, peer{"jsontext", spans})
	}
	return append(out, peer{"flat keys", flatPeer})
}

// TestPeers makes sure that what is measured beside the engine does the same.
func TestPeers(t *testing.T) {
	text := benchList(7)
	parse := func(name string, b []byte) (v any) {
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v
	}
	for _, p := range benchPlans(t) {
		out, _, err := appendBoth(t, nil, text, compile(t, p.spec), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(out, text) != (p.name == "validate") {
			t.Fatalf("%s: nothing to do, or something in vain", p.name)
		}
		want := parse(p.name, out)
		for _, other := range peers() {
			for range 2 {
				got, err := other.run(nil, text, &p.chore)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, parse(other.name, got)); diff != "" {
					t.Errorf("%s, %s: %s", p.name, other.name, diff)
				}
			}
		}
	}
}

// treePeer is what most programs do: the whole text as a tree, and back.
func treePeer(_, text []byte, c *chore) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	data, _ := v["data"].([]any)
	kept := data[:0]
	for _, r := range data {
		r, _ := r.(map[string]any)
		if c.branch != "" && r["branch"] != c.branch {
			continue
		}
		if !c.deep {
			c.member(r)
		}
		kept = append(kept, r)
	}
	v["data"] = kept
	if c.deep {
		c.everywhere(v)
	}
	if c.pass != nil {
		prune(v, c.pass)
	}
	return json.Marshal(v)
}

func (c *chore) member(r map[string]any) {
	for _, name := range c.mask {
		if _, ok := r[name]; ok {
			r[name] = "***"
		}
	}
	for _, name := range c.drop {
		delete(r, name)
	}
}

func (c *chore) everywhere(v any) {
	switch v := v.(type) {
	case map[string]any:
		c.member(v)
		for _, v := range v {
			c.everywhere(v)
		}
	case []any:
		for _, v := range v {
			c.everywhere(v)
		}
	}
}

func prune(v any, p passes) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			next, ok := p[name]
			if !ok {
				delete(v, name)
			} else if next != nil {
				prune(inner, next)
			}
		}
	case []any:
		for _, inner := range v {
			prune(inner, p)
		}
	}
}
