package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// TestSchemaAcceptsGood holds schema.json against what Load accepts.
func TestSchemaAcceptsGood(t *testing.T) {
	schema := compiled(t)
	files, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range append(files, "gatehouse.yaml") {
		if err := schema.Validate(document(t, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaRefusesBad tries mistakes a schema can know.
func TestSchemaRefusesBad(t *testing.T) {
	schema := compiled(t)
	for _, name := range []string{
		"unknown_key", "unknown_key_far", "wrong_types", "bad_scalars", "weak_tls", "ciphers",
		"policy_forms", "nothing_given", "empty_sections", "rate_limits", "five_at_once",
	} {
		if err := schema.Validate(document(t, "testdata/"+name+".bad.yaml")); err == nil {
			t.Errorf("%s is fine by schema.json", name)
		}
	}
}

// TestSchemaStatesTheDefaults holds the words "Default: …" in the comments,
// from which the schema is made, against the values in Go.
func TestSchemaStatesTheDefaults(t *testing.T) {
	data, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root struct {
		section
		Defs map[string]section `json:"$defs"`
	}
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	root.Defs["Config"] = root.section
	seen := map[reflect.Type]bool{}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		seen[v.Type()] = true
		for _, f := range fieldsOf(v.Type()) {
			field := v.Field(f.index)
			if s := structOf(field.Type()); s != nil {
				if !seen[s] {
					visit(initialOf(field, s))
				}
				continue
			}
			stated := root.Defs[v.Type().Name()].Properties[f.key].Default
			if diff := cmp.Diff(field.Interface(), read(t, field, stated)); diff != "" {
				t.Errorf("%s.%s: comment and Default differ:\n%s", v.Type().Name(), f.key, diff)
			}
		}
	}
	visit(reflect.ValueOf(Default()).Elem())
}

type section struct {
	Properties map[string]struct{ Default any }
}

// structOf gives the section that a field, or each of its elements, is.
func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && len(fieldsOf(t)) > 0 {
		return t
	}
	return nil
}

func initialOf(field reflect.Value, s reflect.Type) reflect.Value {
	if field.Type() == s {
		return field
	}
	return defaults(s)
}

// read gives the value that a schema states as a default for a field like v.
func read(t *testing.T, v reflect.Value, stated any) any {
	t.Helper()
	out := reflect.New(v.Type()).Elem()
	switch x := stated.(type) {
	case nil:
	case []any:
		for _, s := range x {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := assign(e, fmt.Sprint(s)); err != nil {
				t.Error(err)
			}
			out = reflect.Append(out, e)
		}
	case float64: // not as 1e+06
		if err := assign(out, strconv.FormatFloat(x, 'f', -1, 64)); err != nil {
			t.Error(err)
		}
	default:
		if err := assign(out, fmt.Sprint(x)); err != nil {
			t.Error(err)
		}
	}
	return out.Interface()
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// document reads a YAML file as JSON does.
func document(t *testing.T, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
