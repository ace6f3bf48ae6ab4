package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decoder reads a document into a Config. It goes on after a mistake, so that
// all of them are found, and leaves the default in place of a wrong value.
type decoder struct {
	*report
	folder string // relative paths start here
	lookup func(string) (string, bool)
}

func (d *decoder) root(n *yaml.Node, c *Config) {
	d.at[""] = markOf(n)
	d.value(n, reflect.ValueOf(c).Elem(), rules{}, "")
}

// value reads a node into v, which already holds the default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, r rules, path string) {
	if n.Kind == yaml.AliasNode {
		d.unreadable(path, markOf(n), "aliases are not supported; write the value out")
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.unreadable(path, markOf(n), "tags such as %s are not supported", n.Tag)
		return
	}
	if p, ok := v.Addr().Interface().(*Policy); ok && d.policy(n, p, path) {
		return
	}
	if e, ok := v.Addr().Interface().(*Endpoint); ok && d.endpoint(n, e, path) {
		return
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.scalar(n, v, r, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		e := reflect.New(v.Type().Elem())
		e.Elem().Set(defaults(v.Type().Elem()))
		d.value(n, e.Elem(), r, path)
		v.Set(e)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, r, path)
	case reflect.Slice:
		d.list(n, v, r, path)
	default:
		d.scalar(n, v, r, path)
	}
}

// policy reads the short form of a route's policy. It reports whether there is
// nothing left to read.
func (d *decoder) policy(n *yaml.Node, p *Policy, path string) bool {
	p.Stated = true
	if n.Kind == yaml.MappingNode || !d.expect(n, yaml.ScalarNode, "on, off or a mapping", path) {
		return n.Kind != yaml.MappingNode
	}
	text, ok := d.text(n, path)
	if !ok {
		return true
	}
	switch text {
	case "on", "true":
	case "off", "false":
		p.Off = true
	default:
		d.unreadable(path, markOf(n), "expected on, off or a mapping, found %q", text)
	}
	return true
}

// endpoint reads the short form of an endpoint. It reports whether there is
// nothing left to read.
func (d *decoder) endpoint(n *yaml.Node, e *Endpoint, path string) bool {
	if !d.expect(n, yaml.ScalarNode, "a URL or a mapping", path, yaml.MappingNode) {
		return true
	}
	*e = defaults(reflect.TypeFor[Endpoint]()).Interface().(Endpoint)
	if n.Kind == yaml.MappingNode {
		return false
	}
	if text, ok := d.text(n, path); ok {
		e.URL = text
	}
	return true
}

// structure reads a mapping whose keys are the fields of v.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if !d.expect(n, yaml.MappingNode, "a mapping", path) {
		return
	}
	fields := fieldsOf(v.Type())
	var known []string
	for _, f := range fields {
		known = append(known, f.key)
	}
	d.pairs(n, path, func(key string, k, value *yaml.Node) {
		i := slices.Index(known, key)
		if i < 0 {
			d.unknown(key, known, markOf(k), path, n)
			return
		}
		d.value(value, v.Field(fields[i].index), fields[i], join(path, key))
	})
	for _, f := range fields {
		if f.required {
			d.present(v.Field(f.index), join(path, f.key), f.key)
		}
	}
}

// unknown reports a key that does not exist. Where it is a misspelt one, that
// one is not reported as missing.
func (d *decoder) unknown(key string, known []string, at mark, path string, n *yaml.Node) {
	d.add(at, "unknown key %q%s", key, instead(key, known))
	meant := nearest(key, known)
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == meant {
			return
		}
	}
	if meant != "" {
		d.wrong[join(path, meant)] = true
	}
}

// present reports a required value that is missing or empty.
func (d *decoder) present(v reflect.Value, path, key string) {
	empty := v.IsZero()
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		empty = v.Len() == 0
	case reflect.Struct:
		empty = empty && !d.written(path)
	}
	switch {
	case empty && d.written(path):
		d.mistake(path, "%s must not be empty", key)
	case empty:
		d.mistake(path, "%s is required", key)
	}
}

// mapping reads a mapping whose keys are free.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, r rules, path string) {
	if !d.expect(n, yaml.MappingNode, "a mapping", path) {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, func(key string, _, value *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(value, e, r, join(path, key))
		if e.Kind() != reflect.Pointer || !e.IsNil() {
			v.SetMapIndex(reflect.ValueOf(key), e)
		}
	})
}

// list reads a sequence.
func (d *decoder) list(n *yaml.Node, v reflect.Value, r rules, path string) {
	if !d.expect(n, yaml.SequenceNode, "a list", path) {
		return
	}
	if r.key = strings.TrimSuffix(r.key, "s"); strings.HasSuffix(r.key, "sse") {
		r.key = strings.TrimSuffix(r.key, "e") // what one of them is called
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := index(path, i)
		d.at[at] = markOf(item)
		e := v.Index(i)
		if e.Kind() == reflect.Pointer {
			// Never nil, not even where the item cannot be read.
			e.Set(reflect.New(e.Type().Elem()))
		}
		d.value(item, e, r, at)
	}
}

// pairs visits the entries of a mapping, each key once.
func (d *decoder) pairs(n *yaml.Node, path string, visit func(key string, k, v *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0:
			d.add(markOf(k), "expected a key, found %s", found(k))
			continue
		case k.Tag == "!!merge":
			d.add(markOf(k), "merge keys are not supported; write the settings out")
			continue
		}
		if line, ok := seen[k.Value]; ok {
			d.add(markOf(k), "%q is written twice, first in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		at := markOf(v)
		if v.Kind == yaml.MappingNode || v.Kind == yaml.SequenceNode {
			at = markOf(k)
		}
		d.at[join(path, k.Value)] = at
		visit(k.Value, k, v)
	}
}

// expect reports a node of another kind.
func (d *decoder) expect(n *yaml.Node, kind yaml.Kind, what, path string, or ...yaml.Kind) bool {
	if n.Kind == kind || slices.Contains(or, n.Kind) {
		return true
	}
	d.unreadable(path, markOf(n), "expected %s, found %s", what, found(n))
	return false
}

// found says what a node is.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return n.Value
	}
	return "text"
}
