package graphql

import (
	"bytes"
	"encoding/json"
)

// call is one operation as it is asked for.
type call struct {
	text      string
	hasText   bool
	operation string // its name, empty where there is none
	id        string // of a persisted query, normalized; empty where there is none
	variables []byte // a JSON object, empty where there is none
}

// Members of a call, and parameters of a URL. Their spelling counts: "Query"
// is one to some servers and unknown to others.
const (
	memberQuery      = "query"
	memberOperation  = "operationName"
	memberVariables  = "variables"
	memberExtensions = "extensions"
	memberID         = "id"
	memberDocument   = "documentId"
)

// jsonCalls reads a body of JSON.
func (s Settings) jsonCalls(body []byte) (calls []call, batch bool, err error) {
	if !json.Valid(body) {
		return nil, false, malformed("the body is not valid JSON")
	}
	if body = bytes.TrimLeft(body, " \t\r\n"); body[0] != '[' {
		c, err := readCall(body)
		return []call{c}, false, err
	}
	if s.Batch <= 1 {
		return nil, true, refused("batches are not configured")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	_, _ = dec.Token() // the bracket
	for dec.More() {
		if len(calls) == s.Batch {
			return nil, true, refused("the batch has too many operations")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, true, malformed("the body is not valid JSON")
		}
		c, err := readCall(raw)
		if err != nil {
			return nil, true, err
		}
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		return nil, true, malformed("the batch is empty")
	}
	return calls, true, nil
}

// readCall reads one object of a body.
func readCall(raw []byte) (call, error) {
	var c call
	members, err := readObject(raw)
	if err != nil {
		return c, err
	}
	for _, m := range members {
		switch m.name {
		case memberQuery, memberOperation, memberID, memberDocument:
			if isNull(m.value) {
				continue
			}
			var value string
			if m.value[0] != '"' || json.Unmarshal(m.value, &value) != nil {
				return c, malformed("a member that must be a string is none")
			}
			err = c.setText(m.name, value)
		case memberVariables, memberExtensions:
			err = c.setObject(m.name, m.value)
		default:
			err = malformed("a member is unknown")
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// setText takes a member whose value is a string.
func (c *call) setText(name, value string) error {
	switch name {
	case memberQuery:
		c.text, c.hasText = value, true
	case memberOperation:
		c.operation = value
	default:
		return c.setID(value)
	}
	return nil
}

// setID takes the name of a persisted query.
func (c *call) setID(id string) error {
	switch id = normalize(id); {
	case id == "":
		return malformed("the name of the persisted query is empty")
	case c.id != "" && c.id != id:
		return malformed("two persisted queries are named")
	}
	c.id = id
	return nil
}

// setObject takes a member whose value is a JSON object or null. Variables have
// no say in how the members of an answer are called.
func (c *call) setObject(name string, value []byte) error {
	if !json.Valid(value) {
		return malformed(name + " is not valid JSON")
	}
	value = bytes.Trim(value, " \t\r\n")
	switch {
	case isNull(value):
		return nil
	case value[0] != '{':
		return malformed(name + " is not an object")
	case name == memberExtensions:
		return c.extensions(value)
	}
	c.variables = value
	return nil
}

// extensions takes the extensions of a call. An extension that is unknown may
// change what is executed.
func (c *call) extensions(value []byte) error {
	members, err := readObject(value)
	if err != nil {
		return err
	}
	for _, m := range members {
		switch m.name {
		case "clientLibrary": // Apollo's clients say who they are
		case "persistedQuery":
			if err := c.persistedQuery(m.value); err != nil {
				return err
			}
		default:
			return refused("an extension is unknown")
		}
	}
	return nil
}

// persistedQuery reads Apollo's extension of that name.
func (c *call) persistedQuery(value []byte) error {
	members, err := readObject(value)
	if err != nil {
		return err
	}
	var version float64
	var hash string
	for _, m := range members {
		switch m.name {
		case "version":
			err = json.Unmarshal(m.value, &version)
		case "sha256Hash":
			err = json.Unmarshal(m.value, &hash)
		default:
			return malformed("a member of persistedQuery is unknown")
		}
		if err != nil {
			return malformed("a member of persistedQuery is of the wrong type")
		}
	}
	if version != 1 || !isHash(hash) {
		return malformed("persistedQuery needs version 1 and a SHA-256 in lower-case hexadecimal digits")
	}
	return c.setID(hash)
}

type member struct {
	name  string
	value json.RawMessage
}

// readObject gives the members of an object, of which no two may have the same
// name: one server takes the first, another the last. raw is valid JSON.
func readObject(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, malformed("a member that must be an object is none")
	}
	var out []member
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformed("the body is not valid JSON")
		}
		if seen[name] {
			return nil, malformed("a member occurs twice")
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, malformed("the body is not valid JSON")
		}
		out = append(out, member{name, value})
	}
	return out, nil
}

func isNull(value []byte) bool { return string(value) == "null" }
