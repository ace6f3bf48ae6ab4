package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// operation is one step of a JSON Patch (RFC 6902, section 4).
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
		o, exact, err := readOperation(e)
		if err != nil || !exact || !isPointer(o.path) || !isPointer(o.from) {
			return nil, fmt.Errorf("operation %d: %w", i, errPatch)
		}
		if out[i] = o; o.value != nil {
			out[i].raw = raws[i].Value
		}
	}
	return out, nil
}

// patchIn gives the operations in what may be a patch, whatever its media type
// says: backends read them as plain JSON, too, and some take names in any
// spelling and paths without the first slash (ASP.NET).
func patchIn(v any) ([]operation, error) {
	list, _ := v.([]any)
	var out []operation
	for i, e := range list {
		o, _, err := readOperation(e)
		if errors.Is(err, errSpelling) {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		if err != nil {
			continue
		}
		for _, at := range []*string{&o.path, &o.from} {
			if !isPointer(*at) {
				*at = "/" + *at
			}
		}
		out = append(out, o)
	}
	return out, nil
}

var errSpelling = errors.New("a member of it stands twice, in two spellings")

// readOperation reads the members of an operation, in any spelling; exact is
// whether it is that of the standard. The operation itself is read as lower case.
func readOperation(v any) (o operation, exact bool, err error) {
	m, _ := v.(map[string]any)
	texts := map[string]*string{"op": &o.op, "path": &o.path, "from": &o.from}
	seen := map[string]bool{}
	exact = true
	odd := false
	for name, e := range m {
		as := strings.ToLower(name)
		into := texts[as]
		if into == nil && as != "value" {
			continue
		}
		if seen[as] {
			return operation{}, false, errSpelling
		}
		seen[as], exact = true, exact && as == name
		if into == nil {
			o.value = e
		} else if text, is := e.(string); is {
			*into = text
		} else if as != "from" {
			odd = true
		}
	}
	if odd || !seen["op"] || !seen["path"] {
		return operation{}, false, errPatch
	}
	o.op = strings.ToLower(o.op)
	return o, exact, nil
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
		if isIndex(token) {
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

// isSCIM reports whether v is a patch of SCIM (RFC 7644, section 3.5.2), which
// may say that it is plain JSON. Its operations name members in a language of
// their own.
func isSCIM(v any) bool {
	m, _ := v.(map[string]any)
	for name, e := range m {
		list, _ := e.([]any)
		for _, schema := range list {
			if s, _ := schema.(string); strings.EqualFold(name, "schemas") && strings.EqualFold(s, "urn:ietf:params:scim:api:messages:2.0:PatchOp") {
				return true
			}
		}
	}
	return false
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
