package h1

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// certificate makes one for this machine.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// insecure are the settings of a client that takes any certificate.
func insecure() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}} //nolint:gosec // it is one of this test
}

// limits are the bounds of a server under test.
type limits struct {
	header, idle, write, frames, linger time.Duration
	bytes                               int
}

// usual are long enough for tests never to meet them.
func usual() limits {
	return limits{header: 10 * time.Second, idle: time.Minute, write: 2 * time.Minute}
}

// running is a server under test, of either kind.
type running interface {
	Shutdown(ctx context.Context) error
	Close() error
}

// served is a server that runs.
type served struct {
	running
	address string
	tls     *tls.Config // of a client; nil: plain
	room    int         // of a client, for what it has yet to read; 0: as it comes
	log     *journal
}

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs a server of ours, or net/http's with the same settings.
func start(t testing.TB, ours, secure bool, b limits, h http.Handler) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, ours, secure, b, h)
}

// startOn runs one on a listener.
func startOn(t testing.TB, l net.Listener, ours, secure bool, b limits, h http.Handler) *served {
	t.Helper()
	out := &served{address: l.Addr().String(), log: &journal{}}
	var config *tls.Config
	if secure {
		config = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h2", "http/1.1"}}
		out.tls = insecure()
	}
	var wg sync.WaitGroup
	logger := log.New(out.log, "", 0)
	if ours {
		s := &Server{Handler: h, TLSConfig: config, ReadHeaderTimeout: b.header, IdleTimeout: b.idle, WriteTimeout: b.write, MaxHeaderBytes: b.bytes, ErrorLog: logger}
		if b.linger > 0 {
			s.lingers = b.linger
		}
		if b.frames > 0 {
			s.HTTP2 = &http.HTTP2Config{WriteByteTimeout: b.frames}
		}
		wg.Go(func() { _ = s.Serve(l) })
		out.running = s
	} else {
		s := &http.Server{
			Handler: h, TLSConfig: config, ReadHeaderTimeout: b.header, IdleTimeout: b.idle, WriteTimeout: b.write, MaxHeaderBytes: b.bytes, ErrorLog: logger,
			DisableGeneralOptionsHandler: true,
			ConnState: func(_ net.Conn, state http.ConnState) { // Close does not wait for those that linger
				switch state {
				case http.StateNew:
					wg.Add(1)
				case http.StateClosed, http.StateHijacked:
					wg.Done()
				}
			},
		}
		wg.Go(func() {
			if config != nil {
				_ = s.ServeTLS(l, "", "")
				return
			}
			_ = s.Serve(l)
		})
		out.running = s
	}
	t.Cleanup(func() { _ = out.Close(); wg.Wait() })
	return out
}

// dial opens a connection, which the test has twenty seconds for.
func (s *served) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := s.open(t, s.tls)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open opens a connection, over TLS where there are settings for it.
func (s *served) open(t testing.TB, settings *tls.Config) (net.Conn, error) {
	var d net.Dialer
	if s.room > 0 {
		// Where a server resets the connection, what is on its way is lost, and what has
		// arrived is not.
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, s.room) })
		}
	}
	c, err := d.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if settings == nil {
		return c, nil
	}
	secure := tls.Client(c, settings)
	t.Cleanup(func() { _ = secure.Close() })
	return secure, secure.Handshake()
}

// patiently opens a connection to a server that is in haste, and asks once and reads
// the answer where there is something to ask: again until that was in time.
func (s *served) patiently(t testing.TB, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	var err error
	for range 100 {
		var c net.Conn
		if c, err = s.open(t, s.tls); err != nil {
			continue
		}
		r := bufio.NewReader(c)
		if text == "" {
			return c, r
		}
		_, _ = io.WriteString(c, text)
		var res *http.Response
		if res, err = http.ReadResponse(r, nil); err != nil {
			continue
		}
		if _, err = io.Copy(io.Discard, res.Body); err == nil {
			return c, r
		}
	}
	t.Fatal(err)
	return nil, nil
}

// talk sends bytes on a connection of its own, and reads all that comes back
// until it ends.
func (s *served) talk(t testing.TB, text string) string {
	t.Helper()
	c := s.dial(t)
	go func() { _, _ = io.WriteString(c, text) }()
	out, err := io.ReadAll(c)
	if err != nil && strings.Contains(err.Error(), "timeout") {
		return string(out) + "<stays open>"
	}
	return string(out)
}

// told is what a handler saw of a request, in one line.
func told(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		err = errors.New("broken")
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fields = append(fields, fmt.Sprintf("%s=%q", name, r.Header[name]))
	}
	return fmt.Sprintf("%s %q %+v host=%q %s %d.%d close=%v length=%d %q trailer=%v %v body=%q %v",
		r.Method, r.RequestURI, *r.URL, r.Host, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Close, r.ContentLength, r.TransferEncoding, r.Trailer, fields, body, err)
}

// answers reads the answers that are in text, each as one line with what does
// not depend on the server's taste.
func answers(text, methods string) []string {
	open := strings.HasSuffix(text, "<stays open>")
	r := bufio.NewReader(strings.NewReader(strings.TrimSuffix(text, "<stays open>")))
	var out []string
	for i := 0; ; i++ {
		if _, err := r.Peek(1); err != nil {
			break
		}
		method := "GET"
		if m := strings.Fields(methods); i < len(m) {
			method = m[i]
		}
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			out = append(out, "no answer")
			break
		}
		if res.StatusCode < 200 {
			i--
		}
		body, err := io.ReadAll(res.Body)
		if len(body) > 1000 {
			body = fmt.Appendf(nil, "%d bytes, %x, %s", len(body), sha256.Sum256(body), body[len(body)-20:])
		}
		for _, name := range []string{"Date", "Content-Length", "Content-Type"} {
			res.Header.Del(name)
		}
		out = append(out, fmt.Sprintf("%d %d.%d close=%v %v trailer=%v %q %v", res.StatusCode, res.ProtoMajor, res.ProtoMinor, res.Close, res.Header, res.Trailer, body, err))
	}
	if open {
		out = append(out, "stays open")
	}
	return out
}
