package detect_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// The detectors against models that remember everything and count it anew each
// time. A sequence of signals is a text of three bytes each: when, who and what.

// moment is how long after the one before a signal comes.
func moment(b byte, window time.Duration) time.Duration {
	return []time.Duration{
		0, 0, 0, 1, time.Second, window / 60, window / 10, window / 5, window / 4, window / 2, window - time.Second, window - 1, window, window + 1, 2 * window, time.Minute,
	}[b%16]
}

// play gives each signal of a sequence to see.
func play(sequence []byte, window time.Duration, see func(now time.Time, who, what byte)) {
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	for ; len(sequence) >= 3; sequence = sequence[3:] {
		now = now.Add(moment(sequence[0], window))
		see(now, sequence[1], sequence[2])
	}
}

// sequences are some for every run of the tests: 300 signals each, half of them
// close together.
func sequences() (all [][]byte) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 40 {
		b := make([]byte, 900)
		for j := range b {
			b[j] = byte(r.Uint32())
			if i%2 == 0 && j%3 == 0 {
				b[j] %= 7
			}
		}
		all = append(all, b)
	}
	return all
}

// past is all that was counted for one target.
type past struct {
	events []event
	quiet  time.Time
}

type event struct {
	at   time.Time
	what string
	n    int
}

// within gives the events that are younger than the window.
func (p *past) within(now time.Time, window time.Duration) (events []event) {
	for _, e := range p.events {
		if now.Sub(e.at) < window {
			events = append(events, e)
		}
	}
	return events
}

// found begins anew.
func (p *past) found(now time.Time, quiet time.Duration) { *p = past{quiet: now.Add(quiet)} }

type pasts map[string]*past

func (m pasts) of(name string) *past {
	if m[name] == nil {
		m[name] = &past{}
	}
	return m[name]
}

// kindsOf counts events by what they are, no more than most of each.
func kindsOf(events []event, most int) (different, counted int) {
	counts := map[string]int{}
	for _, e := range events {
		counts[e.what]++
	}
	for _, n := range counts {
		counted += min(n, most)
	}
	return len(counts), counted
}

const window = 15 * time.Minute

// authModel is what AuthFailures is to do.
type authModel struct {
	s                        detect.AuthFailuresSettings
	users, addresses, signed pasts
}

func (m authModel) see(now time.Time, status int, addr string, users []string) string {
	all := strings.Join(slices.Sorted(slices.Values(users)), "+")
	if status == 204 && len(users) == 1 {
		m.users.of(addr + all).events = nil
		m.addresses.of(addr).events = slices.DeleteFunc(m.addresses.of(addr).events, func(e event) bool { return e.what == all })
		m.signed.of(addr).events = append(m.signed.of(addr).events, event{now, all, 1})
	}
	if status != 401 {
		return ""
	}
	found := ""
	for _, u := range users {
		found += m.fail(now, m.users.of(addr+u), u, 1, "user "+u+" at "+addr+";")
	}
	if len(users) == 0 {
		found = m.fail(now, m.users.of(addr), "", 1, "user nobody at "+addr+";")
	}
	need := 1
	if !m.s.PerAddress {
		signed, _ := kindsOf(m.signed.of(addr).within(now, m.s.Window), 1)
		need = max(m.s.Distinct, min(signed, m.s.Crowd))
	}
	if f := m.fail(now, m.addresses.of(addr), all, need, "address "+addr+";"); f != "" {
		return f
	}
	return found
}

func (m authModel) fail(now time.Time, p *past, what string, need int, finding string) string {
	if now.Before(p.quiet) {
		return ""
	}
	p.events = append(p.events, event{now, what, 1})
	// The newest of each name are enough of them.
	different, counted := kindsOf(p.within(now, m.s.Window), m.s.Threshold)
	if different < need || counted < m.s.Threshold {
		return ""
	}
	p.found(now, m.s.Quiet)
	return finding
}

// FuzzAuthFailures holds that the detector finds what the model finds, and nothing
// for which there were not that many failures in the window.
func FuzzAuthFailures(f *testing.F) {
	for i, s := range sequences() {
		f.Add(byte(i), s)
	}
	f.Fuzz(func(t *testing.T, mode byte, sequence []byte) {
		s := detect.AuthFailuresSettings{Limit: detect.Limit{Threshold: 5 - int(mode)%4, Window: window, Quiet: window}, Distinct: 2, Crowd: 4, PerAddress: mode&16 != 0}
		if mode&32 != 0 {
			s.Quiet = time.Minute
		}
		d, m, log := detect.NewAuthFailures(s), authModel{s, pasts{}, pasts{}, pasts{}}, past{}
		known := names("a", "b", "c", "d", "e", "f")
		bodies := [][]string{{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}, {"a", "b"}, {"b", "a"}, {"b", "c", "d"}, {}}
		play(sequence, window, func(now time.Time, who, what byte) {
			addr, users := []string{a1, a2}[who>>7], bodies[who%10]
			status := []int{401, 401, 401, 204, 401, 403, 204, 500}[what%8]
			signal := login(status, addr, users...)
			signal.Time = now
			got, want := show(d.See(signal), known), m.see(now, status, addr, users)
			if got != want {
				t.Fatalf("at %s: %q, want %q", now.Format(time.TimeOnly), got, want)
			}
			if status == 401 {
				log.events = append(log.events, event{now, addr, 1})
			}
			if _, failed := kindsOf(slices.DeleteFunc(log.within(now, window), func(e event) bool { return e.what != addr }), len(sequence)); got != "" && failed < s.Threshold {
				t.Fatalf("%s for %d failures", got, failed)
			}
		})
	})
}

// FuzzCounts holds the same of the detectors that count by one target.
func FuzzCounts(f *testing.F) {
	for _, s := range sequences() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		l := detect.Limit{Threshold: 4, Window: window, Quiet: window}
		tokens, stuffing, abuse := detect.NewTokenFailures(l), detect.NewCredentialStuffing(l), detect.NewAPIAbuse(l)
		privilege := detect.NewPrivilegeEscalation(detect.PrivilegeEscalationSettings{Limit: l, Routes: []string{"api"}})
		models := map[string]pasts{"tokens": {}, "stuffing": {}, "abuse": {}, "privilege": {}}
		play(sequence, window, func(now time.Time, who, what byte) {
			addr, subject, user := []string{a1, a2}[who%2], []string{"", "ann"}[who>>1%2], strconv.Itoa(int(who>>2%8))
			target := "address " + addr + ";"
			anybody := target
			if subject != "" {
				anybody = "subject ann;"
			}
			// expect counts one for a target, if the signal is such a one.
			expect := func(model string, d detect.Detector, s *detect.Signal, counts bool, target, what string, most int) {
				t.Helper()
				s.Time = now
				p, want := models[model].of(target), ""
				if counts && !now.Before(p.quiet) {
					p.events = append(p.events, event{now, what, 1})
					if _, n := kindsOf(p.within(now, window), most); n >= l.Threshold {
						want = target
						p.found(now, window)
					}
				}
				if got := show(d.See(s), nil); got != want {
					t.Fatalf("%s at %s: %q, want %q", model, now.Format(time.TimeOnly), got, want)
				}
			}
			s := answered([]int{404, 401, 403, 200}[what%4], []middleware.Code{"", middleware.Forbidden, middleware.TokenExpired}[what>>2%3], addr, subject)()
			expect("abuse", abuse, s, s.Status != 200 && s.Code != middleware.TokenExpired, anybody, "", 99)
			expect("privilege", privilege, s, s.Status == 403 && s.Code == middleware.Forbidden && subject != "", anybody, "", 99)
			suspicion := []middleware.Suspicion{middleware.BadSignature, middleware.UnknownKey, middleware.ForgedHeader, middleware.IdentityHeader}[what%4]
			expect("tokens", tokens, suspicious(addr, suspicion)(), suspicion != middleware.IdentityHeader, target, "", 99)
			status := []int{401, 401, 401, 204}[what%4]
			if status == 204 {
				p := models["stuffing"].of(target)
				p.events = slices.DeleteFunc(p.events, func(e event) bool { return e.what == user })
			}
			expect("stuffing", stuffing, login(status, addr, user), status == 401, target, user, 1)
		})
	})
}

// FuzzDataVolume holds that the detector finds what was served in 59 minutes, and
// never what was not served in 60.
func FuzzDataVolume(f *testing.F) {
	for _, s := range sequences() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		d := detect.NewDataVolume(detect.DataVolumeSettings{Records: 1000, Sensitive: 300})
		records, sensitive := pasts{}, pasts{}
		play(sequence, time.Hour, func(now time.Time, who, what byte) {
			subject := strconv.Itoa(int(who % 3))
			s := serves(subject, int64(what)*2, int64(who))()
			s.Time = now
			r, v := records.of(subject), sensitive.of(subject)
			if now.Before(r.quiet) {
				if d.See(s) != nil {
					t.Fatal("found while it is quiet")
				}
				return
			}
			r.events, v.events = append(r.events, event{now, "", int(s.Records)}), append(v.events, event{now, "", int(s.Sensitive)})
			sum := func(p *past, window time.Duration) (n int) {
				for _, e := range p.within(now, window) {
					n += e.n
				}
				return n
			}
			must := sum(r, 59*time.Minute) >= 1000 || sum(v, 59*time.Minute) >= 300
			may := sum(r, time.Hour) >= 1000 || sum(v, time.Hour) >= 300
			found := d.See(s) != nil
			if must && !found || found && !may {
				t.Fatalf("at %s: found %v, though it must %v and may %v", now.Format(time.TimeOnly), found, must, may)
			}
			if found {
				r.found(now, time.Hour)
				v.found(now, time.Hour)
			}
		})
	})
}

// FuzzEnumeration holds that fewer ids than the threshold are never found, that
// consecutive ones are found at the threshold, and any at the higher one.
func FuzzEnumeration(f *testing.F) {
	for _, s := range sequences() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		d := detect.NewEnumeration(detect.EnumerationSettings{Limit: detect.Limit{Threshold: 6, Window: window}, Run: 4, Scattered: 12})
		p := past{}
		play(sequence, window, func(now time.Time, who, what byte) {
			number := int(what)
			if who%4 == 0 {
				number *= 1009
			}
			s := refused(404, "", "ann", "INV-"+strconv.Itoa(number))
			s.Time = now
			found := d.See(s) != nil
			if now.Before(p.quiet) {
				if found {
					t.Fatal("found while it is quiet")
				}
				return
			}
			p.events = append(p.events, event{now, strconv.Itoa(number), 1})
			recent := p.within(now, window)
			different, _ := kindsOf(recent, 1)
			must := different >= 12 || different >= 6 && consecutive(recent) >= 4
			if must && !found || found && different < 6 {
				t.Fatalf("at %s: found %v, of %d ids, %d of them consecutive", now.Format(time.TimeOnly), found, different, consecutive(recent))
			}
			if found {
				p.found(now, window)
			}
		})
	})
}

// consecutive is the length of the longest 1, 2, 3 … among them.
func consecutive(events []event) (longest int) {
	has := map[int]bool{}
	for _, e := range events {
		n, _ := strconv.Atoi(e.what)
		has[n] = true
	}
	for n := range has {
		run := 0
		for has[n+run] {
			run++
		}
		longest = max(longest, run)
	}
	return longest
}
