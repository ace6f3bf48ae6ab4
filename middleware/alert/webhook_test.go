package alert

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// An event arrives signed, in JSON that fits the schema, once.
func TestWebhook(t *testing.T) {
	var b book
	rec := newReceiver(t)
	s := sending(t, &b, rec.to())
	s.Raise(found("203.0.113.9"))
	until(t, "it arrives", func() bool { return b.of("siem delivered") == 1 })
	got := rec.events(t)
	if len(got) != 1 || got[0].FindingInfo.Types[0] != "auth_failures" || got[0].Metadata.UID != rec.ids[0] {
		t.Fatalf("%+v", got)
	}
	if err := fits(ocsf(t), rec.bodies[0]); err != nil {
		t.Error(err)
	}
	if n, _, _ := outletOf(t, s, "siem").spool.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// The example of the specification.
func TestSignature(t *testing.T) {
	key, err := signingKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signatures([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
}

// While a secret is changed both sign, and receivers with either take it.
func TestTwoSecrets(t *testing.T) {
	var b book
	rec := newReceiver(t)
	c := rec.to()
	c.Webhook["siem"].OldSecret, c.Webhook["siem"].Secret = testSecret, "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
	s := sending(t, &b, c)
	s.Raise(found("203.0.113.9"))
	until(t, "it arrives", func() bool { return b.of("siem delivered") == 1 })
	if rec.events(t); t.Failed() {
		t.Log("with the old secret")
	}
}

// What is answered, and what becomes of it.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string // of the error, "" where it is delivered
		final  bool
		after  time.Duration // at least
	}{
		"200":         {answer: status(200)},
		"204":         {answer: status(204)},
		"500":         {answer: status(500), want: "answered 500"},
		"301":         {answer: status(301, "Location", "/elsewhere"), want: "answered 301"},
		"307":         {answer: status(307, "Location", "http://169.254.169.254/"), want: "answered 307"},
		"401":         {answer: status(401), want: "answered 401"},
		"403":         {answer: status(403), want: "answered 403", final: true},
		"404":         {answer: status(404), want: "answered 404"},
		"400":         {answer: status(400), want: "answered 400", final: true},
		"413":         {answer: status(413), want: "answered 413", final: true},
		"429":         {answer: status(429, "Retry-After", "120"), want: "answered 429", after: 120 * time.Second},
		"503 by date": {answer: status(503, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), want: "answered 503", after: 50 * time.Minute},
		"odd waits":   {answer: status(429, "Retry-After", "-5"), want: "answered 429"},
		"closes":      {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: "EOF"},
		"closes in the answer": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, want: "answered 500"},
		"has it and closes": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
		"endless": {answer: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
			}
		}},
		"endless header": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, want: "server response headers exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			var b book
			rec := newReceiver(t)
			rec.says(tt.answer)
			sink := settings(t, &b, rec.to()).Sinks[0]
			ctx, cancel := context.WithTimeout(t.Context(), sink.timeout)
			defer cancel()
			err := sink.deliver(ctx, testEvent())
			sink.close()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("it tells the URL: %v", err)
			}
			var said *refusal
			if errors.As(err, &said) && (said.final != tt.final || said.after < tt.after) || said == nil && tt.final {
				t.Errorf("%+v, want %+v", said, tt)
			}
			if tries, _ := rec.got(); tries != 1 {
				t.Errorf("%d requests", tries)
			}
		})
	}
}

// A receiver that has the event and says nothing has until the deadline, which
// comes as soon as it has it.
func TestNoAnswer(t *testing.T) {
	var b book
	rec := newReceiver(t)
	ctx, late := context.WithCancelCause(t.Context())
	rec.says(func(w http.ResponseWriter, r *http.Request) {
		late(context.DeadlineExceeded)
		hangs(w, r)
	})
	sink := settings(t, &b, rec.to()).Sinks[0]
	defer sink.close()
	if err := sink.deliver(ctx, testEvent()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want %v", err, context.DeadlineExceeded)
	}
	if tries, _ := rec.got(); tries != 1 {
		t.Errorf("%d requests", tries)
	}
}

// Nothing but TLS to whom the configuration names is good enough, and nothing in
// the environment leads elsewhere.
func TestReceiverIsVerified(t *testing.T) {
	rec := newReceiver(t)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for name, tt := range map[string]struct {
		change func(w *config.AlertWebhook)
		want   string
	}{
		"as it should be":          {func(*config.AlertWebhook) {}, ""},
		"another authority":        {func(w *config.AlertWebhook) { w.CA = filepath.Join(devCerts(t), certs.DevCA) }, "unknown authority"},
		"the system's authorities": {func(w *config.AlertWebhook) { w.CA = "" }, "unknown authority"},
		"plain":                    {func(w *config.AlertWebhook) { w.URL, w.CA = "http://192.0.2.1:1/", "" }, "plain http goes to this machine only"},
		"nobody there":             {func(w *config.AlertWebhook) { w.URL = "https://127.0.0.1:1/hidden" }, "connection refused"},
	} {
		var b book
		c := rec.to()
		tt.change(c.Webhook["siem"])
		sink := settings(t, &b, c).Sinks[0]
		err := sink.deliver(t.Context(), testEvent())
		sink.close()
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A receiver that fails gets the event later, with the same id and a new time.
func TestTriedAgain(t *testing.T) {
	var b book
	rec := newReceiver(t)
	rec.says(status(500))
	s := eager(t, &b, rec.to())
	s.Raise(found("203.0.113.9"))
	until(t, "it is tried thrice", func() bool { return b.of("siem failed") >= 3 })
	if !b.says("siem does not take events: answered 500") {
		t.Error(b.told)
	}
	s.Waiting(func(w Waiting) {
		if w.Events != 1 || w.Err == nil || w.Bytes == 0 {
			t.Errorf("%+v", w)
		}
	})
	rec.says(nil)
	until(t, "it arrives", func() bool { return b.of("siem delivered") == 1 })
	if _, n := rec.got(); n != 1 || len(rec.events(t)) != 1 || !b.says("siem takes events again") || len(b.told) != 2 {
		t.Errorf("%d events, told %q", n, b.told)
	}
}

// An event that the receiver does not like keeps no other from it.
func TestRefusedEventBlocksNobody(t *testing.T) {
	var b book
	rec := newReceiver(t)
	c := rec.to()
	var first string
	rec.says(func(w http.ResponseWriter, r *http.Request) {
		if first == "" || first == r.Header.Get("webhook-id") {
			first = r.Header.Get("webhook-id")
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	})
	s := eager(t, &b, c)
	for i := range 5 {
		s.Raise(found(address(i)))
	}
	until(t, "the others arrive", func() bool { return b.of("siem delivered") == 4 })
	until(t, "the one waits", func() bool { n, _, _ := outletOf(t, s, "siem").spool.waiting(); return n == 1 })
}

// Each sink fails alone.
func TestSinksFailAlone(t *testing.T) {
	var b book
	bad, good := newReceiver(t), newReceiver(t)
	bad.says(hangs)
	c := good.to()
	c.Webhook["bad"] = bad.to().Webhook["siem"]
	c.Log = map[string]*config.AlertLog{"log": {Classes: []string{"finding"}}}
	s := sending(t, &b, c)
	for i := range 50 {
		s.Raise(found(address(i)))
	}
	until(t, "all arrive", func() bool { return b.of("siem delivered") == 50 && b.of("log delivered") == 50 })
	for i, e := range good.events(t) {
		if e.Evidences[0].SrcEndpoint.IP != address(i) {
			t.Errorf("%d: %s", i, e.Evidences[0].SrcEndpoint.IP)
		}
	}
	if n, _, _ := outletOf(t, s, "bad").spool.waiting(); n != 50 {
		t.Errorf("%d wait", n)
	}
}

// Sinks are told of what they want to be told of.
func TestFilters(t *testing.T) {
	for name, tt := range map[string]struct {
		min     string
		classes []string
		want    int
	}{
		"all findings":    {"informational", []string{"finding"}, 5},
		"grave ones":      {"high", []string{"finding"}, 2},
		"logins":          {"informational", []string{"authentication"}, 5},
		"both":            {"medium", []string{"finding", "authentication"}, 6},
		"nothing is said": {"", []string{"finding"}, 5},
	} {
		var b book
		s := sending(t, &b, config.Alerts{Log: map[string]*config.AlertLog{"log": {MinSeverity: tt.min, Classes: tt.classes}}})
		n := 0
		for _, class := range []Class{Finding, Authentication} {
			for _, severity := range []Severity{Informational, Low, Medium, High, Critical} {
				e := found(address(n))
				e.Class, e.Severity = class, severity
				s.Raise(e)
				n++
			}
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := b.of("log delivered"); got != tt.want || len(b.lines) != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// Pauses double up to a bound; the receiver can ask for more, up to another.
func TestPauses(t *testing.T) {
	for n, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: maxPause, 1000: maxPause} {
		for range 100 {
			if got := jittered(firstPause, n); got < most/2 || got > most {
				t.Errorf("after %d failures: %s, want %s to %s", n, got, most/2, most)
			}
		}
	}
	for after, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "1000000": maxAsked} {
		var b book
		rec := newReceiver(t)
		rec.says(status(429, "Retry-After", after))
		s := sending(t, &b, rec.to())
		o := outletOf(t, s, "siem")
		failures := 0
		if got, _ := o.attempt(testEvent(), 1, &failures); got < want || got > max(want, firstPause) || failures != 1 {
			t.Errorf("Retry-After %q: %s", after, got)
		}
	}
}
