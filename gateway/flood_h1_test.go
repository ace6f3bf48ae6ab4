package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// floods lists all. The first is what others are compared with.
func floods() []flood {
	return slices.Concat(streamFloods(), headFloods(), controlFloods(), connectionFloods())
}

// crowd is how many connections stall at once, for each of two attackers.
func crowd() int {
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		return 5000
	}
	return 150
}

// connectionFloods need no frames: connections, heads and bodies.
func connectionFloods() []flood {
	post := func(path string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	}
	return []flood{
		{"idle handshakes", stallMany(false, ""), false},
		{"handshakes that stop", stallMany(false, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), false},
		{"heads that stop", stallMany(true, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nX: "), false},
		{"bodies that stop", stallMany(true, post("/plain/1")+"Content-Length: 1000\r\n\r\n{"), false},
		{"bodies that stop, held", stallMany(true, post("/held/1")+"Content-Length: 1000000\r\n\r\n"+strings.Repeat("1", 100<<10)), false},
		{"handshakes", func(ctx context.Context, a *flooder) {
			for ctx.Err() == nil {
				if c, err := a.dialTLS(ctx, "h2"); err == nil {
					a.sent.Add(1)
					_ = c.Close()
				}
			}
		}, false},
		{"large heads", h1("GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n", true), false},
		{"cookies over HTTP/1.1", h1("GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nCookie: "+strings.Repeat("a=b;", 5000)+"\r\n\r\n", true), false},
		{"pipelined, nothing is read", h1("GET /plain/1?size=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n", false), true},
		{"chunks of one octet", h1(post("/plain/1")+"Transfer-Encoding: chunked\r\n\r\n"+strings.Repeat("1\r\nx\r\n", 10000)+"0\r\n\r\n", true), false},
		{"packed bodies", h1(post("/held/1")+"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", true), false},
		{"held bodies", heldBodies, false},
	}
}

// h1 sends the same again and again.
func h1(text string, read bool) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) {
		for ctx.Err() == nil {
			c, err := a.dialH1(ctx)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			r := bufio.NewReader(c)
			for err == nil && ctx.Err() == nil {
				if _, err = io.WriteString(c, text); err != nil {
					break
				}
				a.sent.Add(1)
				if !read {
					continue
				}
				o := readH1(r, "GET")
				if err = o.err; err == nil && o.status >= 400 {
					a.refused.Add(1)
				}
				if o.header.Get("Connection") == "close" {
					err = net.ErrClosed
				}
			}
			if ctx.Err() == nil {
				a.ended.Add(1)
			}
			_ = c.Close()
		}
	}
}

func (a *flooder) dialH1(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(a.plain, "http://"))
	if err == nil {
		context.AfterFunc(ctx, func() { _ = c.Close() })
	}
	return c, err
}

// stallMany opens connections, says something on each and then nothing more. It
// opens others for those that the gateway ends.
func stallMany(plain bool, text string) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) {
		address := strings.TrimPrefix(a.base, "https://")
		if plain {
			address = strings.TrimPrefix(a.plain, "http://")
		}
		var d net.Dialer
		room := make(chan struct{}, crowd())
		for {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				for range cap(room) - len(room) { // wait for all to be closed
					room <- struct{}{}
				}
				return
			}
			c, err := d.DialContext(ctx, "tcp", address)
			if err != nil {
				<-room
				time.Sleep(time.Millisecond)
				continue
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			_, _ = io.WriteString(c, text)
			a.sent.Add(1)
			go func() {
				defer func() { <-room }()
				defer stop()
				b, _ := io.ReadAll(c)
				_ = c.Close()
				if strings.HasPrefix(string(b), "HTTP/1.1 4") || strings.HasPrefix(string(b), "HTTP/1.1 5") {
					a.refused.Add(1)
				}
				if ctx.Err() == nil {
					a.ended.Add(1)
				}
			}()
		}
	}
}

// heldBodies sends more at once than the gateway has memory for: what is beyond
// it gets 503 and is told when to try again.
func heldBodies(ctx context.Context, a *flooder) {
	body := `{"a":"` + strings.Repeat("x", 2<<20) + `"}`
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 20}}
	defer client.CloseIdleConnections()
	done := make(chan struct{})
	for range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, "POST", a.plain+"/held/1", strings.NewReader(body))
				if err != nil {
					return
				}
				r.Header.Set("Content-Type", "application/json")
				res, err := client.Do(r)
				if err != nil {
					continue
				}
				a.sent.Add(1)
				if res.StatusCode >= 400 {
					a.refused.Add(1)
					if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
						a.t.Errorf("a large body: %s, %v", res.Status, fmt.Sprint(res.Header))
					}
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}()
	}
	for range 20 {
		<-done
	}
}
