package gateway

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// byName are options of which partners need a certificate, the vault needs one
// and TLS 1.3, and everything under strict needs TLS 1.3.
const byName = `
      certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]
      names:
        partners.example.com: {client_ca: certs/ca.pem}
        same.example.com: {client_ca: certs/ca.pem}
        vault.example.com: {client_ca: certs/ca.pem, min_version: "1.3"}
        "*.strict.example.com": {min_version: "1.3"}
`

// mutual asks every client for a certificate.
const mutual = `
      certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]
      client_ca: certs/ca.pem
`

// castle is a world whose listener has TLS settings of a test's own.
type castle struct {
	*world
	calls atomic.Int64 // that reached the backend
}

// settings are those of a world whose listener has these TLS settings.
func (w *castle) settings(tls string) string {
	return "version: 1\nlisteners:\n  public:\n    address: 127.0.0.1:0\n    tls:" + tls + `
  plain: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: all, match: {path: /}, upstream: hr, public: true, policy: off}
`
}

// prepare makes the files of a castle, with a client named alice.
func prepare(t testing.TB) *castle {
	t.Helper()
	w := &castle{world: open(t)}
	w.authority("certs")
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) { w.calls.Add(1); fmt.Fprint(rw, r.Host) })
	return w
}

// authority writes an authority with a server's certificate for all names and
// one of a client named alice.
func (w *castle) authority(dir string) {
	w.t.Helper()
	dir = filepath.Join(w.dir, dir)
	hosts := []string{"api.example.com", "partners.example.com", "same.example.com", "vault.example.com", "*.strict.example.com"}
	if err := certs.Dev(dir, hosts, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	if err := certs.DevClient(dir, "alice", time.Now()); err != nil {
		w.t.Fatal(err)
	}
}

func openCastle(t testing.TB, tls string) *castle {
	t.Helper()
	w := prepare(t)
	w.start(w.settings(tls), "")
	return w
}

// refused compiles settings that must not compile, and gives the mistakes.
func (w *castle) refused(settings string) string {
	w.t.Helper()
	w.write("gatehouse.yaml", settings)
	c, err := config.Load(w.configFile())
	if err != nil {
		return err.Error()
	}
	p, err := Compile(w.t.Context(), c, &Deps{Metrics: telemetry.New()})
	if err == nil {
		p.Close()
		return ""
	}
	return err.Error()
}

// alice is a client's certificate, of an authority in that folder.
func (w *castle) alice(dir string) []tls.Certificate {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, dir, "alice.pem"), filepath.Join(w.dir, dir, "alice-key.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	return []tls.Certificate{pair}
}

// a link is a connection that stays open.
type link struct {
	*tls.Conn
	r    *bufio.Reader // HTTP/1.1
	f    *frames       // HTTP/2
	next uint32
}

// link connects. What the client verifies is not what is tested here.
func (w *castle) link(p proto, c *tls.Config) (*link, error) { return w.linkOver(p, c, nil) }

// linkOver connects with every byte passing through a wrapper, if there is one.
func (w *castle) linkOver(p proto, c *tls.Config, wrap func(net.Conn) net.Conn) (*link, error) {
	w.t.Helper()
	c = c.Clone()
	c.InsecureSkipVerify, c.NextProtos = true, []string{"http/1.1"}
	if p == tlsH2 {
		c.NextProtos = []string{"h2"}
	}
	raw, err := net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	if wrap != nil {
		raw = wrap(raw)
	}
	l := &link{Conn: tls.Client(raw, c), next: 1}
	if err := l.Handshake(); err != nil {
		return nil, err
	}
	if p == tlsH2 {
		l.f, err = framesOn(w.t, l.Conn)
	} else {
		l.r = bufio.NewReader(l.Conn)
	}
	return l, err
}

// get asks for / on a host.
func (l *link) get(host string, headers ...[2]string) outcome {
	r := raw{method: "GET", target: "/", host: host, headers: headers}
	if l.f == nil {
		if _, err := l.Write(r.h1()); err != nil {
			return outcome{err: err}
		}
		return readH1(l.r, "GET")
	}
	stream := l.next
	l.next += 2
	if err := l.f.open(stream, l.f.head(r.fields()...), true); err != nil {
		return outcome{err: err}
	}
	return l.f.answer(stream)
}

// ended reports whether the gateway closes the connection.
func (l *link) ended() bool {
	_ = l.SetDeadline(time.Now().Add(20 * time.Second))
	if l.f == nil {
		_, err := l.r.ReadByte()
		return err != nil && !isTimeout(err)
	}
	for {
		if _, err := l.f.ReadFrame(); err != nil {
			return !isTimeout(err)
		}
	}
}

// once connects and asks for / on a host.
func (w *castle) once(p proto, c *tls.Config, host string) outcome {
	w.t.Helper()
	l, err := w.link(p, c)
	if err != nil {
		return outcome{err: err}
	}
	defer l.Close()
	return l.get(host)
}
