package h1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// largeBody is written at once and does not arrive at once.
func largeBody() string { return strings.Repeat("0123456789abcdef", 4096) }

// answering are handlers, each with what it does to an answer.
func answering() map[string]http.HandlerFunc {
	set := func(w http.ResponseWriter, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
	}
	large := largeBody()
	say := func(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
	return map[string]http.HandlerFunc{
		"nothing":         func(http.ResponseWriter, *http.Request) {},
		"a status":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"an odd status":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799); say(w, "x") },
		"two statuses":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) },
		"a little":        func(w http.ResponseWriter, _ *http.Request) { say(w, "hello") },
		"in pieces":       func(w http.ResponseWriter, _ *http.Request) { say(w, "hel"); say(w, "lo") },
		"much":            func(w http.ResponseWriter, _ *http.Request) { say(w, large) },
		"much, in pieces": func(w http.ResponseWriter, _ *http.Request) { say(w, "a"); say(w, large); say(w, "b"); say(w, large) },
		"much, of a length": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Length", fmt.Sprint(2*len(large)))
			say(w, large)
			say(w, large)
		},
		"a length":            func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "5"); say(w, "hello") },
		"no length after all": func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "x"); say(w, "hello") },
		"a negative length":   func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "-1"); say(w, "hello") },
		"a length of nothing": func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "0") },
		"too little":          func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "50"); say(w, "hello") },
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Length", "5")
			n, err := io.WriteString(w, "hello, world")
			if n != 0 || err == nil {
				panic("it was taken")
			}
		},
		"more than there is": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Length", "5")
			say(w, "hello")
			say(w, ", world")
		},
		"flushed":         func(w http.ResponseWriter, _ *http.Request) { say(w, "hel"); w.(http.Flusher).Flush(); say(w, "lo") },
		"flushed at once": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"no content":      func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Length", "5"); w.WriteHeader(204) },
		"not modified": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Length", "5", "Etag", "x")
			w.WriteHeader(304)
		},
		"content where none is": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := w.Write([]byte("x")); err == nil {
				panic("it was taken")
			}
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Link", "</x>")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(102)
			say(w, "hello")
		},
		"go on": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(100); say(w, "hello") },
		"switching": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Connection", "Upgrade", "Upgrade", "x")
			w.WriteHeader(101)
		},
		"closing":               func(w http.ResponseWriter, _ *http.Request) { set(w, "Connection", "close"); say(w, "hello") },
		"closing, in capitals":  func(w http.ResponseWriter, _ *http.Request) { set(w, "Connection", "Close"); say(w, "hello") },
		"keeping":               func(w http.ResponseWriter, _ *http.Request) { set(w, "Connection", "keep-alive"); say(w, "hello") },
		"connection of its own": func(w http.ResponseWriter, _ *http.Request) { set(w, "Connection", "x"); say(w, "hello") },
		"trailers": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Trailer", "X-A, X-B", "Trailer", "Content-Length")
			say(w, "hello")
			set(w, "X-A", "1", "X-C", "3", "Content-Length", "9")
		},
		"trailers behind nothing": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Trailer", "X-A")
			w.WriteHeader(200)
			set(w, "X-A", "1")
		},
		"trailers by prefix": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			say(w, large)
			set(w, http.TrailerPrefix+"X-A", "1", http.TrailerPrefix+"X-B", "2\r\nX-C: 3")
		},
		"trailers by prefix, before": func(w http.ResponseWriter, _ *http.Request) {
			set(w, http.TrailerPrefix+"X-A", "1")
			say(w, "hello")
		},
		"changed too late": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "X-A", "1")
			w.WriteHeader(200)
			set(w, "X-A", "2", "X-B", "3", "Connection", "close")
			say(w, "hello")
		},
		"split": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "X-A", "1\r\nX-B: 2\r\n\r\nbody", "X-C\r\nX-D", "1", "X E", "1", "Connection", "x\r\nX-F: 3")
			say(w, "hello")
		},
		"dated": func(w http.ResponseWriter, _ *http.Request) { set(w, "Date", "today"); say(w, "hello") },
		"many": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Set-Cookie", "a=1", "Set-Cookie", "b=2")
			say(w, "hello")
		},
		"a large head": func(w http.ResponseWriter, _ *http.Request) { set(w, "X-A", large); say(w, "hello"); say(w, large) },
		"read first":   func(w http.ResponseWriter, r *http.Request) { b, _ := io.ReadAll(r.Body); say(w, fmt.Sprint(len(b))) },
		"read afterwards": func(w http.ResponseWriter, r *http.Request) {
			say(w, large)
			w.(http.Flusher).Flush()
			b, err := io.ReadAll(r.Body)
			say(w, fmt.Sprint(len(b), err != nil))
		},
		"read while it is written": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			b, err := io.ReadAll(r.Body)
			say(w, fmt.Sprint(len(b), err != nil))
		},
		"closed unread": func(w http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
			_, err := r.Body.Read(make([]byte, 1))
			say(w, fmt.Sprint(err != nil))
		},
		"a panic": func(w http.ResponseWriter, _ *http.Request) { say(w, "hello"); panic("something") },
		"a panic, too late": func(w http.ResponseWriter, _ *http.Request) {
			say(w, large)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"given up": func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Length", fmt.Sprint(2*len(large)))
			say(w, large)
			panic(http.ErrAbortHandler)
		},
		"taken over": func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer c.Close()
			if _, err := w.Write([]byte("x")); err == nil {
				panic("it can still be written")
			}
			fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ntaken over")
			_ = rw.Flush()
		},
	}
}

// asked are requests that the handlers answer, with the methods.
func asked() map[string][2]string {
	bodyOf := func(n int) string { return strings.Repeat("x", n) }
	return map[string][2]string{
		"GET":                  {get("Host: h\r\n") + last, "GET GET"},
		"HEAD":                 {strings.Replace(get("Host: h\r\n"), "GET", "HEAD", 1) + last, "HEAD GET"},
		"1.0":                  {strings.Replace(get("Host: h\r\n"), "1.1", "1.0", 1) + last, "GET GET"},
		"1.0 kept":             {strings.Replace(get("Host: h\r\nConnection: keep-alive\r\n"), "1.1", "1.0", 1) + last, "GET GET"},
		"HEAD in 1.0, kept":    {strings.NewReplacer("1.1", "1.0", "GET", "HEAD").Replace(get("Host: h\r\nConnection: keep-alive\r\n")) + last, "HEAD GET"},
		"to be closed":         {get("Host: h\r\nConnection: close\r\n") + last, "GET GET"},
		"with a body":          {post("Content-Length: 3\r\n", "abc") + last, "POST GET"},
		"with a body to close": {post("Content-Length: 3\r\nConnection: close\r\n", "abc") + last, "POST GET"},
		"with a large body":    {post("Content-Length: 200000\r\n", bodyOf(200000)) + last, "POST GET"},
		"with a huge body":     {post("Content-Length: 1000000\r\n", bodyOf(1000000)) + last, "POST GET"},
		"in chunks":            {post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + last, "POST GET"},
		"in bad chunks":        {post("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n") + last, "POST GET"},
		"expecting":            {post("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc") + last, "POST GET"},
	}
}

// beginning is the head of an answer that was cut while its request was still being
// sent. How much of it has arrived the kernel decides: what has is the beginning of
// its body, and nobody takes it for all.
func beginning(t *testing.T, text, whole string) []string {
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(whole, string(body)) {
		t.Errorf("%d bytes arrived, and then %v: %.60q", len(body), err, body)
	}
	res.Header.Del("Date")
	return []string{fmt.Sprintf("%d %d.%d close=%v %v trailer=%v %v", res.StatusCode, res.ProtoMajor, res.ProtoMinor, res.Close, res.Header, res.Trailer, res.TransferEncoding)}
}

// Whatever a handler does, the client sees what it would see of net/http, but for
// what is listed.
func TestAnswersAreWrittenAlike(t *testing.T) {
	differ := map[string]string{
		"no length after all":                     "net/http writes a length that nobody can read",
		"a negative length":                       "net/http writes a length that nobody can read",
		"read while it is written, in bad chunks": "net/http goes on reading requests where nobody knows what is one",
		"given up":                    "how much of it has left is chance; both end it in the middle",
		"switching, with a huge body": "who switches says so, and closes",
	}
	for _, secure := range []bool{false, true} {
		for what, h := range answering() {
			t.Run(fmt.Sprintf("%s, TLS %v", what, secure), func(t *testing.T) {
				t.Parallel()
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header()["Content-Type"] = nil
					if r.URL.Path != "/last" {
						h(w, r)
					}
				})
				ours, theirs := start(t, true, secure, usual(), handler), start(t, false, secure, usual(), handler)
				ours.room, theirs.room = 1<<20, 1<<20
				for how, a := range asked() {
					if secure && strings.HasPrefix(a[1], "POST") && how != "with a body" {
						continue // net/http waits half a second after most of these
					}
					seen := func(text string) []string { return answers(text, a[1]) }
					if what == "a panic, too late" && (how == "with a large body" || how == "with a huge body") {
						seen = func(text string) []string { return beginning(t, text, largeBody()) }
					}
					got, want := seen(ours.talk(t, a[0])), seen(theirs.talk(t, a[0]))
					if d := cmp.Diff(want, got); d != "" && differ[what] == "" && differ[what+", "+how] == "" {
						t.Errorf("%s: %.3000s", how, d)
					}
				}
			})
		}
	}
}
