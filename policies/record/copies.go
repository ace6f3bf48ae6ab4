package record

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// A question says some things twice: claims feed the subject, parameters are
// parts of the path. What is taken out in one place is taken out in the other.

// claims takes out every claim with the value.
func (c *reduction) claims(v, value any, at string) {
	if n, whole := value.(int64); whole {
		value = json.Number(strconv.FormatInt(n, 10)) // as claims have it
	}
	claims, ok := v.(map[string]any)
	if list, isList := value.([]any); !ok || value == nil || value == "" || isList && len(list) == 0 {
		return
	}
	for name, claim := range claims {
		inner := at + "/" + escape(name)
		if reflect.DeepEqual(claim, value) {
			delete(claims, name)
			c.erased = append(c.erased, inner)
			continue
		}
		c.claims(claim, value, inner)
	}
}

// authAge is where the age of the sign-in stands.
const authAge = "/input/subject/auth_age"

// params is where the parameters of a path stand.
const params = "/input/resource/params"

// path hides what was a parameter of the path in the path itself.
func (c *reduction) path(event map[string]any, param any) {
	resource := step(event["input"], "resource")
	value, _ := param.(string)
	m, ok := resource.(map[string]any)
	if !ok || value == "" {
		return
	}
	text, _ := m["path"].(string)
	parts := strings.Split(text, "/")
	for i := range parts {
		if parts[i] == value {
			parts[i] = hidden
		}
	}
	if hiding := strings.Join(parts, "/"); hiding != text {
		m["path"] = hiding
		c.masked = append(c.masked, "/input/resource/path")
	}
	segments, _ := m["segments"].([]any)
	for i := range segments {
		if segments[i] == value {
			segments[i] = hidden
			c.masked = append(c.masked, "/input/resource/segments/"+itoa(i))
		}
	}
}
