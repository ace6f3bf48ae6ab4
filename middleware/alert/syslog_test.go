package alert

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// syslogd is a syslog server that takes frames by octet counting.
type syslogd struct {
	net.Listener
	dir  string
	wait sync.WaitGroup
	away atomic.Bool // turns away whoever comes

	mu       sync.Mutex
	conns    []net.Conn
	messages []string
	errs     []error
}

// newSyslogd listens; without TLS where c is nil.
func newSyslogd(t *testing.T, dir, address string, c *tls.Config) *syslogd {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		l = tls.NewListener(l, c)
	}
	d := &syslogd{Listener: l, dir: dir}
	d.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			if d.away.Load() {
				_ = conn.Close()
				d.mu.Unlock()
				continue
			}
			d.conns = append(d.conns, conn)
			d.mu.Unlock()
			d.wait.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(d.stop)
	return d
}

func (d *syslogd) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		msg, err := frame(in)
		d.mu.Lock()
		if err != nil {
			d.errs = append(d.errs, err)
			d.mu.Unlock()
			return
		}
		d.messages = append(d.messages, msg)
		d.mu.Unlock()
	}
}

// frame reads MSG-LEN SP SYSLOG-MSG (RFC 5425, section 4.3).
func frame(in *bufio.Reader) (string, error) {
	head, err := in.ReadString(' ')
	if err != nil {
		if head != "" {
			return "", fmt.Errorf("half a frame: %q", head)
		}
		return "", err
	}
	n, err := strconv.Atoi(head[:len(head)-1])
	if err != nil || n <= 0 || n > 8192 || head[0] == '0' {
		return "", fmt.Errorf("length %q", head)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	return string(b), err
}

// hangUp ends all connections.
func (d *syslogd) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
}

func (d *syslogd) stop() {
	_ = d.Close()
	d.hangUp()
	d.wait.Wait()
}

func (d *syslogd) got() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.messages...)
}

func toSyslog(d *syslogd) config.Alerts {
	return config.Alerts{Syslog: map[string]*config.AlertSyslog{"siem": {
		Address: d.Addr().String(), CA: filepath.Join(d.dir, certs.DevCA), Facility: "local3", Hostname: "gw1",
		Timeout: config.Duration(10 * time.Second), Classes: []string{"finding", "authentication"},
	}}}
}

// syslogTo gives what delivers to the server of a configuration.
func syslogTo(t *testing.T, c config.Alerts) *syslogger {
	t.Helper()
	m := &maker{version: productVersion()}
	w, _ := m.syslogger("siem", c.Syslog["siem"])
	if m.err != nil {
		t.Fatal(m.err)
	}
	return w
}

// SYSLOG-MSG of RFC 5424, section 6, with nil structured data and a MSG in ASCII.
const syslogMessage = `^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) - (\{[ -~]*\})$`

func TestSyslog(t *testing.T) {
	var b book
	dir := devCerts(t)
	d := newSyslogd(t, dir, "127.0.0.1:0", serverTLS(t, dir))
	s := sending(t, &b, toSyslog(d))
	e := found("203.0.113.9")
	e.Subject = "żółw 🐢\n<13>1 forged"
	s.Raise(e)
	e.Class, e.Severity, e.Detector = Authentication, Informational, ""
	s.Raise(e)
	until(t, "both arrive", func() bool { return len(d.got()) == 2 })
	schema := ocsf(t)
	for i, want := range []struct{ pri, id string }{{"155", "auth_failures"}, {"158", "authentication"}} { // 19*8+3, 19*8+6
		m := regexp.MustCompile(syslogMessage).FindStringSubmatch(d.got()[i])
		if m == nil {
			t.Fatalf("%q", d.got()[i])
		}
		if m[1] != want.pri || m[3] != "gw1" || m[4] != "gatehouse" || m[6] != want.id {
			t.Errorf("%q", m)
		}
		if err := fits(schema, []byte(m[7])); err != nil {
			t.Error(err)
		}
		if got := read(t, []byte(m[7])); i == 0 && got.Evidences[0].Actor.User.UID != e.Subject {
			t.Errorf("%q", got.Evidences[0].Actor.User.UID)
		}
	}
	d.mu.Lock()
	n := len(d.conns)
	d.mu.Unlock()
	if n != 1 {
		t.Errorf("%d connections", n)
	}
	// Its end is announced by close_notify: the server sees an end, no break.
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	until(t, "the connection ends", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.errs) == 1 })
	if d.errs[0] != io.EOF {
		t.Error(d.errs[0])
	}
}

func TestHeaderFields(t *testing.T) {
	for in, want := range map[string]string{"": "-", "gw 1": "gw_1", "gw\n<1>": "gw_<1>", "żółw": "___w", strings.Repeat("x", 40): strings.Repeat("x", 32), "a\x7f\x00": "a__"} {
		if got := headerField(in, 32); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for name, want := range map[string]int{"auth": 4, "authpriv": 10, "audit": 13, "alert": 14, "local0": 16, "local7": 23} {
		if got := facility(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// A server that goes and comes back gets what was raised after that was noticed,
// over a new connection; one that only hung up too.
func TestSyslogReconnects(t *testing.T) {
	var b book
	dir := devCerts(t)
	c := serverTLS(t, dir)
	d := newSyslogd(t, dir, "127.0.0.1:0", c)
	s := eager(t, &b, toSyslog(d))
	n := 0
	raise := func() { s.Raise(found(address(n))); n++ }
	raise()
	until(t, "the first arrives", func() bool { return len(d.got()) == 1 })
	d.hangUp()
	until(t, "one arrives over another connection", func() bool { raise(); return len(d.got()) > 1 })
	d.away.Store(true) // and keeps its port, which others might take
	d.hangUp()
	until(t, "it is tried in vain", func() bool { raise(); return b.of("siem failed") > 0 })
	for range 10 {
		raise()
	}
	o := outletOf(t, s, "siem")
	before := len(d.got())
	d.away.Store(false)
	until(t, "all others are taken", func() bool { w, _, _ := o.spool.waiting(); return w == 0 && len(s.queue) == 0 })
	until(t, "the last arrives", func() bool {
		got := d.got()
		return len(got) >= before+10 && strings.Contains(got[len(got)-1], `"ip":"`+address(n-1)+`"`)
	})
}

// The server must be who it should be, and may want to know who we are.
func TestSyslogTLS(t *testing.T) {
	dir, other := devCerts(t), devCerts(t)
	if err := certs.DevClient(dir, "gw", time.Now()); err != nil {
		t.Fatal(err)
	}
	pool, err := certs.Pool(filepath.Join(dir, certs.DevCA))
	if err != nil {
		t.Fatal(err)
	}
	mutual := serverTLS(t, dir)
	mutual.ClientCAs, mutual.ClientAuth = pool, tls.RequireAndVerifyClientCert
	old := serverTLS(t, dir)
	old.MaxVersion = tls.VersionTLS11 //nolint:gosec // that is what is tried
	pair := &config.KeyPair{Cert: filepath.Join(dir, "gw.pem"), Key: filepath.Join(dir, "gw-key.pem")}
	for name, tt := range map[string]struct {
		server *tls.Config
		change func(s *config.AlertSyslog)
		want   string
	}{
		"well":              {serverTLS(t, dir), func(*config.AlertSyslog) {}, ""},
		"by a name":         {serverTLS(t, dir), func(s *config.AlertSyslog) { s.ServerName = "siem.example" }, ""},
		"another name":      {serverTLS(t, dir), func(s *config.AlertSyslog) { s.ServerName = "other.example" }, "not other.example"},
		"another authority": {serverTLS(t, other), func(*config.AlertSyslog) {}, "unknown authority"},
		"an old version":    {old, func(*config.AlertSyslog) {}, "protocol version"},
		"known":             {mutual, func(s *config.AlertSyslog) { s.ClientCertificate = pair }, ""},
		"unknown":           {mutual, func(*config.AlertSyslog) {}, "certificate required"},
		"plain":             {nil, func(*config.AlertSyslog) {}, "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newSyslogd(t, dir, "127.0.0.1:0", tt.server)
			if name == "plain" { // says something as soon as somebody comes
				d.stop()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				d.Listener = l
				done := make(chan struct{})
				go func() {
					defer close(done)
					if c, err := l.Accept(); err == nil {
						_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
						_, _ = io.Copy(io.Discard, c)
						c.Close()
					}
				}()
				defer func() { <-done }()
			}
			c := toSyslog(d)
			tt.change(c.Syslog["siem"])
			w := syslogTo(t, c)
			if tt.want != "" { // it comes however late the server is
				w.settle = time.Hour
			}
			err := w.deliver(t.Context(), testEvent())
			w.hangUp()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// Plain TCP is for this machine, unless the configuration says otherwise.
func TestSyslogPlain(t *testing.T) {
	var b book
	d := newSyslogd(t, "", "127.0.0.1:0", nil)
	c := toSyslog(d)
	c.Syslog["siem"].Plain, c.Syslog["siem"].CA = true, ""
	s := sending(t, &b, c)
	s.Raise(found("203.0.113.9"))
	until(t, "it arrives", func() bool { return len(d.got()) == 1 })
	c.Syslog["siem"].Address = "192.0.2.1:514"
	if err := settings(t, &b, c).Sinks[0].deliver(t.Context(), testEvent()); err == nil || !strings.Contains(err.Error(), "this machine only") {
		t.Error(err)
	}
}
