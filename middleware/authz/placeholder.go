package authz

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// placeholder keeps masks from being stored in the place of the values that
// they hide: a client that reads a record, changes one field and sends all of it
// back sends "***" for what it was not shown. What the decision about this very
// request masks says what may be a placeholder; see [redact.Placeholders]. A body
// that declares no type that is known here is not looked into, as an upload.
func (s *Stage) placeholder(x *middleware.Exchange, d *policies.Decision) error {
	if s.policy.Placeholders == "off" || !masks(x, d) || !x.HasBody() {
		return nil
	}
	c, clear := carrierOf(x)
	if c == unread || c == formParts && !s.readsParts(x, d) {
		return nil
	}
	if has, err := hasContent(x); err != nil || !has {
		return err
	}
	if c != formParts && !clear && (c != formFields || middleware.Encoded(x.Request.Header)) {
		return unreadable()
	}
	p, err := s.recognized(x, d)
	if err != nil {
		return middleware.Refuse(stageName, middleware.PolicyError, "the policy could not be carried out").With(err)
	}
	j := &returned{Placeholders: p, drop: s.policy.Placeholders == "drop"}
	switch c {
	case formFields:
		err = j.pairs(x)
	case formParts:
		err = j.parts(x)
	default:
		err = j.json(x, c)
	}
	if len(j.dropped) > 0 {
		x.Note("placeholders", capped(j.dropped))
	}
	return err
}

// masks reports whether what the caller is shown may hold placeholders.
func masks(x *middleware.Exchange, d *policies.Decision) bool {
	for _, m := range d.Mask {
		if m.Action != "drop" && m.Action != "show" {
			return true
		}
	}
	return redacts(x) && len(d.Mask)+len(d.Rows)+len(d.Expose) > 0
}

// redacts reports whether the route masks what no policy has thought of.
func redacts(x *middleware.Exchange) bool { return x.Route.Mask.Unclassified == "redact" }

// readsParts reports whether a multipart body is read on the route in any case.
// Elsewhere it passes as it comes: to look into it is to refuse the files of a
// route that does not say which it takes.
func (s *Stage) readsParts(x *middleware.Exchange, d *policies.Decision) bool {
	return x.Route.Upload != nil || x.Route.Sanitize != nil || s.policy.Body || len(d.Protect) > 0
}

// recognized compiles what a decision makes of values, once for each decision.
func (s *Stage) recognized(x *middleware.Exchange, d *policies.Decision) (*redact.Placeholders, error) {
	if p, ok := s.placeholders.Get(d); ok {
		return p, nil
	}
	var rules []redact.Rule
	for _, m := range d.Mask {
		action, err := redact.ParseAction(m.Action)
		if err != nil {
			return nil, err
		}
		rules = append(rules, redact.Rule{Path: m.Path, Action: action, Bucket: m.Bucket})
	}
	if redacts(x) {
		rules = append(rules, redact.Rule{Path: "$..*", Action: redact.Redact})
	}
	p, err := redact.NewPlaceholders(rules, s.keys)
	if err == nil {
		s.placeholders.Add(d, p)
	}
	return p, err
}

// returned looks for placeholders in one body.
type returned struct {
	*redact.Placeholders
	drop    bool
	dropped []string
}

// refuse says which fields hold placeholders, unless they can be left out and
// the route wants that.
func (j *returned) refuse(places []string, fixed bool) error {
	switch {
	case len(places) == 0:
		return nil
	case j.drop && !fixed:
		j.dropped = append(j.dropped, places...)
		return nil
	}
	for i, p := range places {
		if p == "" {
			places[i] = "the whole body"
		}
	}
	return middleware.Refuse(stageName, middleware.InputRejected,
		"the request holds placeholders of values that are masked for the caller, which would overwrite them: "+strings.Join(capped(places), ", "))
}

// limits are those of bodies that policies see.
func (j *returned) limits() redact.Limits { return redact.Limits{Depth: maxDepth} }

func (j *returned) json(x *middleware.Exchange, c carrier) error {
	data, err := x.Body(stageName)
	if err != nil {
		return err
	}
	found, err := j.Find(j.Root(), data, j.limits())
	if err != nil {
		return notJSON(err)
	}
	var operations []operation
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) || c == jsonPatch {
		if operations, err = readPatch(data); err != nil && c == jsonPatch {
			return notJSON(err)
		}
	}
	for i := range operations {
		o := &operations[i]
		if o.raw == nil && o.op != "add" && o.op != "replace" {
			continue
		}
		raw := o.raw
		if raw == nil {
			raw = []byte("null")
		}
		in, err := j.Find(pointed(j.Root(), o.path), raw, j.limits())
		if err != nil {
			return notJSON(err)
		}
		// An operation cannot be left out: those behind it rely on it.
		if err := j.refuse(prefixed("/"+strconv.Itoa(i)+"/value", in.Pointers), true); err != nil {
			return err
		}
	}
	if err := j.refuse(found.Pointers, found.Fixed || len(operations) > 0); err != nil {
		return err
	}
	if len(found.Pointers) > 0 {
		x.SetBody(found.Rest)
	}
	return nil
}

func (j *returned) pairs(x *middleware.Exchange) error {
	data, err := x.Body(stageName)
	if err != nil {
		return err
	}
	pairs, err := readPairs(data, true)
	if err != nil {
		return err
	}
	before := len(j.dropped)
	kept := pairs[:0]
	for _, f := range pairs {
		if len(f.raw) == 0 {
			kept = append(kept, f)
			continue
		}
		gone, rest, err := j.field(f.name, []byte(f.value))
		if err != nil {
			return err
		}
		if gone {
			continue
		}
		if rest != nil {
			f.setValue(string(rest))
		}
		kept = append(kept, f)
	}
	if len(j.dropped) > before {
		x.SetBody(joined(kept))
	}
	return nil
}

func (j *returned) parts(x *middleware.Exchange) error {
	form, err := x.Form(stageName)
	if err != nil || form == nil {
		return err
	}
	gone := map[*middleware.FormPart]bool{}
	for _, part := range form.Parts {
		data := part.Text
		if part.File != nil {
			if !isJSON(part.Type) && !isJSON(part.File.Detected) {
				continue
			}
			if data, err = documentOf(part.File); err != nil {
				return err
			}
		}
		drop, rest, err := j.field(part.Name, data)
		if err != nil {
			return err
		}
		if part.File != nil && (drop || rest != nil) {
			return (&returned{Placeholders: j.Placeholders}).refuse([]string{fieldPointer(part.Name)}, true)
		}
		if gone[part] = drop; rest != nil {
			part.Text = rest
		}
	}
	if len(j.dropped) == 0 {
		return nil
	}
	form.Remove(func(p *middleware.FormPart) bool { return gone[p] })
	return x.SetForm(form)
}

// field judges one field of a form, by every place that its name may lead to.
// It tells whether the field is to be dropped, or what of its value stays.
func (j *returned) field(name string, value []byte) (gone bool, rest []byte, err error) {
	at, err := places(j.Root(), name)
	if err != nil {
		at = []redact.Place{j.Root().Member(name)}
	}
	text := string(value)
	isJSON := looksLikeJSON(value)
	for _, at := range at {
		if j.Text(at, text) {
			return true, nil, j.refuse([]string{fieldPointer(name)}, false)
		}
	}
	if !isJSON {
		return false, nil, nil
	}
	rest = value
	for _, at := range append(at, j.Root()) {
		found, err := j.Find(at, rest, j.limits())
		if err != nil {
			return false, nil, notJSON(err)
		}
		if err := j.refuse(prefixed(fieldPointer(name), found.Pointers), found.Fixed); err != nil {
			return false, nil, err
		}
		rest = found.Rest
	}
	if len(rest) == len(value) {
		rest = nil
	}
	return false, rest, nil
}
