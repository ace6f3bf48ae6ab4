package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// listenAt opens a listener for a server, and tells the server where.
func listenAt(t testing.TB, srv *http.Server) net.Listener {
	ln, err := net.Listen("tcp", srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	srv.Addr = ln.Addr().String()
	return ln
}

// answersToCompare are written by the backend as they stand. What is behind
// "CUT" is not sent: the connection ends there.
var answersToCompare = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",                  // of no type, which nobody may guess
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",                    // empty
	"HTTP/1.1 200 OK\r\n\r\nuntil the endCUT",                         // of no length
	"HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nby HTTP/1.0CUT",      //
	"HTTP/1.1 404 Not Here\r\nContent-Length: 4\r\n\r\ngone",          //
	"HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx",                  //
	"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n",        //
	"HTTP/1.1 204 No Content\r\n\r\n",                                 //
	"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",            //
	"HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n",                //
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",          // of what would have been sent
	"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",         //
	"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", //
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\ndata: 1\n\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Also\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nX-Also: a\r\nX-Also: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 7\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nX-Late: 8\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Never\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshortCUT",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortCUT",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\nCUT",
	"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + strings.Repeat("a", 40000) + "CUT",
	"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("0123456789", 20000),
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + strings.Repeat("0123456789", 10000) + "\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nX-Stay: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTe: trailers\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nset-cookie: c=3\r\nX_Odd: 1\r\nx.dot: 2\r\nVary: a\r\nVary: b\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: x\r\nEtag: W/\"1\"\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nCUT",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokCUT",
	"no HTTP at all\r\n\r\nCUT",
	"CUT",
}

// requestsToCompare are heads without the last empty line, and bodies. PATH
// stands for where the answer is chosen.
var requestsToCompare = []string{
	"GET PATH HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"HEAD PATH HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET PATH HTTP/1.0\r\nHost: localhost\r\n\r\n",
	"GET PATH HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
}

// oddRequests are answered by the plainest answer.
var oddRequests = []string{
	"GET PATH?a=%20&b=x;y HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET PATH?a=%20&b=&=&&c HTTP/1.1\r\nHost: LocalHost.:8080\r\nUser-Agent: me\r\n\r\n",
	"GET PATHcaf%C3%A9%3bx/%7e HTTP/1.1\r\nHost: localhost\r\nUser-Agent:\r\n\r\n",
	"GET http://localhost:80PATH?q HTTP/1.1\r\nHost: other\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: X-A, keep-alive, , x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: X-Request-Id, X-Forwarded-For, Traceparent, Te\r\nTe: trailers\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTe: gzip, Trailers;q=0.5\r\nKeep-Alive: 5\r\nTrailer: X\r\nProxy-Authenticate: x\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTe: gzip;q=0.5, trailers\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nVia: 1.0 a, 1.1 b (c)\r\nvia: 2 d\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: Via\r\nVia: 1.0 a\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nForwarded: for=a\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Real-Ip: 10.0.0.1\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTracestate: a=b\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTraceparent: nonsense\r\nTracestate: a=b\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTraceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTracestate: a=b\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nTracestate: a=b\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nCookie: a=1; b=2\r\nAccept: x\r\nAccept: y\r\nX-Odd: \r\nPragma: no-cache\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nget",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"OPTIONS PATH HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
	"OPTIONS PATH HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"TRACE PATH HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET PATH../x HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET PATH HTTP/1.0\r\n\r\n", // no host
	"GET PATH HTTP/1.1\r\nHost: localhost\r\nCookie: a\r\nCookie: b\r\n\r\n",
	"POST PATH HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000), // too large
}

// speaker is the backend of a comparison: it answers as the path says, and tells
// what it was asked.
type speaker struct {
	mu   sync.Mutex
	seen []string
}

func (b *speaker) reply(c io.Writer, r *http.Request, body []byte) bool {
	b.mu.Lock()
	b.seen = append(b.seen, outline(r.Method+" "+r.RequestURI+" "+r.Proto+" "+r.Host, r.Header, r.TransferEncoding, string(body), r.Trailer))
	b.mu.Unlock()
	n, _ := strconv.Atoi(strings.Split(r.URL.Path+"//", "/")[2])
	text, cut := strings.CutSuffix(answersToCompare[n%len(answersToCompare)], "CUT")
	if head, _, ok := strings.Cut(text, "\r\n\r\n"); ok && r.Method == http.MethodHead && !strings.HasPrefix(text, "HTTP/1.1 1") {
		text, cut = head+"\r\n\r\n", false // or the next request may meet the end of the connection
	}
	_, err := io.WriteString(c, text)
	return err == nil && !cut
}

func (b *speaker) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.seen
	b.seen = nil
	return slices.Compact(out) // whether a request is sent again is up to the upstream
}

// outline writes what a message says, less what differs from one to the next.
func outline(first string, h http.Header, coding []string, body string, trailer http.Header) string {
	var lines []string
	for name, values := range h {
		switch name {
		case "Date", "X-Request-Id":
			values = []string{"once"}
		case "Trailer": // in any order
			names := strings.Split(values[0], ", ")
			slices.Sort(names)
			values = names
		case "Traceparent":
			values = []string{values[0][:3] + strconv.Itoa(len(values[0])) + values[0][len(values[0])-3:]}
		}
		lines = append(lines, name+": "+strings.Join(values, "|"))
	}
	for name, values := range trailer {
		lines = append(lines, "trailer "+name+": "+strings.Join(values, "|"))
	}
	slices.Sort(lines)
	if len(body) > 200 {
		body = fmt.Sprintf("%.100s... %d", body, len(body))
	}
	return first + "\n" + strings.Join(lines, "\n") + fmt.Sprintf("\n%v %q", coding, body)
}

// asks sends a request and another behind it, and tells all that comes of them.
func asks(t *testing.T, address, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	r := bufio.NewReader(c)
	out := received1(r, method)
	if _, err := io.WriteString(c, "GET /plain/0/next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return out + "\n\nclosed"
	}
	return out + "\n\n" + received1(r, "GET")
}

// received1 reads one answer, 1xx before it included.
func received1(r *bufio.Reader, method string) (out string) {
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return out + "no answer"
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		broken := ""
		if err != nil {
			broken = " broken off"
			if errors.Is(err, os.ErrDeadlineExceeded) {
				broken = " never ended"
			}
		}
		// The id of the request, in a problem.
		body = bytes.ReplaceAll(body, []byte(res.Header.Get("X-Request-Id")), []byte("once"))
		length := ""
		if v := res.Header["Content-Length"]; len(v) > 0 {
			length = v[0]
		}
		out += outline(fmt.Sprint(res.Proto, " ", res.Status, " ", length, " ", res.Close), res.Header, res.TransferEncoding, string(body), res.Trailer) + broken
		if res.StatusCode >= 200 {
			return out
		}
	}
}

// The shell does as httputil.ReverseProxy does in its place, to clients and to
// backends, whatever either of them says.
func TestShellAsReverseProxy(t *testing.T) {
	w := open(t)
	b := &speaker{}
	w.vars["HR"] = w.record(b.reply).url
	w.start(plain+"    limits: {body_bytes: 2KiB}\n", "")
	own, adopting, standard, done := w.shells("plain")
	defer done()
	compare := func(name, request string) {
		t.Helper()
		want := asks(t, standard.Addr, request)
		wantSeen := strings.Join(b.take(), "\n\n")
		for kind, srv := range map[string]*http.Server{"copying": own, "adopting": adopting} {
			got := asks(t, srv.Addr, request)
			gotSeen := strings.Join(b.take(), "\n\n")
			if got != want {
				t.Errorf("%s: %s: the client got\n%s\n\nand of the reference\n%s", kind, name, got, want)
			}
			if gotSeen != wantSeen {
				t.Errorf("%s: %s: the backend saw\n%s\n\nand of the reference\n%s", kind, name, gotSeen, wantSeen)
			}
		}
	}
	n := 0
	for i := range answersToCompare {
		for _, request := range requestsToCompare {
			n++
			compare(fmt.Sprintf("%.60q for %.40q", answersToCompare[i], request), strings.ReplaceAll(request, "PATH", fmt.Sprintf("/plain/%d/", i)))
		}
	}
	for _, request := range oddRequests {
		n++
		compare(fmt.Sprintf("%.200q", request), strings.ReplaceAll(request, "PATH", "/plain/0/"))
	}
	t.Logf("%d exchanges were compared", n)
}

// And so it does over HTTP/2.
func TestShellAsReverseProxyHTTP2(t *testing.T) {
	w := open(t)
	b := &speaker{}
	w.vars["HR"] = w.record(b.reply).url
	w.start(plain, "")
	own, _, standard, done := w.shells("public")
	defer done()
	c := w.client(true)
	outcome := func(address, method, path string, headers ...string) string {
		var body io.Reader
		if method == http.MethodPost {
			body = io.MultiReader(strings.NewReader("bo"), strings.NewReader("dy")) // of no length
		}
		r := w.request(method, path, body, headers...)
		r.URL.Host = address
		res, err := c.Do(r)
		if err != nil {
			return "no answer"
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		text = bytes.ReplaceAll(text, []byte(res.Header.Get("X-Request-Id")), []byte("once"))
		out := outline(fmt.Sprint(res.Proto, res.Status, res.ContentLength), res.Header, nil, string(text), res.Trailer)
		if err != nil {
			out += " broken off"
		}
		return out
	}
	n := 0
	for i := range answersToCompare {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			n++
			path := fmt.Sprintf("/plain/%d/", i)
			want, wantSeen := outcome(standard.Addr, method, path, "Te: trailers"), b.take()
			got, gotSeen := outcome(own.Addr, method, path, "Te: trailers"), b.take()
			if got != want || !slices.Equal(gotSeen, wantSeen) {
				t.Errorf("%s %.60q: the client got\n%s\nand of the reference\n%s\nthe backend saw\n%s\nand of the reference\n%s", method, answersToCompare[i], got, want, gotSeen, wantSeen)
			}
		}
	}
	c.CloseIdleConnections()
	t.Logf("%d exchanges were compared", n)
}

// What an upstream has said of an answer that lasts is at the client before it says
// more, the head alone too.
func TestStreamsArrive(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		goOn := make(chan struct{})
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "events") {
				rw.Header().Set("Content-Type", "text/event-stream")
			}
			if strings.HasSuffix(r.URL.Path, "sized-events") {
				rw.Header().Set("Content-Length", "6")
			}
			flush := http.NewResponseController(rw).Flush
			_ = flush()
			for _, piece := range []string{"one", "two"} {
				<-goOn
				_, _ = io.WriteString(rw, piece)
				_ = flush()
			}
		})
		w.start(plain, "")
		c := w.client(h2)
		for _, path := range []string{"/plain/chunks", "/plain/events", "/plain/sized-events"} {
			res, err := c.Do(w.request("GET", path, nil))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"one", "two"} {
				goOn <- struct{}{} // only now that what was before has come
				got := make([]byte, 3)
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
					t.Fatalf("%s: %q, %v", path, got, err)
				}
			}
			if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
				t.Errorf("%s: %q, %v", path, rest, err)
			}
			_ = res.Body.Close()
		}
	})
}

// An address is written in its one form, whatever the connection's is.
func TestAddressText(t *testing.T) {
	for _, tt := range []struct{ address, remote, want string }{
		{"192.0.2.1", "192.0.2.1:80", "192.0.2.1"},
		{"192.0.2.1", "192.0.2.17:80", "192.0.2.1"},
		{"192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1", "[::ffff:192.0.2.1]:80", "192.0.2.1"},
		{"192.0.2.1", "10.0.0.1:80", "192.0.2.1"},
		{"192.0.2.1", "", "192.0.2.1"},
		{"2001:db8::1", "[2001:db8::1]:80", "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1:80", "2001:db8::1"},
	} {
		if got := addressText(netip.MustParseAddr(tt.address), tt.remote); got != tt.want {
			t.Errorf("%s on %s: got %q, want %q", tt.address, tt.remote, got, tt.want)
		}
	}
}
