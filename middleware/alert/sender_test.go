package alert

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// stuck is a sink that takes nothing until it is let go.
func stuck(name string) (*Sink, chan struct{}) {
	release := make(chan struct{})
	return &Sink{
		Name: name, Kind: "webhook", key: name, min: 1, classes: []Class{Finding}, keep: time.Hour, timeout: time.Hour, pause: time.Millisecond,
		deliver: func(ctx context.Context, _ *record) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		close: func() {},
	}, release
}

// With all sinks hanging, whoever raises an event goes on, however many there are.
// What finds no room is counted, and told by what finds some.
func TestFloodBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := Open(Options{Count: b.count})
		slow, release := stuck("slow")
		writes := make(chan struct{})
		log := &Sink{Name: "log", Kind: "log", key: "log", min: 1, classes: []Class{Finding}, write: func(*record) error { <-writes; return nil }}
		s.Use(Settings{Sinks: []*Sink{slow, log}, Dedup: time.Minute, Bytes: 64 << 20, Tell: b.tell})
		const each, many = 1000, 100
		var wait sync.WaitGroup
		for g := range many {
			wait.Go(func() {
				for i := range each {
					e := found(address(g*each + i))
					e.Evidence = nil
					s.Raise(e)
				}
			})
		}
		wait.Wait() // nobody has taken anything by now: were Raise to wait, all would, and that is a deadlock here
		dropped := b.of("none dropped")
		if kept := each*many - dropped; kept < queueSize || kept > queueSize+2 {
			t.Errorf("%d dropped, so %d kept", dropped, kept)
		}
		close(writes)
		close(release)
		synctest.Wait()
		if got := b.of("log delivered") + dropped; got != each*many {
			t.Errorf("%d are accounted for", got)
		}
		s.Raise(found("203.0.113.9"))
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The next event that a sink gets says how many it was never offered.
func TestLossIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		c := config.Alerts{Log: map[string]*config.AlertLog{
			"all": {Classes: []string{"finding"}}, "grave": {Classes: []string{"finding"}, MinSeverity: "critical"},
		}}
		s := sending(t, &b, c)
		var got []string
		all, gate := settings(t, &b, c), make(chan struct{})
		for _, k := range all.Sinks {
			k.key += "told"
			k.write = func(r *record) error {
				<-gate
				if r.Lost > 0 {
					got = append(got, k.Name+" "+r.Client.String()+" "+strings.Repeat("x", int(r.Lost)))
				}
				return nil
			}
		}
		s.Use(*all)
		s.Raise(found(address(0)))
		synctest.Wait() // it is being written, and nothing else looked at
		for i := range queueSize {
			s.Raise(found(address(i + 1)))
		}
		for range 3 {
			s.Raise(found("203.0.113.1"))
		}
		close(gate)
		synctest.Wait()
		s.Raise(found("203.0.113.2"))
		s.Raise(found("203.0.113.3"))
		grave := found("203.0.113.4")
		grave.Severity = Critical
		s.Raise(grave)
		synctest.Wait()
		if want := "all 203.0.113.2 xxx, grave 203.0.113.4 xxx"; strings.Join(got, ", ") != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// Closing under load takes in what had room, ends everything and leaves nobody
// waiting; later events are counted, no more.
func TestCloseUnderLoad(t *testing.T) {
	for name, ctx := range map[string]context.Context{"at once": over(t), "in time": context.Background()} {
		t.Run(name, func(t *testing.T) {
			var b book
			rec := newReceiver(t)
			c := rec.to()
			c.Spool.Folder, c.Spool.Bytes = t.TempDir(), 64<<20 // room for all
			s := eager(t, &b, c)
			var raised atomic.Int64
			var wait sync.WaitGroup
			stop := make(chan struct{})
			for g := range 4 {
				wait.Go(func() {
					for i := range 1000 {
						select {
						case <-stop:
							return
						default:
							s.Raise(found(address(g<<16 + i)))
							raised.Add(1)
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			until(t, "it is under load", func() bool { return b.of("siem delivered") > 20 })
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
			before := b.of("none dropped")
			s.Raise(found("203.0.113.9"))
			if b.of("none dropped") <= before {
				t.Error("an event after the end is not counted")
			}
			close(stop)
			wait.Wait()
			left := files(t, filepath.Join(c.Spool.Folder, "siem"))
			if got := b.of("siem delivered") + b.of("none dropped") + len(left); int64(got) != raised.Load()+1 {
				t.Errorf("%d delivered, %d dropped, %d on disk; %d raised", b.of("siem delivered"), b.of("none dropped"), len(left), raised.Load()+1)
			}
			if n := b.of("siem dropped"); n > 0 {
				t.Errorf("%d found no room on disk", n)
			}
			if ctx.Err() == nil && len(left) > 0 {
				t.Errorf("%d are left", len(left))
			}
			if err := s.Close(ctx); err != nil {
				t.Error("twice:", err)
			}
		})
	}
}

// What only memory has gets one more attempt at the end; if that fails, it is said.
func TestEndWithoutDisk(t *testing.T) {
	for name, well := range map[string]bool{"taken": true, "not taken": false} {
		var b book
		rec := newReceiver(t)
		rec.says(status(500))
		s := sending(t, &b, rec.to()) // pauses of a second
		s.Raise(found("203.0.113.9"))
		until(t, "it failed", func() bool { return b.of("siem failed") > 0 })
		if well {
			rec.says(nil)
		}
		err := s.Close(context.Background())
		if (err == nil) != well || (b.of("siem delivered") == 1) != well || (b.of("siem dropped") == 1) == well {
			t.Errorf("%s: %v, %v", name, err, b.counts)
		}
	}
}

// Events do not wait for ever.
func TestTooOld(t *testing.T) {
	var b book
	rec := newReceiver(t)
	rec.says(status(500))
	c := rec.to()
	c.Spool.Keep = config.Duration(time.Hour)
	s := eager(t, &b, c)
	e := found("203.0.113.9")
	e.Time = time.Now().Add(-2 * time.Hour)
	s.Raise(e)
	s.Raise(found("203.0.113.10"))
	until(t, "the other is tried", func() bool { return b.of("siem failed") > 0 })
	if b.of("siem dropped") != 1 || !b.says("tried in vain") {
		t.Errorf("%v %q", b.counts, b.told)
	}
}

// A reload that changes a sink, or where events wait, loses none of them; one that
// changes nothing leaves a sink alone.
func TestReload(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for name, tt := range map[string]struct {
		from, to string // folders
		change   func(c *config.Alerts, rec *receiver)
	}{
		"the receiver, on disk":   {one, one, nil},
		"the receiver, in memory": {"", "", nil},
		"to a disk":               {"", two, nil},
		"to another disk":         {one, two, nil},
		"to memory":               {one, "", nil},
		"the secret": {one, one, func(c *config.Alerts, rec *receiver) {
			c.Webhook["siem"].Secret, c.Webhook["siem"].OldSecret = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", testSecret
			rec.says(nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var b book
			bad, good := newReceiver(t), newReceiver(t)
			bad.says(hangs)
			c := bad.to()
			c.Spool.Folder = tt.from
			s := eager(t, &b, c)
			for i := range 20 {
				s.Raise(found(address(i)))
			}
			until(t, "all wait", func() bool { n, _, _ := outletOf(t, s, "siem").spool.waiting(); return n == 20 })
			same := outletOf(t, s, "siem")
			s.Use(*eagerly(settings(t, &b, c)))
			if outletOf(t, s, "siem") != same {
				t.Error("a sink that stays the same is another one")
			}
			rec := good
			next := good.to()
			if tt.change != nil {
				next, rec = bad.to(), bad
				tt.change(&next, bad)
			}
			next.Spool.Folder = tt.to
			s.Use(*eagerly(settings(t, &b, next)))
			until(t, "all arrive", func() bool { return b.of("siem delivered") == 20 })
			seen := map[string]bool{}
			for _, e := range rec.events(t) {
				if seen[e.Metadata.UID] {
					continue // whose answer came too late is sent again, under its id
				}
				if i := len(seen); e.Evidences[0].SrcEndpoint.IP != address(i) {
					t.Errorf("%d: %s", i, e.Evidences[0].SrcEndpoint.IP)
				}
				seen[e.Metadata.UID] = true
			}
			if len(seen) != 20 || b.of("siem dropped")+b.of("siem damaged") > 0 {
				t.Errorf("%d events; %v", len(seen), b.counts)
			}
		})
	}
}

// A sink that goes leaves what waits on disk, and gets it when it comes back; what
// only memory had is counted.
func TestSinkGoesAndComes(t *testing.T) {
	for name, folder := range map[string]string{"disk": t.TempDir(), "memory": ""} {
		var b book
		rec := newReceiver(t)
		rec.says(status(500))
		c := rec.to()
		c.Spool.Folder = folder
		s := eager(t, &b, c)
		s.Raise(found("203.0.113.9"))
		until(t, "it failed", func() bool { return b.of("siem failed") > 0 })
		none := config.Alerts{Spool: c.Spool}
		s.Use(*eagerly(settings(t, &b, none)))
		rec.says(nil)
		s.Use(*eagerly(settings(t, &b, c)))
		if folder == "" {
			if b.of("siem dropped") != 1 {
				t.Errorf("%v", b.counts)
			}
			continue
		}
		until(t, name+": it arrives", func() bool { return b.of("siem delivered") == 1 })
		if !b.says("is no sink any more; what waits on disk stays there") {
			t.Errorf("%q", b.told)
		}
	}
}

// The log as a sink: one line each, and a write that fails is counted.
func TestLogSink(t *testing.T) {
	var b book
	fails := false
	all, err := Compile(&config.Alerts{}, func(severity Severity, event json.RawMessage) error {
		if fails {
			return errTest
		}
		return b.line(severity, event)
	})
	if err != nil {
		t.Fatal(err)
	}
	all.Dedup, all.Tell = time.Minute, b.tell
	s := Open(Options{Count: b.count})
	s.Use(*all)
	s.Raise(found(address(0)))
	until(t, "the line is there", func() bool { return b.of("log delivered") == 1 })
	fails = true
	s.Raise(found(address(1)))
	s.Raise(found(address(2)))
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if b.of("log dropped") != 2 || len(b.told) != 1 || !b.says("log does not take events: no") {
		t.Errorf("%v %q", b.counts, b.told)
	}
	if err := fits(ocsf(t), b.lines[0]); err != nil {
		t.Error(err)
	}
}

// Where the folder cannot be used, memory has to do, and that is told.
func TestNoFolder(t *testing.T) {
	var b book
	rec := newReceiver(t)
	c := rec.to()
	c.Spool.Folder = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(c.Spool.Folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := eager(t, &b, c)
	s.Raise(found("203.0.113.9"))
	until(t, "it arrives", func() bool { return b.of("siem delivered") == 1 })
	if !b.says("siem cannot keep what waits for it, but in memory") {
		t.Errorf("%q", b.told)
	}
	s.Waiting(func(w Waiting) {
		if w.Err == nil {
			t.Errorf("%+v", w)
		}
	})
}

// BenchmarkRaise is what a request pays for an event, and one for which there is
// no room.
func BenchmarkRaise(b *testing.B) {
	e := found("203.0.113.9")
	e.Time = time.Now()
	b.Run("taken", func(b *testing.B) {
		s := Open(Options{})
		s.Use(Settings{Dedup: time.Hour, Bytes: 1 << 20})
		b.ReportAllocs()
		for b.Loop() {
			s.Raise(e)
		}
		_ = s.Close(context.Background())
	})
	b.Run("full", func(b *testing.B) {
		s := Open(Options{}) // nobody takes anything
		b.ReportAllocs()
		for b.Loop() {
			s.Raise(e)
		}
		_ = s.Close(context.Background())
	})
	b.Run("by many", func(b *testing.B) {
		s := Open(Options{})
		s.Use(Settings{Dedup: time.Hour, Bytes: 1 << 20})
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				s.Raise(e)
			}
		})
		_ = s.Close(context.Background())
	})
}
