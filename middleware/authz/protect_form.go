package authz

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// pairs judges an application/x-www-form-urlencoded body.
func (p *protection) pairs(x *middleware.Exchange) error {
	pairs, err := strictPairs(x)
	if err != nil {
		return err
	}
	var dropped []string
	kept := pairs[:0]
	for _, f := range pairs {
		drop := false
		for _, name := range append(f.others, f.name) {
			hit, err := p.named(name)
			if err != nil {
				return in(f.value, err)
			}
			drop = drop || hit
		}
		rest, within, err := p.value(f.name, []byte(f.value), false)
		if err != nil {
			return err
		}
		switch {
		case drop:
			taken(x, []string{fieldPointer(f.name)}, f.value)
			dropped = append(dropped, fieldPointer(f.name))
			continue
		case len(within) > 0:
			taken(x, within, nil)
			dropped = append(dropped, within...)
			f.setValue(string(rest))
		}
		kept = append(kept, f)
	}
	if len(dropped) > 0 {
		x.SetBody(joined(kept))
		x.Note("protected", capped(dropped))
	}
	return nil
}

// parts judges a multipart form. A file is a document and none of the members,
// unless it is JSON: browsers send JSON parts so.
func (p *protection) parts(x *middleware.Exchange) error {
	form, err := strictParts(x)
	if err != nil || form == nil {
		return err
	}
	var dropped []string
	gone := map[*middleware.FormPart]bool{}
	for _, part := range form.Parts {
		drop, err := p.named(part.Name)
		if err != nil {
			return err
		}
		if gone[part] = drop; drop {
			taken(x, []string{fieldPointer(part.Name)}, string(part.Text))
			dropped = append(dropped, fieldPointer(part.Name))
			continue
		}
		within, err := p.content(part)
		if err != nil {
			return err
		}
		if len(within) > 0 {
			taken(x, within, nil)
		}
		dropped = append(dropped, within...)
	}
	if len(dropped) == 0 {
		return nil
	}
	x.Note("protected", capped(dropped))
	form.Remove(func(p *middleware.FormPart) bool { return gone[p] })
	return x.SetForm(form)
}

// content judges what is inside of a part, and takes out what is to be dropped.
func (p *protection) content(part *middleware.FormPart) ([]string, error) {
	typed := isJSON(part.Type)
	if part.File == nil {
		rest, within, err := p.value(part.Name, part.Text, typed)
		if len(within) > 0 {
			part.Text = rest
		}
		return within, err
	}
	if !typed && !isJSON(part.File.Detected) {
		return nil, nil
	}
	data, err := documentOf(part.File)
	if err != nil {
		return nil, err
	}
	_, within, err := p.value(part.Name, data, true)
	if err == nil && len(within) > 0 {
		err = written(within...) // a file is taken as it is, or not at all
	}
	return nil, err
}

// named reports whether a field of a form is to be dropped for its name, and
// refuses what is to be rejected.
func (p *protection) named(name string) (drop bool, err error) {
	for _, f := range []*fence{p.reject, p.drop} {
		if f.empty() {
			continue
		}
		at, err := places(f.paths.Root(), name)
		if err != nil {
			return false, malformedForm(err)
		}
		if slices.ContainsFunc(at, func(at redact.Place) bool { return at.Any() >= 0 }) {
			if f == p.reject {
				return false, written(fieldPointer(name))
			}
			return true, nil
		}
	}
	return false, nil
}

// value judges the value of a field where it is JSON. Backends take such a
// field for the whole document, or for a member of it by the name of the field;
// it is judged as both.
func (p *protection) value(name string, data []byte, typed bool) (rest []byte, dropped []string, err error) {
	if !typed && !looksLikeJSON(data) {
		return nil, nil, p.nearly(data)
	}
	v, err := decode(data)
	if err != nil {
		return nil, nil, notJSON(err)
	}
	if err := p.patched(v, func() ([]operation, error) { return patchIn(v) }); err != nil {
		return nil, nil, err
	}
	rest, dropped, err = p.text(data, fieldPointer(name))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range []*fence{p.reject, p.drop} {
		if len(dropped) > 0 && f == p.drop {
			if v, err = decode(rest); err != nil {
				return nil, nil, notJSON(err)
			}
		}
		at, err := places(f.paths.Root(), name)
		if err != nil {
			return nil, nil, malformedForm(err)
		}
		for _, at := range at {
			if n := within(at, v); n >= 0 {
				return nil, nil, written(f.list[n])
			}
		}
		for _, at := range append(at, f.paths.Root()) {
			if n := turned(at, v, false); n >= 0 {
				return nil, nil, written(f.list[n])
			}
		}
	}
	return rest, dropped, nil
}
