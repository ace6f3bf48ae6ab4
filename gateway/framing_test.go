package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// framed is something odd on a connection, with a request of the most ordinary
// kind behind it, and what must come of the two.
type framed struct {
	name string
	send string
	// want is the answers, in order: "400" is all where the connection ends with
	// it, "200 200" where the request behind it is answered too.
	want string
	// saw is what reaches the backend of the odd one: its request line without the
	// version, and its body. "" where nothing does.
	saw string
}

// behind is the request behind the odd one.
const behind = "GET /plain/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// smuggled is what must never be a request to anybody.
const smuggled = "GET /plain/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

// postTo makes a request with a body; fields ends with the empty line.
func postTo(fields, body string) string {
	return "POST /plain/1 HTTP/1.1\r\nHost: localhost\r\n" + fields + body
}

// tryFraming sends every case on a connection of its own, and then reads all
// that has come to the backend.
func tryFraming(t *testing.T, p proto, cases []framed) int {
	t.Helper()
	w := open(t)
	b := w.record(nil)
	w.vars["HR"] = b.url
	w.start(plain, "")
	for i, f := range cases {
		c := w.wire(p)
		text := f.send + behind
		for _, name := range []string{"1", "last"} { // so that arrivals tell their case
			text = strings.ReplaceAll(text, "/plain/"+name+" ", fmt.Sprintf("/plain/%d/%s ", i, name))
		}
		go func() { _, _ = io.WriteString(c, text) }()
		if got := statuses(c, strings.HasPrefix(f.send, "HEAD ")); got != f.want {
			t.Errorf("%s: answered %q, want %q", f.name, got, f.want)
		}
		_ = c.Close()
	}
	w.close() // everything that is on its way arrives or is given up
	seen := b.arrivals(t)
	for i, f := range cases {
		var want []string
		if f.saw != "" {
			want = append(want, f.saw)
		}
		if strings.HasSuffix(f.want, " 200") {
			want = append(want, "GET /plain/last ")
		}
		got := seen.of(i)
		if strings.Join(got.whole, "|") != strings.Join(want, "|") || got.broken > 0 && f.want != "400" {
			t.Errorf("%s: the backend saw %q and %d that broke off, want %q", f.name, got.whole, got.broken, want)
		}
		delete(seen, i)
	}
	for _, more := range seen {
		t.Errorf("the backend saw %q and %d that broke off", more.whole, more.broken)
	}
	return len(cases)
}

// statuses reads answers until the connection ends, which it must.
func statuses(c net.Conn, head bool) string {
	r := bufio.NewReader(c)
	var out []string
	for {
		if _, err := r.Peek(1); err != nil {
			if isTimeout(err) {
				out = append(out, "and stays open")
			}
			return strings.Join(out, " ")
		}
		asked := &http.Request{Method: "GET"}
		if head {
			asked.Method = "HEAD"
		}
		res, err := http.ReadResponse(r, asked)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if err != nil {
			return strings.Join(append(out, err.Error()), " ")
		}
		if res.StatusCode >= http.StatusOK {
			head = false
		}
		out = append(out, fmt.Sprint(res.StatusCode))
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
