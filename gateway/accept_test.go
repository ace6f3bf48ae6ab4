package gateway

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/listen"
)

// accepting is a configuration whose listeners have {LISTENER} settings.
const accepting = `version: 1
listeners:
  public: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}, {LISTENER}}
  plain: {address: "127.0.0.1:0", {LISTENER}}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
trusted_proxies: [10.0.0.0/8]
timeouts: {header: {HEADER}}
upstreams:
  hr: {endpoints: ["{HR}"]}
routes:
  - {name: all, match: {path: /}, upstream: hr, public: true, policy: off}
`

// accepting starts a gateway with a backend that says who asks.
func (w *world) accepting(listener string) {
	w.t.Helper()
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(rw, r.Header.Get("X-Forwarded-For"))
	})
	w.vars["LISTENER"] = listener
	if w.vars["HEADER"] == "" {
		w.vars["HEADER"] = "20s"
	}
	w.start(accepting, "")
}

// relisten reloads with other settings.
func (w *world) relisten(listener string) {
	w.t.Helper()
	w.vars["LISTENER"] = listener
	w.write("gatehouse.yaml", accepting)
	if err := w.reloader.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// proxyHeader is a PROXY protocol v2 header that names a client.
func proxyHeader(client string) []byte {
	a, family := netip.MustParseAddr(client), byte(0x11)
	if a.Is6() {
		family = 0x21
	}
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, family)
	body := append(append(a.AsSlice(), a.AsSlice()...), 0x12, 0x34, 0x01, 0xbb)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// connect opens a connection from an address of this machine, and sends first.
func connect(ctx context.Context, local, to string, first []byte) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", to)
	if err == nil && len(first) > 0 {
		_, err = c.Write(first)
	}
	return c, err
}

// from is a client at an address of this machine, which begins each connection
// with first, and the base of what it asks for.
func (w *world) from(p proto, local string, first []byte) (*http.Client, string) {
	c := w.client(p == tlsH2)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, to string) (net.Conn, error) {
		return connect(ctx, local, to, first)
	}
	if p == plainH1 {
		return c, w.plain
	}
	return c, w.base
}

// get gives status and body, or the error in place of both.
func get(c *http.Client, url string, headers ...string) string {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err.Error()
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.StatusCode, " ", string(b))
}

// Behind a load balancer the address is the one that it names, in lists, to
// backends and on record; X-Forwarded-For is judged by that one.
func TestProxyProtocol(t *testing.T) {
	w := open(t)
	w.accepting(`proxy_protocol: [127.0.0.2], acl: {deny: [203.0.113.0/24, 127.0.0.2]}`)
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, tt := range []struct{ client, forwarded, want string }{
			{"192.0.2.7", "", "200 192.0.2.7"},
			{"2001:db8::7", "", "200 2001:db8::7"},
			{"::ffff:192.0.2.7", "", "200 192.0.2.7"},
			{"192.0.2.7", "192.0.2.8", "200 192.0.2.7"},
			{"10.0.0.1", "192.0.2.8", "200 192.0.2.8"},
			{"203.0.113.7", "", "403"},
			{"::ffff:203.0.113.7", "", "403"},
			{"10.0.0.1", "203.0.113.7", "403"},
		} {
			c, base := w.from(p, "127.0.0.2", proxyHeader(tt.client))
			var headers []string
			if tt.forwarded != "" {
				headers = []string{"X-Forwarded-For: " + tt.forwarded}
			}
			// Twice: the header belongs to the connection, not to the request.
			for range 2 {
				if got := get(c, base+"/", headers...); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s: %s, forwarded %q: %s, want %s", p, tt.client, tt.forwarded, got, tt.want)
				}
			}
		}
	}
	for _, l := range w.exchanges(3 * 8 * 2) {
		if client := fmt.Sprint(l["client"]); strings.HasPrefix(client, "127.") || strings.HasPrefix(client, "::ffff") {
			t.Errorf("on record is %s", client)
		}
	}
}

// turns is how often the same may have been told since then.
func turns(begin time.Time) int { return int(time.Since(begin)/tellEvery) + 1 }

// Who must send the header and does not, or sends another, is not served; nor
// is who sends one and must not.
func TestProxyProtocolIsNotGuessed(t *testing.T) {
	w := open(t)
	begin := time.Now()
	w.accepting(`proxy_protocol: [127.0.0.2]`)
	v1 := []byte("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\r\n")
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, tt := range []struct {
			local string
			first []byte
			ok    bool
		}{
			{"127.0.0.2", proxyHeader("192.0.2.7"), true},
			{"127.0.0.2", nil, false},
			{"127.0.0.2", v1, false},
			{"127.0.0.2", proxyHeader("192.0.2.7")[:20], false},
			{"127.0.0.2", append(proxyHeader("192.0.2.7"), proxyHeader("192.0.2.7")...), false},
			{"127.0.0.3", nil, true},
			{"127.0.0.3", proxyHeader("192.0.2.7"), false},
			{"127.0.0.3", v1, false},
		} {
			c, base := w.from(p, tt.local, tt.first)
			if got := get(c, base+"/"); strings.HasPrefix(got, "200 ") != tt.ok {
				t.Errorf("%s: from %s with %q: %s", p, tt.local, tt.first, got)
			}
		}
	}
	w.exchanges(6 + 4) // a header that nobody expects is no request to a plain listener
	if n := len(w.log("connection refused")); n == 0 || n > 4*turns(begin) {
		t.Errorf("%d lines tell of connections that were refused", n)
	}
}

// Bounds and balancers are those of the plan that is current.
func TestConnectionsReload(t *testing.T) {
	w := open(t)
	w.accepting(`connections: {per_address: 1}`)
	first, base := w.from(tlsH1, "127.0.0.3", nil)
	second, _ := w.from(tlsH1, "127.0.0.3", nil)
	want := func(c *http.Client, prefix string) {
		t.Helper()
		if got := get(c, base+"/"); !strings.HasPrefix(got, prefix) {
			t.Errorf("%s, want %s", got, prefix)
		}
	}
	want(first, "200 127.0.0.3")
	want(second, "Get ")
	w.relisten(`connections: {per_address: 2}`)
	want(second, "200 127.0.0.3")
	w.relisten(`proxy_protocol: [127.0.0.3]`)
	want(first, "200 127.0.0.3") // as it began
	balanced, _ := w.from(tlsH1, "127.0.0.3", proxyHeader("192.0.2.7"))
	want(balanced, "200 192.0.2.7")
}

// gauge reads what is measured of a listener.
func (w *world) gauge(listener, name string) (value float64) {
	rec := httptest.NewRecorder()
	w.deps.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		_, _ = fmt.Sscanf(line, name+`{listener="`+listener+`"} %g`, &value)
	}
	return value
}

// However a connection ends, its place is free again.
func TestPlacesAreGivenBack(t *testing.T) {
	w := open(t)
	w.vars["HEADER"] = "2s" // or half a request keeps its place for long
	w.accepting(`connections: {total: 1, per_address: 1}`)
	plain, secure := strings.TrimPrefix(w.plain, "http://"), strings.TrimPrefix(w.base, "https://")
	raw := func(to, text string) func() {
		return func() {
			c, err := connect(t.Context(), "127.0.0.3", to, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if text != "" {
				_, _ = io.Copy(io.Discard, c)
			}
			_ = c.Close()
		}
	}
	for name, end := range map[string]func(){
		"nothing sent":           raw(secure, ""),
		"not TLS":                raw(secure, "GET / HTTP/1.1\r\n\r\n"),
		"garbage as TLS":         raw(secure, "\x16\x03\x01\x00\x05hello"),
		"not HTTP":               raw(plain, "hello\r\n\r\n"),
		"nothing sent over HTTP": raw(plain, ""),
		"a refusal that closes":  raw(plain, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
		"half a request":         func() { raw(plain, "GET / HTTP/1.1\r\nHo")() },
		"a certificate not known": func() {
			_, _ = tls.Dial("tcp", secure, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12})
		},
		"an answer cut by a panic": func() {
			c, base := w.from(plainH1, "127.0.0.3", nil)
			get(c, base+"/broken")
			c.CloseIdleConnections()
		},
		"a stream over HTTP/2": func() {
			c, base := w.from(tlsH2, "127.0.0.3", nil)
			defer c.CloseIdleConnections()
			eventually(t, "served", func() bool { return get(c, base+"/") == "200 127.0.0.3" })
		},
	} {
		// The client before may be done before its connection is counted out.
		eventually(t, "all are gone before "+name, func() bool {
			return w.gauge("public", "gatehouse_connections_open") == 0 && w.gauge("plain", "gatehouse_connections_open") == 0
		})
		end()
		for _, p := range []proto{plainH1, tlsH2} {
			eventually(t, "served after "+name, func() bool {
				c, base := w.from(p, "127.0.0.3", nil)
				defer c.CloseIdleConnections()
				return get(c, base+"/") == "200 127.0.0.3"
			})
		}
	}
}

// One address takes what it can get, and others are served as ever.
func TestFloodOfConnections(t *testing.T) {
	w := open(t)
	begin := time.Now()
	w.accepting(`connections: {per_address: 8}`)
	to := strings.TrimPrefix(w.base, "https://")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var held []net.Conn
			defer func() {
				for _, c := range held {
					_ = c.Close()
				}
			}()
			for range 100 {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := connect(context.Background(), "127.0.0.3", to, []byte{22}); err == nil {
					held = append(held, c)
				}
			}
			<-stop
		})
	}
	for range 40 {
		for _, p := range []proto{tlsH1, tlsH2} {
			c, base := w.from(p, "127.0.0.4", nil)
			if got := get(c, base+"/"); got != "200 127.0.0.4" {
				t.Errorf("during the flood: %s", got)
			}
			c.CloseIdleConnections()
		}
	}
	eventually(t, "refused in number", func() bool {
		rec := httptest.NewRecorder()
		w.deps.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		var n float64
		for line := range strings.Lines(rec.Body.String()) {
			_, _ = fmt.Sscanf(line, `gatehouse_connections_refused_total{listener="public",reason="per_address"} %g`, &n)
		}
		return n > 400
	})
	close(stop)
	wg.Wait()
	if n := len(w.log("connection refused")); n == 0 || n > 3*turns(begin) {
		t.Errorf("%d lines tell of it", n)
	}
}

func TestPorterTellsSeldom(t *testing.T) {
	p := &porter{told: map[listen.Reason]told{}}
	now := time.Unix(1_700_000_000, 0)
	for i, tt := range []struct {
		why    listen.Reason
		after  time.Duration
		missed int
		ok     bool
	}{
		{listen.TooMany, 0, 0, true},
		{listen.TooMany, time.Second, 0, false},
		{listen.BadHeader, time.Second, 0, true}, // another reason is told all the same
		{listen.TooMany, tellEvery - time.Nanosecond, 0, false},
		{listen.TooMany, tellEvery, 2, true},
		{listen.TooMany, tellEvery + time.Second, 0, false},
		{listen.TooMany, 2 * tellEvery, 1, true},
	} {
		if missed, ok := p.tell(tt.why, now.Add(tt.after)); missed != tt.missed || ok != tt.ok {
			t.Errorf("%d: %d %v, want %d %v", i, missed, ok, tt.missed, tt.ok)
		}
	}
}
