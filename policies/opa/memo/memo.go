package memo

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Defaults of Options.
const (
	DefaultEntries    = 16384
	DefaultAuditEvery = 1000
)

// Options say how much is remembered and how it is watched.
type Options struct {
	// Entries is how many decisions are remembered at most, over all routes.
	// 0 is [DefaultEntries]; below 0 nothing is.
	Entries int
	// AuditEvery re-evaluates one hit in so many. 0 is [DefaultAuditEvery];
	// below 0 none is.
	AuditEvery int
	// OnMismatch is told of a remembered decision that is not what evaluation
	// gives. By then nothing is remembered any more. It is called once, by the
	// request that found out, and by no other at the same time.
	OnMismatch func(in *policies.Input, remembered, evaluated *policies.Decision) `json:"-"`
	// Routes are the constants of each route; "resource.route" names it. What
	// [Memo.Reads] tells of a route rests on them.
	Routes []Constants
	// ValuesOnly puts values into the key even where an outcome would do.
	ValuesOnly bool
}

// Stats counts since loading.
type Stats struct {
	// Hits were answered from memory, Misses evaluated and then remembered.
	Hits, Misses uint64
	// Bypassed were evaluated and not remembered: the memo is off, or what
	// was asked or answered cannot be remembered.
	Bypassed uint64
	// Evictions are decisions forgotten for want of room.
	Evictions uint64
	// Audits are hits that were evaluated nevertheless, Mismatches those that
	// were wrong.
	Audits, Mismatches uint64
}

// Memo remembers the decisions of one set of policies and data. It may be used
// by any number of goroutines.
type Memo struct {
	opts    Options
	plan    *Plan
	routes  map[string]*route
	names   []string // of routes, as given
	general *keyer
	buffers sync.Pool                                // of *[]byte, for keys
	cache   atomic.Pointer[cache[policies.Decision]] // nil: off

	hits, misses, bypassed, evictions, audits, mismatches atomic.Uint64
}

type route struct {
	plan  *Plan
	keyer *keyer
}

// routePath is the constant that names a route.
const routePath = "resource.route"

// New analyses the source, for all questions and for each route, and makes an
// empty memo.
func New(src Source, o Options) *Memo {
	return newMemo(src, o, leaves())
}

func newMemo(src Source, o Options, l []leaf) *Memo {
	src.ValuesOnly = src.ValuesOnly || o.ValuesOnly
	if o.Entries == 0 {
		o.Entries = DefaultEntries
	}
	if o.AuditEvery == 0 {
		o.AuditEvery = DefaultAuditEvery
	}
	x := newIndex(src.Compiler)
	m := &Memo{opts: o, plan: analyze(src, x, nil), routes: map[string]*route{}}
	m.buffers.New = func() any { b := make([]byte, 0, 512); return &b }
	if len(m.plan.Refused) > 0 {
		return m
	}
	b := &binder{leaves: l, data: src.Data, tables: map[string]*table{}}
	b.trim(m.plan)
	m.general = b.bind(m.plan, 0)
	for i, fixed := range o.Routes {
		name, _ := fixed[routePath].(string)
		if p := analyze(src, x, fixed); name != "" && len(p.Refused) == 0 {
			b.trim(p)
			m.routes[name] = &route{p, b.bind(p, uint64(i)+1)}
			m.names = append(m.names, name)
		}
	}
	if o.Entries > 0 {
		m.cache.Store(newCache[policies.Decision](o.Entries))
	}
	return m
}

// keyer chooses the plan for a question.
func (m *Memo) keyer(in *policies.Input) *keyer {
	if r := m.routes[in.Resource.Route]; r != nil && r.keyer.holds(in) {
		return r.keyer
	}
	return m.general
}

// Decide answers from memory, or evaluates and remembers. Equal keys get the
// same *Decision. The question must be one that evaluation accepts: what makes
// a question unacceptable need not be in the key. Errors are never remembered.
//
// evaluate tells, beside the answer, whether its error is the policies' own;
// an evaluation that was interrupted says nothing about a remembered answer.
func (m *Memo) Decide(in *policies.Input, evaluate func() (d *policies.Decision, interrupted bool, err error)) (*policies.Decision, error) {
	c := m.cache.Load()
	if c == nil {
		m.bypassed.Add(1)
		d, _, err := evaluate()
		return d, err
	}
	buffer := m.buffers.Get().(*[]byte)
	key, ok := m.keyer(in).key((*buffer)[:0], in)
	if cap(key) <= maxKey { // a larger one is not kept
		*buffer = key
		defer m.buffers.Put(buffer)
	}
	if !ok {
		m.bypassed.Add(1)
		d, _, err := evaluate()
		return d, err
	}
	if d := c.get(key); d != nil {
		n := m.hits.Add(1)
		if m.opts.AuditEvery > 0 && n%uint64(m.opts.AuditEvery) == 0 {
			return m.audit(in, d, evaluate)
		}
		return d, nil
	}
	d, _, err := evaluate()
	if err != nil || len(key) > maxKey {
		m.bypassed.Add(1)
		return d, err
	}
	m.misses.Add(1)
	d, evicted := c.put(key, d)
	if evicted {
		m.evictions.Add(1)
	}
	return d, nil
}

// maxKey bounds what is remembered: the key of a large body is unlikely to come
// again, and all keys together must not fill memory.
const maxKey = 4 << 10

// audit evaluates what was remembered. Where the two differ the evaluation
// counts, and nothing is remembered from then on.
func (m *Memo) audit(in *policies.Input, remembered *policies.Decision, evaluate func() (*policies.Decision, bool, error)) (*policies.Decision, error) {
	m.audits.Add(1)
	d, interrupted, err := evaluate()
	if interrupted {
		return remembered, nil
	}
	if err == nil && reflect.DeepEqual(d, remembered) {
		return remembered, nil
	}
	m.mismatches.Add(1)
	if m.cache.Swap(nil) != nil && m.opts.OnMismatch != nil {
		m.opts.OnMismatch(in, remembered, d)
	}
	return d, err
}

// Stats counts since loading.
func (m *Memo) Stats() Stats {
	return Stats{
		Hits: m.hits.Load(), Misses: m.misses.Load(), Bypassed: m.bypassed.Load(), Evictions: m.evictions.Load(),
		Audits: m.audits.Load(), Mismatches: m.mismatches.Load(),
	}
}

// Reads tells what of a request the policies can read on a route: whether its
// body, and which headers by lower-case name; "*" stands for all of them. Where
// nothing is known about the policies, everything is read.
func (m *Memo) Reads(name string) (body bool, headers []string) {
	p := m.plan
	if r := m.routes[name]; r != nil {
		p = r.plan
	}
	return p.reads()
}

// Ages reports whether decisions on a route may depend on how long ago the user
// signed in, so that an answer is not what the next one would be although nothing
// but time has passed. Where nothing is known about the policies they may.
func (m *Memo) Ages(name string) bool {
	p := m.plan
	if r := m.routes[name]; r != nil {
		p = r.plan
	}
	age := ParsePath("subject.auth_age")
	return len(p.Refused) > 0 || slices.ContainsFunc(p.Slots, func(s Slot) bool {
		return slices.ContainsFunc(s.paths(), age.within)
	})
}

func (p *Plan) reads() (body bool, headers []string) {
	if len(p.Refused) > 0 {
		return true, []string{"*"}
	}
	all := ParsePath("context.headers")
	for _, s := range p.Slots {
		for _, at := range s.paths() {
			body = body || len(at) == 0 || at[0].Name == "body"
			switch {
			case all.within(at):
				headers = append(headers, "*")
			case at.within(all) && !at[2].IsIndex:
				headers = append(headers, at[2].Name)
			}
		}
	}
	slices.SortFunc(headers, strings.Compare)
	return body, slices.Compact(headers)
}
