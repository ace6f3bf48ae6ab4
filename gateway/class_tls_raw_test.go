package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// onHello changes the client's hello on its way, which is the first record that
// a client writes. After it everything passes as it is.
type onHello struct {
	net.Conn
	change func(record []byte) []byte
	sent   bool
}

func (c *onHello) Write(b []byte) (int, error) {
	if c.sent {
		return c.Conn.Write(b)
	}
	c.sent = true
	_, err := c.Conn.Write(c.change(slices.Clone(b)))
	return len(b), err
}

// tlsRecord makes a record of TLS.
func tlsRecord(kind byte, payload []byte) []byte {
	return append([]byte{kind, 3, 1, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

// fragmented cuts the hello into records of so many bytes; 0 leaves it whole.
func fragmented(size int) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		return &onHello{Conn: c, change: func(b []byte) []byte {
			if size == 0 {
				return b
			}
			var out []byte
			for part := range slices.Chunk(b[5:], size) {
				out = append(out, tlsRecord(b[0], part)...)
			}
			return out
		}}
	}
}

// offerEarlyData adds the extension early_data (RFC 8446, section 4.2.10) to a
// hello, and a record of such data behind it.
func offerEarlyData(b []byte) []byte {
	hello := b[5:]
	at := 4 + 2 + 32         // type and length, version, random
	at += 1 + int(hello[at]) // session
	at += 2 + int(binary.BigEndian.Uint16(hello[at:]))
	at += 1 + int(hello[at]) // compression
	binary.BigEndian.PutUint16(hello[at:], binary.BigEndian.Uint16(hello[at:])+4)
	hello = append(hello, 0, 42, 0, 0)
	hello[1], hello[2], hello[3] = 0, byte((len(hello)-4)>>8), byte(len(hello)-4)
	return append(tlsRecord(22, hello), tlsRecord(23, make([]byte, 100))...)
}

// tap keeps what the gateway sends.
type tap struct {
	net.Conn
	received []byte
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received = append(c.received, b[:n]...)
	return n, err
}

func earlyData(t *testing.T, p proto) int {
	w := openCastle(t, byName)
	for name, change := range map[string]func([]byte) []byte{"": func(b []byte) []byte { return b }, "early data": offerEarlyData} {
		var seen *tap
		l, err := w.linkOver(p, &tls.Config{ServerName: "api.example.com"}, func(c net.Conn) net.Conn {
			seen = &tap{Conn: c}
			return &onHello{Conn: seen, change: change}
		})
		if (err == nil) != (name == "") {
			t.Errorf("a hello with %q: %v", name, err)
		}
		if err == nil {
			_ = l.Close()
		}
		if name != "" && (len(seen.received) < 7 || seen.received[0] != 21 || seen.received[6] != 110) { // an alert, unsupported_extension
			t.Errorf("a hello with early data was answered with % x", seen.received[:min(16, len(seen.received))])
		}
	}
	if w.calls.Load() != 0 {
		t.Error("something reached the backend")
	}
	return 2
}

// stalls opens connections that do not finish their handshake, each in its own
// way, and wants them closed while others are served.
func stalls(t *testing.T, p proto) int {
	w := prepare(t)
	w.start(w.settings(byName)+"timeouts: {header: 4s}\n", "")
	hello := helloOf(t)
	ways := map[string][]byte{
		"nothing": nil, "half a record header": hello[:3], "half a hello": hello[:len(hello)/2], "a hello, and no more": hello,
		"the length of a large record": {22, 3, 1, 0x40, 0},
	}
	const each = 20
	var open []net.Conn
	for _, part := range ways {
		for range each {
			c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			if _, err := c.Write(part); err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
	}
	if o := w.once(p, &tls.Config{ServerName: "api.example.com"}, "api.example.com"); o.status != 200 {
		t.Errorf("meanwhile: %v", o)
	}
	for _, c := range open {
		if _, err := io.Copy(io.Discard, c); err != nil && isTimeout(err) {
			t.Fatal("a connection that stalls stays open")
		}
	}
	// One that goes on byte by byte has no more time than the others.
	slow, err := net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	sent := 0
	for ; sent < len(hello) && err == nil; sent++ {
		_, err = slow.Write(hello[sent : sent+1])
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		t.Errorf("%d bytes were taken one by one", sent)
	}
	return len(open) + 1 + keyUpdates(t, w)
}

// helloOf records a client's hello.
func helloOf(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		_ = tls.Client(there, &tls.Config{ServerName: "api.example.com"}).Handshake() // which nobody answers
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(here, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(here, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// keyUpdates renews the client's key again and again, which costs the client
// less than the server. Once is fine, and the request after it is answered.
func keyUpdates(t *testing.T, w *castle) int {
	raw, l, secret := underKey(t, w)
	defer l.Close()
	// KeyUpdate, the other side need not: type 24, length 1, 0; and the kind of record inside.
	update := []byte{24, 0, 0, 1, 0, 22}
	request := append([]byte("GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"), 23)
	for _, inner := range [][]byte{update, request} {
		if _, err := raw.Write(sealed(t, secret, inner)); err != nil {
			t.Fatal(err)
		}
		secret = expand(t, secret, "traffic upd", sha256.Size)
	}
	if o := readH1(l.r, "GET"); o.status != 200 {
		t.Errorf("after one key update: %v", o)
	}

	raw, l, secret = underKey(t, w)
	defer l.Close()
	const most = 10_000
	n := 0
	for ; n < most; n++ {
		if _, err := raw.Write(sealed(t, secret, update)); err != nil {
			break
		}
		secret = expand(t, secret, "traffic upd", sha256.Size)
	}
	if n == most {
		t.Errorf("%d key updates were taken", n)
	}
	return 2
}

// underKey opens a connection and gives what a client's records are sealed with.
func underKey(t *testing.T, w *castle) (raw net.Conn, l *link, secret []byte) {
	t.Helper()
	var keys strings.Builder
	c := &tls.Config{ServerName: "api.example.com", MinVersion: tls.VersionTLS13, KeyLogWriter: &keys}
	l, err := w.linkOver(tlsH1, c, func(c net.Conn) net.Conn { raw = c; return c })
	if err != nil {
		t.Fatal(err)
	}
	if s := l.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("this machine prefers %s", tls.CipherSuiteName(s))
	}
	_, line, _ := strings.Cut(keys.String(), "CLIENT_TRAFFIC_SECRET_0 ")
	line, _, _ = strings.Cut(line, "\n")
	secret, err = hex.DecodeString(line[strings.LastIndex(line, " ")+1:])
	if err != nil || len(secret) != sha256.Size {
		t.Fatalf("the key log says %q", keys.String())
	}
	return raw, l, secret
}

// sealed makes the first record under a secret (RFC 8446, section 5.2).
func sealed(t *testing.T, secret, inner []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(expand(t, secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	head := []byte{23, 3, 3, 0, byte(len(inner) + seal.Overhead())}
	return seal.Seal(head, expand(t, secret, "iv", 12), inner, head)
}

// expand is HKDF-Expand-Label without context (RFC 8446, section 7.1).
func expand(t *testing.T, secret []byte, label string, length int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := string([]byte{0, byte(length), byte(len(label))}) + label + "\x00"
	out, err := hkdf.Expand(sha256.New, secret, info, length)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
