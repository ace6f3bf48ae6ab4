package gateway

import (
	"context"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// judgement is a decision that a request was served by, for those who look on.
// They must not change it and must not take long.
type judgement struct {
	at         time.Time
	in         *policies.Input
	decision   *policies.Decision // nil where it could not be decided
	took       time.Duration
	remembered bool
	blind      bool // the body, if there was one, was not shown
}

// rememberer is a decider that can tell whether it answered from memory. The
// decision itself cannot: it may be shared by many requests.
type rememberer interface {
	Recall(ctx context.Context, in *policies.Input) (d *policies.Decision, remembered bool, err error)
}

// witnessed lets others see what is decided. Only pipelines use it: what is
// explained to an operator is no decision.
type witnessed struct {
	policies.Decider
	witnesses []func(*judgement)
	blind     bool // of each judgement
}

// witness gives the decider of a pipeline, which is blind where bodies are left
// out of what it is asked.
func (b *builder) witness(blind bool) policies.Decider {
	if b.decider == nil {
		return nil
	}
	w := &witnessed{Decider: b.decider, blind: blind}
	for _, see := range []func(*judgement){b.recorder(), b.plan.shadow.witness(), b.plan.recent.witness()} {
		if see != nil {
			w.witnesses = append(w.witnesses, see)
		}
	}
	if len(w.witnesses) == 0 {
		return b.decider
	}
	return w
}

// Decide decides, and shows what was decided.
func (w *witnessed) Decide(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	j := judgement{at: time.Now(), in: in, blind: w.blind}
	var err error
	if r, ok := w.Decider.(rememberer); ok {
		j.decision, j.remembered, err = r.Recall(ctx, in)
	} else {
		j.decision, err = w.Decider.Decide(ctx, in)
	}
	j.took = time.Since(j.at)
	if err != nil {
		j.decision = nil
	}
	if err == nil || ctx.Err() == nil { // or the client went away before there was one
		for _, see := range w.witnesses {
			see(&j)
		}
	}
	return j.decision, err
}
