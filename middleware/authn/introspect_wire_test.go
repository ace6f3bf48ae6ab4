package authn

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// lines passes bytes between whoever connects and an address, until what was
// connected so far is cut: nothing passes any more, and nobody is told.
type lines struct {
	net.Listener
	to  string
	mu  sync.Mutex
	cut chan struct{}
	all []net.Conn
}

func startLines(t *testing.T, to string) *lines {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lines{Listener: l, to: to, cut: make(chan struct{})}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			cut := p.cut
			p.all = append(p.all, in, out)
			p.mu.Unlock()
			wait.Go(func() { pass(in, out, cut) })
			wait.Go(func() { pass(out, in, cut) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.all {
			_ = c.Close()
		}
		p.mu.Unlock()
		wait.Wait()
	})
	return p
}

func pass(from, to net.Conn, cut chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case <-cut: // read and thrown away: the other side never hears
			continue
		default:
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// vanish cuts what is connected; who connects anew is served.
func (p *lines) vanish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.cut)
	p.cut = make(chan struct{})
}

// An issuer that moves to another machine leaves connections behind that nobody
// answers on. One question is lost to that, however many there are.
func TestIssuerVanishes(t *testing.T) {
	k := &knower{}
	srv := httptest.NewUnstartedServer(k)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	between := startLines(t, srv.Listener.Addr().String())
	ca := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	c := issuerConfig(introspects("https://"+between.Addr().String()), func(c *config.Issuer) { c.CA = ca })
	i := openIssuer(t, "auth", c)
	s := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
	for n := range 8 {
		k.say(fmt.Sprint("t", n), activeClaims(nil))
	}
	// Four questions at once, so that four connections are kept.
	var first sync.WaitGroup
	all := make(chan struct{}, 4)
	k.instead(func(w http.ResponseWriter, _ *http.Request) {
		for all <- struct{}{}; len(all) < cap(all); {
			time.Sleep(time.Millisecond)
		}
		_, _ = io.WriteString(w, encodeAny(activeClaims(nil)))
	})
	for n := range 4 {
		first.Go(func() { expect(t, "at first", codeOf(t, s, fmt.Sprint("t", n)), "") })
	}
	first.Wait()
	k.instead(nil)
	between.vanish()
	// Nothing answers this one, so that a busy machine changes nothing. No question is
	// under way when the time changes.
	patient := c.Introspection.Timeout
	c.Introspection.Timeout = config.Duration(500 * time.Millisecond)
	expect(t, "over a connection that is gone", codeOf(t, s, "t4"), unavailable)
	c.Introspection.Timeout = patient
	expect(t, "after that", codeOf(t, s, "t4"), "")
	expect(t, "and another", codeOf(t, s, "t5"), "")
}
