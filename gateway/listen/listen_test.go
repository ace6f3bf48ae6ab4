package listen

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// balancer and stranger are addresses of this machine that tests connect from.
const (
	balancer = "127.0.0.2"
	stranger = "127.0.0.3"
)

// diary is a Watch that remembers.
type diary struct {
	mu      sync.Mutex
	open    int
	opened  int
	refused map[Reason]int
	from    []string
	errs    []error
}

func (d *diary) Opened() { d.note(func() { d.open++; d.opened++ }) }
func (d *diary) Closed() { d.note(func() { d.open-- }) }
func (d *diary) Refused(why Reason, from netip.Addr, err error) {
	d.note(func() {
		if d.refused == nil {
			d.refused = map[Reason]int{}
		}
		d.refused[why]++
		d.from, d.errs = append(d.from, from.String()), append(d.errs, err)
	})
}

func (d *diary) note(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// eventually waits for what other goroutines are about to note.
func (d *diary) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 12_000 { // a minute
		done := false
		d.note(func() { done = ok() })
		if done {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	d.note(func() { t.Fatalf("never: %s (%d open, refused %v)", what, d.open, d.refused) })
}

// place is a listener whose settings a test may change.
type place struct {
	*Listener
	diary
	settings Settings
}

func open(t *testing.T, s Settings) *place {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{settings: s}
	p.Listener = New(inner, func() (s Settings) {
		p.note(func() { s = p.settings })
		return s
	}, p)
	t.Cleanup(func() {
		_ = inner.Close()
		p.eventually(t, "all are closed", func() bool { return p.open == 0 })
		p.count.mu.Lock()
		defer p.count.mu.Unlock()
		if p.count.total != 0 || len(p.count.by) != 0 {
			t.Errorf("%d still count, by address %v", p.count.total, p.count.by)
		}
	})
	return p
}

// dial connects from an address of this machine.
func (p *place) dial(t *testing.T, from string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := d.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// pass connects and gives both ends.
func (p *place) pass(t *testing.T, from string) (client *net.TCPConn, server net.Conn) {
	t.Helper()
	client = p.dial(t, from)
	server, err := p.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}

// ended reports whether the other side has closed the connection, without a
// byte.
func ended(c net.Conn) bool {
	n, err := c.Read(make([]byte, 1))
	return n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func TestPerAddress(t *testing.T) {
	p := open(t, Settings{PerAddress: 2})
	_, first := p.pass(t, stranger)
	p.pass(t, stranger)
	third := p.dial(t, stranger)
	_, other := p.pass(t, balancer) // Accept goes past the one that is too many
	if !ended(third) {
		t.Error("the third connection of an address stays open")
	}
	if got := other.RemoteAddr().(*net.TCPAddr).IP.String(); got != balancer {
		t.Errorf("%s was let in", got)
	}
	p.note(func() {
		if p.refused[TooManyOfOne] != 1 || p.from[0] != stranger || p.errs[0] != nil {
			t.Errorf("refused: %v %v %v", p.refused, p.from, p.errs)
		}
	})
	// Closing one makes room for one, however often it is closed.
	_ = first.Close()
	if err := first.Close(); err == nil {
		t.Error("the second close of a connection says nothing")
	}
	p.pass(t, stranger)
	fifth := p.dial(t, stranger)
	p.pass(t, balancer)
	if !ended(fifth) {
		t.Error("closing twice made room for two")
	}
}

func TestTotal(t *testing.T) {
	p := open(t, Settings{Total: 2})
	_, first := p.pass(t, balancer)
	p.pass(t, stranger)
	third := p.dial(t, stranger)
	accepted := make(chan net.Conn)
	go func() {
		c, _ := p.Accept()
		accepted <- c
	}()
	if !ended(third) {
		t.Error("the third connection stays open")
	}
	_ = first.Close()
	p.dial(t, stranger)
	_ = (<-accepted).Close()
}

// Bounds follow the settings. What was open before they were set counts, and
// what is too many by now stays open.
func TestSettingsChange(t *testing.T) {
	p := open(t, Settings{})
	_, first := p.pass(t, stranger)
	_, second := p.pass(t, stranger)
	p.note(func() { p.settings.PerAddress = 1 })
	refused := p.dial(t, stranger)
	p.pass(t, balancer)
	if !ended(refused) {
		t.Error("the new bound does not hold")
	}
	_ = first.Close()
	refused = p.dial(t, stranger)
	p.note(func() { p.settings.PerAddress = 3 })
	p.pass(t, stranger)
	p.pass(t, stranger)
	_ = second
	_ = refused
}

// The HTTP server ends a connection after a refusal by saying that nothing more
// will come, and still reads: the client then sees the refusal and no reset.
func TestCloseWrite(t *testing.T) {
	p := open(t, behind())
	for _, from := range []string{stranger, balancer} {
		client, server := p.pass(t, from)
		if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if !ended(client) {
			t.Error("the client does not see the end")
		}
		if from == balancer {
			_, _ = client.Write(v4("192.0.2.7"))
		}
		_, _ = client.Write([]byte("x"))
		if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	}
}

// An HTTP server that stops does not wait for headers that never come.
func TestServerCloses(t *testing.T) {
	p := open(t, behind())
	known := make(chan struct{})
	srv := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			close(known)
		}
	}}
	done := make(chan error)
	go func() { done <- srv.Serve(p) }()
	c := p.dial(t, balancer)
	<-known
	_ = srv.Close()
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if !ended(c) {
		t.Error("a connection outlives its server")
	}
	p.note(func() {
		if len(p.errs) != 0 {
			t.Errorf("told: %v", p.errs)
		}
	})
}

func TestKeyOf(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::", "2001:db8:0:1::2": "2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff": "2001:db8::", "::1": "::",
	} {
		if got := keyOf(netip.MustParseAddr(a)); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts for %s, want %s", a, got, want)
		}
	}
	if keyOf(netip.Addr{}).IsValid() {
		t.Error("no address counts for one")
	}
}

// A connection is closed while its header is being read: its place is given
// back once, whatever comes first.
func TestCloseWhileJoining(t *testing.T) {
	l := &Listener{count: counter{by: map[netip.Addr]int{}}, watch: &diary{}}
	client := netip.MustParseAddr("192.0.2.1")
	for range 2000 {
		near, far := net.Pipe()
		c := &conn{Conn: near, l: l}
		if !l.count.enter(0) {
			t.Fatal("no bound is a bound")
		}
		var wg sync.WaitGroup
		wg.Go(func() { l.count.join(c, client, 0) })
		wg.Go(func() { _ = c.Close() })
		wg.Wait()
		_ = c.Close()
		_ = far.Close()
		if l.count.total != 0 || len(l.count.by) != 0 {
			t.Fatalf("%d count, by address %v", l.count.total, l.count.by)
		}
	}
}

// fake is a connection without a socket.
type fake struct {
	net.Conn
	from net.Addr
}

func (f *fake) RemoteAddr() net.Addr { return f.from }
func (f *fake) Close() error         { return nil }

func TestOneAllocation(t *testing.T) {
	l := New(nil, func() Settings { return Settings{Total: 10, PerAddress: 10} }, &diary{})
	var inner net.Conn = &fake{from: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}}
	if n := testing.AllocsPerRun(100, func() { _ = l.admit(inner).Close() }); n > 1 {
		t.Errorf("%v allocations for one connection", n)
	}
}
