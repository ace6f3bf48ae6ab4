package redact

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// Plan is a compiled [Spec]. It is immutable and safe for any number of
// goroutines.
type Plan struct {
	// patterns are those of masks, shows, exposed paths, rows, known paths,
	// exposed paths that name members and sensitive paths, in this order; the
	// counts tell them apart.
	patterns             []pattern
	masks, shows, expose int
	known, named         int
	sensitive            int
	detect               func(text []byte, isString bool) string
	redactFound          bool
	// rules stand beside the patterns of masks. Behind them stand as many more:
	// what each of them is where it has no form for a value and redacts.
	rules        []rule
	asked        int      // rules of the spec
	filters      []filter // beside the patterns of rows
	leaves       int      // in all of them
	optionalRows bool
	machine      *machine
}

type rule struct {
	origin int // among the rules of the spec
	action Action
	bucket *big.Rat
	sealer *sealer
}

// filter is a row filter: all its conditions must hold. leaves are the
// comparisons in them.
type filter struct{ conds, leaves []*cond }

// holds reports whether a row stays, given what the comparisons come to.
func (f *filter) holds(leaf func(*cond) truth) bool {
	for _, c := range f.conds {
		if c.holds(leaf) != yes {
			return false
		}
	}
	return true
}

// verdict is the strictest mask that holds for a value; the zero value is
// none.
type verdict struct {
	action Action
	rule   int
}

func (v verdict) stricter(o verdict) verdict {
	if o.action > v.action || o.action == v.action && o.rule < v.rule {
		return o
	}
	return v
}

// atLeastRedact gives what a mask is for what the weaker actions have no form
// for, or would let a part of through.
func (p *Plan) atLeastRedact(v verdict) verdict {
	if v.action == noAction || v.action >= Redact {
		return v
	}
	return verdict{Redact, p.masks + v.rule}
}

// Compile checks a spec and prepares it. Any part that cannot be carried out
// is an error.
func Compile(spec Spec, opts Options) (*Plan, error) {
	p := &Plan{asked: len(spec.Rules)}
	var shows []pattern
	for _, i := range ranked(spec.Rules) {
		r := spec.Rules[i]
		if r.Action == Show {
			pat, err := newPattern(r.Path, readGrant)
			if err != nil {
				return nil, err
			}
			shows = append(shows, pat)
			continue
		}
		if err := p.addRule(r, i, opts); err != nil {
			return nil, fmt.Errorf("mask of %q: %w", r.Path, err)
		}
	}
	p.masks, p.shows, p.expose = len(p.rules), len(shows), len(spec.Expose)
	for _, r := range p.rules {
		p.rules = append(p.rules, rule{action: Redact, origin: r.origin})
	}
	p.patterns = append(p.patterns, shows...)
	for _, path := range spec.Expose {
		pat, err := newPattern(path, readGrant)
		if err != nil {
			return nil, err
		}
		p.patterns = append(p.patterns, pat)
	}
	for _, f := range spec.Rows {
		if err := p.addFilter(f); err != nil {
			return nil, fmt.Errorf("row filter of %q: %w", f.Path, err)
		}
	}
	if err := p.addKnown(spec, opts); err != nil {
		return nil, err
	}
	for _, path := range spec.Sensitive {
		pat, err := newPattern(path, readMask)
		if err != nil {
			return nil, fmt.Errorf("sensitive: %w", err)
		}
		p.patterns = append(p.patterns, pat)
	}
	p.sensitive = len(spec.Sensitive)
	p.machine = newMachine(p)
	return p, nil
}

// ranked gives the indices of the rules in an order that makes ties independent
// of that of the spec.
func ranked(rules []Rule) []int {
	out := make([]int, len(rules))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(i, j int) int {
		a, b := &rules[i], &rules[j]
		return cmp.Or(cmp.Compare(b.Action, a.Action), cmp.Compare(b.Bucket, a.Bucket), cmp.Compare(a.Path, b.Path))
	})
	return out
}

func (p *Plan) addRule(r Rule, origin int, opts Options) error {
	pat, err := newPattern(r.Path, readMask)
	if err != nil {
		return err
	}
	out := rule{origin: origin, action: r.Action}
	switch r.Action {
	case Drop, Null, Redact, Partial:
	case Generalize:
		bucket := cmp.Or(r.Bucket, DefaultBucket)
		if math.IsNaN(bucket) || bucket < 1e-6 || bucket > 1e15 {
			return fmt.Errorf("bucket %v is not between 1e-6 and 1e15", bucket)
		}
		// The shortest decimal is what the author wrote; the exact value of
		// the float is not.
		out.bucket, _ = new(big.Rat).SetString(strconv.FormatFloat(bucket, 'g', -1, 64))
	case Hash, Tokenize:
		if opts.Keys == nil {
			return fmt.Errorf("%v needs a key and none is configured", r.Action)
		}
		if out.sealer, err = opts.Keys.sealer(opts.Keys.primary, opts.Tenant, cmp.Or(foldString(r.Domain), fieldClass(pat.segs))); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%v is not an action of a mask", r.Action)
	}
	p.rules = append(p.rules, out)
	p.patterns = append(p.patterns, pat)
	return nil
}

// fieldClass is what a path is about: its last name. Values under the same
// name hash alike wherever they stand.
func fieldClass(segs []segment) string {
	for _, s := range slices.Backward(segs) {
		if s.kind == segName {
			return s.fold
		}
	}
	return "*"
}

func (p *Plan) addFilter(f RowFilter) error {
	pat, err := newPattern(f.Path, readRows)
	if err != nil {
		return err
	}
	if len(f.Where) == 0 {
		return fmt.Errorf("a row filter needs a condition")
	}
	var out filter
	var all conds
	for _, c := range f.Where {
		compiled, err := all.compile(c, 1)
		if err != nil {
			return err
		}
		out.conds = append(out.conds, compiled)
	}
	out.leaves = all.leaves
	if p.leaves += len(out.leaves); p.leaves > maxLeaves {
		return fmt.Errorf("the row filters have more than %d comparisons", maxLeaves)
	}
	p.filters = append(p.filters, out)
	p.patterns = append(p.patterns, pat)
	return nil
}

// addKnown adds the paths where nothing need be detected, if anything is to be.
func (p *Plan) addKnown(spec Spec, opts Options) error {
	var known, named []pattern
	for _, path := range spec.Known {
		pat, err := newPattern(path, readMask)
		if err != nil {
			return fmt.Errorf("known: %w", err)
		}
		known = append(known, pat)
	}
	if opts.Detect == nil {
		return nil
	}
	from := p.masks + p.shows
	for _, pat := range p.patterns[from : from+p.expose] {
		if pat.names() {
			named = append(named, pat)
		}
	}
	p.detect, p.redactFound = opts.Detect, opts.RedactFound
	p.known, p.named = len(known), len(named)
	p.patterns = slices.Concat(p.patterns, known, named)
	return nil
}

// OptionalRows gives the same plan, except that a text in which the path of no
// row filter exists is fine. That is for answers that are not made of rows,
// such as errors.
func (p *Plan) OptionalRows() *Plan {
	q := *p
	q.optionalRows = true
	return &q
}
