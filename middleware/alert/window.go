package alert

import (
	"net/netip"
	"time"
)

// maxWindows bounds how many targets are remembered. Where there are more, the
// window that began first ends early.
const maxWindows = 16384

// windows holds back findings about what was told already: of one detector about
// one target there is one alert in a window, and where there were more, one that
// says how many when it is over.
type windows struct {
	length time.Duration
	most   int
	m      map[target]*window
	// first and last are the ends of a list in the order in which windows end.
	first, last *window
}

// target is whom a finding is about, and whose finding it is.
type target struct {
	detector        string
	address         netip.Prefix
	user            string
	issuer, subject string
}

type window struct {
	target     target
	began      time.Time
	ends       time.Time
	finding    string // id of the alert that was told
	told       int    // how grave it was
	blocked    string // by it
	held       int64
	latest     record // of those held back
	prev, next *window
}

func targetOf(e *Event) target {
	t := target{detector: e.Detector, issuer: e.Issuer, subject: e.Subject}
	if e.Subject == "" { // of a subject it does not matter where it is
		t.address, t.user = e.Address, e.User
	}
	return t
}

// hold reports whether a finding is to be held back; give gets what has to be told
// for want of room. What is graver than all that was told in the window, or began
// another block, is not held back, and belongs to the same finding.
func (w *windows) hold(r *record, now time.Time, give func(*record)) bool {
	t := targetOf(&r.Event)
	if at := w.m[t]; at != nil {
		r.Finding = at.finding
		if grave := r.Severity.rank(); grave > at.told || r.Block != "" && r.Block != at.blocked {
			at.told, at.blocked = max(grave, at.told), r.Block
			r.Update = true
			return false
		}
		at.held++
		at.latest = *r
		return true
	}
	if len(w.m) >= w.most {
		w.end(w.first, give)
	}
	if w.m == nil {
		w.m = map[target]*window{}
	}
	at := &window{target: t, began: r.Time, ends: now.Add(w.length), finding: r.ID, told: r.Severity.rank(), blocked: r.Block}
	w.m[t] = at
	w.append(at)
	return false
}

// over ends the windows that are over by now; of a zero time, all. A window in
// which something was held back begins anew: what goes on is told once in each.
func (w *windows) over(now time.Time, give func(*record)) {
	for w.first != nil && (now.IsZero() || !now.Before(w.first.ends)) {
		at := w.first
		goesOn := at.held > 0 && !now.IsZero()
		w.end(at, give)
		if goesOn {
			at.held, at.ends = 0, now.Add(w.length)
			w.m[at.target] = at
			w.append(at)
		}
	}
}

// next tells when the next window is over.
func (w *windows) next() (time.Time, bool) {
	if w.first == nil {
		return time.Time{}, false
	}
	return w.first.ends, true
}

func (w *windows) end(at *window, give func(*record)) {
	delete(w.m, at.target)
	w.remove(at)
	if at.held == 0 {
		return
	}
	r := at.latest
	r.ID, r.Held, r.Since, r.Update = newID(), at.held, at.began, true
	r.Lost = 0
	at.began = r.Time
	give(&r)
}

func (w *windows) append(at *window) {
	at.prev, at.next = w.last, nil
	if w.last == nil {
		w.first = at
	} else {
		w.last.next = at
	}
	w.last = at
}

func (w *windows) remove(at *window) {
	if at.prev == nil {
		w.first = at.next
	} else {
		at.prev.next = at.next
	}
	if at.next == nil {
		w.last = at.prev
	} else {
		at.next.prev = at.prev
	}
	at.prev, at.next = nil, nil
}
