package gateway

import (
	"context"
	"io"
	"math/rand/v2"
	"os"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// decisionLog is where decisions go on record.
type decisionLog struct {
	writer *record.Writer
	file   *logFile // nil for stdout and stderr
}

// openDecisions opens the log of decisions, which outlives the plan as long as
// its settings stay.
func (b *builder) openDecisions() {
	c := b.config.Decisions
	if c.Output == "" || b.deps.Rehearsal && absent(c.Output) {
		return
	}
	l, err := hold(b.plan.lease, "decisions", c, func() (*decisionLog, error) {
		return openDecisionLog(c, b.deps.Metrics.DecisionLost)
	})
	if err == nil && l.file != nil {
		err = l.file.reopen() // a reload is how log rotation tells us
	}
	if err != nil {
		b.mistake("decisions.output", err)
		return
	}
	b.decisions = l
}

func openDecisionLog(c config.Decisions, lost func(string)) (*decisionLog, error) {
	l := &decisionLog{}
	var out io.Writer
	switch c.Output {
	case "stdout":
		out = os.Stdout
	case "stderr":
		out = os.Stderr
	default:
		l.file = &logFile{name: c.Output}
		if err := l.file.reopen(); err != nil {
			return nil, err
		}
		out = l.file
	}
	l.writer = record.Open(record.Options{Output: out, Queue: c.Queue, Bodies: c.Bodies, Lost: lost})
	return l, nil
}

// Close writes what waits and closes the file.
func (l *decisionLog) Close() error {
	err := l.writer.Close()
	if l.file != nil {
		return l.file.close()
	}
	return err
}

// recorder hands decisions to the log; nil where there is none.
func (b *builder) recorder() func(*judgement) {
	if b.decisions == nil {
		return nil
	}
	w, sample, revision := b.decisions.writer, b.config.Decisions.Sample, b.decider.Revision()
	var mask *record.Mask
	var labels func(*policies.Input) map[string][]string
	if e, ok := b.decider.(*opa.Engine); ok {
		mask = e.RecordMask()
		if b.config.Decisions.Labels {
			labels = firedLabels(e)
		}
	}
	return func(j *judgement) {
		if !sampled(sample) {
			return
		}
		w.Write(record.Entry{
			Time: j.at, Revision: revision, Input: j.in, Decision: j.decision, Took: j.took, MemoHit: j.remembered, Mask: mask, Labels: labels,
		})
	}
}

// sampled draws whether this one is among the share.
func sampled(share float64) bool {
	return share >= 1 || share > 0 && rand.Float64() < share //nolint:gosec // nobody gains by guessing it
}

// firedLabels asks which rules held, for their labels. The engine ends that by
// its own budget, and what it can tell by then is told.
func firedLabels(e *opa.Engine) func(*policies.Input) map[string][]string {
	return func(in *policies.Input) map[string][]string {
		rules, _ := e.Explain(context.Background(), in)
		var list []map[string]string
		for _, r := range rules {
			list = append(list, r.Labels)
		}
		return record.Collect(list)
	}
}
