package overload

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func tenant(name string) (k key) {
	for _, c := range name {
		k = k<<8 | key(c)
	}
	return k
}

// seats takes n places for a holder and gives what it got.
func seats(p *pool, name string, n int) (got []*holder) {
	for range n {
		if h, v := p.take(tenant(name)); v == placed {
			got = append(got, h)
		}
	}
	return got
}

// One alone has seven eighths; of several that take all they can, each has as
// much as the others; and one that has nothing finds a place.
func TestShares(t *testing.T) {
	for _, tt := range []struct {
		bound, holders int
		least, most    int
	}{
		{1, 1, 1, 1},
		{7, 1, 7, 7},
		{8, 1, 7, 7},
		{100, 1, 87, 88},
		{100, 2, 46, 47},
		{100, 10, 9, 10},
		{1000, 1, 875, 875},
	} {
		p := &pool{bound: tt.bound}
		got := make([]int, tt.holders)
		for range tt.bound { // in turn, as floods come
			for i := range got {
				got[i] += len(seats(p, fmt.Sprint(i), 1))
			}
		}
		for i, n := range got {
			if n < tt.least || n > tt.most {
				t.Errorf("%d places, %d holders: %d has %d, want %d to %d", tt.bound, tt.holders, i, n, tt.least, tt.most)
			}
		}
		if tt.bound >= 8 && len(seats(p, "late", 1)) == 0 {
			t.Errorf("%d places, %d holders: none is left for another", tt.bound, tt.holders)
		}
	}
}

// Where the bound is found, it may become so small that an eighth is nothing: then
// the last place is kept.
func TestLastPlace(t *testing.T) {
	for bound, want := range []int{0, 1, 1, 2, 3, 4, 5, 6, 7, 8} {
		p := &pool{bound: bound, keeps: true}
		if got := len(seats(p, "a", 20)); got != want {
			t.Errorf("of %d places one has %d, want %d", bound, got, want)
		}
		if got := len(seats(p, "b", 20)); bound > 1 && got == 0 {
			t.Errorf("of %d places none is left for another", bound)
		}
	}
}

// TestShareThatShrinks: who had it all for itself gets no more until it is back
// in its share, and others are served meanwhile.
func TestShareThatShrinks(t *testing.T) {
	p := &pool{bound: 16, room: 16}
	a := seats(p, "a", 16)
	if len(a) != 14 {
		t.Fatalf("a has %d", len(a))
	}
	if _, v := p.take(tenant("a")); v != refusedShare {
		t.Errorf("verdict %d, want share", v)
	}
	if b := seats(p, "b", 16); len(b) != 2 {
		t.Errorf("b has %d, want the 2 that are free", len(b))
	}
	if _, v := p.take(tenant("b")); v != refusedFull {
		t.Errorf("verdict %d, want full", v)
	}
	wa, _ := p.line(tenant("a"))
	wb, _ := p.line(tenant("b"))
	p.give(a[0])
	if wa.has || !wb.has {
		t.Errorf("a was served: %v, b: %v; want b, which has fewer", wa.has, wb.has)
	}
}

// TestQueue: places go to whoever has the fewest, and among those to who came
// first; each in the order of its own arrival.
func TestQueue(t *testing.T) {
	p := &pool{bound: 3, room: 100}
	x := seats(p, "x", 2)
	y := seats(p, "y", 1)
	var order []string
	type entry struct {
		name string
		w    *waiter
	}
	var waiting []entry
	for _, name := range []string{"x", "x", "y", "z", "z", "u"} {
		w, v := p.line(tenant(name))
		if v != queued {
			t.Fatalf("%s: verdict %d", name, v)
		}
		waiting = append(waiting, entry{name, w})
	}
	served := func() {
		for i := 0; i < len(waiting); i++ {
			if waiting[i].w.has {
				order = append(order, waiting[i].name)
				waiting = append(waiting[:i], waiting[i+1:]...)
				i--
			}
		}
	}
	// x is left with one: z and u have none, and z came first. y is left with
	// none, and came before u; so is x then, which came before all.
	for _, h := range []*holder{x[0], y[0], x[1]} {
		p.give(h)
		served()
	}
	if got := fmt.Sprint(order); got != "[z y x]" {
		t.Errorf("served %s, want z, y, x", got)
	}
	if p.waiting != len(waiting) {
		t.Errorf("%d wait, want %d", p.waiting, len(waiting))
	}
}

// Those that hold as few take turns: a flood that came before is not first all the
// time.
func TestTurns(t *testing.T) {
	for _, bound := range []int{1, 2} {
		p := &pool{bound: bound, room: 100}
		held := seats(p, "a", bound)
		var waiting []*waiter
		names := map[*holder]string{}
		for _, name := range []string{"a", "a", "a", "a", "b", "b", "c"} {
			w, _ := p.line(tenant(name))
			waiting = append(waiting, w)
			names[w.holder] = name
		}
		var order []string
		for range waiting {
			p.give(held[0])
			held = held[1:]
			for i, w := range waiting {
				if w != nil && w.has {
					order, held, waiting[i] = append(order, names[w.holder]), append(held, w.holder), nil
				}
			}
		}
		want := map[int]string{1: "[a b c a b a a]", 2: "[b a c b a a a]"}[bound]
		if got := fmt.Sprint(order); got != want {
			t.Errorf("of %d places: served %s, want %s", bound, got, want)
		}
	}
}

// One holder has half of the queue at most, and others find room.
func TestQueueIsShared(t *testing.T) {
	p := &pool{bound: 1, room: 10}
	seats(p, "a", 1)
	join := func(name string, n int) (got int, last verdict) {
		for range n {
			var v verdict
			if _, v = p.line(tenant(name)); v == queued {
				got++
			}
			last = v
		}
		return got, last
	}
	if n, v := join("a", 50); n != 5 || v != refusedShare {
		t.Errorf("a: %d wait, the last is told %d", n, v)
	}
	if n, v := join("b", 50); n != 3 || v != refusedShare {
		t.Errorf("b: %d wait, the last is told %d", n, v)
	}
	if n, _ := join("c", 1); n != 1 {
		t.Error("c found no room")
	}
	join("d", 1)
	if n, v := join("e", 1); n != 0 || v != refusedFull {
		t.Errorf("e: %d waits where all is full, told %d", n, v)
	}
}

// TestResize: nobody loses a place; nobody gets one before enough were given
// back; and who waits is served where there are more.
func TestResize(t *testing.T) {
	p := &pool{bound: 10, room: 10}
	var all []*holder
	for i := range 10 {
		all = append(all, seats(p, fmt.Sprint(i), 1)...)
	}
	w, _ := p.line(tenant("w"))
	p.resize(5, 10, false)
	for _, h := range all[:5] {
		if p.give(h); w.has {
			t.Fatal("served beyond the new bound")
		}
	}
	if p.give(all[5]); !w.has {
		t.Error("not served where there is a place")
	}
	w, _ = p.line(tenant("w2"))
	if p.resize(6, 10, false); !w.has {
		t.Error("a larger bound serves nobody")
	}
}

// TestPoolAgainstModel does at random what can be done, and counts along.
func TestPoolAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := &pool{bound: 1 + r.IntN(20), room: r.IntN(20)}
		var held []*holder
		var waiting []*waiter
		settle := func() { // of those that wait, who was served has a place
			rest := waiting[:0]
			for _, w := range waiting {
				if w.has {
					held = append(held, w.holder)
				} else {
					rest = append(rest, w)
				}
			}
			waiting = rest
		}
		for range 2000 {
			switch r.IntN(6) {
			case 0, 1:
				before := p.used
				if w, v := p.line(tenant(fmt.Sprint(r.IntN(8)))); v == queued {
					if w.has && before >= p.bound {
						t.Fatalf("seed %d: a place beyond the bound", seed)
					}
					waiting = append(waiting, w)
				}
			case 2, 3:
				if len(held) > 0 {
					i := r.IntN(len(held))
					h := held[i]
					held = append(held[:i], held[i+1:]...)
					p.give(h)
				}
			case 4:
				if len(waiting) > 0 {
					i := r.IntN(len(waiting))
					w := waiting[i]
					waiting = append(waiting[:i], waiting[i+1:]...)
					if p.abandon(w) {
						held = append(held, w.holder)
					}
				}
			case 5:
				if r.IntN(10) == 0 {
					p.resize(1+r.IntN(20), r.IntN(20), r.IntN(2) == 0)
				}
			}
			settle()
			if p.used != len(held) || p.waiting != len(waiting) {
				t.Fatalf("seed %d: %d used and %d waiting, want %d and %d", seed, p.used, p.waiting, len(held), len(waiting))
			}
			if len(p.queue) > 0 && p.admits(p.queue[0].used) {
				t.Fatalf("seed %d: somebody waits that could be served", seed)
			}
			if len(p.holders) > len(held)+len(waiting) {
				t.Fatalf("seed %d: %d holders are kept of %d places and %d that wait", seed, len(p.holders), len(held), len(waiting))
			}
		}
		for _, w := range waiting {
			if p.abandon(w) {
				t.Fatalf("seed %d: served in secret", seed)
			}
		}
		for _, h := range held {
			p.give(h)
		}
		if p.used != 0 || p.waiting != 0 || len(p.holders) != 0 || len(p.queue) != 0 {
			t.Errorf("seed %d: left over: %d used, %d waiting, %d holders, %d in the queue", seed, p.used, p.waiting, len(p.holders), len(p.queue))
		}
	}
}
