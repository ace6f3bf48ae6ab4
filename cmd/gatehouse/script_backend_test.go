package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// recorder is a backend that answers everything alike and remembers the last
// request.
type recorder struct {
	w      *world
	srv    *httptest.Server
	mu     sync.Mutex
	n      int
	last   string
	answer plannedAnswer
}

// plannedAnswer is what a backend says to everything.
type plannedAnswer struct {
	file   string
	status int
	header http.Header
	after  time.Duration
	open   bool // it does not end
}

func mediaTypes() map[string]string {
	return map[string]string{
		".json": "application/json", ".ndjson": "application/x-ndjson", ".events": "text/event-stream", ".csv": "text/csv",
		".html": "text/html", ".txt": "text/plain", ".png": "image/png",
		".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}
}

func startBackend(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: backend NAME FILE [STATUS] [Header: value]… [after DURATION] [open] [mutual]")
	}
	p := plannedAnswer{file: ts.MkAbs(args[1]), status: http.StatusOK, header: http.Header{"Content-Type": {mediaTypes()[filepath.Ext(args[1])]}}}
	mutual := false
	for rest := args[2:]; len(rest) > 0; rest = rest[1:] {
		name, value, isHeader := strings.Cut(rest[0], ": ")
		var err error
		switch {
		case isHeader:
			p.header.Set(name, value)
		case rest[0] == "after" && len(rest) > 1:
			rest = rest[1:]
			p.after, err = time.ParseDuration(rest[0])
		case rest[0] == "open":
			p.open = true
		case rest[0] == "mutual":
			mutual = true
		default:
			p.status, err = strconv.Atoi(rest[0])
		}
		ts.Check(err)
	}
	w := of(ts)
	if rec := w.backends[args[0]]; rec != nil {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.answer = p
		return
	}
	rec := &recorder{w: w, answer: p}
	rec.srv = httptest.NewUnstartedServer(rec)
	if mutual {
		rec.srv.TLS = mutualTLS(ts)
		rec.srv.StartTLS()
	} else {
		rec.srv.Start()
	}
	w.backends[args[0]] = rec
	w.closers = append(w.closers, rec.srv.Close)
	w.set(ts, args[0], rec.srv.URL)
}

// mutualTLS is that of a backend that knows its clients.
func mutualTLS(ts *testscript.TestScript) *tls.Config {
	pair, err := tls.LoadX509KeyPair(ts.MkAbs("certs/gateway.pem"), ts.MkAbs("certs/gateway-key.pem"))
	ts.Check(err)
	pool, err := certs.Pool(ts.MkAbs("certs/ca.pem"))
	ts.Check(err)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
}

func forget(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		rec := of(ts).backends[name]
		rec.mu.Lock()
		rec.n = 0
		rec.mu.Unlock()
	}
}

func unplug(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		of(ts).backends[name].srv.Close()
	}
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	_ = r.Header.Write(&head)
	var finished <-chan struct{}
	if r.Header.Get(begun) != "" {
		finished = rec.w.until() // before anybody can know that it has arrived
	}
	rec.mu.Lock()
	p := rec.answer
	if r.URL.Path != "/healthz" {
		rec.n, rec.last = rec.n+1, head.String()+"\n"+string(body)
	}
	rec.mu.Unlock()
	if r.URL.Path == "/healthz" {
		if p.status >= http.StatusInternalServerError {
			w.WriteHeader(p.status)
		}
		return
	}
	if finished == nil {
		late := make(chan struct{})
		time.AfterFunc(p.after, func() { close(late) })
		finished = late
	}
	select {
	case <-finished:
	case <-r.Context().Done():
		return
	}
	text, err := os.ReadFile(p.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), p.header)
	text = packed(p.header.Get("Content-Encoding"), text)
	w.WriteHeader(p.status)
	_, _ = w.Write(text)
	if p.open {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// learn makes a header of the last request that reached a backend a variable, the last
// of that name: `learn VAR NAME HEADER`.
func learn(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 || of(ts).backends[args[1]] == nil {
		ts.Fatalf("usage: learn VAR NAME HEADER, of a backend")
	}
	rec := of(ts).backends[args[1]]
	rec.mu.Lock()
	head, _, _ := strings.Cut(strings.ReplaceAll(rec.last, "\r\n", "\n"), "\n\n")
	rec.mu.Unlock()
	value := ""
	for line := range strings.SplitSeq(head, "\n") {
		if v, ok := strings.CutPrefix(line, args[2]+": "); ok {
			value = v
		}
	}
	if value == "" {
		ts.Fatalf("the backend was sent no %s", args[2])
	}
	of(ts).set(ts, args[0], value)
}

// packed packs a text; in a coding that is not known, the text says what it is
// not.
func packed(coding string, text []byte) []byte {
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "gzip":
		z = gzip.NewWriter(&b)
	case "br":
		z = brotli.NewWriter(&b)
	case "zstd":
		z, _ = zstd.NewWriter(&b) // without options it has nothing to fail for
	default:
		return text
	}
	_, _ = z.Write(text)
	_ = z.Close()
	return b.Bytes()
}

// arrived counts the requests that reached any backend.
func (w *world) arrived() (n int) {
	for _, rec := range w.backends {
		rec.mu.Lock()
		n += rec.n
		rec.mu.Unlock()
	}
	return n
}

// startRedis starts a server that keeps nothing, or kills it.
func startRedis(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) > 0 && args[0] == "kill" {
		ts.Check(w.redis.Process.Kill())
		_ = w.redis.Wait()
		return
	}
	freePort(ts, false, []string{"REDIS_PORT"})
	port := w.env["REDIS_PORT"]
	w.redis = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", ts.MkAbs("."))
	ts.Check(w.redis.Start())
	w.closers = append(w.closers, func() {
		_ = w.redis.Process.Kill()
		_ = w.redis.Wait()
	})
	w.set(ts, "REDIS", "127.0.0.1:"+port)
	for range 200 {
		if c, err := net.Dial("tcp", w.env["REDIS"]); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("redis-server does not answer")
}

// freePort finds ports that nobody listens on, and none of those that the system
// gives out by itself, to others meanwhile.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		var l net.Listener
		var port string
		err := errors.New("none was tried")
		for tries := 0; err != nil && tries < 100; tries++ {
			port = strconv.Itoa(12_000 + rand.IntN(20_000))
			l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		}
		ts.Check(err)
		ts.Check(l.Close())
		of(ts).set(ts, name, port)
	}
}

func fill(ts *testscript.TestScript, _ bool, args []string) {
	var size config.Size
	if len(args) != 2 || size.UnmarshalText([]byte(args[1])) != nil {
		ts.Fatalf("usage: fill FILE SIZE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), int(size)), 0o600))
}

// join writes parts one behind the other: `join FILE PART[*N]…`.
func join(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: join FILE PART[*N]…")
	}
	var b strings.Builder
	for _, a := range args[1:] {
		part, times, many := strings.Cut(a, "*")
		n := 1
		if many {
			var err error
			n, err = strconv.Atoi(times)
			ts.Check(err)
		}
		b.WriteString(strings.Repeat(ts.ReadFile(part), n))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// form writes a multipart body by hand, so that it can say what no library
// would.
func form(ts *testscript.TestScript, _ bool, args []string) {
	var b strings.Builder
	for _, a := range args[1:] {
		field, value, _ := strings.Cut(a, "=")
		fmt.Fprintf(&b, "--gatehouse\r\nContent-Disposition: form-data; name=%q", field)
		if path, isFile := strings.CutPrefix(value, "@"); isFile {
			path, options, _ := strings.Cut(path, ";")
			name, media := filepath.Base(path), "application/octet-stream"
			for o := range strings.SplitSeq(options, ";") {
				switch k, v, _ := strings.Cut(o, "="); k {
				case "name":
					name = v
				case "type":
					media = v
				}
			}
			fmt.Fprintf(&b, "; filename=%q\r\nContent-Type: %s", name, media)
			value = ts.ReadFile(path)
		}
		fmt.Fprintf(&b, "\r\n\r\n%s\r\n", value)
	}
	b.WriteString("--gatehouse--\r\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}
