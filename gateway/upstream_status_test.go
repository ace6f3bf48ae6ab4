package gateway

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// statusServer speaks HTTP/2 over TLS and answers everything with a status that it
// does not look at.
func (w *world) statusServer(name, status string) {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs", certs.DevServer), filepath.Join(w.dir, "certs", certs.DevServerKey))
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answerH2(c, status)
		}
	}()
	w.t.Cleanup(func() { _ = l.Close(); <-done })
	w.vars[name] = "https://" + l.Addr().String()
}

// answerH2 answers what comes over one connection.
func answerH2(c io.ReadWriteCloser, status string) {
	defer c.Close()
	if _, err := io.CopyN(io.Discard, c, int64(len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	for {
		got, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch got := got.(type) {
		case *http2.SettingsFrame:
			if !got.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			var block bytes.Buffer
			_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: status})
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: got.StreamID, BlockFragment: block.Bytes(), EndHeaders: true})
			_ = f.WriteData(got.StreamID, true, []byte("x"))
		}
	}
}

// A status of four digits is none, and HTTP/2 lets it through. It must not end in a
// panic of the server's, behind which nothing is on record and a place is lost.
func TestStatusThatIsNone(t *testing.T) {
	for _, status := range []string{"1000", "99", "0", "-1", "999999999"} {
		t.Run(status, func(t *testing.T) {
			w := open(t)
			w.statusServer("HR", status)
			w.start(`
upstreams: {hr: {endpoints: ["{HR}"], ca: certs/ca.pem, concurrency: {max: 2, wait: 0s}}}
routes:
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off"}
`, "")
			client := w.client(false)
			for range 3 {
				res, err := client.Do(w.request("GET", "/open/", nil))
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusServiceUnavailable && res.StatusCode != http.StatusBadGateway {
					t.Errorf("status %d", res.StatusCode)
				}
			}
			w.noneInFlight("upstream", "hr")
			if n := len(w.exchanges(3)); n != 3 {
				t.Errorf("%d on record", n)
			}
		})
	}
}

// aborting is a body that ends the server's work instead of being read.
type aborting struct{ io.ReadCloser }

func (aborting) Read([]byte) (int, error) { panic(http.ErrAbortHandler) }

// Whatever ends the proxy shell: the exchange is on record, and its place free.
func TestAbortedShell(t *testing.T) {
	w := open(t)
	w.backend("HR", func(http.ResponseWriter, *http.Request) {})
	p := w.compile(`
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: 1, wait: 0s}}}
routes:
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off"}
`, "")
	h := p.pipelines[0].handler
	p.pipelines[0].handler = func(x *middleware.Exchange) (*http.Response, error) {
		res, err := h(x)
		if err == nil {
			res.Body = aborting{res.Body}
		}
		return res, err
	}
	w.serve(p)
	if res, err := w.client(false).Do(w.request("GET", "/open/", nil)); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered %d", res.StatusCode)
	}
	w.noneInFlight("upstream", "hr")
	w.exchanges(1)
}
