package memo

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The search for two answers under one key would find a read that the analysis
// forgot: where one is taken out of a plan on purpose, it mostly does. A policy
// counts as sensitive when the loss of at least one of its reads is noticed.
func TestMissingReadIsNoticed(t *testing.T) {
	programs, sensitive, deleted, noticed := 0, 0, 0, 0
	for i := uint64(0); programs < max(soak(80), 30); i++ {
		g := &generator{Rand: rand.New(rand.NewPCG(3, i))}
		p, _ := g.program()
		if p == nil {
			continue
		}
		src := p.source
		src.ValuesOnly = i%2 == 0
		plan := Analyze(src, nil)
		if len(plan.Slots) == 0 {
			continue
		}
		programs++
		all := p.answers(g.inputs(480))
		any := false
		for j := range plan.Slots {
			less := &Plan{Slots: slices.Delete(slices.Clone(plan.Slots), j, j+1)}
			if _, wrong := compare(p.keyer(less), all, func(_, _ answered) {}); wrong > 0 {
				noticed++
				any = true
			}
			deleted++
		}
		if any {
			sensitive++
		}
	}
	t.Logf("%d of %d reads taken out were noticed (%d%%), in %d of %d policies (%d%%)",
		noticed, deleted, 100*noticed/deleted, sensitive, programs, 100*sensitive/programs)
	if 100*sensitive < 80*programs || 100*noticed < 20*deleted {
		t.Error("too few: the search is blind")
	}
}
