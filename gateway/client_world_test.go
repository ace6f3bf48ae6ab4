package gateway

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// roots trusts the world's certificate authority.
func (w *world) roots() *x509.CertPool {
	w.t.Helper()
	pem, err := os.ReadFile(filepath.Join(w.dir, "certs", certs.DevCA))
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// client speaks HTTP/1.1 or, with h2, HTTP/2, and follows nothing. It is more patient
// than eventually: what the gateway is to end it does not end itself.
func (w *world) client(h2 bool) *http.Client {
	w.t.Helper()
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.roots(), MinVersion: tls.VersionTLS12}, Protocols: &p,
		DisableCompression: true, ExpectContinueTimeout: 5 * time.Second,
	}
	w.idle = append(w.idle, tr.CloseIdleConnections)
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: 90 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is an answer read to its end, or to where it broke off.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// do sends a request and reads the answer.
func do(t testing.TB, c *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// request makes a request; headers are "Name: value".
func (w *world) request(method, target string, body io.Reader, headers ...string) *http.Request {
	w.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = w.base + target
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, target, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// as gives the header of somebody's token.
func (w *world) as(subject, role string) string {
	return "Authorization: Bearer " + w.issuer.token(w.issuer.kid, map[string]any{"sub": subject, "role": role, "tenant": "acme"})
}

// dial opens a connection to the TLS listener that a test writes to byte by
// byte.
func (w *world) dial() *wire {
	w.t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), &tls.Config{RootCAs: w.roots(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{w.t, c, bufio.NewReader(c)}
}

type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (c *wire) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer.
func (c *wire) receive(method string) answer {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// closed reports whether the gateway has ended the connection.
func (c *wire) closed() bool {
	_, err := c.r.ReadByte()
	return err != nil && !os.IsTimeout(err)
}
