package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// check says what is wrong with what the last request led to.
type check struct {
	args int
	run  func(ts *testscript.TestScript, w *world, args []string) error
}

func checks() map[string]check {
	return map[string]check{
		"status":   {1, status},
		"code":     {1, refusedWith},
		"header":   {2, hasHeader},
		"noheader": {1, lacksHeader},
		"has":      {1, func(_ *testscript.TestScript, w *world, args []string) error { return holds(w.body, args[0], true) }},
		"lacks":    {1, func(_ *testscript.TestScript, w *world, args []string) error { return holds(w.body, args[0], false) }},
		"json":     {1, sameJSON},
		"body":     {1, sameBody},
		"served":   {1, served},
		"saw":      {2, saw},
		"received": {2, func(_ *testscript.TestScript, w *world, args []string) error { return w.received(args, true) }},
		"notreceived": {2, func(_ *testscript.TestScript, w *world, args []string) error {
			return w.received(args, false)
		}},
		"alerted": {2, alerted},
		"logged":  {1, logged},
		"notlogged": {1, func(_ *testscript.TestScript, w *world, args []string) error {
			return holds(w.gateway.out.String(), args[0], false)
		}},
	}
}

func checkThat(ts *testscript.TestScript, args []string) error {
	c, ok := checks()[args[0]]
	if !ok || len(args) <= c.args {
		return fmt.Errorf("%s wants %d words: %q", args[0], c.args, args[1:])
	}
	return c.run(ts, of(ts), args[1:])
}

func status(_ *testscript.TestScript, w *world, args []string) error {
	if got := strconv.Itoa(w.res.StatusCode); got != args[0] {
		return fmt.Errorf("status %s, want %s\n%s\n%s", got, args[0], w.body, w.gateway.out.String())
	}
	return nil
}

// refusedWith wants a whole refusal, not only its code.
func refusedWith(_ *testscript.TestScript, w *world, args []string) error {
	var d struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		ID     string `json:"request_id"`
	}
	err := json.Unmarshal([]byte(w.body), &d)
	h := w.res.Header
	if err != nil || d.Code != args[0] || d.Type != "about:blank" || d.Title == "" || d.Status != w.res.StatusCode ||
		d.ID == "" || d.ID != h.Get("X-Request-Id") || h.Get("Content-Type") != "application/problem+json" {
		return fmt.Errorf("want a refusal with code %s, got %d %v\n%s\n%s", args[0], w.res.StatusCode, h, w.body, w.gateway.out.String())
	}
	return nil
}

func hasHeader(_ *testscript.TestScript, w *world, args []string) error {
	if got := strings.Join(w.res.Header.Values(args[0]), ", "); got == "" || !strings.Contains(got, args[1]) {
		return fmt.Errorf("%s: %q does not hold %q", args[0], got, args[1])
	}
	return nil
}

func lacksHeader(_ *testscript.TestScript, w *world, args []string) error {
	if v, ok := w.res.Header[http.CanonicalHeaderKey(args[0])]; ok {
		return fmt.Errorf("%s: %q", args[0], v)
	}
	return nil
}

func holds(text, want string, yes bool) error {
	if strings.Contains(text, want) != yes {
		return fmt.Errorf("%q: want it there: %v, in\n%s", want, yes, text)
	}
	return nil
}

// logged waits: a line is written after the answer has gone out.
func logged(_ *testscript.TestScript, w *world, args []string) error {
	count := func() (n int) {
		for line := range strings.SplitSeq(w.gateway.out.String(), "\n") {
			if strings.Contains(line, args[0]) {
				n++
			}
		}
		return n
	}
	for range 1200 {
		if n := count(); len(args) == 1 && n > 0 || len(args) > 1 && strconv.Itoa(n) == args[1] {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%d lines hold %q:\n%s", count(), args[0], w.gateway.out.String())
}

// sameJSON compares values, so that a file may be laid out for its readers.
func sameJSON(ts *testscript.TestScript, w *world, args []string) error {
	var got, want any
	if err := json.Unmarshal([]byte(w.body), &got); err != nil {
		return fmt.Errorf("%w: %s", err, w.body)
	}
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &want); err != nil {
		return err
	}
	g, err := json.Marshal(got)
	e, err2 := json.Marshal(want)
	if string(g) != string(e) {
		return fmt.Errorf("got  %s\nwant %s", g, e)
	}
	return errors.Join(err, err2)
}

// sameBody compares byte for byte.
func sameBody(ts *testscript.TestScript, w *world, args []string) error {
	if want := ts.ReadFile(args[0]); w.body != want {
		return fmt.Errorf("got  %q\nwant %q", w.body, want)
	}
	return nil
}

func served(_ *testscript.TestScript, w *world, args []string) error {
	if w.res.TLS == nil || !slices.Contains(w.res.TLS.PeerCertificates[0].DNSNames, args[0]) {
		return fmt.Errorf("the gateway's certificate is not for %s: %+v", args[0], w.res.TLS)
	}
	return nil
}

func saw(_ *testscript.TestScript, w *world, args []string) error {
	b := w.backends[args[0]]
	if b == nil {
		return fmt.Errorf("there is no backend %s", args[0])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strconv.Itoa(b.n); got != args[1] {
		return fmt.Errorf("%s saw %s requests, want %s; the last: %s", args[0], got, args[1], b.last)
	}
	return nil
}

func (w *world) received(args []string, yes bool) error {
	b := w.backends[args[0]]
	if b == nil {
		return fmt.Errorf("there is no backend %s", args[0])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return holds(b.last, args[1], yes)
}
