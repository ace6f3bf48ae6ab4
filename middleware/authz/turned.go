package authz

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// turned gives the path that holds in a JSON value for what stands behind a name
// that some backends take for more than a name, or -1:
//
//   - a path, {"bank.iban": 1}, or an operator, {"$set": {…}}: MongoDB;
//   - what an object inherits, {"__proto__": {…}}: JavaScript;
//   - the end of a name, {"born\u0000": 1}: C;
//   - a piece of a value, {"born(1i)": 1}: Rails.
//
// Nobody can say what such a backend makes of the rest, so that nothing is
// dropped there. behind says that such a name leads to v.
func turned(at redact.Place, v any, behind bool) int {
	if behind {
		if i := at.Any(); i >= 0 {
			return i
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			next, turns := at.Member(name), behind
			if other, is := turn(at, name); is {
				next, turns = next.Or(other), true
			}
			if i := turned(next, e, turns); i >= 0 {
				return i
			}
		}
	case []any:
		for _, e := range v {
			if i := turned(at.Element(), e, behind); i >= 0 {
				return i
			}
		}
	}
	return -1
}

// turn gives where such a name leads. One that has more steps than names of
// fields have is prose.
func turn(at redact.Place, name string) (redact.Place, bool) {
	switch {
	case passes(name):
		return at, true
	case strings.Contains(name, "\x00"): // where names end for some
		return at.Member(name[:strings.IndexByte(name, 0)]), true
	case !strings.ContainsAny(name, ".("):
		return at, false
	}
	next, err := follow(at, split(name, "."))
	return next, err == nil
}

// passes reports whether a name stands for what it is a member of: an operator of
// MongoDB, or what an object of JavaScript inherits from.
func passes(name string) bool {
	return strings.HasPrefix(name, "$") || name == "__proto__" || name == "constructor" || name == "prototype"
}
