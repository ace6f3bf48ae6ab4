package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// syslog makes a sink that sends events by RFC 5424 over TLS (RFC 5425). The
// message is the event as JSON in ASCII, so that it needs no byte order mark and
// nothing in it can end it; there is no structured data, whose names would need
// an enterprise number.
func (m *maker) syslog(name string, c *config.AlertSyslog) {
	if w, files := m.syslogger(name, c); w != nil {
		m.add(&Sink{Name: name, Kind: "syslog", timeout: c.Timeout.D(), deliver: w.deliver, close: w.hangUp},
			c.MinSeverity, c.Classes, c, files...)
	}
}

// syslogger gives what delivers, nil where that cannot be made, and the files it was
// made from.
func (m *maker) syslogger(name string, c *config.AlertSyslog) (w *syslogger, files []string) {
	w = &syslogger{
		address: c.Address, facility: facility(c.Facility), host: c.Hostname, pid: strconv.Itoa(os.Getpid()), version: m.version,
		settle: settle,
	}
	if w.host == "" {
		w.host, _ = os.Hostname() // nil value where there is none
	}
	var ca, cert, key []byte
	if !c.Plain {
		w.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
		var err error
		if ca, err = content(c.CA); err == nil {
			w.tls.RootCAs, err = authorities(ca)
		}
		if err != nil {
			m.failIn("syslog."+name, fieldOf("ca", err))
			return nil, nil
		}
		if host, _, err := net.SplitHostPort(c.Address); err == nil && c.ServerName == "" {
			w.tls.ServerName = host
		}
		if p := c.ClientCertificate; p != nil {
			cert, err = content(p.Cert)
			if err == nil {
				key, err = content(p.Key)
			}
			var pair tls.Certificate
			if err == nil {
				pair, err = tls.X509KeyPair(cert, key)
			}
			if err != nil {
				m.fail("syslog."+name+".client_certificate", err)
				return nil, nil
			}
			w.tls.Certificates = []tls.Certificate{pair}
		}
	} else if !c.Insecure {
		w.dialer.Control = onlyLoopback
	}
	return w, []string{string(ca), string(cert), string(key)}
}

func fieldOf(path string, err error) error {
	if errors.As(err, new(*FieldError)) {
		return err
	}
	return &FieldError{path, err}
}

// facility gives the number of a facility (RFC 5424, section 6.2.1).
func facility(name string) int {
	for i, n := range []string{4: "auth", 10: "authpriv", 13: "audit", 14: "alert"} {
		if n == name {
			return i
		}
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "local")); err == nil && n >= 0 && n < 8 {
		return 16 + n
	}
	return 10
}

// syslogger sends to one server, over one connection as long as that lasts.
type syslogger struct {
	address  string
	dialer   net.Dialer
	tls      *tls.Config // nil for plain TCP
	facility int
	host     string
	pid      string
	version  string
	settle   time.Duration // as the constant, unless tests want another

	link *link // nil: none
}

// link is a connection to a server.
type link struct {
	conn net.Conn
	wire net.Conn      // below TLS
	gone chan struct{} // closed when the server has ended it
	err  error         // how; written before
}

// settle is how long the first message of a connection waits for its end. A server
// that does not want a client certificate says so only after the handshake (RFC
// 8446, section 4.4.2.4), and what was sent by then is lost.
const settle = 500 * time.Millisecond

// deliver makes one attempt. A server says nothing when it has taken a message; a
// connection that it has ended by then is not used any more.
func (w *syslogger) deliver(ctx context.Context, r *record) error {
	text, err := r.encode(w.version)
	if err != nil {
		return &refusal{error: err, final: true}
	}
	fresh, err := w.connect(ctx)
	if err != nil {
		return err
	}
	msg := w.message(r, text)
	frame := append(strconv.AppendInt(nil, int64(len(msg)), 10), ' ') // RFC 5425, section 4.3
	conn := w.link.conn                                               // who comes late must not meet another one, or none
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	_, err = conn.Write(append(frame, msg...))
	if !stop() && err == nil {
		err = ctx.Err() // the deadline would meet the next one
	}
	if err == nil && fresh {
		err = w.link.settled(ctx, w.settle)
	}
	if err != nil {
		_ = w.link.wire.Close() // no goodbye: it would wait as well
		w.hangUp()
	}
	return err
}

// connect sees to it that there is a connection, and reports whether it is new.
func (w *syslogger) connect(ctx context.Context) (fresh bool, err error) {
	if w.link != nil {
		select {
		case <-w.link.gone:
			w.hangUp()
		default:
			return false, nil
		}
	}
	wire, err := w.dialer.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return false, err
	}
	l := &link{conn: wire, wire: wire, gone: make(chan struct{})}
	if w.tls != nil {
		secure := tls.Client(wire, w.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = wire.Close()
			return false, err
		}
		l.conn = secure
	}
	w.link = l
	go l.watch()
	return true, nil
}

// watch notices the end of a connection on which nothing should come. It ends with
// the connection.
func (l *link) watch() {
	defer close(l.gone)
	var b [512]byte
	for l.err == nil {
		_, l.err = l.conn.Read(b[:])
	}
}

// settled waits whether the server wants the connection at all.
func (l *link) settled(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.gone:
		return fmt.Errorf("the server has ended the connection: %w", l.err)
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// hangUp ends the connection, over TLS with close_notify (RFC 5425, section 4.4).
func (w *syslogger) hangUp() {
	if w.link == nil {
		return
	}
	_ = w.link.conn.Close()
	<-w.link.gone
	w.link = nil
}

// message writes an event as RFC 5424, section 6 has it.
func (w *syslogger) message(r *record, text []byte) []byte {
	id := r.Detector
	switch {
	case r.Test:
		id = "test"
	case r.Class == Authentication:
		id = "authentication"
	}
	head := fmt.Sprintf("<%d>1 %s %s gatehouse %s %s - ", w.facility*8+r.Severity.syslog(),
		r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), headerField(w.host, 255), headerField(w.pid, 128), headerField(id, 32))
	return append([]byte(head), text...)
}

// syslog gives the severity as syslog numbers it.
func (s Severity) syslog() int {
	return [...]int{6, 6, 5, 4, 3, 2}[s.rank()] // info, notice, warning, error, critical
}

// headerField gives what may stand in a field of the header: printable ASCII, at
// most so many, and - for nothing.
func headerField(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '_'
		}
		return c
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}
