package ratelimit

import "context"

// take is one request counted by one rule.
type take struct {
	Result
	ask
	counted bool  // somebody answered: counted it, or refused
	shared  bool  // and that was the shared store
	err     error // why the shared store did not

	terms *terms // by which it is counted here; nil: it is not
	place place  // where
}

// decide asks all rules about one request. It counts for all of them or, where
// one that is enforced refuses, for none, so that a refused request weighs on no
// limit; refusing is then the index of the first such rule, and else -1. A shadow
// rule that would refuse keeps nobody out and counts nothing. There is a take for
// every ask, in their order.
//
// Nothing is taken back, and so nobody is refused because of a request that in
// the end did not count: in this process the keys of all rules are locked, all
// are looked at, and then all are counted; in Redis one script does the same.
func (s *Store) decide(ctx context.Context, asks []ask, takes []take) (out []take, refusing int) {
	takes = takes[:0]
	for _, a := range asks {
		takes = append(takes, take{ask: a})
	}
	if s.redis != nil {
		return takes, s.decideShared(ctx, takes)
	}
	for i := range takes {
		takes[i].terms = &takes[i].quota.whole
	}
	return takes, s.decideHere(takes)
}

// refuses reports whether the rule says no.
func (t *take) refuses() bool {
	if !t.counted {
		return t.err != nil && t.rule.onError == onErrorClosed
	}
	return t.Reached
}

// refusing gives the first rule that is enforced and says no, -1 where none does.
func refusing(takes []take) int {
	for i := range takes {
		if t := &takes[i]; !t.rule.shadow && t.refuses() {
			return i
		}
	}
	return -1
}

// decideShared asks Redis, unless it said a moment ago that it would refuse.
func (s *Store) decideShared(ctx context.Context, takes []take) int {
	now, known := s.clock.now(), 0
	for i := range takes {
		t := &takes[i]
		if res, ok := t.quota.recall(t.key, t.cost, now); ok {
			t.Result, t.counted, t.shared = res, true, true
			known++
		}
	}
	if i := refusing(takes); i >= 0 || known == len(takes) {
		return i
	}
	err := s.redis.decide(ctx, takes, now)
	if err == nil {
		return refusing(takes)
	}
	for i := range takes {
		t := &takes[i]
		if t.shared {
			continue
		}
		t.err = err
		if t.rule.onError == onErrorLocal {
			t.terms = t.quota.share(s.replicas())
		}
	}
	if i := refusing(takes); i >= 0 {
		return i
	}
	return s.decideHere(takes)
}

// decideHere counts in this process whatever has terms.
func (s *Store) decideHere(takes []take) int {
	var array [8]int
	order := array[:0]
	for i := range takes {
		t := &takes[i]
		if t.terms == nil {
			continue
		}
		t.counted = true
		t.place = t.quota.here.place(t.key)
		// Locks are taken in one order by everybody, or two would wait for each
		// other. There are few: sorted as they come.
		order = append(order, i)
		for at := len(order) - 1; at > 0 && takes[order[at-1]].place.rank > t.place.rank; at-- {
			order[at], order[at-1] = order[at-1], order[at]
		}
	}
	for i, t := range order {
		if l := takes[t].place.lock; i == 0 || takes[order[i-1]].place.lock != l {
			l.Lock()
		}
	}
	if now := s.clock.now(); len(order) == 1 {
		t := &takes[order[0]] // nobody else can refuse
		t.Result = t.quota.here.count(t.place, now, t.cost, t.terms, true)
	} else {
		decideLocked(takes, now)
	}
	for i, t := range order {
		if l := takes[t].place.lock; i == 0 || takes[order[i-1]].place.lock != l {
			l.Unlock()
		}
	}
	return refusing(takes)
}

// decideLocked looks at all keys, and counts where no rule refuses.
func decideLocked(takes []take, now int64) {
	for pass := range 2 {
		for i := range takes {
			if t := &takes[i]; t.terms != nil && (pass == 0 || !t.Reached) {
				t.Result = t.quota.here.count(t.place, now, t.cost, t.terms, pass == 1)
			}
		}
		if refusing(takes) >= 0 {
			return
		}
	}
}
