package opa

import (
	"reflect"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// inputSchema is the JSON schema of input, derived from the Go type, so that
// the two cannot differ.
func inputSchema() map[string]any { return schemaOf(reflect.TypeFor[policies.Input]()) }

// schemaOf describes one type. Maps are open objects: the type checker has no
// names to hold them to. An interface may be anything.
func schemaOf(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		members := map[string]any{}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			members[name] = schemaOf(f.Type)
		}
		return map[string]any{"type": "object", "properties": members, "additionalProperties": false}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	}
	return map[string]any{}
}
