package authz

import (
	"errors"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// fence is the members that one action of protect holds for, compiled: to look
// for in texts, and for places.
type fence struct {
	plan  *redact.Plan
	paths *redact.Paths
	list  []string
}

// protection is what a decision protects, compiled.
type protection struct {
	reject, drop *fence
	names        []string // that the paths end with, folded
	err          error
}

// maxProtections is how many a route keeps. Decisions that are remembered are
// one and the same for all questions that they are equal for.
const maxProtections = 256

// protection compiles what a decision protects, once for each decision.
func (s *Stage) protection(d *policies.Decision) *protection {
	if p, ok := s.protections.Get(d); ok {
		return p
	}
	var reject, drop []string
	for _, e := range d.Protect {
		if e.Action == "drop" {
			drop = append(drop, e.Path)
			continue
		}
		reject = append(reject, e.Path)
	}
	p := &protection{}
	var err error
	p.reject, p.err = newFence(reject)
	p.drop, err = newFence(drop)
	p.err = errors.Join(p.err, err)
	for _, path := range append(reject, drop...) {
		if names, err := redact.PathNames(path); err == nil && len(names) > 0 {
			p.names = append(p.names, names[len(names)-1])
		}
	}
	s.protections.Add(d, p)
	return p
}

func newFence(list []string) (*fence, error) {
	f := &fence{list: list}
	var spec redact.Spec
	for _, path := range list {
		spec.Rules = append(spec.Rules, redact.Rule{Path: path, Action: redact.Drop})
	}
	var err, perr error
	f.plan, err = redact.Compile(spec, redact.Options{})
	f.paths, perr = redact.NewPaths(list)
	return f, errors.Join(err, perr)
}

// empty reports whether there is nothing to protect.
func (f *fence) empty() bool { return len(f.list) == 0 }

// protect keeps the subject from writing members that the policy protects: a
// body that holds one is refused, or goes on without it. Names are matched as
// masks match them, so "SSN" does not pass where "ssn" is protected. A body
// that cannot be read member by member is refused: it might hold anything.
func (s *Stage) protect(x *middleware.Exchange, d *policies.Decision) error {
	if len(d.Protect) == 0 {
		return nil
	}
	if has, err := hasContent(x); err != nil || !has {
		return err
	}
	p := s.protection(d)
	if p.err != nil {
		return middleware.Refuse(stageName, middleware.PolicyError, "the policy could not be carried out").With(p.err)
	}
	c, clear := carrierOf(x)
	if c == unread || !clear {
		return unreadable()
	}
	var err error
	switch c {
	case formFields:
		err = p.pairs(x)
	case formParts:
		err = p.parts(x)
	default:
		err = p.json(x, c)
	}
	var w *writes
	if errors.As(err, &w) {
		w.suspect(x)
		return w.refusal()
	}
	return err
}

func unreadable() error {
	return middleware.Refuse(stageName, middleware.MediaTypeUnsupported, "this route needs a JSON body or a form, in UTF-8 and not encoded, so that the policy can read it")
}

// json judges a body that is one JSON text.
func (p *protection) json(x *middleware.Exchange, c carrier) error {
	v, err := jsonBody(x)
	if err != nil {
		return err
	}
	data, err := x.Body(stageName)
	if err != nil {
		return err
	}
	read := func() ([]operation, error) { return patchIn(v) }
	if c == jsonPatch {
		read = func() ([]operation, error) { return readPatch(data) }
	}
	if err := p.patched(v, read); err != nil {
		return err
	}
	if c == jsonPatch {
		return nil
	}
	for _, f := range []*fence{p.reject, p.drop} {
		if n := turned(f.paths.Root(), v, false); n >= 0 {
			return written(f.list[n])
		}
	}
	if c == mergePatch {
		for _, f := range []*fence{p.reject, p.drop} {
			if n := replaced(f.paths.Root(), v); n >= 0 {
				return written(f.list[n])
			}
		}
	}
	rest, dropped, err := p.text(data, "")
	if err != nil {
		return in(v, err)
	}
	if len(dropped) > 0 {
		taken(x, dropped, v)
		x.SetBody(rest)
		x.Note("protected", dropped)
	}
	return nil
}

// patched judges a value as a patch. It is refused by either action: what one
// operation does depends on those before it, and nobody can say what is left
// without one.
func (p *protection) patched(v any, read func() ([]operation, error)) error {
	if isSCIM(v) {
		return unreadable()
	}
	operations, err := read()
	if err != nil {
		return notJSON(err)
	}
	for _, f := range []*fence{p.reject, p.drop} {
		for i := range operations {
			if n := operations[i].writes(f.paths); n >= 0 {
				return written(f.list[n])
			}
		}
	}
	return nil
}

// text judges a JSON text. It gives it without what is to be dropped, and the
// pointers to that, which go on from where the text stands.
func (p *protection) text(data []byte, at string) (rest []byte, dropped []string, err error) {
	if _, report, err := p.reject.without(data); err != nil {
		return nil, nil, err
	} else if report.Masked > 0 {
		return nil, nil, written(prefixed(at, report.Pointers)...)
	}
	rest, report, err := p.drop.without(data)
	return rest, prefixed(at, report.Pointers), err
}

// without gives a JSON text without the members of the fence.
func (f *fence) without(data []byte) ([]byte, redact.Report, error) {
	if f.empty() {
		return data, redact.Report{}, nil
	}
	out, report, err := redact.Append(nil, data, f.plan, redact.Limits{Depth: maxDepth})
	if err != nil {
		return nil, redact.Report{}, notJSON(err)
	}
	if report.Masked == 0 {
		out = data
	}
	return out, report, nil
}
