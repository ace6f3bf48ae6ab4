package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// names is a resolver whose answer the test sets.
type names struct {
	mu    sync.Mutex
	found []netip.Addr
	err   error
	asked int
}

func (n *names) set(err error, found ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found, n.err = nil, err
	for _, a := range found {
		n.found = append(n.found, netip.MustParseAddr(a))
	}
}

func (n *names) look(_ context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if host != "hr.test" {
		return nil, fmt.Errorf("%q was looked up", host)
	}
	return slices.Clone(n.found), n.err
}

// addresses of all that may be picked.
func addresses(u *Upstream) (out []string) {
	for _, e := range u.Endpoints() {
		if !e.Draining {
			out = append(out, e.Address)
		}
	}
	return out
}

func TestNamesAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{err: errors.New("no server")}
		c := &config.Upstream{Resolve: config.Duration(10 * time.Second), Endpoints: []config.Endpoint{
			{URL: "http://10.0.0.9:1"}, {URL: "http://hr.test:80", Region: "eu", Weight: 2}, {URL: "http://localhost:80"}, {URL: "http://[::1]"},
		}}
		u := fleetOf(t, c, n.look, nil)
		for i, step := range []struct {
			err   error
			found []string
			want  []string
		}{
			{errors.New("no server"), nil, []string{"hr.test:80"}}, // dials find out
			{nil, []string{"10.0.0.2", "10.0.0.1"}, []string{"10.0.0.1:80", "10.0.0.2:80"}},
			{errors.New("no server"), nil, []string{"10.0.0.1:80", "10.0.0.2:80"}},
			{nil, nil, []string{"10.0.0.1:80", "10.0.0.2:80"}}, // nothing is no answer
			{nil, []string{"10.0.0.3", "10.0.0.2", "10.0.0.3", "2001:db8::1"}, []string{"10.0.0.2:80", "10.0.0.3:80"}},
			{nil, []string{"2001:db8::1", "10.0.0.3", "2001:db8::2"}, []string{"[2001:db8::1]:80", "[2001:db8::2]:80"}},
			{nil, []string{"::ffff:10.0.0.7"}, []string{"10.0.0.7:80"}},
			{nil, []string{"0.0.0.0"}, []string{"10.0.0.7:80"}},
		} {
			before := u.view.Load()
			n.set(step.err, step.found...)
			time.Sleep(11 * time.Second)
			synctest.Wait()
			want := slices.Concat([]string{"10.0.0.9:1"}, step.want, []string{"localhost:80", "[::1]:80"})
			if diff := cmp.Diff(want, addresses(u)); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
			if step.err != nil && u.view.Load() != before {
				t.Errorf("step %d: a look-up that failed has changed something", i)
			}
			if got := picks(u, 4*len(step.want), ask{x: anybody(t).x, region: "eu"}); len(got) != 1 || got["80"] != 4*len(step.want) {
				t.Errorf("step %d: the region is served by %v", i, got)
			}
		}
		if n.asked < 8 || n.asked > 11 {
			t.Errorf("%d look-ups in 88 s, one every 10 s", n.asked)
		}
	})
}

func TestAddressesOfANameAreBounded(t *testing.T) {
	var found []netip.Addr
	for i := range 1000 {
		found = append(found, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if n := len(preferred(found)); n != mostAddresses {
		t.Errorf("%d addresses are used of 1000", n)
	}
}

// An address that is new to a name begins slowly; the first ones do not, nor do
// those that stay.
func TestNewAddressesBeginSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{}
		n.set(nil, "10.0.0.1", "10.0.0.2")
		c := &config.Upstream{
			Resolve: config.Duration(10 * time.Second), SlowStart: config.Duration(time.Hour), Endpoints: []config.Endpoint{{URL: "http://hr.test"}},
		}
		u := fleetOf(t, c, n.look, nil)
		share := func() (out []int64) {
			for _, c := range u.view.Load().groups[""].usable {
				out = append(out, c.weight)
			}
			return out
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := share(); !slices.Equal(got, []int64{10, 10}) {
			t.Errorf("the first addresses have tenths %v", got)
		}
		n.set(nil, "10.0.0.1", "10.0.0.2", "10.0.0.3")
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if got := share(); !slices.Equal(got, []int64{10, 10, 1}) {
			t.Errorf("with a new one they have tenths %v", got)
		}
	})
}

// house is one server on several addresses of this machine, by name.
type house struct {
	names
	url    string
	closed map[string]*atomic.Int64 // connections that ended, by address
}

func newHouse(t *testing.T, settings *tls.Config, h http.HandlerFunc, at ...string) *house {
	t.Helper()
	out := &house{closed: map[string]*atomic.Int64{}}
	port := "0"
	for _, a := range at {
		ln, err := net.Listen("tcp", net.JoinHostPort(a, port))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(ln.Addr().String())
		s := httptest.NewUnstartedServer(h)
		_ = s.Listener.Close()
		s.Listener, s.TLS = ln, settings
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		ended := &atomic.Int64{}
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				ended.Add(1)
			}
		}
		out.closed[a] = ended
		out.url = "http://hr.test:" + port
		if settings != nil {
			out.url = "https://hr.test:" + port
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
	}
	out.set(nil, at...)
	return out
}

// senders are the ways in which HTTP/1.1 is sent to a target: ours, and that of
// net/http, to which the odd ones fall back.
func senders(settings *tls.Config) map[string]func(*target) sender {
	theirs := func(one *target) sender { return transport(settings, &config.Upstream{}, one) }
	return map[string]func(*target) sender{
		"our own":  func(one *target) sender { return speaker("", one, transport(settings, &config.Upstream{}, one)) },
		"net/http": theirs,
	}
}

// bySenders runs a test with each of them, over plain connections.
func bySenders(t *testing.T, f func(t *testing.T, by func(*target) sender)) {
	for name, by := range senders(nil) {
		t.Run(name, func(t *testing.T) { f(t, by) })
	}
}

// open opens an upstream of the house, by real connections.
func (h *house) open(t *testing.T, by func(*target) sender, drain time.Duration) *Upstream {
	t.Helper()
	c := &config.Upstream{Resolve: config.Duration(10 * time.Millisecond), Endpoints: []config.Endpoint{{URL: h.url}}}
	u, err := begin(c, drain, h.look, by)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	h.settle(t, u)
	return u
}

// settle waits until the upstream has the addresses of the name.
func (h *house) settle(t *testing.T, u *Upstream) {
	t.Helper()
	wait(t, "the addresses are those of the name", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		var want []string
		for _, a := range h.found {
			want = append(want, net.JoinHostPort(a.String(), u.endpoints[0].port()))
		}
		return slices.Equal(want, addresses(u))
	})
}

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

// here says which address was asked, and by which name.
func here(w http.ResponseWriter, r *http.Request) {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	ip, _, _ := net.SplitHostPort(a.String())
	host, _, _ := net.SplitHostPort(r.Host)
	name := ""
	if r.TLS != nil {
		name = r.TLS.ServerName
	}
	fmt.Fprintf(w, "%s %s %s", ip, host, name)
}

// All addresses serve under the name of the endpoint, in Host and in TLS.
func TestNameStaysTheEndpoints(t *testing.T) {
	dir := t.TempDir()
	if err := certs.Dev(dir, []string{"hr.test"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(dir+"/gateway.pem", dir+"/gateway-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, &tls.Config{Certificates: []tls.Certificate{pair}}, here, "127.0.0.1", "127.0.0.2")
	settings, err := certs.Client(&config.Upstream{CA: dir + "/ca.pem"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"127.0.0.1 hr.test hr.test": 3, "127.0.0.2 hr.test hr.test": 3}
	for name, by := range senders(settings) {
		u := h.open(t, by, time.Minute)
		got := map[string]int{}
		for range 6 {
			x := middlewaretest.Exchange(t, "GET", "/", nil)
			_, body, err := handle(t, u, x)
			if err != nil || x.Upstream != h.url {
				t.Fatalf("%s: %v from %q", name, err, x.Upstream)
			}
			got[body]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// dripping answers /stream until the client goes away or tells it to end.
func dripping(end <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		here(w, r)
		if r.URL.Path != "/stream" {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-end:
			_, _ = io.WriteString(w, " the end")
		case <-r.Context().Done():
		}
	}
}

// stream begins an answer at an address.
func stream(t *testing.T, u *Upstream, address string) io.ReadCloser {
	t.Helper()
	for {
		res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/stream", nil))
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, len(address))
		if _, err := io.ReadFull(res.Body, head); err == nil && string(head) == address {
			return res.Body
		}
		_ = res.Body.Close()
	}
}

// An address that is gone gets nothing new; its idle connections are closed, what
// runs there ends when it ends, and its connection with it.
func TestAddressThatIsGoneDrains(t *testing.T) {
	bySenders(t, func(t *testing.T, by func(*target) sender) {
		end := make(chan struct{})
		h := newHouse(t, nil, dripping(end), "127.0.0.1", "127.0.0.2")
		u := h.open(t, by, time.Minute)
		body := stream(t, u, "127.0.0.1")
		defer body.Close()
		for range 4 { // reads the answers, which leaves an idle connection at both
			if _, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.closed["127.0.0.1"].Load(); n != 0 {
			t.Fatalf("%d connections are closed while their address serves", n)
		}
		h.set(nil, "127.0.0.2")
		h.settle(t, u)
		wait(t, "the idle connection is closed", func() bool { return h.closed["127.0.0.1"].Load() == 1 })
		for range 6 {
			if _, got, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || !strings.HasPrefix(got, "127.0.0.2 ") {
				t.Errorf("a new request went to %q: %v", got, err)
			}
		}
		e := u.Endpoints()
		if len(e) != 2 || !e[1].Draining || e[1].InFlight != 1 {
			t.Errorf("what drains is not told: %+v", e)
		}
		close(end)
		rest, err := io.ReadAll(body)
		if err != nil || !strings.HasSuffix(string(rest), "the end") {
			t.Errorf("the stream ended with %q: %v", rest, err)
		}
		_ = body.Close()
		wait(t, "its connection is closed", func() bool { return h.closed["127.0.0.1"].Load() == 2 })
		if e := u.Endpoints(); len(e) != 1 {
			t.Errorf("what has drained is still told of: %+v", e)
		}
	})
}

// What does not end in time is cut, and does not look as if it were whole.
func TestDrainingIsBounded(t *testing.T) {
	bySenders(t, func(t *testing.T, by func(*target) sender) {
		h := newHouse(t, nil, dripping(nil), "127.0.0.1", "127.0.0.2")
		u := h.open(t, by, 20*time.Millisecond)
		body := stream(t, u, "127.0.0.1")
		defer body.Close()
		h.set(nil, "127.0.0.2")
		if rest, err := io.ReadAll(body); err == nil || errors.Is(err, errIdle) {
			t.Errorf("it ended by itself, with %q: %v", rest, err)
		}
		wait(t, "it is forgotten", func() bool {
			_ = body.Close()
			u.mu.Lock()
			defer u.mu.Unlock()
			return len(u.leaving) == 0
		})
	})
}

// While addresses come and go, no request fails or is asked of nobody, not even one
// that cannot be sent again.
func TestAddressesChangeUnderLoad(t *testing.T) {
	bySenders(t, func(t *testing.T, by func(*target) sender) {
		h := newHouse(t, nil, here, "127.0.0.1", "127.0.0.2", "127.0.0.3")
		u := h.open(t, by, time.Minute)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var failures, calls atomic.Int64
		for _, body := range []string{"", "a", "short", strings.Repeat("long", 10_000)} {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					calls.Add(1)
					if _, _, err := handle(t, u, middlewaretest.Exchange(t, "POST", "/", strings.NewReader(body))); err != nil {
						failures.Add(1)
					}
				}
			})
		}
		for i := range 30 {
			all := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
			h.set(nil, slices.Delete(all, i%3, i%3+1)...)
			h.settle(t, u)
		}
		close(stop)
		wg.Wait()
		if failures.Load() > 0 || calls.Load() == 0 {
			t.Errorf("%d of %d requests failed", failures.Load(), calls.Load())
		}
		for _, e := range u.Endpoints() {
			if e.InFlight != 0 {
				t.Errorf("%d are under way at %s", e.InFlight, e.Address)
			}
		}
	})
}
