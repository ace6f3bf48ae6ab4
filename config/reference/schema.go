package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type object = map[string]any

// schema writes the model as JSON Schema 2020-12. It knows the keys, types and
// words; what values say together only `gatehouse check` knows.
func (m model) schema() ([]byte, error) {
	defs := object{
		"expansion": object{
			"description": "a text with ${NAME}, ${NAME:-default} or ${file:PATH}",
			"type":        "string", "pattern": `\$\{`,
		},
	}
	root := m.mapping(m["Config"])
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name != "Config" {
			defs[name] = m.mapping(m[name])
		}
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of Gatehouse"
	root["$defs"] = defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(root)
	return b.Bytes(), err
}

func (m model) mapping(s *section) object {
	properties := object{}
	var required []string
	for _, f := range s.fields {
		properties[f.key] = m.property(f)
		if f.required {
			required = append(required, f.key)
		}
	}
	out := object{
		"description": s.doc, "type": "object",
		"properties": properties, "additionalProperties": false,
	}
	if required != nil {
		out["required"] = required
	}
	return out
}

func (m model) property(f field) object {
	out := m.value(f, strings.TrimPrefix(f.typ, "*"))
	out["description"] = strings.ReplaceAll(f.doc, "`", "")
	if v, ok := initial(f); ok {
		out["default"] = v
	}
	return out
}

// value is the schema of one type.
func (m model) value(f field, typ string) object {
	if item, ok := strings.CutPrefix(typ, "[]"); ok {
		out := object{"type": "array", "items": m.value(f, strings.TrimPrefix(item, "*"))}
		if f.required {
			out["minItems"] = 1
		}
		return out
	}
	if item, ok := strings.CutPrefix(typ, "map[string]"); ok {
		out := object{"type": "object", "additionalProperties": m.value(f, strings.TrimPrefix(item, "*"))}
		if f.required {
			out["minProperties"] = 1
		}
		return out
	}
	switch {
	case typ == "Endpoint": // it has a short form
		return object{"anyOf": []object{{"type": "string"}, reference(typ)}}
	case typ == "Policy": // so has this
		return object{"anyOf": []object{{"enum": []any{"on", "off", true, false}}, reference(typ)}}
	case m[typ] != nil:
		return reference(typ)
	case len(f.oneof) > 0:
		return orExpansion(object{"enum": f.oneof})
	}
	return scalar(f, typ)
}

func scalar(f field, typ string) object {
	const span = `([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)`
	size := object{"type": "integer", "minimum": 0}
	whole := object{"type": "integer"}
	if f.positive {
		size["minimum"] = 1
		whole["minimum"] = 1
	}
	switch typ {
	case "bool":
		return orExpansion(object{"type": "boolean"})
	case "int":
		return orExpansion(whole)
	case "float64":
		return orExpansion(object{"type": "number"})
	case "Duration":
		return object{"anyOf": []object{{"const": 0}, {"type": "string", "pattern": `^(` + span + `)+$|^0$|\$\{`}}}
	case "Size":
		return object{"anyOf": []object{size, {"type": "string", "pattern": `^[0-9]+ *([KMG]i?)?B?$|\$\{`}}}
	case "Rate":
		return object{"type": "string", "pattern": `^[0-9]+/([smh]|(` + span + `)+)$|\$\{`}
	}
	return object{"type": "string"}
}

func reference(typ string) object { return object{"$ref": "#/$defs/" + typ} }

// orExpansion lets a value that is not a text come from outside.
func orExpansion(o object) object { return object{"anyOf": []object{o, reference("expansion")}} }

// initial gives the default as a value, where the comment states one rather
// than describing it.
func initial(f field) (any, bool) {
	words := strings.Split(f.initial, ", ")
	if f.initial == "" || f.initial == "none" || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, " ") }) {
		return nil, false
	}
	if f.typ == "[]int" {
		var v []int
		err := json.Unmarshal([]byte("["+f.initial+"]"), &v)
		return v, err == nil
	}
	if strings.HasPrefix(f.typ, "[]") {
		return words, true
	}
	text := strings.Trim(f.initial, `"`)
	switch f.typ {
	case "bool", "int", "float64":
		var v any
		err := json.Unmarshal([]byte(text), &v)
		return v, err == nil
	case "Size":
		if n, err := strconv.Atoi(text); err == nil {
			return n, true
		}
	}
	return text, true
}
