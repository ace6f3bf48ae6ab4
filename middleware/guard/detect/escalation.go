package detect

import "time"

// Escalation says how long blocks last that follow one another.
type Escalation struct {
	// Steps are the lengths of the first, the second … block of a target in a row;
	// those beyond are like the last. Default: 1 h, 4 h, 24 h.
	Steps []time.Duration
}

// For is the length of the block of a level; the first level is 1.
func (e Escalation) For(level int) time.Duration {
	steps := e.Steps
	if len(steps) == 0 {
		steps = []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour}
	}
	return steps[min(max(level, 1), len(steps))-1]
}
