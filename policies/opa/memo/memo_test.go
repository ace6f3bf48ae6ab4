package memo

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

const roleAndRoute = `r if input.subject.role == input.action.name
s := input.subject.role
t if { input.resource.route == "payroll"; input.body.x == 1 }`

func ask(role string) *policies.Input {
	return &policies.Input{Subject: &policies.Subject{Role: role}}
}

// answer evaluates to what it is given and counts how often.
type answer struct {
	decision    *policies.Decision
	interrupted bool
	err         error
	n           int
}

func (a *answer) evaluate() (*policies.Decision, bool, error) {
	a.n++
	return a.decision, a.interrupted, a.err
}

func TestDecide(t *testing.T) {
	m := New(sourceOf(t, roleAndRoute), Options{})
	hr, staff := &answer{decision: &policies.Decision{Allow: true}}, &answer{decision: &policies.Decision{}}
	for range 3 {
		for role, a := range map[string]*answer{"hr": hr, "staff": staff} {
			if d, err := m.Decide(ask(role), a.evaluate); d != a.decision || err != nil {
				t.Errorf("%s: %v, %v", role, d, err)
			}
		}
	}
	if d := cmp.Diff(Stats{Hits: 4, Misses: 2}, m.Stats()); d != "" || hr.n != 1 || staff.n != 1 {
		t.Errorf("evaluated %d and %d times; stats (-want +got):\n%s", hr.n, staff.n, d)
	}
}

func TestErrorIsNotRemembered(t *testing.T) {
	m := New(sourceOf(t, roleAndRoute), Options{})
	wrong := errors.New("wrong")
	for _, a := range []*answer{{err: wrong}, {err: wrong, interrupted: true}} {
		if d, err := m.Decide(ask("hr"), a.evaluate); d != nil || !errors.Is(err, wrong) {
			t.Errorf("%v, %v", d, err)
		}
	}
	if d := cmp.Diff(Stats{Bypassed: 2}, m.Stats()); d != "" {
		t.Errorf("stats (-want +got):\n%s", d)
	}
}

// Switched off, refused, or too large to be remembered: it is evaluated.
func TestBypassed(t *testing.T) {
	large := ask("hr")
	large.Body = map[string]any{"x": string(make([]byte, 2*maxKey))}
	odd := ask("hr")
	odd.Body = map[string]any{"x": struct{}{}}
	for name, tt := range map[string]struct {
		text string
		o    Options
		in   *policies.Input
	}{
		"off":     {roleAndRoute, Options{Entries: -1}, ask("hr")},
		"refused": {"r if time.now_ns() > 1", Options{}, ask("hr")},
		"large":   {"r := input.body", Options{}, large},
		"odd":     {"r := input.body", Options{}, odd},
	} {
		m := New(sourceOf(t, tt.text), tt.o)
		a := &answer{decision: &policies.Decision{}}
		for range 2 {
			if d, err := m.Decide(tt.in, a.evaluate); d != a.decision || err != nil {
				t.Errorf("%s: %v, %v", name, d, err)
			}
		}
		if d := cmp.Diff(Stats{Bypassed: 2}, m.Stats()); d != "" || a.n != 2 {
			t.Errorf("%s: evaluated %d times; stats (-want +got):\n%s", name, a.n, d)
		}
		if on := m.Report().Enabled; on != (name == "large" || name == "odd") {
			t.Errorf("%s: enabled %v", name, on)
		}
	}
}

// A remembered decision that is wrong is found, and then nothing is remembered.
func TestAudit(t *testing.T) {
	right, wrong := &policies.Decision{}, &policies.Decision{Allow: true}
	for name, tt := range map[string]struct {
		audit answer // what the evaluation of the audit gives
		want  *policies.Decision
		err   bool
		on    bool // still
	}{
		"equal":       {answer{decision: &policies.Decision{Allow: true}}, wrong, false, true},
		"interrupted": {answer{err: errors.New("time"), interrupted: true}, wrong, false, true},
		"different":   {answer{decision: right}, right, false, false},
		"error":       {answer{err: errors.New("conflict")}, nil, true, false},
	} {
		var told []*policies.Decision
		m := New(sourceOf(t, roleAndRoute), Options{AuditEvery: 3, OnMismatch: func(in *policies.Input, remembered, evaluated *policies.Decision) {
			told = append(told, remembered, evaluated)
		}})
		first := &answer{decision: wrong}
		for range 3 { // a miss and two hits
			if d, err := m.Decide(ask("hr"), first.evaluate); d != wrong || err != nil {
				t.Fatal(d, err)
			}
		}
		d, err := m.Decide(ask("hr"), tt.audit.evaluate)
		if d != tt.want || (err != nil) != tt.err || tt.audit.n != 1 || first.n != 1 {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		s := m.Stats()
		if m.Report().Enabled != tt.on || s.Audits != 1 || (s.Mismatches == 0) != tt.on || (len(told) == 0) != tt.on {
			t.Errorf("%s: stats %+v, told %v", name, s, told)
		}
		if tt.on {
			continue
		}
		if told[0] != wrong || told[1] != tt.want {
			t.Errorf("%s: told %v", name, told)
		}
		again := &answer{decision: right}
		if d, _ := m.Decide(ask("hr"), again.evaluate); d != right || again.n != 1 {
			t.Errorf("%s: still remembered: %v", name, d)
		}
	}
}

// The plan of a route serves only questions for which its constants hold.
func TestConstantsMustHold(t *testing.T) {
	m := New(sourceOf(t, roleAndRoute), Options{Routes: []Constants{{routePath: "documents", "body": nil}, {routePath: "payroll"}}})
	on := func(route string, body any) *policies.Input {
		in := ask("hr")
		in.Resource.Route, in.Body = route, body
		return in
	}
	n := 0
	fresh := func() (*policies.Decision, bool, error) {
		n++
		return &policies.Decision{Audit: fmt.Sprint(n)}, false, nil
	}
	decide := func(in *policies.Input) string {
		d, err := m.Decide(in, fresh)
		if err != nil {
			t.Fatal(err)
		}
		return d.Audit
	}
	x := map[string]any{"x": 1}
	for i, in := range []*policies.Input{on("documents", nil), on("documents", x), on("documents", map[string]any{"x": 2}), on("payroll", x), on("payroll", nil), on("other", nil)} {
		if got := decide(in); got != fmt.Sprint(i+1) {
			t.Errorf("question %d got the decision of question %s", i+1, got)
		}
	}
	if body, _ := m.Reads("documents"); body {
		t.Error("documents need no body")
	}
	if body, _ := m.Reads("payroll"); !body {
		t.Error("payroll needs the body")
	}
	if body, _ := m.Reads("never heard of"); !body {
		t.Error("where nothing is known the body is needed")
	}
}

// A group of members is there or not as one of them is.
func TestConstantGroups(t *testing.T) {
	for path, want := range map[string]bool{"subject": true, "": false, "resource": false, "body": true, "context.time": false, "subject.claims.a": true} {
		m := New(sourceOf(t, roleAndRoute), Options{Routes: []Constants{{routePath: "r", path: nil}}})
		in := &policies.Input{Resource: policies.Resource{Route: "r"}}
		if got := m.keyer(in) != m.general; got != want {
			t.Errorf("%s: the constant holds: %v, want %v", path, got, want)
		}
		in.Subject, in.Body = &policies.Subject{Claims: map[string]any{"a": 1}}, 1
		if m.keyer(in) != m.general {
			t.Errorf("%s is there, and the constant still holds", path)
		}
	}
}

// The keys know every member of the question: one that is added to it and
// forgotten here would be read and not be in the key.
func TestEveryMemberIsKnown(t *testing.T) {
	var want, got []string
	var walk func(at string, ty reflect.Type)
	walk = func(at string, ty reflect.Type) {
		if ty.Kind() == reflect.Pointer {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct {
			want = append(want, at)
			return
		}
		for f := range ty.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			walk(at+"."+name, f.Type)
		}
	}
	walk("input", reflect.TypeFor[policies.Input]())
	for _, l := range leaves() {
		got = append(got, l.path.String())
		var v view
		if l.show(&policies.Input{Subject: &policies.Subject{AuthAge: new(int64)}}, &v); v.shape == unknown {
			t.Errorf("%v has no view", l.path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
}

// A flood of keys is forgotten and does not grow anything; what is asked for
// again and again stays.
func TestTableIsBounded(t *testing.T) {
	c := newCache[int](64)
	zero := 0
	c.put([]byte("kept"), &zero)
	evicted := 0
	for i := range 10_000 {
		n := i
		if _, out := c.put(fmt.Appendf(nil, "%d", i), &n); out {
			evicted++
		}
		if c.get([]byte("kept")) != &zero {
			t.Fatal("what is used is forgotten")
		}
	}
	have := 0
	for i := range 10_000 {
		if v := c.get(fmt.Appendf(nil, "%d", i)); v != nil {
			if have++; *v != i {
				t.Fatalf("key %d has value %d", i, *v)
			}
		}
	}
	if have > 64 || have+evicted < 10_000-1 {
		t.Errorf("%d kept, %d evicted", have, evicted)
	}
}

// Whoever comes first decides the address; all others get the same.
func TestTableConcurrently(t *testing.T) {
	c := newCache[int](16)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				key, n := fmt.Appendf(nil, "%d", i%40), i%40
				if v := c.get(key); v != nil && *v != n {
					t.Errorf("key %s has value %d", key, *v)
				}
				if v, _ := c.put(key, &n); *v != n {
					t.Errorf("goroutine %d: key %s got value %d", g, key, *v)
				}
			}
		})
	}
	wg.Wait()
	a, b := 1, 2
	c.put([]byte("x"), &a)
	if v, _ := c.put([]byte("x"), &b); v != &a || c.get([]byte("x")) != &a {
		t.Error("a second value replaces the first")
	}
}

// Entries that share a hash are told apart by their keys.
func TestTableComparesWholeKeys(t *testing.T) {
	c := newCache[int](4)
	n := 1
	c.sets[0][0].Store(&entry[int]{hash: 7, key: "a", value: &n})
	if c.find(7, []byte("b")) != nil || c.find(7, []byte("a")) == nil {
		t.Error("a hash is taken for a key")
	}
}
