package h1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchServer answers every request with 1 KB, in a process of its own, so that
// its time is not counted.
func benchServer() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	answer := []byte("HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() { // the parent has gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(bytes.TrimSpace(line)) == 0 {
					_, _ = c.Write(answer)
				}
			}
		}()
	}
}

func startBenchServer(b *testing.B) string {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "H1_BENCH_SERVER=1", "GOMAXPROCS=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGet is a request with 1 KB of answer over TCP: by net/http's transport,
// tuned as a gateway would, and by our client, as the pipeline uses it. What counts
// is cpu-ns/op, and its ratio within a run.
func BenchmarkGet(b *testing.B) {
	address := startBenchServer(b)
	theirs := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}
	ours := New(Settings{Host: address, Dial: dialer(address)})
	b.Cleanup(theirs.CloseIdleConnections)
	b.Cleanup(ours.CloseIdleConnections)
	for name, send := range map[string]func(r *http.Request) (*http.Response, error){
		"transport": theirs.RoundTrip,
		"h1": func(r *http.Request) (*http.Response, error) {
			return ours.Do(&Call{Answer: time.Minute, Idle: time.Minute}, r)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpu(b)
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+address+"/api/employees/e1?x=1", nil)
				if err != nil {
					b.Error(err)
					return
				}
				r.Header = http.Header{"User-Agent": {"bench"}, "Accept": {"*/*"}, "X-Request-Id": {"0123456789abcdef"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "Authorization": {"Bearer x"}}
				p := make([]byte, 32<<10)
				for pb.Next() {
					res, err := send(r)
					if err != nil {
						b.Error(err)
						return
					}
					for err == nil {
						_, err = res.Body.Read(p)
					}
					_ = res.Body.Close()
				}
			})
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
