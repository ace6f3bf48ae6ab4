package gateway_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// whole reports whether all memory for bodies is there again: 4 MiB.
func whole(b *middleware.Budget) bool { return b.Left() == 4<<20 }

// TestBudgetIsGivenBack goes every way that an exchange can end with a body in
// hand, many at a time, and then wants every byte back, and every goroutine.
func TestBudgetIsGivenBack(t *testing.T) {
	a := attack(t, "")
	staff := "Authorization: Bearer " + token(nil) + "\r\n"
	if !whole(a.Memory()) {
		t.Fatal("the budget is not what the test thinks")
	}
	large := `{"tenant":"acme","x":"` + strings.Repeat("x", 200<<10) + `","ssn":"` + clear + `"}`
	answers := []string{
		answer("200 OK", jsonType, large), answer("200 OK", jsonType, large[:len(large)-2]), answer("200 OK", "Content-Type: text/html\r\n", large),
		answer("200 OK", jsonType+"Content-Encoding: gzip\r\n", gz(large)), answer("200 OK", jsonType+"Content-Encoding: gzip\r\n", gz(large)[:90]),
		answer("200 OK", jsonType, strings.Replace(large, "acme", "globex", 1)), answer("204 No Content", "", ""), answer("500 x", jsonType, large),
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n{", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n{",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\nx", "nonsense", "",
		answer("200 OK", jsonType, `{"tenant":"acme","x":"`+strings.Repeat("x", 3<<20)+`"}`), answer("304 x", "", ""), answer("206 x", jsonType, large),
	}
	body := `{"a":"` + strings.Repeat("<b>y</b>", 20<<10) + `"}`
	post := func(path, framing, body string) string {
		return "PATCH " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n" + staff + framing + "\r\n" + body
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	requests := []string{
		post("/api/employees/e1", length, body), post("/api/employees/e1", length, body[:1000]), post("/api/employees/e1", "Transfer-Encoding: chunked\r\n", "5000\r\n"+body[:1000]),
		post("/api/employees/e1", "Transfer-Encoding: chunked\r\n", "zz\r\n"), post("/api/employees/e1", "Content-Length: 6\r\n", `{"a":}`), post("/api/employees/e1", "Content-Length: 12\r\n", `{"salary":12`),
		post("/api/employees/e1", "Content-Length: 13\r\n", `{"salary":12}`), post("/api/employees/e1", "Content-Length: 300000\r\n", body), post("/api/employees/e1", "Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"),
		post("/open/x", length, body), post("/open/x", length, body[:100]), post("/nowhere", length, body[:100]), post("/api/payroll/e1", length, body),
		"GET /api/employees/e1 HTTP/1.1\r\nHost: x\r\n" + staff + "Connection: close\r\n\r\n", "HEAD /api/employees/e1 HTTP/1.1\r\nHost: x\r\n" + staff + "Connection: close\r\n\r\n",
		"GET /api/employees/ HTTP/1.1\r\nHost: x\r\n" + staff + "Connection: close\r\n\r\n", "GET /api/employees/e1 HTTP/1.0\r\n" + staff + "\r\n",
	}
	for i, ans := range answers {
		a.says(ans)
		var wg sync.WaitGroup
		for j, req := range requests {
			wg.Go(func() {
				c, err := net.Dial("tcp", a.address)
				if err != nil {
					return
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
				_, _ = io.WriteString(c, req)
				switch (i + j) % 3 {
				case 0: // gone in the middle of it
					_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
					_, _ = io.CopyN(io.Discard, c, 100)
				case 1:
					_ = c.(*net.TCPConn).CloseWrite()
					fallthrough
				default:
					_, _ = io.Copy(io.Discard, c)
				}
			})
		}
		wg.Wait()
	}
	a.seen()
	back(t, a)
}

// back waits until all memory is there again and nothing of an exchange runs.
// Idle connections to the backend are not counted: they are kept on purpose.
func back(t *testing.T, a *attacked) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for range 150 {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if whole(a.Memory()) && !strings.Contains(stacks, "net/http.(*conn).serve") && !strings.Contains(stacks, "gateway.(*Plan).serve") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not everything came back: memory %v\n%s", whole(a.Memory()), buf[:runtime.Stack(buf, true)])
}

// TestSlowClients: who stops in the middle of a head or a body is
// let go, whether anybody waits for the body or the backend is to get it.
func TestSlowClients(t *testing.T) {
	with := func(timeout string) *attacked {
		settings := strings.Replace(attackConfig, timeout+": 20s", timeout+": 1s", 1)
		return attackWith(t, settings, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	}
	heads, bodies := with("header"), with("body")
	for _, request := range []string{"GET /open/ HTTP/1.1\r\nHost: x\r\nX: ", ""} {
		c, err := net.Dial("tcp", heads.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, request)
		if got, err := io.ReadAll(c); os.IsTimeout(err) || strings.HasPrefix(string(got), "HTTP/1.1 2") {
			t.Errorf("%q: %.100q, %v", request, got, err)
		}
		_ = c.Close()
	}
	auth := "Authorization: Bearer " + token(nil) + "\r\n"
	for request, want := range map[string]string{
		"PATCH /api/employees/e1 HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{": "HTTP/1.1 408",
		"POST /open/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{":                                                          "HTTP/1.1 408",
		"POST /open/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab":                                           "HTTP/1.1 408",
		"PATCH /api/employees/e1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{":                                               "HTTP/1.1 401",
	} {
		if got := bodies.raw(t, request); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %.100q, want %q", request, got, want)
		}
	}
	back(t, heads)
	back(t, bodies)
}

// TestFloods: too much of anything is refused before the backend hears of it.
func TestFloods(t *testing.T) {
	a := attack(t, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "Cookie: a%d=b\r\n", i)
	}
	for name, request := range map[string]string{
		"a large header":  "GET /open/ HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"many cookies":    "GET /open/ HTTP/1.1\r\nHost: x\r\n" + many.String() + "\r\n",
		"many parameters": "GET /open/?" + strings.Repeat("a=b&", 2000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a long path":     "GET /open/" + strings.Repeat("a/", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a long name":     "GET /open/ HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("x", 1<<20) + ": a\r\n\r\n",
		"a deep body":     "PATCH /api/payroll/e1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token(map[string]any{"role": "hr"}) + "\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("[", 200000),
		"a huge exponent": "PATCH /api/payroll/e1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token(map[string]any{"role": "hr"}) + "\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"evil2\":1e999999999}",
	} {
		got := a.raw(t, request)
		if n := len(a.seen()); n > 0 || !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 5") {
			t.Errorf("%s: %d requests, %.200q", name, n, got)
		}
	}
}
