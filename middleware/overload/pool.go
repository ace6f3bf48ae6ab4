package overload

import (
	"container/heap"
	"sync"
)

// greed is how many times what is free one holder may have: one alone has at
// most greed/(greed+1) of a pool.
const greed = 7

// pool is places that holders share. A holder that neither has a place nor waits
// for one leaves no trace.
type pool struct {
	mu      sync.Mutex
	bound   int // places there are; fewer than used after it went down
	used    int
	room    int  // requests that may wait
	keeps   bool // the last place for a holder that has none
	waiting int
	holders map[key]*holder
	queue   queue   // holders that wait
	spare   *holder // to be used again
	arrival uint64
}

// holder is one tenant, subject or network in a pool.
type holder struct {
	key         key
	used        int
	waiting     int
	first, last *waiter // in the order of their arrival
	turn        uint64  // when it began to wait, or was served last
	at          int     // in the queue
	next        *holder // among the spare ones
}

// waiter is one request that waits.
type waiter struct {
	holder     *holder
	prev, next *waiter
	served     chan struct{} // closed with the lock held, when it has a place
	has        bool          // a place
}

// verdict is what became of the wish for a place.
type verdict int

const (
	placed verdict = iota
	queued
	refusedFull  // there is no place, and no room to wait
	refusedShare // there is, and not for one that has so many
)

// take gives a holder a place, if there is one for it.
func (p *pool) take(k key) (*holder, verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.try(k)
}

// line is a seat in the queue. Where there is a place after all, the waiter has it
// already.
func (p *pool) line(k key) (*waiter, verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, v := p.try(k)
	if v == placed {
		w := &waiter{holder: h, served: make(chan struct{}), has: true}
		close(w.served)
		return w, queued
	}
	waiting := 0
	if h = p.holders[k]; h != nil {
		waiting = h.waiting
	}
	if waiting >= p.room-p.waiting {
		if waiting > 0 && p.waiting < p.room {
			v = refusedShare
		}
		return nil, v
	}
	if h == nil {
		h = p.enter(k)
	}
	return p.join(h), queued
}

func (p *pool) try(k key) (*holder, verdict) {
	h, used := p.holders[k], 0
	if h != nil {
		used = h.used
	}
	switch {
	case p.admits(used) && (h == nil || h.waiting == 0): // or those that came before would go first
		if h == nil {
			h = p.enter(k)
		}
		h.used++
		p.used++
		return h, placed
	case used > 0 && p.used < p.bound:
		return nil, refusedShare
	}
	return nil, refusedFull
}

// admits reports whether one that holds so many places may have another.
func (p *pool) admits(used int) bool {
	free := p.bound - p.used
	return used < greed*free && (used == 0 || free > 1 || !p.keeps)
}

// give takes a place back.
func (p *pool) give(h *holder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.used--
	p.used--
	if h.waiting > 0 {
		heap.Fix(&p.queue, h.at)
	} else {
		p.leave(h)
	}
	p.serve()
}

// abandon ends the waiting and reports whether the waiter was served meanwhile:
// then the place is its own.
func (p *pool) abandon(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.has {
		return true
	}
	p.part(w)
	p.leave(w.holder)
	return false
}

// resize changes how many places there are, how many may wait, and whether the
// last place is kept. Nobody that has a place or waits loses it.
func (p *pool) resize(bound, room int, keeps bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bound, p.room, p.keeps = bound, room, keeps
	p.serve()
}

// serve hands out what is free. Where the holder with the fewest places may not
// have another, nobody may.
func (p *pool) serve() {
	for len(p.queue) > 0 && p.admits(p.queue[0].used) {
		h := p.queue[0]
		w := h.first
		h.used++
		p.used++
		p.arrival++
		h.turn = p.arrival // behind those that hold as few
		p.part(w)
		w.has = true
		close(w.served)
	}
}

// join puts a request of h at the end of the queue.
func (p *pool) join(h *holder) *waiter {
	p.arrival++
	w := &waiter{holder: h, prev: h.last, served: make(chan struct{})}
	if h.last != nil {
		h.last.next = w
	} else {
		h.first = w
	}
	h.last = w
	h.waiting++
	p.waiting++
	if h.waiting == 1 {
		h.turn = p.arrival
		heap.Push(&p.queue, h)
	}
	return w
}

// part takes a request out of the queue.
func (p *pool) part(w *waiter) {
	h := w.holder
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		h.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		h.last = w.prev
	}
	h.waiting--
	p.waiting--
	if h.waiting == 0 {
		heap.Remove(&p.queue, h.at)
		return
	}
	heap.Fix(&p.queue, h.at) // it may have a place more
}

func (p *pool) enter(k key) *holder {
	h := p.spare
	if h == nil {
		h = &holder{}
	} else {
		p.spare = h.next
	}
	*h = holder{key: k}
	if p.holders == nil {
		p.holders = map[key]*holder{}
	}
	p.holders[k] = h
	return h
}

// leave forgets a holder that has nothing any more.
func (p *pool) leave(h *holder) {
	if h.used > 0 || h.waiting > 0 {
		return
	}
	delete(p.holders, h.key)
	*h = holder{next: p.spare}
	p.spare = h
}

// queue is a heap: the holder with the fewest places is first, and of several
// the one that has waited longest since it was served.
type queue []*holder

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.used != b.used {
		return a.used < b.used
	}
	return a.turn < b.turn
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push adds a *holder.
func (q *queue) Push(h any) {
	holder := h.(*holder)
	holder.at = len(*q)
	*q = append(*q, holder)
}

// Pop takes the last one out.
func (q *queue) Pop() any {
	old := *q
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return h
}
