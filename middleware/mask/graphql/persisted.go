package graphql

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// hashPrefix is what names of queries that are their SHA-256 begin with
// (GraphQL over HTTP, appendix on persisted documents).
const hashPrefix = "sha256:"

// LoadPersisted reads queries from a JSON object whose names are ids or
// SHA-256 sums, as "sha256:<hex>" or the hexadecimal digits alone, and whose
// values are the texts. Two names for the same id or sum, a text whose sum is
// another one and a text that [Parse] would not take are errors, which name the
// entry.
func LoadPersisted(r io.Reader) (map[string]string, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("persisted queries: %w", err)
	}
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, fmt.Errorf("persisted queries: not valid JSON in UTF-8")
	}
	members, err := readObject(bytes.TrimLeft(raw, " \t\r\n"))
	if err != nil {
		return nil, fmt.Errorf("persisted queries: %w", err)
	}
	out := make(map[string]string, len(members))
	for _, m := range members {
		var text string
		if m.value[0] != '"' || json.Unmarshal(m.value, &text) != nil {
			return nil, fmt.Errorf("persisted query %q is not a string", m.name)
		}
		id := normalize(strings.TrimSpace(m.name))
		if digits, ok := strings.CutPrefix(id, hashPrefix); ok {
			id = hashPrefix + strings.ToLower(digits)
		}
		if err := checkPersisted(out, id, text); err != nil {
			return nil, fmt.Errorf("persisted query %q: %w", m.name, err)
		}
		out[id] = text
	}
	return out, nil
}

func checkPersisted(known map[string]string, id, text string) error {
	if _, ok := known[id]; ok {
		return fmt.Errorf("it is there twice")
	}
	if id == "" {
		return fmt.Errorf("its name is empty")
	}
	if strings.HasPrefix(id, hashPrefix) && id != hashOf(text) {
		return fmt.Errorf("its SHA-256 is not what its name says")
	}
	_, err := parseDocument(text, 0)
	return err
}

// normalize gives a sum the one form in which it is looked up, and leaves
// other names as they are.
func normalize(id string) string {
	if isHash(strings.ToLower(id)) {
		return hashPrefix + id
	}
	return id
}

func isHash(s string) bool {
	if len(s) != hex.EncodedLen(sha256.Size) {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// document gives the text that a call is about. A text that comes with a name
// is used, but only if it is what the name stands for: the server might execute
// the one or the other.
func (s Settings) document(c *call) (string, error) {
	stored, known := s.Persisted[c.id]
	switch {
	case c.id == "" && !c.hasText:
		return "", malformed("there is no query")
	case c.id == "":
		return c.text, nil
	case c.hasText && c.id == hashOf(c.text):
		return c.text, nil
	case c.hasText && strings.HasPrefix(c.id, hashPrefix):
		return "", malformed("the SHA-256 is not that of the query")
	case len(s.Persisted) == 0:
		return "", refused("persisted queries are not configured")
	case !known:
		return "", refused("the persisted query is unknown")
	case c.hasText && c.text != stored:
		return "", refused("the query is not what its name stands for")
	}
	return stored, nil
}
