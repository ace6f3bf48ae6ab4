package detect

import "time"

// MaxThreshold is the highest threshold that a detector which counts events is
// made for: it remembers each of them, and looks through them.
const MaxThreshold = 10_000

// Limit is how much is too much.
type Limit struct {
	// Threshold is how many make a finding. 0 is the detector's default.
	Threshold int
	// Window is the time in which they have to come. What is exactly as old as the
	// window no longer counts. 0 is the detector's default.
	Window time.Duration
	// Quiet is for how long after a finding nothing is counted for its target: what
	// was under way then is no second offence. It should not exceed the shortest
	// block, or what follows a block goes uncounted. Default: Window.
	Quiet time.Duration
}

// or fills in what is not set.
func (l Limit) or(threshold int, window time.Duration) Limit {
	if l.Threshold <= 0 {
		l.Threshold = threshold
	}
	if l.Window <= 0 {
		l.Window = window
	}
	if l.Quiet <= 0 {
		l.Quiet = l.Window
	}
	return l
}

// finding is one of this limit.
func (l Limit) finding(count int, evidence ...[2]string) Finding {
	return Finding{Count: int64(count), Threshold: int64(l.Threshold), Window: l.Window, Evidence: evidence}
}

// whoever gives the identity of the subject or, where nobody is known, of the
// address.
func whoever(s *Signal) identity {
	if s.Subject != (Subject{}) {
		return identity{subject: s.Subject}
	}
	return at(s.Address)
}

// about says whom a finding concerns, the way whoever does.
func (f Finding) about(s *Signal) Finding {
	f.Address, f.Subject = s.Address, s.Subject
	f.Target = TargetAddress
	if s.Subject != (Subject{}) {
		f.Target = TargetSubject
	}
	return f
}

// quiet is when a target begins to count again, in nanoseconds of a table; 0 where
// it counts.
type quiet int64

// silence begins now.
func silence(now int64, length time.Duration) quiet { return quiet(now + int64(length)) }

func (q quiet) holds(now int64) bool { return q != 0 && now < int64(q) }

// weigh is little: who was found is blocked, or else soon found again.
func (q quiet) weigh(now int64) int64 {
	if !q.holds(now) {
		return 0
	}
	return weigh(1, int64(q), now, 0)
}
