package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// maxDepth bounds the nesting of a body that a policy sees.
const maxDepth = 128

// jsonBody gives the whole parsed body: exactly what is forwarded, never a
// prefix of it. What can be read in two ways (a name that stands twice, text
// that is not UTF-8, data after the end) is refused, because policy and
// upstream might read it differently.
func jsonBody(x *middleware.Exchange) (any, error) {
	data, err := x.Body(stageName)
	if err != nil {
		return nil, err
	}
	v, err := decode(data)
	if err != nil {
		return nil, notJSON(err)
	}
	return v, nil
}

func notJSON(err error) error {
	return middleware.Refuse(stageName, middleware.BodyMalformed, "the request body is not well-formed JSON").With(err)
}

func decode(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns io.EOF bare
		return nil, errors.New("data after the end")
	}
	return v, nil
}

// value reads one value token by token, since Unmarshal keeps the last of two
// members with one name without a word.
func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth++; depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if open == '[' {
		list := []any{}
		for d.More() {
			v, err := value(d, depth)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		if object[name], err = value(d, depth); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return object, err
}
