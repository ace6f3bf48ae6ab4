package ratelimit

import "context"

// take is one request counted by one rule.
type take struct {
	Result
	ask
	counted bool  // somebody counted it
	shared  bool  // and that was the shared store
	err     error // why the shared store did not
}

// decide asks all rules about one request. It counts for all of them or, where
// one that is enforced refuses, for none, so that a refused request weighs on no
// limit; refusing is then the index of that rule, and else -1. A shadow rule that
// would refuse keeps nobody out and counts nothing.
func (s *Store) decide(ctx context.Context, asks []ask, takes []take) (out []take, refusing int) {
	for _, a := range asks {
		t := a.take(ctx)
		takes = append(takes, t)
		if !t.refuses() || a.rule.shadow {
			continue
		}
		for _, t := range takes {
			t.undo(ctx)
		}
		return takes, len(takes) - 1
	}
	return takes, -1
}

// refuses reports whether the rule says no.
func (t *take) refuses() bool {
	if !t.counted {
		return t.rule.onError == onErrorClosed
	}
	return t.Reached
}

// take counts one request.
func (a ask) take(ctx context.Context) take {
	t, q := take{ask: a}, a.quota
	if q.shared == nil {
		return t.local(ctx)
	}
	if res, ok := q.recall(a.key); ok {
		t.Result, t.counted, t.shared = res, true, true
		return t
	}
	if t.Result, t.err = counter(q.shared).Take(ctx, a.key, a.cost, q.spec.rate); t.err == nil {
		t.counted, t.shared = true, true
		q.remember(a.key, t.Result)
		return t
	}
	if a.rule.onError == onErrorLocal {
		return t.local(ctx)
	}
	return t
}

// local counts in this process, which cannot fail.
func (t take) local(ctx context.Context) take {
	t.counted = true
	t.Result, _ = counter(t.quota.local).Take(ctx, t.key, t.cost, t.quota.spec.rate)
	return t
}

// undo takes the request back from whoever counted it. Where that fails, one
// request too many is counted.
func (t take) undo(ctx context.Context) {
	if !t.counted || t.Reached {
		return
	}
	by := t.quota.local
	if t.shared {
		by = t.quota.shared
	}
	_ = counter(by).Undo(ctx, t.key, t.cost, t.quota.spec.rate, t.Result)
}
