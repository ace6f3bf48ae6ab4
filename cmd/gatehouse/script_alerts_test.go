package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// webhookSecret is what the scenarios' receivers know ($WEBHOOK_SECRET).
const webhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// alertSink takes events of alerts, over HTTPS or as a syslog server over TLS.
type alertSink struct {
	mu     sync.Mutex
	status int
	events []string // what it took, and "wrong: …" for what it did not
}

func (s *alertSink) take(event string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		event = "wrong: " + err.Error()
	}
	s.events = append(s.events, event)
}

func (w *world) alertSink(name string) (s *alertSink, isNew bool) {
	if w.sinks == nil {
		w.sinks = map[string]*alertSink{}
	}
	if s = w.sinks[name]; s != nil {
		return s, false
	}
	s = &alertSink{status: http.StatusNoContent}
	w.sinks[name] = s
	return s, true
}

func sinkTLS(ts *testscript.TestScript) *tls.Config {
	pair, err := tls.LoadX509KeyPair(ts.MkAbs("certs/gateway.pem"), ts.MkAbs("certs/gateway-key.pem"))
	ts.Check(err)
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// startReceiver starts a receiver of webhooks, or says what it answers from now on.
// It takes what is signed; to a Slack webhook there is nothing to verify.
func startReceiver(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: receiver NAME [STATUS]")
	}
	w := of(ts)
	s, isNew := w.alertSink(args[0])
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		s.mu.Lock()
		s.status = n
		s.mu.Unlock()
	}
	if !isNew {
		return
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(res http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		status := s.status
		s.mu.Unlock()
		if status/100 == 2 {
			if err == nil && !strings.HasPrefix(string(body), `{"text":`) {
				err = verifyWebhook(r.Header, body)
			}
			s.take(string(body), err)
		}
		res.WriteHeader(status)
	}))
	srv.TLS, srv.Config.ErrorLog = sinkTLS(ts), log.New(io.Discard, "", 0)
	srv.StartTLS()
	w.closers = append(w.closers, srv.Close)
	w.set(ts, args[0], srv.URL)
	w.set(ts, "WEBHOOK_SECRET", webhookSecret)
}

// verifyWebhook verifies as the Standard Webhooks specification says.
func verifyWebhook(h http.Header, body []byte) error {
	id, at := h.Get("webhook-id"), h.Get("webhook-timestamp")
	n, err := strconv.ParseInt(at, 10, 64)
	if age := time.Since(time.Unix(n, 0)).Abs(); err != nil || id == "" || age > 5*time.Minute {
		return fmt.Errorf("id %q at %q", id, at)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(webhookSecret, "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want {
		return fmt.Errorf("signature %q", h.Get("webhook-signature"))
	}
	return nil
}

// startSyslog starts a syslog server that speaks TLS and counts octets (RFC 5425).
func startSyslog(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: syslog NAME")
	}
	w := of(ts)
	s, _ := w.alertSink(args[0])
	l, err := tls.Listen("tcp", "127.0.0.1:0", sinkTLS(ts))
	ts.Check(err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { s.frames(conn) })
		}
	})
	w.closers = append(w.closers, func() {
		w.gateway.kill() // it may hold a connection
		_ = l.Close()
		wait.Wait()
	})
	w.set(ts, args[0], l.Addr().String())
}

func (s *alertSink) frames(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		head, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, " "))
		if err != nil || n < 1 || n > 8192 {
			s.take("", fmt.Errorf("length %q", head))
			return
		}
		msg := make([]byte, n)
		_, err = io.ReadFull(in, msg)
		s.take(string(msg), err)
	}
}

// alerted waits until a sink has taken events that hold a text: `alerted NAME TEXT [N]`.
func alerted(_ *testscript.TestScript, w *world, args []string) error {
	s := w.sinks[args[0]]
	if s == nil {
		return fmt.Errorf("there is no receiver or syslog %s", args[0])
	}
	var all string
	for range 200 {
		s.mu.Lock()
		all = strings.Join(s.events, "\n")
		n := 0
		for _, e := range s.events {
			if strings.Contains(e, args[1]) {
				n++
			}
		}
		s.mu.Unlock()
		if strings.Contains(all, "wrong: ") {
			break
		}
		if len(args) == 2 && n > 0 || len(args) > 2 && strconv.Itoa(n) == args[2] {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("no events with %q at %s, or not as many:\n%s", args[1], args[0], all)
}
