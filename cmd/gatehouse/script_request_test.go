package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func methods() []string {
	return []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"}
}

// client is who asks: what it trusts, and what it shows of itself.
type client struct {
	tls  *tls.Config
	http *http.Client
	old  bool        // HTTP/1.1
	head []byte      // what each connection begins with, below TLS
	late chan answer // of the request that is under way
}

// answer is what the last request got.
type answer struct {
	res  *http.Response
	body string
	err  error
}

// newRequest makes a request of words: a target, @BODY and headers.
func newRequest(ts *testscript.TestScript, method string, args []string) *http.Request {
	w := of(ts)
	if len(args) == 0 {
		ts.Fatalf("usage: %s PATH [@BODY] [Header: value]…", method)
	}
	target := args[0]
	if strings.HasPrefix(target, "/") {
		target = w.gateway.base + target
	}
	r, err := http.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	ts.Check(err)
	if w.token != "" && w.cookie == "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	for _, a := range args[1:] {
		if file, ok := strings.CutPrefix(a, "@"); ok {
			text := ts.ReadFile(file)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			continue
		}
		k, v, ok := strings.Cut(a, ": ")
		if !ok {
			ts.Fatalf("%q is neither @FILE nor a header", a)
		}
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Set(k, v)
	}
	if w.token != "" && w.cookie != "" {
		r.Header.Set("Cookie", strings.TrimSuffix(w.cookie+"="+w.token+"; "+r.Header.Get("Cookie"), "; "))
	}
	return r
}

func request(ts *testscript.TestScript, neg bool, method string, args []string) {
	of(ts).do(ts, neg, newRequest(ts, method, args))
}

func (w *world) do(ts *testscript.TestScript, neg bool, r *http.Request) {
	w.answer = ask(w.client.open(ts), r)
	if (w.err != nil) != neg {
		ts.Fatalf("%s %s: %v\n%s", r.Method, r.URL, w.err, w.gateway.out.String())
	}
}

func ask(c *http.Client, r *http.Request) (a answer) {
	if a.res, a.err = c.Do(r); a.err != nil {
		return a
	}
	defer a.res.Body.Close()
	b, err := io.ReadAll(a.res.Body)
	a.body, a.err = string(b), err
	return a
}

// cut wants the head of an answer, perhaps some of its body, and then a failure.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	w.answer = ask(w.client.open(ts), newRequest(ts, args[0], args[1:]))
	if w.res == nil || w.err == nil {
		ts.Fatalf("want an answer that breaks off: %+v\n%s", w.answer, w.gateway.out.String())
	}
}

// peek reads of an answer that may have no end: `peek TEXT METHOD PATH…`.
func peek(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: peek TEXT METHOD PATH…")
	}
	w := of(ts)
	res, err := w.client.open(ts).Do(newRequest(ts, args[1], args[2:]))
	ts.Check(err)
	defer res.Body.Close()
	w.answer = answer{res: res}
	for b := make([]byte, 4<<10); !strings.Contains(w.body, args[0]); {
		n, err := res.Body.Read(b)
		if w.body += string(b[:n]); err != nil && !strings.Contains(w.body, args[0]) {
			ts.Fatalf("%q is not there when the answer ends: %v\n%s\n%s", args[0], err, w.body, w.gateway.out.String())
		}
	}
}

// begun is in requests that backends answer when the scenario says finish.
const begun = "Scenario-Begun"

// begin sends a request and goes on as soon as a backend has it.
func begin(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	r, c := newRequest(ts, args[0], args[1:]), w.client.open(ts)
	r.Header.Set(begun, "1")
	before, late := w.arrived(), make(chan answer, 1)
	w.client.late = late
	go func() { late <- ask(c, r) }()
	for range 3000 {
		if w.arrived() > before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("the request does not reach a backend\n%s", w.gateway.out.String())
}

func finish(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	w.release()
	if w.answer = <-w.client.late; w.err != nil {
		ts.Fatalf("the request that was under way: %v\n%s", w.err, w.gateway.out.String())
	}
}

func (w *world) readAnswer(ts *testscript.TestScript, conn io.Reader) {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	w.answer = answer{res, string(b), err}
	ts.Check(err)
}

// raw sends a head that no HTTP library would: raw 'GET /a/../b' 'X_User: me'.
func raw(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	conn := w.dial(ts)
	defer conn.Close()
	head := args[0] + "\r\n"
	if !strings.Contains(head, " HTTP/") {
		head = args[0] + " HTTP/1.1\r\n"
	}
	for _, h := range append(args[1:], "Host: api.example.com") {
		head += h + "\r\n"
	}
	if w.token != "" {
		head += "Authorization: Bearer " + w.token + "\r\n"
	}
	_, err := io.WriteString(conn, head+"\r\n")
	ts.Check(err)
	w.readAnswer(ts, conn)
}

// trickle promises more of a body than it sends.
func trickle(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) != 4 {
		ts.Fatalf("usage: trickle METHOD PATH N 'Header: value'")
	}
	var n int
	_, err := fmt.Sscan(args[2], &n)
	ts.Check(err)
	conn := w.dial(ts)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: %d\r\n%s\r\nAuthorization: Bearer %s\r\n\r\n%s",
		args[0], args[1], n+100, args[3], w.token, strings.Repeat(" ", n))
	ts.Check(err)
	w.readAnswer(ts, conn)
}

func askAdmin(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	if len(args) < 2 {
		ts.Fatalf("usage: admin METHOD PATH [TOKEN]")
	}
	r, err := http.NewRequestWithContext(context.Background(), args[0], w.gateway.ops+args[1], http.NoBody)
	ts.Check(err)
	if len(args) > 2 {
		r.Header.Set("Authorization", "Bearer "+args[2])
	}
	w.do(ts, neg, r)
}

// until repeats a request for as long as a reload or a health check may take.
func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: until 'CHECK ARG…' REQUEST…")
	}
	name, arg, _ := strings.Cut(args[0], " ")
	want := []string{name, arg}
	if n, v, ok := strings.Cut(arg, " "); ok && name == "header" {
		want = []string{name, n, v}
	}
	var err error
	for range 300 {
		scriptCommands()[args[1]](ts, false, args[2:])
		if err = checkThat(ts, want); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("never: %v", err)
}
