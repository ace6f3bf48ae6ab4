package opa

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// ParseInput reads a question in its JSON form. It is strict where a policy would
// be silent: a member that input does not have, a value of another type, a name
// that stands twice are [Mistakes] with line and column, all at once. Members may
// be left out; what the gateway derives from others is derived: the lists from
// the single values, the action from the method, the segments from the path.
func ParseInput(name string, text []byte) (*policies.Input, error) {
	w := inputWalk{name: name, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	w.dec.UseNumber()
	err := w.value(reflect.TypeFor[policies.Input](), "input")
	if err == nil {
		if _, more := w.dec.Token(); !errors.Is(more, io.EOF) {
			w.fault("there is something behind the question")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		w.fault("is not JSON: %v", err)
	}
	if len(w.mistakes) > 0 {
		return nil, w.mistakes
	}
	in := &policies.Input{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(in); err != nil {
		return nil, Mistakes{{File: name, Message: "is not JSON: " + err.Error()}}
	}
	Derive(in)
	return in, nil
}

// Derive fills in what a question does not say and the gateway would have derived
// from what it says. Lists and objects are never nil then.
func Derive(in *policies.Input) {
	if s := in.Subject; s != nil {
		s.Role, s.Roles = policies.OneAndAll(s.Role, s.Roles)
		s.Branch, s.Branches = policies.OneAndAll(s.Branch, s.Branches)
		s.Roles, s.Branches, s.AMR = some(s.Roles), some(s.Branches), some(s.AMR)
		if s.Claims == nil {
			s.Claims = map[string]any{}
		}
	}
	if in.Action.Name == "" && in.Action.Method != "" {
		in.Action.Name = policies.ActionName(in.Action.Method)
	}
	r := &in.Resource
	if r.Segments == nil {
		r.Segments = policies.Segments(r.Path)
	}
	if r.Params == nil {
		r.Params = map[string]string{}
	}
	if r.Query == nil {
		r.Query = map[string][]string{}
	}
	if in.Context.Headers == nil {
		in.Context.Headers = map[string][]string{}
	}
}

func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// inputWalk reads a question token by token beside the type that it must have.
type inputWalk struct {
	name     string
	text     []byte
	dec      *json.Decoder
	depth    int
	mistakes Mistakes
}

// fault notes a mistake at the token that was read last.
func (w *inputWalk) fault(format string, args ...any) {
	before := w.text[:w.dec.InputOffset()]
	if text, ok := bytes.CutSuffix(before, []byte(`"`)); ok { // where the text begins
		before = before[:bytes.LastIndexByte(text, '"')+1]
	} else if i := len(bytes.TrimRight(before, "0123456789.+-aeflnrstuE")); i < len(before) { // or the number
		before = before[:i+1]
	}
	m := Mistakes{}
	m.add(w.name, format, args...)
	m[0].Line = bytes.Count(before, []byte("\n")) + 1
	m[0].Column = max(len(before)-1-bytes.LastIndexByte(before, '\n'), 1)
	w.mistakes = append(w.mistakes, m...)
}

// value reads one value; the error is one of syntax, which ends the reading.
func (w *inputWalk) value(t reflect.Type, at string) error {
	if w.depth++; w.depth > maxDepth {
		return errors.New("nested too deeply")
	}
	defer func() { w.depth-- }()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	if got, want := kindOfToken(token), kindOfType(t); want != "" && got != want {
		w.fault("%s is %s, not %s", at, got, want)
		t = reflect.TypeFor[any]() // what is in it has no names to hold it to
	}
	switch token {
	case json.Delim('{'):
		return w.object(t, at)
	case json.Delim('['):
		elem := reflect.TypeFor[any]()
		if t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		for w.dec.More() {
			if err := w.value(elem, "a member of "+at); err != nil {
				return err
			}
		}
		_, err := w.dec.Token()
		return err
	}
	return nil
}

func (w *inputWalk) object(t reflect.Type, at string) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] {
			w.fault("%s has the member %q twice", at, key)
		}
		seen[key] = true
		if err := w.value(w.member(t, at, key), at+"."+key); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// member is the type that a member must have.
func (w *inputWalk) member(t reflect.Type, at, key string) reflect.Type {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem()
	case reflect.Struct:
		fields := map[string]reflect.Type{}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = f.Type
		}
		if f, ok := fields[key]; ok {
			return f
		}
		w.fault("%s has no member %s", at, instead(key, slices.Sorted(maps.Keys(fields))))
	}
	return reflect.TypeFor[any]()
}

func kindOfToken(token json.Token) string {
	switch token {
	case json.Delim('{'):
		return "an object"
	case json.Delim('['):
		return "a list"
	case nil:
		return "null"
	}
	switch n := token.(type) {
	case string:
		return "a text"
	case json.Number:
		if strings.ContainsAny(string(n), ".eE") {
			return "a fraction"
		}
		return "a whole number"
	}
	return "true or false"
}

// kindOfType is what kindOfToken says of a value of the type, "" for any.
func kindOfType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return ""
}
