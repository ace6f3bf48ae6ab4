package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// devCerts makes an authority and a certificate of it for this machine.
func devCerts(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := certs.Dev(dir, []string{"siem.example"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func serverTLS(t *testing.T, dir string) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certs.DevServer), filepath.Join(dir, certs.DevServerKey))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// receiver is an HTTPS server that takes events, once it has verified them.
type receiver struct {
	*httptest.Server
	dir string

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // nil: 204
	tries  int
	bodies [][]byte
	ids    []string
	wrong  []error
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	return newReceiverAt(t, devCerts(t), "127.0.0.1:0")
}

// newReceiverAt starts one at an address, with the certificate of a folder.
func newReceiverAt(t *testing.T, dir, address string) *receiver {
	t.Helper()
	rec := &receiver{dir: dir}
	rec.Server = httptest.NewUnstartedServer(rec)
	_ = rec.Listener.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	rec.Listener = l
	rec.Server.Config.ErrorLog = quiet()
	rec.Server.TLS = serverTLS(t, rec.dir)
	rec.Server.StartTLS()
	t.Cleanup(rec.Close)
	return rec
}

// says sets what is answered from now on.
func (rec *receiver) says(answer func(w http.ResponseWriter, r *http.Request)) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.answer = answer
}

func (rec *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	answer := rec.answer
	rec.tries++
	if answer == nil {
		if err := verify(testSecret, r.Header, body); err != nil {
			rec.wrong = append(rec.wrong, err)
		}
		rec.bodies, rec.ids = append(rec.bodies, body), append(rec.ids, r.Header.Get("webhook-id"))
	}
	rec.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (rec *receiver) got() (tries, events int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.tries, len(rec.bodies)
}

func (rec *receiver) events(t *testing.T) (out []ocsfEvent) {
	t.Helper()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, err := range rec.wrong {
		t.Error(err)
	}
	for _, b := range rec.bodies {
		out = append(out, read(t, b))
	}
	return out
}

// verify does what the Standard Webhooks specification asks of a receiver. It is
// written anew here, so that both sides cannot share a mistake.
func verify(secret string, h http.Header, body []byte) error {
	id, at := h.Get("webhook-id"), h.Get("webhook-timestamp")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || strings.Contains(id, ".") {
		return fmt.Errorf("id %q, timestamp %q", id, at)
	}
	if age := time.Since(time.Unix(n, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return fmt.Errorf("sent %s ago", age)
	}
	key, err := base64.StdEncoding.DecodeString(secret[len("whsec_"):])
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%d.%s", id, n, body)
	for s := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(s, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, mac.Sum(nil)) {
			return nil
		}
	}
	return fmt.Errorf("the signature %q does not fit", h.Get("webhook-signature"))
}

// to is a configuration with one webhook, called siem.
func (rec *receiver) to() config.Alerts {
	return config.Alerts{Webhook: map[string]*config.AlertWebhook{"siem": {
		URL: config.Secret(rec.URL + "/hook?key=hidden"), Secret: testSecret, CA: filepath.Join(rec.dir, certs.DevCA),
		Timeout: config.Duration(10 * time.Second), Classes: []string{"finding"},
	}}}
}

// eager is a sender that does not wait long between attempts.
func eager(t *testing.T, b *book, c config.Alerts) *Sender {
	t.Helper()
	s := Open(Options{Count: b.count})
	s.Use(*eagerly(settings(t, b, c)))
	t.Cleanup(func() { shut(t, s) })
	return s
}

func eagerly(s *Settings) *Settings {
	for _, k := range s.Sinks {
		k.pause = time.Millisecond
	}
	return s
}

// outlet gives a sink of a sender.
func outletOf(t *testing.T, s *Sender, name string) *outlet {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outlets {
		if o.sink.Name == name {
			return o
		}
	}
	t.Fatal("no sink ", name)
	return nil
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "leave me alone")
	}
}

// hangs gives no answer, not even to who leaves: TLS says that it ends before the
// connection ends, and an answer to that would still arrive.
func hangs(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// address is the n-th of many.
func address(n int) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }
