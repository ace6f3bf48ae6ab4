package gateway

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// A scribe is a backend that writes down what reaches it as it was on the
// wire. It answers whatever it is asked, so that a request which should not have
// come is seen as one that was served.
type scribe struct {
	net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	got    []received
	answer func(received) string // what it answers with; nil: plainAnswer
}

// plainAnswer keeps the connection, so that bytes which come behind a request
// are taken for another one.
const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

// received is one request as it was read.
type received struct {
	method, target string
	headers        [][2]string // names and values as they came
	body           string
	err            error // what came was no request
}

func newScribe(t testing.TB) *scribe {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &scribe{Listener: l, conns: map[net.Conn]bool{}}
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns[c] = true
			r.mu.Unlock()
			r.wg.Go(func() { r.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		for c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

func (r *scribe) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	for in := bufio.NewReader(c); ; {
		q, err := readRequest(in)
		if err != nil && q.method == "" {
			return // the gateway has closed an idle connection
		}
		q.err = err
		r.mu.Lock()
		r.got = append(r.got, q)
		answer := r.answer
		r.mu.Unlock()
		text := plainAnswer
		if q.method == "HEAD" {
			text = strings.TrimSuffix(plainAnswer, "ok")
		}
		if answer != nil {
			text = answer(q)
		}
		if _, werr := io.WriteString(c, text); err != nil || werr != nil || strings.Contains(text, "Connection: close") {
			return
		}
	}
}

// readRequest reads one request. Nothing is decoded or normalized, but for the
// framing of the body.
func readRequest(in *bufio.Reader) (q received, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return q, err
	}
	parts := strings.Split(strings.TrimSuffix(line, "\r\n"), " ")
	if q.method = parts[0]; len(parts) != 3 || parts[2] != "HTTP/1.1" {
		return q, fmt.Errorf("the request line is %q", line)
	}
	q.target = parts[1]
	for {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") {
			return q, fmt.Errorf("the head ends with %q: %w", line, err)
		}
		if line == "\r\n" {
			break
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ":")
		if !ok || strings.ContainsAny(value, "\r\n\x00") {
			return q, fmt.Errorf("the line %q is no header", line)
		}
		q.headers = append(q.headers, [2]string{name, strings.Trim(value, " \t")})
	}
	q.body, err = readBody(in, q)
	return q, err
}

func readBody(in *bufio.Reader, q received) (string, error) {
	lengths, codings := q.values("Content-Length"), q.values("Transfer-Encoding")
	switch {
	case len(lengths)+len(codings) == 0:
		return "", nil
	case len(lengths)+len(codings) > 1 || len(codings) == 1 && codings[0] != "chunked":
		return "", errors.New("the framing can be read in two ways")
	case len(lengths) == 1:
		var n int
		if _, err := fmt.Sscanf(lengths[0]+"\n", "%d\n", &n); err != nil {
			return "", err
		}
		b := make([]byte, n)
		n, err := io.ReadFull(in, b)
		return string(b[:n]), err
	}
	b, err := io.ReadAll(httputil.NewChunkedReader(in))
	if err != nil {
		return string(b), err
	}
	if end, err := in.ReadString('\n'); err != nil || end != "\r\n" {
		return string(b), fmt.Errorf("a trailer: %q %w", end, err)
	}
	return string(b), nil
}

// says makes the scribe answer otherwise until the test ends.
func (r *scribe) says(t *testing.T, answer func(received) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answer = nil
	})
}

// seen gives what has come since the last call.
func (r *scribe) seen() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// values gives the values of a header.
func (q received) values(name string) []string {
	var out []string
	for _, h := range q.headers {
		if strings.EqualFold(h[0], name) {
			out = append(out, h[1])
		}
	}
	return out
}

// twins gives the values of all headers that some server takes for the one
// named: gateways to CGI and WSGI make one sign of -, _ and others.
func (q received) twins(name string) []string {
	same := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "-", ".", "-", " ", "", "\t", "").Replace(s))
	}
	var out []string
	for _, h := range q.headers {
		if same(h[0]) == same(name) {
			out = append(out, h[1])
		}
	}
	return out
}

// judged gives the question that the policy was asked about this request, which
// the policy of the arena sends along in a header.
func (q received) judged(t *testing.T) *policies.Input {
	t.Helper()
	v := q.values("X-Judged")
	if len(v) != 1 {
		t.Fatalf("%s %s: judged %d times", q.method, q.target, len(v))
	}
	text, err := base64.URLEncoding.DecodeString(v[0])
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var in policies.Input
	if err := d.Decode(&in); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return &in
}
