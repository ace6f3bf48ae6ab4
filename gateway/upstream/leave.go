package upstream

import "time"

// Leave says that no plan sends new exchanges here: a reload has taken the
// upstream out. What is under way, streams too, has the time for draining to end;
// then it is cut. Whoever leaves may come back: see [Upstream.Stay].
func (u *Upstream) Leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.left.IsZero() {
		u.left = time.Now().Add(u.drain)
		u.arrange(time.Now())
	}
}

// Stay says that the plan in force sends exchanges here. What was cut meanwhile
// counts as well until it is asked again.
func (u *Upstream) Stay() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.left.IsZero() {
		return
	}
	was := u.cut
	u.left, u.cut = time.Time{}, false
	for _, t := range u.targets {
		if was {
			t.links.reopen()
			t.well, t.row = true, 0
		}
	}
	u.arrange(time.Now())
}

// drained cuts what is left of an upstream that was left. The mutex is held.
func (u *Upstream) drained() {
	u.cut = true
	for _, t := range u.targets {
		t.links.close()
	}
}
