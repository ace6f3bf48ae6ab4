package gateway

import (
	"context"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

const (
	// recentClasses is how many classes of requests are remembered.
	recentClasses = 1000
	// recentBytes is how large a question may be that stands for a class.
	recentBytes = 16 << 10
	// recentFresh is after how many requests another one stands for its class.
	recentFresh = 64
	// recentTime is how long ago is lately.
	recentTime = 24 * time.Hour
	// foreseeTime bounds how long a reload looks ahead.
	foreseeTime = 5 * time.Second
	// foreseeLines is how many differences the log tells of.
	foreseeLines = 20
)

// recent remembers one question for each class of requests seen lately, so that
// a reload can tell what new policies would change before they decide. A class is
// a role, on a route, with an action, and with a decision that demands alike. It
// holds no more than a session store does, and is written nowhere.
type recent struct {
	seed maphash.Seed

	mu sync.Mutex
	m  map[class]*example
}

type class struct {
	route, role, action string
	decision            uint64
}

// example is the question that stands for a class.
type example struct {
	in    *policies.Input
	times int
	met   time.Time // last
	blind bool      // it lacks the body, if there was one
}

func newRecent() *recent { return &recent{seed: maphash.MakeSeed(), m: map[class]*example{}} }

// witness notes a decision; nil where nothing is remembered.
func (r *recent) witness() func(*judgement) {
	if r == nil {
		return nil
	}
	return r.add
}

// add notes a decision. Where another one is just being noted it does without:
// nobody waits for this, and the next of its class will come.
func (r *recent) add(j *judgement) {
	k := class{j.in.Resource.Route, role(j.in), j.in.Action.Name, r.outline(j.decision)}
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	e := r.m[k]
	if e == nil || e.times%recentFresh == 0 {
		if j.in.Weight() > recentBytes {
			return
		}
		if e == nil {
			r.room()
			e = &example{}
			r.m[k] = e
		}
		e.in, e.blind = j.in, j.blind
	}
	e.times++
	e.met = j.at
}

// room forgets the class that was not met for the longest time.
func (r *recent) room() {
	if len(r.m) < recentClasses {
		return
	}
	var oldest class
	var met time.Time
	for k, e := range r.m {
		if met.IsZero() || e.met.Before(met) {
			oldest, met = k, e.met
		}
	}
	delete(r.m, oldest)
}

// outline tells decisions apart that demand different things, as far as that is
// cheap to see.
func (r *recent) outline(d *policies.Decision) uint64 {
	if d == nil {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	said := byte(0)
	for i, word := range [...]bool{d.Allow, d.AllFields, d.AllRows} {
		if word {
			said |= 1 << i
		}
	}
	_, _ = h.Write([]byte{ // never fails
		byte(len(d.Mask)), byte(len(d.Rows)), byte(len(d.Expose)), byte(len(d.Protect)), byte(len(d.Require)), byte(len(d.Headers)), byte(len(d.RateLimits)), said,
	})
	for _, o := range d.Deny {
		_, _ = h.WriteString(o.Code)
	}
	return h.Sum64()
}

// examples lists what stands for the classes met lately, with how often each
// was met.
func (r *recent) examples(now time.Time) []example {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]example, 0, len(r.m))
	for _, e := range r.m {
		if now.Sub(e.met) < recentTime {
			out = append(out, *e)
		}
	}
	return out
}

// Foresight is what new policies will change for the requests seen lately.
type Foresight struct {
	// Classes of requests were judged by both policies. They stand for Requests,
	// of which Different will fare otherwise, and Opened will get more.
	Classes   int `json:"classes"`
	Requests  int `json:"requests"`
	Different int `json:"different"`
	Opened    int `json:"opened"`
	// Partial says that not all classes were judged: there was no time, or the
	// new policies read a body that those before did not need to be shown.
	Partial bool `json:"partial,omitempty"`
	// Differences by role and route, the dangerous ones first.
	Differences []compare.Group `json:"differences"`
}

// foresee asks the new policies what was asked lately, which also fills what
// they remember. It is nil where nothing was asked or the policies stay.
func foresee(ctx context.Context, r *recent, before, after policies.Decider) *Foresight {
	if r == nil || before == nil || after == nil || before.Revision() == after.Revision() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, foreseeTime)
	defer cancel()
	f := &Foresight{}
	var found compare.Tally
	for _, e := range r.examples(time.Now()) {
		if e.blind && readsBody(after, e.in) {
			f.Partial = true
			continue
		}
		var was, is compare.Answer
		was.Decision, _ = decideSafely(ctx, before, e.in)
		is.Decision, _ = decideSafely(ctx, after, e.in)
		if ctx.Err() != nil {
			f.Partial = true
			break
		}
		differences := compare.Answers(was, is)
		f.Classes++
		f.Requests += e.times
		if len(differences) > 0 {
			f.Different += e.times
		}
		if compare.Opens(differences) {
			f.Opened += e.times
		}
		found.Add(e.in.Resource.Route, role(e.in), e.in.Context.RequestID, e.times, differences)
	}
	if f.Classes == 0 && !f.Partial {
		return nil
	}
	f.Differences = found.Groups()
	return f
}

// readsBody reports whether a body could matter to the decision, which for
// requests that only read it hardly does.
func readsBody(d policies.Decider, in *policies.Input) bool {
	e, ok := d.(*opa.Engine)
	if !ok || in.Action.Name == policies.ActionName(http.MethodGet) {
		return false
	}
	body, _ := e.Reads(in.Resource.Route)
	return body
}

// tell logs what was foreseen.
func (f *Foresight) tell(l *Log) {
	if f == nil {
		return
	}
	lines := make([]string, 0, foreseeLines)
	for _, g := range f.Differences[:min(len(f.Differences), foreseeLines)] {
		lines = append(lines, g.String())
	}
	log := l.Info
	if f.Opened > 0 {
		log = l.Warn
	}
	log("what the new policies change", zap.Int("classes", f.Classes), zap.Int("requests", f.Requests), zap.Int("different", f.Different),
		zap.Int("opened", f.Opened), zap.Bool("partial", f.Partial), zap.Strings("differences", lines))
}
