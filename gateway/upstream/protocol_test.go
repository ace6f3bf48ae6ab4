package upstream

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// telling runs a server that tells which protocol it was spoken to in. Over TLS
// it offers those of alpn; without, HTTP/1.1 or, with h2c, HTTP/2.
func telling(t *testing.T, protocol string, alpn ...string) (url, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	t.Cleanup(s.Close)
	var p http.Protocols
	p.SetHTTP1(protocol != "h2c")
	p.SetUnencryptedHTTP2(protocol == "h2c")
	if protocol != "https" {
		s.Config.Protocols = &p
		s.Start()
		return s.URL, ""
	}
	p.SetHTTP2(true)
	s.Config.Protocols = &p
	s.EnableHTTP2 = true
	s.StartTLS()
	s.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := s.TLS.Clone()
		c.NextProtos = alpn
		return c, nil
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

// What is spoken is what the settings say, or nothing: neither is a server that
// does not agree to HTTP/2 asked in HTTP/1.1, nor the other way about.
func TestProtocol(t *testing.T) {
	plain, _ := telling(t, "http")
	h2c, _ := telling(t, "h2c")
	for _, tt := range []struct {
		name, protocol, url string
		alpn                []string // with TLS
		want                string   // the protocol, or the code of a refusal
	}{
		{"plain", "auto", plain, nil, "HTTP/1.1"},
		{"plain, named", "http1", plain, nil, "HTTP/1.1"},
		{"h2c", "h2c", h2c, nil, "HTTP/2.0"},
		{"h2c to a server of HTTP/1.1", "h2c", plain, nil, "upstream_unavailable"},
		{"HTTP/1.1 to a server of h2c", "auto", h2c, nil, "upstream_unavailable"},
		{"the server has both", "auto", "", []string{"h2", "http/1.1"}, "HTTP/2.0"},
		{"the server has one", "auto", "", []string{"http/1.1"}, "HTTP/1.1"},
		{"the server chooses nothing", "auto", "", nil, "HTTP/1.1"},
		{"one of both", "http1", "", []string{"h2", "http/1.1"}, "HTTP/1.1"},
		{"the other of both", "http2", "", []string{"h2", "http/1.1"}, "HTTP/2.0"},
		{"HTTP/2 that is not there", "http2", "", []string{"http/1.1"}, "upstream_unavailable"},
		{"HTTP/2 that is not chosen", "http2", "", nil, "upstream_unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &config.Upstream{Protocol: tt.protocol}
			if tt.url == "" {
				tt.url, c.CA = telling(t, "https", tt.alpn...)
			}
			u := open(t, c, tt.url)
			for range 2 { // the second over a connection that is there
				_, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "https://h/", nil))
				if got := body + middlewaretest.Code(err); got != tt.want {
					t.Errorf("got %q (%v), want %q", got, err, tt.want)
				}
			}
		})
	}
}

// A body goes both ways over h2c, and its trailers come back.
func TestH2CBody(t *testing.T) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set(http.TrailerPrefix+"X-Sum", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	}))
	s.Config.Protocols = &p
	s.Start()
	t.Cleanup(s.Close)
	u := open(t, &config.Upstream{Protocol: "h2c"}, s.URL)
	sent := strings.Repeat("0123456789abcdef", 64<<10) // more than any window
	res, err := u.Handle(middlewaretest.Exchange(t, "POST", "https://h/", strings.NewReader(sent)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || string(got) != sent || res.Trailer.Get("X-Sum") != fmt.Sprint(len(sent)) {
		t.Errorf("got %d bytes of %d, trailers %v, %v", len(got), len(sent), res.Trailer, err)
	}
}
