package h1

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cpu gives the time that this process has had.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const asking = "GET /api/employees/e1?view=full HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n" +
	"Accept: application/json\r\nAccept-Encoding: gzip\r\nX-Tenant: acme\r\n\r\n"

// BenchmarkServer compares servers by the CPU time of a request, that of the
// client included, and by what net and the client cost without a server: the
// difference is the server's own. Run it with -cpu 1.
func BenchmarkServer(b *testing.B) {
	content := []byte(strings.Repeat("x", 1024))
	fields := http.Header{"Content-Type": {"application/json"}, "Content-Length": {"1024"}, "X-Content-Type-Options": {"nosniff"}, "X-Request-Id": {"0123456789"}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range fields {
			h[name] = values
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(content)
	})
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "TLS"}[secure]
		for _, kind := range []string{"none", "ours", "net/http"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				s := &served{}
				if kind == "none" {
					s = echoing(b, secure)
				} else {
					s = start(b, kind == "ours", secure, usual(), handler)
				}
				ask(b, s)
			})
		}
	}
}

// echoing answers without looking at what it answers.
func echoing(b *testing.B, secure bool) *served {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &served{address: l.Addr().String()}
	if secure {
		s.tls = &tls.Config{InsecureSkipVerify: true}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(b)}})
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				room := make([]byte, 4096)
				for {
					if _, err := c.Read(room); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			})
		}
	})
	b.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return s
}

// ask asks over 32 connections at once.
func ask(b *testing.B, s *served) {
	b.Helper()
	const clients = 32
	var conns []net.Conn
	for range clients {
		c := s.dial(b)
		defer c.Close()
		conns = append(conns, c)
		once(b, c, make([]byte, 8192))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	from := cpu()
	var wg sync.WaitGroup
	for i, c := range conns {
		n := b.N / clients
		if i < b.N%clients {
			n++
		}
		wg.Go(func() {
			room := make([]byte, 8192)
			for range n {
				once(b, c, room)
			}
		})
	}
	wg.Wait()
	spent := cpu() - from
	b.StopTimer()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-us/req")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "allocs/req")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N), "B/req")
	b.ReportMetric(0, "ns/op")
}

// once asks once and reads an answer of 1024 bytes.
func once(b testing.TB, c net.Conn, room []byte) {
	if _, err := io.WriteString(c, asking); err != nil {
		b.Error(err)
		return
	}
	for n := 0; ; {
		m, err := c.Read(room[n:])
		if err != nil {
			b.Error(err)
			return
		}
		n += m
		if i := strings.Index(string(room[:n]), "\r\n\r\n"); i >= 0 && n >= i+4+1024 {
			return
		}
	}
}
