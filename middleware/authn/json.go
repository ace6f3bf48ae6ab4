package authn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep headers and claims may nest. Real tokens nest three or
// four levels.
const maxDepth = 16

// Claims reads the payload of a token, or claims typed by a person: one JSON
// object (RFC 8259) in which no name occurs twice, with numbers as
// json.Number. Two readers of the same text then cannot see different claims
// (RFC 8725, section 2.4).
func Claims(data []byte) (map[string]any, error) {
	switch {
	case !utf8.Valid(data):
		return nil, errors.New("the JSON is not UTF-8")
	case !json.Valid(data):
		return nil, errors.New("not one JSON value")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	return object(d, 1)
}

// object reads the rest of an object whose brace has been read.
func object(d *json.Decoder, depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
	}
	out := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("the name of a member is not a text")
		}
		if _, twice := out[key]; twice {
			return nil, errors.New("a name occurs twice in an object")
		}
		if out[key], err = value(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace
	return out, err
}

func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return object(d, depth+1)
	case json.Delim('['):
		return array(d, depth+1)
	}
	return t, nil
}

func array(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
	}
	out := []any{}
	for d.More() {
		v, err := value(d, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token() // the closing bracket
	return out, err
}
