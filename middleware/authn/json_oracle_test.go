package authn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// oracle reads what [Claims] reads with the standard library's reader of
// tokens, slowly. What one takes the other must take, and as the same.
func oracle(data []byte) (map[string]any, error) {
	switch {
	case !utf8.Valid(data):
		return nil, errors.New("the JSON is not UTF-8")
	case !json.Valid(data):
		return nil, errors.New("not one JSON value")
	case lonelySurrogate(data):
		return nil, errors.New("half of a surrogate pair")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	return object(d, 1)
}

// lonelySurrogate reports whether valid JSON has an escape that is half of a
// pair, which the standard library reads as U+FFFD.
func lonelySurrogate(data []byte) bool {
	high := false // the last thing was the first half of a pair
	for i := 0; i < len(data); i++ {
		var r uint64
		if data[i] == '\\' {
			if i++; data[i] == 'u' {
				r, _ = strconv.ParseUint(string(data[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		if low := r >= 0xdc00 && r < 0xe000; low != high {
			return true
		}
		high = r >= 0xd800 && r < 0xdc00
	}
	return high
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
	if n, ok := t.(json.Number); ok {
		if _, err := n.Float64(); err != nil || len(n) > maxNumber {
			return nil, errors.New("a number is beyond all bounds")
		}
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
