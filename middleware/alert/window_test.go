package alert

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// over is a context that is done.
func over(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Of one detector about one target there is one alert in a window, and at its end
// one that says how many were held back.
func TestOneAlertInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := sending(t, &b, config.Alerts{})
		for range 4 {
			s.Raise(found("203.0.113.9"))
			s.Raise(found("203.0.113.10")) // another target
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := b.events(t); len(got) != 2 || got[0].ActivityID != 1 || got[0].Count != 0 || b.of("none held") != 6 {
			t.Fatalf("%d events, held %d: %+v", len(got), b.of("none held"), got)
		}
		time.Sleep(11 * time.Minute) // 15 in all
		synctest.Wait()
		got := b.events(t)
		if len(got) != 4 {
			t.Fatalf("%d events", len(got))
		}
		for _, e := range got[2:] {
			if e.ActivityID != 2 || e.Count != 3 || e.Unmapped.Held != 3 || e.EndTime-e.StartTime != (3*time.Minute).Milliseconds() {
				t.Errorf("the end of a window: %+v %+v", e, e.Unmapped)
			}
		}
		if a, z := got[0], got[2]; a.FindingInfo.UID != z.FindingInfo.UID || a.Metadata.UID == z.Metadata.UID {
			t.Errorf("finding %s and %s, events %s and %s", a.FindingInfo.UID, z.FindingInfo.UID, a.Metadata.UID, z.Metadata.UID)
		}
		// What goes on is told once in each window.
		for range 15 {
			s.Raise(found("203.0.113.9"))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := b.events(t); len(got) != 5 || got[4].Count != 15 {
			t.Errorf("%d events, the last of %d", len(got), got[len(got)-1].Count)
		}
		// When it is over for a window, the next one is new.
		time.Sleep(15 * time.Minute)
		s.Raise(found("203.0.113.9"))
		synctest.Wait()
		if got := b.events(t); len(got) != 6 || got[5].ActivityID != 1 || got[5].FindingInfo.UID == got[0].FindingInfo.UID {
			t.Errorf("%d events: %+v", len(got), got[len(got)-1])
		}
	})
}

// What is graver than what was told, or began another block, is told at once.
func TestGraverIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := sending(t, &b, config.Alerts{})
		for _, e := range []struct {
			severity Severity
			block    string
			told     int
		}{
			{Medium, "", 1},
			{Medium, "", 1},
			{Low, "", 1},
			{High, "", 2},
			{Medium, "", 2},
			{Medium, "b1", 3},
			{Medium, "b1", 3},
			{Medium, "b2", 4},
			{High, "b2", 4},
			{Critical, "b2", 5},
		} {
			f := found("203.0.113.9")
			f.Severity, f.Block = e.severity, e.block
			s.Raise(f)
			synctest.Wait()
			if got := b.events(t); len(got) != e.told {
				t.Errorf("%s, block %q: %d told, want %d", e.severity, e.block, len(got), e.told)
			}
		}
		for i, e := range b.events(t) {
			if e.FindingInfo.UID != b.events(t)[0].FindingInfo.UID || (e.ActivityID == 1) != (i == 0) {
				t.Errorf("%d: another finding: %+v", i, e)
			}
		}
	})
}

// A subject is one target wherever it is; an address is one for each username.
func TestTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := sending(t, &b, config.Alerts{})
		raise := func(change func(e *Event)) int {
			before := len(b.events(t))
			e := found("203.0.113.9")
			e.Block = ""
			change(&e)
			s.Raise(e)
			synctest.Wait()
			return len(b.events(t)) - before
		}
		for _, tt := range []struct {
			name   string
			want   int
			change func(e *Event)
		}{
			{"first", 1, func(*Event) {}},
			{"again", 0, func(*Event) {}},
			{"another detector", 1, func(e *Event) { e.Detector = "enumeration" }},
			{"another user", 1, func(e *Event) { e.User = "ff" }},
			{"a subject", 1, func(e *Event) { e.Issuer, e.Subject = "i", "u1" }},
			{"the subject elsewhere", 0, func(e *Event) {
				e.Issuer, e.Subject, e.Address = "i", "u1", netip.MustParsePrefix("198.51.100.1/32")
			}},
			{"the same id of another issuer", 1, func(e *Event) { e.Issuer, e.Subject = "j", "u1" }},
		} {
			if got := raise(tt.change); got != tt.want {
				t.Errorf("%s: %d alerts, want %d", tt.name, got, tt.want)
			}
		}
		// Logins are no alerts: each is on record.
		c := config.Alerts{Log: map[string]*config.AlertLog{"log": {Classes: []string{"authentication"}}}}
		s.Use(*settings(t, &b, c))
		for range 3 {
			if got := raise(func(e *Event) { e.Class, e.Detector = Authentication, "" }); got != 1 {
				t.Errorf("%d events of a login", got)
			}
		}
	})
}

// However many targets there are, memory is bounded; what makes room is told.
func TestWindowsAreBounded(t *testing.T) {
	w := windows{length: time.Minute, most: 3}
	var given []record
	give := func(r *record) { given = append(given, *r) }
	now := time.Now()
	raise := func(address string) bool {
		e := found(address)
		e.Time = now
		return w.hold(&record{Event: e}, now, give)
	}
	for _, a := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"} {
		raise(a)
	}
	if len(w.m) != 3 || len(given) != 1 || given[0].Held != 2 || given[0].Address.String() != "192.0.2.1/32" {
		t.Errorf("%d remembered, given %+v", len(w.m), given)
	}
	if raise("192.0.2.1") {
		t.Error("held back though it was forgotten")
	}
	if !raise("192.0.2.4") || raise("192.0.2.2") {
		t.Error("the wrong one was forgotten")
	}
	w.over(time.Time{}, give)
	if len(w.m) != 0 || w.first != nil || w.last != nil || len(given) != 2 || given[1].Held != 1 {
		t.Errorf("%d remembered, given %+v", len(w.m), given)
	}
}
