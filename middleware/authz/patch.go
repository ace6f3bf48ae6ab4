package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// operation is one step of a JSON Patch (RFC 6902, section 4). Names of members
// are exact there.
type operation struct {
	op, path, from string
	value          any             // decoded
	raw            json.RawMessage // nil where there is none
}

var errPatch = errors.New("not a JSON Patch")

// readPatch reads the operations of a patch, each of which names its targets.
func readPatch(data []byte) ([]operation, error) {
	v, err := decode(data)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errPatch
	}
	var raws []struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(data, &raws); err != nil {
		return nil, errPatch
	}
	out := make([]operation, len(list))
	for i, e := range list {
		o, ok := readOperation(e)
		if !ok {
			return nil, fmt.Errorf("operation %d: %w", i, errPatch)
		}
		if out[i] = o; o.value != nil {
			out[i].raw = raws[i].Value
		}
	}
	return out, nil
}

// patchIn gives the operations of what looks like a patch, whatever its media
// type says: backends read them as plain JSON, too.
func patchIn(v any) []operation {
	list, _ := v.([]any)
	var out []operation
	for _, e := range list {
		o, ok := readOperation(e)
		if !ok {
			return nil
		}
		out = append(out, o)
	}
	return out
}

func readOperation(v any) (operation, bool) {
	m, _ := v.(map[string]any)
	op, ok := m["op"].(string)
	path, has := m["path"].(string)
	from, _ := m["from"].(string)
	if !ok || !has || !isPointer(path) || !isPointer(from) {
		return operation{}, false
	}
	return operation{op: op, path: path, from: from, value: m["value"]}, true
}

func isPointer(s string) bool { return s == "" || s[0] == '/' }

// writes gives the path among those protected that an operation touches, or -1:
// one that selects its target or a container of it, something in its value, or
// what goes away with the target. What it takes from elsewhere counts as well:
// it leaves there, or is shown in another place. So does what it tests, which
// the caller would learn.
func (o *operation) writes(paths *redact.Paths) int {
	if o.op == "move" || o.op == "copy" {
		if at := pointed(paths.Root(), o.from); at.Any() >= 0 {
			return at.Any()
		} else if i := at.Above(); i >= 0 {
			return i
		}
	}
	at := pointed(paths.Root(), o.path)
	if i := within(at, o.value); i >= 0 {
		return i
	}
	return at.Above()
}

// pointed gives the place that a JSON Pointer (RFC 6901) leads to.
func pointed(at redact.Place, pointer string) redact.Place {
	if pointer == "" {
		return at
	}
	decode := strings.NewReplacer("~1", "/", "~0", "~")
	for token := range strings.SplitSeq(pointer[1:], "/") {
		if token == "-" || strings.Trim(token, "0123456789") == "" {
			at = at.Index(token)
			continue
		}
		at = at.Member(decode.Replace(token))
	}
	return at
}

// within gives the path that holds for a value at a place, or for something
// inside of it, or -1.
func within(at redact.Place, v any) int {
	if i := at.Any(); i >= 0 {
		return i
	}
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if i := within(at.Member(name), e); i >= 0 {
				return i
			}
		}
	case []any:
		for _, e := range v {
			if i := within(at.Element(), e); i >= 0 {
				return i
			}
		}
	}
	return -1
}

// replaced gives the path of what a JSON Merge Patch takes away by putting
// something that is no object in the place of a container (RFC 7396), or -1.
func replaced(at redact.Place, v any) int {
	m, ok := v.(map[string]any)
	if !ok {
		return at.Above()
	}
	for name, e := range m {
		if i := replaced(at.Member(name), e); i >= 0 {
			return i
		}
	}
	return -1
}
