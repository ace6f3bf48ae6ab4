package authn

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// A token that an issuer fails over is one that somebody can make: too long for
// a column, say. Whoever sends such tokens without end keeps nobody else out.
func TestTokensThatAnIssuerFailsOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		row    int // of such tokens between two good ones
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 20},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, shutAfter - 1},
		{"the connection ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, shutAfter - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, _ *Issuer) {
				for n := range 10 {
					k.instead(tt.answer)
					for m := range tt.row {
						expect(t, "such a token", codeOf(t, s, fmt.Sprintf("made-up-%d-%d", n, m)), unavailable)
					}
					k.instead(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, encodeAny(activeClaims(nil))) })
					expect(t, "a good one", codeOf(t, s, fmt.Sprint("good", n)), "")
				}
			})
		})
	}
}

// What shuts the gate, and what opens it.
func TestGate(t *testing.T) {
	fail := &failure{io.ErrUnexpectedEOF}
	now := time.Unix(1_700_000_000, 0)
	g := &gate{}
	leave := func(err error, times int) {
		for range times {
			g.leave(false, err, now)
		}
	}
	open := func(want bool) {
		t.Helper()
		if (g.err == nil) != want {
			t.Fatalf("open: %v, want %v", g.err == nil, want)
		}
	}
	leave(fail, shutAfter-1)
	open(true)
	leave(nil, 1) // an answer, and the row begins anew
	leave(fail, shutAfter-1)
	leave(errBusy, 1) // no answer, and none of the issuer's
	open(true)
	leave(fail, 1)
	open(false)
	if _, err := g.enter(now.Add(firstPause - 1)); err == nil {
		t.Error("asked in the pause")
	}
	now = now.Add(firstPause)
	if probe, err := g.enter(now); !probe || err != nil {
		t.Fatalf("probe %v, %v", probe, err)
	}
	leave(nil, 1) // from before the pause
	open(false)
	g.leave(true, nil, now)
	open(true)
	leave(fail, shutAfter-1)
	open(true)
}
