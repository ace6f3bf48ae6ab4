package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
)

const (
	// shadowQueue is how many decisions may wait for the policies in the shadow,
	// and shadowBytes roughly what their questions may take.
	shadowQueue = 256
	shadowBytes = 16 << 20
	// shadowDifferences is how many differences are remembered.
	shadowDifferences = 100
)

// shadow judges other policies beside the active ones: one goroutine, a bounded
// queue, and never an influence on a request.
type shadow struct {
	candidate policies.Decider
	sample    float64
	count     func(route, result string)
	queue     chan shadowed
	bytes     atomic.Int64 // of what waits
	cancel    context.CancelFunc
	done      chan struct{}

	mu     sync.Mutex
	judged int
	found  compare.Tally
}

// shadowed is a decision that waits.
type shadowed struct {
	judgement
	size int64
}

// ShadowReport is what the policies in the shadow would have done.
type ShadowReport struct {
	Path     string `json:"path"`
	Revision string `json:"revision,omitempty"` // of the candidate
	Active   string `json:"active_revision"`
	// Error says why the candidate is not asked.
	Error string `json:"error,omitempty"`
	// Judged is how many decisions were compared since these two revisions met.
	Judged int `json:"judged"`
	// Differences are the newest distinct ones, dangerous ones first. They hold
	// no values of callers beyond the role.
	Differences []compare.Group `json:"differences"`
}

// openShadow loads the candidate by the same gate as the active policies. What
// is wrong with it is a mistake in a rehearsal, and only told where requests
// are served: who tries something must not be able to break what works.
func (b *builder) openShadow() {
	c := b.config.Policies
	if c.Shadow == "" || b.decider == nil {
		return
	}
	o := PolicyOptions(b.config)
	o.Path, o.Data, o.Files = c.Shadow, c.ShadowData, nil
	if o.Data == "" {
		o.Data = c.Data
	}
	candidate, err := b.loadEngine(o)
	switch {
	case err != nil && b.deps.Rehearsal:
		b.policyMistakes("policies.shadow", err)
		return
	case err != nil:
		b.plan.shadowErr = err
		if b.plan.log != nil {
			b.plan.log.Warn("the policies in the shadow are not asked", zap.Error(err))
		}
		return
	case b.deps.Rehearsal:
		return
	}
	// Other policies on either side make another comparison, with a list of its own.
	settings := struct {
		Policies          config.Policies
		Active, Candidate string
	}{c, b.decider.Revision(), candidate.Revision()}
	if b.plan.shadow, err = hold(b.plan.lease, "shadow", settings, func() (*shadow, error) {
		return startShadow(candidate, c.ShadowSample, b.deps.Metrics.Shadow), nil
	}); err != nil {
		b.mistake("policies.shadow", err)
	}
}

func startShadow(candidate policies.Decider, sample float64, count func(route, result string)) *shadow {
	ctx, cancel := context.WithCancel(context.Background())
	s := &shadow{
		candidate: candidate, sample: sample, count: count, cancel: cancel,
		queue: make(chan shadowed, shadowQueue), done: make(chan struct{}), found: compare.Tally{Max: shadowDifferences},
	}
	go s.run(ctx)
	return s
}

// Close ends the comparison. What waits is not judged any more.
func (s *shadow) Close() error {
	s.cancel()
	<-s.done
	return nil
}

// witness hands a share of the decisions in, as long as there is room; nil where
// nothing is in the shadow.
func (s *shadow) witness() func(*judgement) {
	if s == nil {
		return nil
	}
	return func(j *judgement) {
		if !sampled(s.sample) {
			return
		}
		q := shadowed{*j, j.in.Weight()}
		if s.bytes.Add(q.size) <= shadowBytes {
			select {
			case s.queue <- q:
				return
			default:
			}
		}
		s.bytes.Add(-q.size)
		s.count(j.in.Resource.Route, "dropped")
	}
}

func (s *shadow) run(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-s.queue:
			s.bytes.Add(-q.size)
			s.judge(ctx, &q.judgement)
		}
	}
}

// judge asks the candidate and notes what is different.
func (s *shadow) judge(ctx context.Context, j *judgement) {
	d, err := decideSafely(ctx, s.candidate, j.in)
	if ctx.Err() != nil {
		return
	}
	differences := compare.Answers(compare.Answer{Decision: j.decision}, compare.Answer{Decision: d})
	result := "same"
	switch {
	case err != nil:
		result = "error"
	case len(differences) > 0:
		result = "differs"
	}
	s.count(j.in.Resource.Route, result) // before the report tells of it
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judged++
	s.found.Add(j.in.Resource.Route, role(j.in), j.in.Context.RequestID, 1, differences)
}

// decideSafely takes a panic for a decision that could not be made: nothing but
// this comparison hangs on it.
func decideSafely(ctx context.Context, by policies.Decider, in *policies.Input) (d *policies.Decision, err error) {
	defer func() {
		if v := recover(); v != nil {
			d, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	if d, err = by.Decide(ctx, in); err != nil {
		return nil, err
	}
	return d, nil
}

func role(in *policies.Input) string {
	if in.Subject == nil {
		return ""
	}
	return in.Subject.Role
}

// Shadow tells what the policies in the shadow would have done; false where
// there are none.
func (g *Gateway) Shadow() (ShadowReport, bool) {
	p := g.Plan()
	r := ShadowReport{Path: p.config.Policies.Shadow, Active: p.Revision(), Differences: []compare.Group{}}
	if p.shadowErr != nil {
		r.Error = p.shadowErr.Error()
	}
	if s := p.shadow; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.Revision, r.Judged, r.Differences = s.candidate.Revision(), s.judged, s.found.Groups()
	}
	return r, p.shadow != nil || p.shadowErr != nil
}
