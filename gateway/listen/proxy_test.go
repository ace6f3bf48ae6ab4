package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// header writes a PROXY protocol v2 header byte for byte.
func header(command, family byte, rest ...[]byte) []byte {
	body := bytes.Join(rest, nil)
	b := append([]byte(signature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// addresses are source, destination and ports.
func addresses(from, to string) []byte {
	a, b := netip.MustParseAddr(from), netip.MustParseAddr(to)
	return append(append(a.AsSlice(), b.AsSlice()...), 0x12, 0x34, 0x01, 0xbb)
}

const (
	local, proxy       = 0x20, 0x21
	unspec, tcp4, udp4 = 0x00, 0x11, 0x12
	tcp6, unix         = 0x21, 0x31
)

func v4(from string) []byte { return header(proxy, tcp4, addresses(from, "203.0.113.1")) }

func behind() Settings {
	return Settings{Balancers: []netip.Prefix{netip.MustParsePrefix(balancer + "/32")}, HeaderTimeout: 10 * time.Second}
}

func TestHeader(t *testing.T) {
	long := bytes.Repeat([]byte{0xea, 0, 1, 'x'}, 900)
	for _, tt := range []struct {
		name   string
		header []byte
		want   string // the client; "" where the connection is refused
		why    string // part of what is told of it
	}{
		{"IPv4", v4("192.0.2.7"), "192.0.2.7:4660", ""},
		{"IPv6", header(proxy, tcp6, addresses("2001:db8::7", "2001:db8::1")), "[2001:db8::7]:4660", ""},
		{"IPv4 in IPv6", header(proxy, tcp6, addresses("::ffff:192.0.2.7", "::ffff:203.0.113.1")), "192.0.2.7:4660", ""},
		{"with what it adds", header(proxy, tcp4, addresses("192.0.2.7", "203.0.113.1"), []byte{0x02, 0, 3, 'a', 'b', 'c'}), "192.0.2.7:4660", ""},
		{"with a lot of it", header(proxy, tcp4, addresses("192.0.2.7", "203.0.113.1"), long), "192.0.2.7:4660", ""},
		{"with garbage behind the addresses", header(proxy, tcp4, addresses("192.0.2.7", "203.0.113.1"), []byte{0xff, 0xff}), "192.0.2.7:4660", ""},
		{"for itself", header(local, unspec), "balancer", ""},
		{"for itself, and with addresses, which do not count", header(local, tcp4, addresses("192.0.2.7", "203.0.113.1")), "balancer", ""},
		{"for itself, with others", header(local, unspec, long), "balancer", ""},

		{"too much added", header(proxy, tcp4, addresses("192.0.2.7", "203.0.113.1"), bytes.Repeat(long, 2)), "", "invalid length"},
		{"version 1", []byte("PROXY TCP4 192.0.2.7 203.0.113.1 4660 443\r\n"), "", "version 1"},
		{"version 1, unknown", []byte("PROXY UNKNOWN\r\n"), "", "version 1"},
		{"version 3", header(0x31, tcp4, addresses("192.0.2.7", "203.0.113.1")), "", "version and command"},
		{"another command", header(0x22, tcp4, addresses("192.0.2.7", "203.0.113.1")), "", "version and command"},
		{"no family", header(proxy, unspec), "", "family"},
		{"a family that is none", header(proxy, 0x41, addresses("192.0.2.7", "203.0.113.1")), "", "family"},
		{"a transport that is none", header(proxy, 0x13, addresses("192.0.2.7", "203.0.113.1")), "", "family"},
		{"datagrams", header(proxy, udp4, addresses("192.0.2.7", "203.0.113.1")), "", "TCP client"},
		{"a Unix socket", header(proxy, unix, make([]byte, 216)), "", "TCP client"},
		{"addresses too short", header(proxy, tcp4, addresses("192.0.2.7", "203.0.113.1")[:11]), "", "invalid length"},
		{"IPv4 where it says IPv6", header(proxy, tcp6, addresses("192.0.2.7", "203.0.113.1")), "", "invalid length"},
		{"no header", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "", "not present"},
		{"a TLS handshake", []byte{22, 3, 1, 0, 100, 1}, "", "not present"},
		{"half a signature", []byte(signature[:8] + "GET / HTTP/1.1"), "", "not present"},
		{"broken off", v4("192.0.2.7")[:20], "", "EOF"},
		{"broken off in the signature", []byte(signature[:5]), "", "not present"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, behind())
			client, server := p.pass(t, balancer)
			sent := append(bytes.Clone(tt.header), "and the rest"...)
			if strings.HasPrefix(tt.name, "broken off") {
				sent = tt.header
			}
			go func() {
				_, _ = client.Write(sent)
				_ = client.CloseWrite()
			}()
			want := tt.want
			if want == "balancer" || want == "" {
				want = client.LocalAddr().String()
			}
			if got := server.RemoteAddr().String(); got != want {
				t.Errorf("the client is %s, want %s", got, want)
			}
			if got := server.LocalAddr().String(); got != p.Addr().String() {
				t.Errorf("the server is %s, want %s", got, p.Addr())
			}
			rest, err := io.ReadAll(server)
			if tt.want != "" {
				if string(rest) != "and the rest" || err != nil {
					t.Errorf("read %q, %v", rest, err)
				}
				if _, err := server.Write([]byte("answer")); err != nil {
					t.Error(err)
				}
				return
			}
			if len(rest) != 0 || err != nil {
				t.Errorf("what was refused reads %q, %v", rest, err)
			}
			if _, err := server.Write([]byte("answer")); err == nil {
				t.Error("what was refused is written to")
			}
			if !ended(client) {
				t.Error("what was refused is open")
			}
			p.note(func() {
				last := len(p.errs) - 1
				if last < 0 || p.from[last] != balancer || p.errs[last] == nil || !strings.Contains(p.errs[last].Error(), tt.why) {
					t.Errorf("told: %v %v, want %q", p.from, p.errs, tt.why)
				}
			})
		})
	}
}

// Others do not say who they are: what they begin with is theirs.
func TestStranger(t *testing.T) {
	p := open(t, behind())
	client, server := p.pass(t, stranger)
	_, _ = client.Write(v4("192.0.2.7"))
	_ = client.CloseWrite()
	if got := server.RemoteAddr().(*net.TCPAddr).IP.String(); got != stranger {
		t.Errorf("a stranger is believed to be %s", got)
	}
	if b, err := io.ReadAll(server); !bytes.Equal(b, v4("192.0.2.7")) || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

// A header that comes in pieces is one.
func TestHeaderInPieces(t *testing.T) {
	p := open(t, behind())
	client, server := p.pass(t, balancer)
	_ = client.SetNoDelay(true)
	go func() {
		for _, b := range append(v4("192.0.2.7"), "xy"...) {
			_, _ = client.Write([]byte{b})
			time.Sleep(time.Millisecond)
		}
		_ = client.CloseWrite()
	}()
	if b, err := io.ReadAll(server); string(b) != "xy" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if got := server.RemoteAddr().String(); got != "192.0.2.7:4660" {
		t.Error(got)
	}
}

// Balancers that send nothing hold nobody up, and are closed in time. What they
// do when they look whether somebody listens is not worth a word.
func TestHeaderNeverSent(t *testing.T) {
	s := behind()
	s.HeaderTimeout = 50 * time.Millisecond
	p := open(t, s)
	silent, server := p.pass(t, balancer)
	half, other := p.pass(t, balancer)
	_, _ = half.Write(v4("192.0.2.7")[:20])
	_, served := p.pass(t, stranger)
	if got := served.RemoteAddr().(*net.TCPAddr).IP.String(); got != stranger {
		t.Error(got)
	}
	for _, c := range []net.Conn{server, other} {
		_ = c.SetReadDeadline(time.Now().Add(time.Hour)) // gives the header no more time
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("read %d, %v", n, err)
		}
	}
	if !ended(silent) || !ended(half) {
		t.Error("a connection without a header stays open")
	}
	p.note(func() {
		if p.refused[BadHeader] != 2 {
			t.Errorf("refused: %v", p.refused)
		}
	})
	p.note(func() { p.settings.HeaderTimeout = time.Minute })
	probe, server := p.pass(t, balancer)
	_ = probe.Close()
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	p.note(func() {
		if p.refused[BadHeader] != 2 {
			t.Errorf("a look is told: %v", p.errs)
		}
	})
}

// The server's deadline holds for the header too, and after it.
func TestDeadline(t *testing.T) {
	p := open(t, behind())
	_, server := p.pass(t, balancer)
	_ = server.SetDeadline(time.Now().Add(-time.Second))
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	client, server := p.pass(t, balancer)
	_, _ = client.Write(v4("192.0.2.7"))
	if got := server.RemoteAddr().String(); got != "192.0.2.7:4660" {
		t.Error(got)
	}
	_ = server.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := server.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a deadline that is over: %v", err)
	}
	_ = server.SetReadDeadline(time.Time{})
	_, _ = client.Write([]byte("x"))
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// Behind a balancer it is the client whose connections are counted, from when
// it is known.
func TestClientsAreCounted(t *testing.T) {
	s := behind()
	s.PerAddress = 1
	p := open(t, s)
	from := func(a string) (*net.TCPConn, net.Conn) {
		c, server := p.pass(t, balancer)
		_, _ = c.Write(v4(a))
		server.RemoteAddr()
		return c, server
	}
	_, first := from("192.0.2.7")
	from("192.0.2.8")
	refused, server := from("192.0.2.7")
	if n, err := server.Read(make([]byte, 1)); n != 0 || err != io.EOF || !ended(refused) {
		t.Errorf("the second connection of a client is served: %d, %v", n, err)
	}
	p.note(func() {
		if p.refused[TooManyOfOne] != 1 || p.from[0] != "192.0.2.7" {
			t.Errorf("refused: %v %v", p.refused, p.from)
		}
	})
	_ = first.Close()
	again, server := from("192.0.2.7")
	_, _ = again.Write([]byte("x"))
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// bytesConn reads from memory.
type bytesConn struct {
	fake
	r io.Reader
}

func (c *bytesConn) Read(p []byte) (int, error)      { return c.r.Read(p) }
func (c *bytesConn) SetReadDeadline(time.Time) error { return nil }

// FuzzHeader: only version 2 of the protocol names a client, and what stands
// behind the header is read as it was sent.
func FuzzHeader(f *testing.F) {
	f.Add(v4("192.0.2.7"), []byte("rest"))
	f.Add(header(local, unspec), []byte{})
	f.Add(header(proxy, tcp6, addresses("::ffff:192.0.2.7", "::1"), []byte{1, 0, 9}), []byte("x"))
	f.Add(header(proxy, unix, make([]byte, 216)), []byte("x"))
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"), []byte("GET"))
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		d := &diary{}
		l := New(nil, behind, d)
		sent := append(bytes.Clone(head), rest...)
		inner := &bytesConn{fake{from: &net.TCPAddr{IP: net.ParseIP(balancer), Port: 9}}, bytes.NewReader(sent)}
		c := l.admit(inner)
		from := c.RemoteAddr()
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if l.count.total != 0 || len(l.count.by) != 0 || d.open != 0 {
			t.Fatalf("%d count, by address %v", l.count.total, l.count.by)
		}
		refused := d.refused[BadHeader] == 1 || len(sent) == 0
		if refused {
			if len(got) != 0 || from != inner.from {
				t.Errorf("refused, and yet %s sent %q", from, got)
			}
			return
		}
		if !bytes.HasPrefix(sent, []byte(signature)) || sent[12]>>4 != 2 {
			t.Fatalf("%q names %s", sent, from)
		}
		length := 16 + int(binary.BigEndian.Uint16(sent[14:]))
		if length > 16+4096 || length > len(sent) || !bytes.Equal(got, sent[length:]) {
			t.Errorf("a header of %d bytes of %d; behind it %q", length, len(sent), got)
		}
		if sent[12]&15 == 0 && from != inner.from {
			t.Errorf("a balancer that speaks for itself is %s", from)
		}
	})
}

// Who is not served is not sent anything either, not even by a server that
// speaks first.
func TestNothingIsSentBeforeTheHeader(t *testing.T) {
	p := open(t, behind())
	client, server := p.pass(t, balancer)
	if _, err := client.Write(header(proxy, udp4, addresses("192.0.2.7", "203.0.113.1"))); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Write([]byte("welcome")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if b, _ := io.ReadAll(client); len(b) != 0 {
		t.Errorf("the client got %q", b)
	}
}
