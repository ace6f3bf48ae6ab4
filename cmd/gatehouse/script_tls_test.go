package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-dev/gatehouse/certs"
)

func (c *client) open(ts *testscript.TestScript) *http.Client {
	if c.http != nil {
		return c.http
	}
	if c.tls == nil {
		pool, err := certs.Pool(filepath.Join(ts.MkAbs("."), "certs", "ca.pem"))
		ts.Check(err)
		c.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	tr := &http.Transport{TLSClientConfig: c.tls.Clone(), ForceAttemptHTTP2: !c.old, DisableCompression: true, DialContext: c.dial}
	ts.Defer(tr.CloseIdleConnections)
	c.http = &http.Client{Transport: tr, Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c.http
}

func setProtocol(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || args[0] != "1.1" && args[0] != "2" {
		ts.Fatalf("usage: http 1.1 or http 2")
	}
	c := &of(ts).client
	c.forget()
	c.old = args[0] == "1.1"
}

// forget drops the connections that are kept.
func (c *client) forget() {
	if c.http != nil {
		c.http.CloseIdleConnections()
		c.http = nil
	}
}

func setCertificate(ts *testscript.TestScript, _ bool, args []string) {
	c := &of(ts).client
	c.open(ts)
	c.forget()
	if len(args) == 0 {
		c.tls.Certificates = nil
		return
	}
	pair, err := tls.LoadX509KeyPair(ts.MkAbs("certs/"+args[0]+".pem"), ts.MkAbs("certs/"+args[0]+"-key.pem"))
	ts.Check(err)
	c.tls.Certificates = []tls.Certificate{pair}
}

func setServerName(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: servername NAME")
	}
	c := &of(ts).client
	c.open(ts)
	c.forget()
	c.tls.ServerName = args[0]
}

// aged makes certificates that have been there for a while.
func aged(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: aged DIR DAYS [HOST]…")
	}
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(certs.Dev(ts.MkAbs(args[0]), args[2:], time.Now().AddDate(0, 0, -days)))
}

// dial opens a connection of which every byte is the scenario's.
func (w *world) dial(ts *testscript.TestScript) *tls.Conn {
	w.client.open(ts)
	c := w.client.tls.Clone()
	c.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(w.gateway.base, "https://"), c)
	ts.Check(err)
	ts.Check(conn.SetDeadline(time.Now().Add(60 * time.Second)))
	return conn
}

// handshake does no more than that: `handshake 1.2 TLS_AES_128_GCM_SHA256`. The
// certificate is the one for a name: `handshake 1.3 api.example.com`.
func handshake(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	w.client.open(ts)
	c := w.client.tls.Clone()
	for _, a := range args {
		switch suite := suiteNamed(a); {
		case a == "1.0" || a == "1.1" || a == "1.2" || a == "1.3":
			c.MinVersion = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[a]
			c.MaxVersion = c.MinVersion
		case suite != 0:
			c.CipherSuites = []uint16{suite}
		case strings.HasPrefix(a, "TLS_"):
			ts.Fatalf("there is no %s", a)
		default:
			c.ServerName = a
		}
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(w.gateway.base, "https://"), c)
	if err == nil {
		state := conn.ConnectionState()
		w.answer = answer{res: &http.Response{TLS: &state}, body: fmt.Sprint(tls.VersionName(state.Version), " ", tls.CipherSuiteName(state.CipherSuite))}
		err = conn.Close()
	}
	if (err != nil) != neg {
		ts.Fatalf("handshake: %v", err)
	}
}

func suiteNamed(name string) uint16 {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.Name == name {
			return s.ID
		}
	}
	return 0
}
