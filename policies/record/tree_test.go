package record

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// TestQuestionTree holds the tree built by hand against what encoding and
// decoding give, with every field of a question set: one that is added to the
// question and forgotten here is found.
func TestQuestionTree(t *testing.T) {
	full := &policies.Input{}
	fill(reflect.ValueOf(full).Elem())
	full.Subject.Claims = map[string]any{"a": []any{"b", nil, true, json.Number("1.50"), map[string]any{"c": "d"}}, "e": []string{"f"}}
	full.Body = map[string]any{"g": []any{}}
	for name, in := range map[string]*policies.Input{"full": full, "empty": {}, "nobody": {Subject: &policies.Subject{}}, "usual": question()} {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		built, err := json.Marshal(questionTree(in))
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(built, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-encoded +built):\n%s", name, diff)
		}
	}
}

// fill sets every field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Interface {
			return
		}
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), e)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	}
}

// TestSecretsOfDecisions: a decision that holds one is looked through, whatever
// shape the secret has.
func TestSecretsOfDecisions(t *testing.T) {
	row := func(v any) *policies.Decision {
		return &policies.Decision{Rows: []policies.Row{{Path: "$", Where: []policies.Condition{{Not: &policies.Condition{Field: "a", Op: "eq", Value: v}}}}}}
	}
	header := func(name, v string) *policies.Decision {
		return &policies.Decision{Headers: map[string]policies.Value{name: {Text: v}}}
	}
	for name, d := range map[string]*policies.Decision{
		"a token in a row": row(jwt), "in a list": row([]any{"BEARER " + jwt}), "a header": header("X-Note", "basic s3cr3ts3cr3t"),
		"named": header("X-Api-Key", "s3cr3t"), "a key": row("-----BEGIN PRIVATE KEY-----\ns3cr3t"),
	} {
		got := readBack(t, written(t, Options{}, entry(question(), d)))
		text, err := json.Marshal(got.Result)
		if err != nil || !got.Reduced() || cmp.Equal(got.Result, d) {
			t.Errorf("%s is on record: %v, %s", name, err, text)
		}
	}
}
