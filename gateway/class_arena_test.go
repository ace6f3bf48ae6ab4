package gateway

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// arenas are the gateways that classes are tried on. One is opened when the
// first class asks for it, and stays until the last has run: what classes need
// differs less than opening one costs.
type arenas struct {
	t    testing.TB
	open map[string]*arena
	ops  OpenOps
}

// An arena is a running gateway between clients that send what they like and a
// backend that writes down what reaches it.
type arena struct {
	*world
	hr    *scribe // the backend of all routes
	other *scribe // the backend of those under /v1/, and of nobody else
	lines map[string]*line
	// Tokens of an ordinary caller and of one who may do everything.
	staff, boss string
}

// arenaSettings are those of the arena that most classes share. Loopback has
// many addresses: those behind 127.0.0.1 stand for a client, for proxies that
// are trusted, and for a client that no list lets in.
const arenaSettings = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
  plain: {address: "127.0.0.1:0"}
  redirect: {address: "127.0.0.1:0", redirect_to_https: true}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
trusted_proxies: [127.0.0.2/32, 10.0.0.0/8, "2001:db8:ffff::/48"]
limits: {body_bytes: 64KiB}
issuers:
  auth:
    issuer: https://auth.example.com
    audiences: [erp]
    algorithms: [ES256]
    jwks_url: "{ISSUER}/jwks.json"
upstreams:
  hr: {endpoints: ["{HR}"]}
  other: {endpoints: ["{OTHER}"]}
policies: {path: rego, budget: 5s, headers: [x-purpose], tests: "off"}
routes:
  - {name: open, match: {path: /open/, semicolons: true}, upstream: hr, public: true, policy: "on"}
  - {name: bare, match: {path: /bare/}, upstream: hr, public: true, policy: "off"}
  - {name: admin, match: {path: /admin/}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
  - {name: reports, match: {path: /admin/reports/, methods: [GET]}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
  - {name: sealed, match: {path: /sealed/}, upstream: hr, authn: {issuers: [auth], forward_token: false}, policy: "on"}
  - {name: listed, match: {path: /listed/}, upstream: hr, public: true, policy: "on", acl: {allow: [127.0.0.1/32, 203.0.113.0/24, "2001:db8::/32"], deny: [203.0.113.66/32, "2001:db8:bad::/48"]}}
  - {name: write, match: {path: /write/}, upstream: hr, authn: {issuers: [auth]}, policy: {body: true}}
  - {name: clean, match: {path: /clean/}, upstream: hr, public: true, policy: "off", sanitize: {html: reject, sql_injection: "off"}}
  - {name: files, match: {path: /files/}, upstream: hr, public: true, policy: "off", sanitize: {html: reject, sql_injection: "off"}, upload: {extensions: [txt, png], files: 3, file_bytes: 4KiB}}
  - {name: versioned, match: {path: /v1/, semicolons: true}, upstream: other, public: true, policy: "on", rewrite: {strip_prefix: /v1}}
  - {name: any, match: {path: /any/, methods: [GET, POST]}, upstream: hr, public: true, policy: "on"}
`

// arenaPolicy keeps everybody but the boss out of /admin/ and of /api/admin, and
// bodies with a role of admin out of /write/. The whole question goes to the
// backend, so that what was judged can be held against what arrived.
const arenaPolicy = `import data.helpers

allow if helpers.open
allow if input.subject.role == "boss"
allow if helpers.member
allow if helpers.harmless

headers["X-User-Id"] := {"input": "subject.id"} if input.subject
headers["X-Judged"] := base64url.encode(json.marshal(input))
headers["X-Note"] := {"input": "resource.query.note"} if input.resource.query.note
headers["X-Sometimes"] := "yes" if input.subject.role == "boss"
`

const arenaHelpers = `package helpers

open if input.resource.route in {"open", "versioned", "any", "listed"}

member if {
	input.resource.route in {"api", "sealed"}
	input.subject.role == "staff"
	not reserved
}

reserved if input.resource.segments[1] == "admin"

reserved if "forbidden" in input.context.headers["x-purpose"]

reserved if "forbidden" in input.resource.query.purpose

harmless if {
	input.resource.route == "write"
	input.subject.role == "staff"
	input.body
	not powerful
}

powerful if {
	walk(input.body, [path, value])
	path[count(path) - 1] == "role"
	value == "admin"
}
`

// main gives the arena that most classes share.
func (s *arenas) main(t *testing.T) *arena { return s.get(t, arenaSettings, arenaPolicy) }

// get gives the arena with these settings, for one class.
func (s *arenas) get(t *testing.T, settings, policy string) *arena {
	t.Helper()
	a := s.open[settings]
	if a == nil {
		a = s.make(settings, policy)
		s.open[settings] = a
	}
	own, w := *a, *a.world
	w.t, own.world = t, &w
	a.hr.seen()
	a.other.seen()
	return &own
}

func (s *arenas) make(settings, policy string) *arena {
	s.t.Helper()
	w := open(s.t)
	a := &arena{world: w, hr: newScribe(s.t), other: newScribe(s.t), lines: map[string]*line{}}
	w.vars["HR"], w.vars["OTHER"] = "http://"+a.hr.Addr().String(), "http://"+a.other.Addr().String()
	w.write("rego/helpers/helpers.rego", arenaHelpers)
	w.start(settings, policy)
	_, a.staff, _ = strings.Cut(w.as("u1", "staff"), ": ")
	_, a.boss, _ = strings.Cut(w.as("u2", "boss"), ": ")
	s.t.Cleanup(func() {
		for _, l := range a.lines {
			l.Close()
		}
	})
	return a
}

// bearer gives the header that carries a token.
func bearer(token string) [2]string { return [2]string{"Authorization", token} }

// line is a connection that is kept for many requests.
type line struct {
	net.Conn
	in     *bufio.Reader
	h2     *frames
	stream uint32
	used   time.Time
}

// fresh is for how long a line is used again: the gateway ends those that were
// idle for long, and other tests may have had the machine meanwhile.
const fresh = 20 * time.Second

// send sends a request on a connection that is kept, as the ordinary client at
// 127.0.0.1, and gives the answer and what reached the backend because of it.
func (a *arena) send(p proto, r raw) (outcome, []received) {
	a.t.Helper()
	return a.sendFrom("127.0.0.1", p, r)
}

// sendFrom is send for the client, or proxy, at an address.
func (a *arena) sendFrom(address string, p proto, r raw) (outcome, []received) {
	a.t.Helper()
	if r.method == "" {
		r.method = "GET"
	}
	if r.target == "" {
		r.target = "/"
	}
	if r.host == "" {
		r.host = "localhost"
	}
	key := address + " " + string(p)
	l := a.lines[key]
	if l != nil && time.Since(l.used) > fresh {
		l.Close()
		l = nil
	}
	if l == nil {
		l = a.connect(address, p)
		a.lines[key] = l
	}
	_ = l.SetDeadline(time.Now().Add(20 * time.Second))
	o, last := l.ask(r)
	l.used = time.Now()
	if last {
		l.Close()
		delete(a.lines, key)
	}
	return o, append(a.hr.seen(), a.other.seen()...)
}

// ask sends a request and reads its answer. The connection may end with it.
func (l *line) ask(r raw) (o outcome, last bool) {
	if l.h2 != nil {
		l.stream += 2
		o = l.h2.ask(l.stream, r)
		_ = l.h2.WriteWindowUpdate(0, uint32(1+len(o.body))) // or answers would stop coming
		return o, o.err != nil
	}
	_, err := l.Write(r.h1())
	o, last = l.answer(r.method) // what is refused may not be read to its end
	if err != nil && o.err != nil {
		o.err = err
	}
	return o, last || err != nil
}

// answer reads the final answer to a request over HTTP/1.1.
func (l *line) answer(method string) (o outcome, last bool) {
	for {
		res, err := http.ReadResponse(l.in, &http.Request{Method: method})
		if err != nil {
			return outcome{err: err}, true
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		return outcome{res.StatusCode, res.Header, string(b), err}, err != nil || res.Close
	}
}

// bytes sends bytes on a connection of their own and gives the first answer, and
// what reached the backend until the gateway closed the connection.
func (a *arena) bytes(p proto, text string) (outcome, []received) {
	a.t.Helper()
	l := a.connect("127.0.0.1", p)
	defer l.Close()
	_ = l.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := l.Write([]byte(text)); err != nil {
		return outcome{err: err}, nil
	}
	o, _ := l.answer("GET")
	return o, append(a.hr.seen(), a.other.seen()...)
}

// line opens a plain connection to a listener.
func (a *arena) line(listener string) *line {
	a.t.Helper()
	c, err := net.Dial("tcp", a.at[listener].String())
	if err != nil {
		a.t.Fatal(err)
	}
	return newLine(c)
}

// newLine is a connection for HTTP/1.1.
func newLine(c net.Conn) *line {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &line{Conn: c, in: bufio.NewReader(c)}
}

// connect opens a connection from an address of this machine.
func (a *arena) connect(address string, p proto) *line {
	a.t.Helper()
	listener := "plain"
	if p != plainH1 {
		listener = "public"
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.DialContext(a.t.Context(), "tcp", a.at[listener].String())
	if err != nil {
		a.t.Fatal(err)
	}
	if p == plainH1 {
		return &line{Conn: c, in: bufio.NewReader(c)}
	}
	protocol := "http/1.1"
	if p == tlsH2 {
		protocol = "h2"
	}
	s := tls.Client(c, &tls.Config{RootCAs: a.roots(), ServerName: "localhost", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12})
	if err := s.HandshakeContext(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	if p == tlsH2 {
		f, err := framesOn(a.t, s)
		if err != nil {
			a.t.Fatal(err)
		}
		return &line{Conn: s, h2: f, stream: ^uint32(0)} // the first one is 1
	}
	return &line{Conn: s, in: bufio.NewReader(s)}
}

// refused reports, as an error of the test, a request that was not refused with
// one of the codes, or that reached the backend nevertheless. A code may be a
// status alone: net/http refuses what is not HTTP before the gateway sees it.
// Over HTTP/2 the stream may be reset instead.
func (a *arena) refused(what string, o outcome, got []received, codes ...string) {
	a.t.Helper()
	if len(got) > 0 {
		a.t.Errorf("%s: reached the backend as %s %s %q (%v)", what, got[0].method, got[0].target, got[0].headers, o)
	}
	if o.err != nil && len(codes) > 0 && slices.Contains(codes, "reset") {
		return
	}
	if o.err != nil || !slices.Contains(codes, o.code()) && !slices.Contains(codes, fmt.Sprint(o.status)) {
		a.t.Errorf("%s: %v, want %s", what, o, strings.Join(codes, " or "))
	}
}

// passed gives the one request that reached the backend and was answered with
// success; anything else is an error of the test.
func (a *arena) passed(what string, o outcome, got []received) (received, bool) {
	a.t.Helper()
	if o.err != nil || o.status != 200 || len(got) != 1 || got[0].err != nil {
		a.t.Errorf("%s: %v, and %d requests reached the backend: %.300v", what, o, len(got), got)
		return received{}, false
	}
	return got[0], true
}
