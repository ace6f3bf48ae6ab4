package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Blocks in a row never get shorter, wherever their lengths come from.
func TestEscalation(t *testing.T) {
	h := func(n float64) Duration { return Duration(n * float64(time.Hour)) }
	for name, tt := range map[string]struct {
		response Response
		want     []time.Duration // of the blocks 0 to 5
	}{
		"the defaults":        {Response{Escalation: escalation()}, hours(1, 1, 4, 24, 24, 24)},
		"a first step":        {Response{Block: h(0.5), Escalation: escalation()}, hours(0.5, 0.5, 4, 24, 24, 24)},
		"a first step beyond": {Response{Block: h(6), Escalation: escalation()}, hours(6, 6, 6, 24, 24, 24)},
		"one step":            {Response{Escalation: []Duration{h(2)}}, hours(2, 2, 2, 2, 2, 2)},
	} {
		var got []time.Duration
		for n := range 6 {
			got = append(got, tt.response.Length(n))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func hours(list ...float64) (out []time.Duration) {
	for _, n := range list {
		out = append(out, time.Duration(n*float64(time.Hour)))
	}
	return out
}
