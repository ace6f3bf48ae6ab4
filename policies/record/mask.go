package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Mask is what policies keep out of records, in OPA's words for it: the set
// data.system.log.mask of JSON pointers and of objects
//
//	"/input/subject/claims/email"
//	{"op": "remove", "path": "/input/subject/claims/email"}
//	{"op": "upsert", "path": "/input/subject/id", "value": "somebody"}
//
// A pointer leads into the question (/input/…) or into the decision
// (/result/…). One that leads nowhere in a record changes nothing there; upsert
// adds the last member where what holds it is there.
//
// What a pointer takes out of the subject (its id, say) goes from the claims as
// well, whatever the claim is called that it came from, and what it takes out of
// the parameters of the path goes from the path. With auth_time goes auth_age,
// which tells the same.
//
// A nil Mask keeps nothing out.
type Mask struct{ rules []maskRule }

type maskRule struct {
	pointer string
	parts   []string
	upsert  bool
	value   any
}

// NewMask reads the entries of data.system.log.mask as a JSON decoder gives
// them. The error is the joined mistakes of all entries.
func NewMask(entries []any) (*Mask, error) {
	m := &Mask{}
	var wrong []error
	for _, e := range entries {
		r, err := readRule(e)
		if err == nil {
			err = r.fits()
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		m.rules = append(m.rules, r)
	}
	return m, errors.Join(wrong...)
}

func readRule(entry any) (r maskRule, err error) {
	op := "remove"
	switch e := entry.(type) {
	case string:
		r.pointer = e
	case map[string]any:
		for k := range e {
			if k != "op" && k != "path" && k != "value" {
				return r, fmt.Errorf("an entry has a member %q; there are op, path and value", k)
			}
		}
		r.pointer, _ = e["path"].(string)
		op, _ = e["op"].(string)
		value, given := e["value"]
		if given != (op == "upsert") {
			return r, fmt.Errorf("an entry for %q: value belongs to upsert, and to nothing else", r.pointer)
		}
		r.value = value
	default:
		return r, errors.New("an entry is neither a JSON pointer nor an object with op and path")
	}
	if op != "remove" && op != "upsert" {
		return r, fmt.Errorf("an entry for %q: op is remove or upsert, not %q", r.pointer, op)
	}
	r.upsert = op == "upsert"
	r.parts, err = parts(r.pointer)
	return r, err
}

// parts splits a pointer.
func parts(pointer string) ([]string, error) {
	list := strings.Split(pointer, "/")
	if list[0] != "" || len(list) < 3 || list[1] != "input" && list[1] != "result" {
		return nil, fmt.Errorf("%q is not a JSON pointer into the question or the decision: /input/… or /result/…", pointer)
	}
	for i, p := range list {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(p), "~") {
			return nil, fmt.Errorf("%q: in a JSON pointer ~ is written ~0", pointer)
		}
		list[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return list[1:], nil
}

// fits reports a rule that misses every record, or after which a record could
// not be read any more. It is tried on a question and a decision that have
// everything.
func (r *maskRule) fits() error {
	text := "x"
	in := &policies.Input{Subject: &policies.Subject{AuthAge: new(int64), Claims: map[string]any{}}, Body: map[string]any{}}
	d := &policies.Decision{
		Deny: []policies.Denial{{Code: text}}, Mask: []policies.Mask{{Path: text, Bucket: 1, Class: text}}, Rows: []policies.Row{{}},
		Expose: []string{text}, Classified: []string{text}, Protect: []policies.Protect{{}}, Require: []policies.Require{{ACR: text}},
		Headers: map[string]policies.Value{}, RateLimits: map[string]policies.Rate{text: {Count: 1, Per: time.Second}}, Region: text, Audit: text, AllFields: true, AllRows: true, Revision: text,
	}
	result, err := decisionTree(d)
	if err != nil {
		return err
	}
	event := object{"input": questionTree(in), "result": result}
	if name := unknown(event, r.parts); name != "" {
		return fmt.Errorf("%q leads nowhere: there is no %q", r.pointer, name)
	}
	r.apply(event, &reduction{})
	changed, err := json.Marshal(event)
	if err != nil {
		return err
	}
	var back struct {
		Input  policies.Input
		Result policies.Decision
	}
	if err := json.Unmarshal(changed, &back); err != nil {
		return fmt.Errorf("%q: the value is not of the type that stands there", r.pointer)
	}
	return nil
}

// unknown gives the first step of a pointer that the event cannot have. What
// callers name (claims, parameters, headers, bodies) may have any.
func unknown(v any, steps []string) string {
	for _, name := range steps {
		m, ok := v.(map[string]any)
		if !ok || len(m) == 0 {
			return ""
		}
		if v, ok = m[name]; !ok {
			return name
		}
	}
	return ""
}

// inDecision reports whether the mask names anything of the decision.
func (m *Mask) inDecision() bool {
	return m != nil && slices.ContainsFunc(m.rules, func(r maskRule) bool { return r.parts[0] == "result" })
}

// apply takes out of an event what the mask names.
func (m *Mask) apply(event map[string]any, c *reduction) {
	if m == nil {
		return
	}
	for i := range m.rules {
		m.rules[i].apply(event, c)
	}
}

func (r *maskRule) apply(event map[string]any, c *reduction) {
	last := len(r.parts) - 1
	var at any = event
	for _, p := range r.parts[:last] {
		at = step(at, p)
	}
	name := r.parts[last]
	switch holder := "/" + strings.Join(r.parts[:last], "/"); {
	case holder == "/input/subject" && name != "claims" && name != "auth_age": // no claim has the age
		c.claims(step(at, "claims"), step(at, name), "/input/subject/claims")
	case holder == params:
		c.path(event, step(at, name))
	case r.pointer == params:
		all, _ := step(at, name).(map[string]any)
		for _, v := range all {
			c.path(event, v)
		}
	}
	switch v := at.(type) {
	case map[string]any:
		if _, told := v["auth_age"]; told && r.pointer == "/input/subject/auth_time" {
			delete(v, "auth_age")
			c.erased = append(c.erased, authAge)
		}
		_, there := v[name]
		switch {
		case r.upsert:
			v[name] = r.value
			c.masked = append(c.masked, r.pointer)
		case there:
			delete(v, name)
			c.erased = append(c.erased, r.pointer)
		}
	case []any:
		// An element that is gone would move those behind it.
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			v[i] = hidden
			if r.upsert {
				v[i] = r.value
			}
			c.masked = append(c.masked, r.pointer)
		}
	}
}

// step follows one part of a pointer.
func step(v any, part string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[part]
	case []any:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func itoa(i int) string { return strconv.Itoa(i) }

// decode keeps numbers as they are written.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
