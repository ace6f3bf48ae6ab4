package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What a client may not say never arrives, on public routes too, and what the
// gateway says does.
func TestRequestHeaders(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start("identity_headers: [X-User-*, X-Company]\n"+one+strings.SplitAfter(plain, "routes:\n")[1], masking+"headers[\"X-Clearance\"] := \"low\"\n")
	forged := []string{
		"X-User-Id: root", "x-user-role: root", "X-Company: other", "X_User_Id: root", "X-Clearance: high", "X-Forwarded-For: 192.0.2.1",
		"X-Forwarded-Host: evil", "X-Forwarded-Proto: http", "X-Forwarded-Prefix: /evil", "Forwarded: for=192.0.2.1", "X-Real-Ip: 192.0.2.1",
		"X-Http-Method-Override: DELETE", "X-Original-Url: /admin", "X-Request-Id: chosen",
	}
	var raw strings.Builder
	for _, h := range forged {
		raw.WriteString("\n" + h)
	}
	c := w.dial()
	c.send("POST /plain/a%3bb?x=1&y=%20 HTTP/1.1\nHost: LocalHost:443\nConnection: X-Keep, X-Clearance, X-Forwarded-For, X-Request-Id\nX-Keep: not\nX-Note: yes" +
		"\nTe: trailers\nTrailer: X-User-Id, X-Other\nProxy-Authorization: Basic x\nUpgrade: websocket\nTransfer-Encoding: chunked" + raw.String() +
		"\n\n1\nx\n0\nX-User-Id: root\nX-Other: trailed\n\n")
	plainAnswer := c.receive("POST")
	c = w.dial() // a chunked body is the last thing on a connection
	c.send("GET /api/employees/7 HTTP/1.1\nHost: localhost\nConnection: X-User-Id\n" + w.as("e2", "staff") + raw.String() + "\n\n")
	masked := c.receive("GET")
	if plainAnswer.StatusCode != 200 || masked.StatusCode != 200 {
		t.Fatalf("%s, %s %s", plainAnswer.Status, masked.Status, masked.body)
	}
	seen := hr.requests()
	for _, s := range seen {
		for _, word := range []string{"root", "evil", "high", "192.0.2.1", "chosen", "/admin", "DELETE", "other\r", "X-Keep", "websocket", "Basic x", "Trailer", "trailed"} {
			if strings.Contains(s, word) {
				t.Errorf("the backend saw %q:\n%s", word, s)
			}
		}
	}
	for i, want := range [][]string{
		{
			"POST /plain/a%3Bb?x=1&y=%20\n", "X-Note: yes\r\n", "X-Request-Id: " + plainAnswer.Header.Get("X-Request-Id") + "\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
			"X-Forwarded-Proto: https\r\n", "X-Forwarded-Host: localhost:443\r\n", "Traceparent: 00-",
		},
		{"X-User-Id: e2\r\n", "X-Clearance: low\r\n", "X-Request-Id: " + masked.Header.Get("X-Request-Id") + "\r\n", "X-Forwarded-Proto: https\r\n"},
	} {
		for _, word := range want {
			if !strings.Contains(seen[i], word) {
				t.Errorf("the backend did not see %q:\n%s", word, seen[i])
			}
		}
	}
}

// A refusal that ends the connection does so under both protocols, and the
// requests that share an HTTP/2 connection are answered all the same.
func TestRefusalCloses(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		running, finish := make(chan struct{}), make(chan struct{})
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				close(running)
				<-finish
			}
			_, _ = io.WriteString(rw, "whole")
		})
		w.start(plain+"    limits: {body_bytes: 1KiB}\n", "")
		c := w.client(h2)
		got := make(chan string, 1)
		r := w.request("GET", "/plain/1", nil)
		go func() {
			res, err := c.Do(r)
			if err != nil {
				got <- err.Error()
				return
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			got <- fmt.Sprint(string(b), err)
		}()
		<-running
		a := do(t, c, w.request("POST", "/plain/1", strings.NewReader(strings.Repeat("x", 2<<10))))
		refused(t, a, 413, "body_too_large")
		if !h2 && !a.Close {
			t.Error("the connection stays open")
		}
		if h2 && a.Header.Get("Connection") != "" {
			t.Error("HTTP/2 has no Connection header")
		}
		close(finish)
		if s := <-got; s != "whole<nil>" {
			t.Errorf("the other request: %s", s)
		}
		if a := do(t, c, w.request("POST", "/plain/1", strings.NewReader("x"))); a.body != "whole" {
			t.Errorf("the next request: %s %s", a.Status, a.body)
		}
	})
}

// A chunked body that turns out too large ends the connection, so that its
// rest is not read as another request.
func TestTooLargeChunked(t *testing.T) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start(plain+"    limits: {body_bytes: 1KiB}\n", "")
	c := w.dial()
	c.send("POST /plain/1 HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n800\n" + strings.Repeat("x", 0x800) + "\nGET /plain/2 HTTP/1.1\nHost: localhost\n\n")
	a := c.receive("POST")
	refused(t, a, 413, "body_too_large")
	if !c.closed() {
		t.Error("the connection stays open")
	}
	w.exchanges(1)
}

// Trailers are part of an answer that is passed on, and not of one that was
// made anew.
func TestTrailers(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Trailer", "X-Sum")
			fmt.Fprintf(rw, `{"salary": %s}`, secret)
			rw.Header().Set("X-Sum", "of "+secret)
			rw.Header().Set(http.TrailerPrefix+"X-Late", secret)
		})
		w.start(one+strings.SplitAfter(plain, "routes:\n")[1], masking)
		c := w.client(h2)
		a := do(t, c, w.request("GET", "/plain/1", nil))
		if a.Trailer.Get("X-Sum") != "of "+secret || a.Trailer.Get("X-Late") != secret || !strings.Contains(a.body, secret) {
			t.Errorf("passed on: %q, trailers %v", a.body, a.Trailer)
		}
		a = do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff")))
		if len(a.Trailer) > 0 || a.Header.Get("Trailer") != "" || strings.Contains(fmt.Sprint(a.Header, a.body), secret) || a.body != `{"salary": "***"}` {
			t.Errorf("masked: %q, head %v, trailers %v", a.body, a.Header, a.Trailer)
		}
	})
}

// A client that waits for 100 Continue is told to go on only when somebody
// wants its body.
func TestExpectContinue(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(one, masking)
	head := "POST /api/employees/7 HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 2\nExpect: 100-continue\n"
	c := w.dial()
	c.send(head + "\n")
	a := c.receive("POST")
	refused(t, a, 401, "token_missing")
	if !a.Close || !c.closed() {
		t.Error("the connection stays open, though nobody knows whether the body comes")
	}
	if len(hr.requests()) > 0 {
		t.Errorf("the backend saw %q", hr.requests())
	}
	c = w.dial()
	c.send(head + w.as("e2", "staff") + "\n\n")
	if line, err := c.r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q %v", line, err)
	}
	_, _ = c.r.ReadString('\n')
	c.send("{}")
	if a := c.receive("POST"); a.StatusCode != 200 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if s := hr.requests(); len(s) != 1 || strings.Contains(s[0], "Expect") || !strings.HasSuffix(s[0], "{}<nil>") {
		t.Errorf("the backend saw %q", s)
	}
}

// An answer without a mask streams: what is held of it does not grow with it.
func TestLargeDownload(t *testing.T) {
	const size = 64 << 20
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		piece := make([]byte, 64<<10)
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			for range size / len(piece) {
				if _, err := rw.Write(piece); err != nil {
					return
				}
			}
		})
		w.start(plain, "")
		c := w.client(h2)
		do(t, c, w.request("GET", "/nowhere", nil)) // connect
		held := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := held()
		res, err := c.Do(w.request("GET", "/plain/1", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		buf := make([]byte, 64<<10)
		var n, most int64
		for err == nil {
			var got int
			for range 128 {
				got, err = io.ReadFull(res.Body, buf)
				n += int64(got)
			}
			most = max(most, int64(held())-int64(before))
		}
		if n != size || err != io.EOF {
			t.Fatalf("%d bytes, %v", n, err)
		}
		// Client, gateway and backend together, with their buffers.
		t.Logf("at most %d KiB are held while %d MiB pass", most>>10, size>>20)
		if most > 8<<20 {
			t.Errorf("%d KiB are held", most>>10)
		}
	})
}

// Events arrive one by one: each is sent only when the last one has arrived.
func TestEventStream(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		next := make(chan int)
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/event-stream")
			for n := range next {
				fmt.Fprintf(rw, "data: %d\n\n", n)
				_ = http.NewResponseController(rw).Flush()
			}
		})
		w.start(plain, "")
		go func() { next <- 0 }()
		res, err := w.client(h2).Do(w.request("GET", "/plain/1", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		events := bufio.NewScanner(res.Body)
		for n := range 10 {
			if !events.Scan() || events.Text() != fmt.Sprintf("data: %d", n) || !events.Scan() {
				t.Fatalf("event %d: %q %v", n, events.Text(), events.Err())
			}
			if n < 9 {
				next <- n + 1
			}
		}
		close(next)
		if events.Scan() || events.Err() != nil {
			t.Errorf("after the last event: %q %v", events.Text(), events.Err())
		}
	})
}

// A plain listener that redirects does nothing else, whatever it is asked, and
// leads nowhere but to hosts that are served: those that routes name, and where
// routes are for any host, those that a certificate is for.
func TestRedirect(t *testing.T) {
	for _, tt := range []struct {
		name, hosts               string
		method, host, path, where string // or a code
	}{
		{"path and query stay", named, "GET", "api.example.com", "/plain/a%3bb?x=%2F", "https://api.example.com{PORT}/plain/a%3Bb?x=%2F"},
		{"no route is looked for", named, "POST", "API.example.com.:8080", "/nowhere", "https://api.example.com{PORT}/nowhere"},
		{"an address", named, "GET", "[2001:db8::1]:8080", "/plain/1", "https://[2001:db8::1]{PORT}/plain/1"},
		{"an address without a port", named, "GET", "[2001:DB8::1]", "/plain/1", "https://[2001:db8::1]{PORT}/plain/1"},
		{"a path that cannot be read", named, "GET", "api.example.com", "/a/../b", "path_invalid"},
		{"TRACE", named, "TRACE", "api.example.com", "/plain/1", "method_not_allowed"},
		{"a method that nobody knows", named, "BREW", "api.example.com", "/plain/1", "method_unknown"},
		{"a host of somebody else", named, "GET", "evil.example", "/plain/1", "host_unknown"},
		{"a name in front of a host", named, "GET", "evil.example.api.example.com", "/", "host_unknown"},
		{"a host that is none", named, "GET", "127.1", "/plain/1", "path_invalid"},
		{"one that a certificate is for, and no route", named, "GET", "localhost", "/plain/1", "host_unknown"},
		{"one that a certificate is for", "", "GET", "LOCALHOST:80", "/plain/1", "https://localhost{PORT}/plain/1"},
		{"an address that a certificate is for", "", "GET", "127.0.0.1:80", "/plain/1", "https://127.0.0.1{PORT}/plain/1"},
		{"a v6 address that a certificate is for", "", "GET", "[::1]", "/plain/1", "https://[::1]{PORT}/plain/1"},
		{"one that no certificate is for", "", "GET", "api.example.com", "/plain/1", "host_unknown"},
		{"an address that no certificate is for", "", "GET", "192.0.2.1", "/plain/1", "host_unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			hr := &witness{}
			w.backend("HR", hr.ServeHTTP)
			w.start(redirecting+strings.Replace(plain, "match: {", "match: {"+tt.hosts, 1), "")
			r := w.request(tt.method, w.plain+tt.path, nil)
			r.Host = tt.host
			a := do(t, w.client(false), r)
			where := strings.Replace(tt.where, "{PORT}", w.g.Plan().httpsPort, 1)
			if got := a.Header.Get("Location"); strings.Contains(where, "://") && (a.StatusCode != 308 || got != where || a.body != "") {
				t.Errorf("%s to %q, want %q", a.Status, got, where)
			} else if !strings.Contains(where, "://") && (got != "" || !strings.Contains(a.body, `"code":"`+where+`"`)) {
				t.Errorf("%s to %q: %s", a.Status, got, a.body)
			}
			if a.Header.Get("X-Request-Id") == "" || a.Header.Get("Strict-Transport-Security") != "" || len(hr.requests()) > 0 {
				t.Errorf("%v; the backend saw %q", a.Header, hr.requests())
			}
		})
	}
}

const named = `hosts: [api.example.com, "2001:db8::1"], `

func TestRedirectPort(t *testing.T) {
	for _, tt := range []struct {
		addresses []string
		want      string
	}{
		{nil, ""},
		{[]string{":443"}, ""},
		{[]string{":8443"}, ":8443"},
		{[]string{"127.0.0.1:10443", ":443"}, ""},
	} {
		w := open(t)
		text, listeners := preamble, ""
		for i, a := range tt.addresses {
			listeners += fmt.Sprintf("  l%d: {address: %q, tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}}\n", i, a)
		}
		text = text[:strings.Index(text, "  public:")] + listeners + "  plain: " + text[strings.Index(text, `{address: "127.0.0.1:0"}`):]
		w.vars["HR"] = "http://127.0.0.1:1"
		w.write("gatehouse.yaml", text+plain)
		if got := redirectPort(w.load()); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.addresses, got, tt.want)
		}
	}
}

// Both protocols are offered, TLS 1.3 and 1.2 with AEAD suites, nothing else.
func TestProtocols(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.backend("HR", echo("A"))
		w.start(plain, "")
		a := do(t, w.client(h2), w.request("GET", "/plain/1", nil))
		if got := a.ProtoMajor == 2; got != h2 || !slices.Contains([]uint16{0x0303, 0x0304}, a.TLS.Version) {
			t.Errorf("%s over %x", a.Proto, a.TLS.Version)
		}
	})
}
