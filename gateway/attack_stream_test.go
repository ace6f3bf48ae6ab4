package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	eventType  = "Content-Type: text/event-stream\r\n"
	streamHead = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	event      = "data: " + record + "\n\n"
)

// ended waits for the peer of a connection to end it.
func ended(c net.Conn) error {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err := io.Copy(io.Discard, c)
	return err
}

// TestHeadOfAStream: where rows are filtered HEAD is asked as GET. A stream
// that never ends is not read on for a client who gets none of it.
func TestHeadOfAStream(t *testing.T) {
	a := attack(t, "")
	for name, head := range map[string]string{"events": eventType, "lines": "Content-Type: application/x-ndjson\r\n"} {
		gone := make(chan error, 1)
		a.does(func(c net.Conn, _ string) {
			_, _ = io.WriteString(c, streamHead+head+"\r\n"+event)
			gone <- ended(c)
		})
		if name == "lines" {
			// Lines are held whole for HEAD, within a bound.
			a.does(func(c net.Conn, _ string) {
				_, _ = io.WriteString(c, streamHead+head+"\r\n")
				for {
					if _, err := io.WriteString(c, record+"\n"); err != nil {
						gone <- nil
						return
					}
				}
			})
		}
		c, err := net.Dial("tcp", a.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "HEAD /api/employees/e1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token(nil))
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, &http.Request{Method: "HEAD"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := map[string]int{"events": 200, "lines": 503}[name]; res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, want)
		}
		select {
		case err := <-gone:
			if err != nil {
				t.Errorf("%s: the backend was left with %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the backend is still being read", name)
		}
		_ = c.Close()
		a.wantWhole(t, name)
	}
}

// wantWhole waits until all memory for bodies is there again.
func (a *attacked) wantWhole(t *testing.T, after string) {
	t.Helper()
	for range 2000 {
		if whole(a.Memory()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: memory for bodies is missing", after)
}

// TestHeadersNamedLikeMaskedFields: what the body does not say, a header does
// not say either.
func TestHeadersNamedLikeMaskedFields(t *testing.T) {
	a := attack(t, "")
	for _, name := range []string{"X-Ssn", "Ssn", "x-SSN", "X-S-S-N", "X_ssn", "X-Employee-Ssn", "Kin", "X-Salary"} {
		for _, h := range []string{jsonType + name + ": " + clear + "\r\n", name + ": " + clear + "\r\n" + jsonType + name + ": " + clear + "\r\n"} {
			a.says(answer("200 OK", h+"X-Kind: a\r\nX-Assn: b\r\nLocation: /c\r\n", record))
			status, got, body := a.get(t, "/api/employees/e1", token(nil))
			if all := fmt.Sprint(got) + body; status != 200 || strings.Contains(all, clear) {
				t.Errorf("%s: %d %s", name, status, all)
			}
			if got.Get("X-Kind") != "a" || got.Get("X-Assn") != "b" || got.Get("Location") != "/c" {
				t.Errorf("%s: other headers are gone: %v", name, got)
			}
		}
	}
	for _, name := range []string{strings.Repeat("A-", 20) + "Ssn", strings.Repeat("A", 300) + "-Ssn"} {
		a.says(answer("200 OK", jsonType+name+": "+clear+"\r\n", record))
		if status, got, _ := a.get(t, "/api/employees/e1", token(nil)); status != 200 || strings.Contains(fmt.Sprint(got), clear) {
			t.Errorf("a long name: %d %v", status, got)
		}
	}
	a.says(answer("204 No Content", "X-Ssn: "+clear+"\r\n", ""))
	if _, got, _ := a.get(t, "/api/employees/e1", token(nil)); strings.Contains(fmt.Sprint(got), clear) {
		t.Errorf("without a body: %v", got)
	}
}

// TestClientsThatGo: when a client goes, so does the call to the backend, even
// where nothing has been sent or nothing may be; and nothing is kept.
func TestClientsThatGo(t *testing.T) {
	a := attack(t, "")
	foreign := strings.Replace(record, "acme", "globex", 1)
	for name, tt := range map[string]struct{ head, first, again string }{
		"events, silent":          {eventType, event, ""},
		"events, none passes":     {eventType, "", "data: " + foreign + "\n\n"},
		"events, one without end": {eventType, "data: \"", "x"},
		"lines, none passes":      {"Content-Type: application/x-ndjson\r\n", "", foreign + "\n"},
		"lines, blank":            {"Content-Type: application/x-ndjson\r\n", "", "\n"},
		"json, white":             {jsonType, "{", " "},
		"json, none passes":       {jsonType, `{"items":[` + foreign, "," + foreign},
		"csv, none passes":        {"Content-Type: text/csv\r\n", "tenant,ssn\n", "globex,1\n"},
		"gzip, empty":             {jsonType + "Content-Encoding: gzip\r\n", gz("{"), gz("")},
		"half a head":             {jsonType, "", ""},
	} {
		path := "/api/employees/e1"
		if strings.HasPrefix(name, "json") || strings.HasPrefix(name, "csv") {
			path = "/api/employees/"
		}
		came, gone := make(chan struct{}), make(chan struct{})
		a.does(func(c net.Conn, _ string) {
			close(came)
			defer close(gone)
			_, _ = io.WriteString(c, streamHead+tt.head+"\r\n"+tt.first)
			if tt.again == "" {
				_ = ended(c)
				return
			}
			for {
				if _, err := io.WriteString(c, tt.again); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		c, err := net.Dial("tcp", a.address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, token(nil))
		select {
		case <-came:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the backend is not asked", name)
		}
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		got, _ := io.ReadAll(c)
		if strings.Contains(string(got), clear) || strings.Contains(string(got), "globex") {
			t.Errorf("%s: it left: %s", name, got)
		}
		_ = c.Close()
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the backend is still being read", name)
		}
		a.wantWhole(t, name)
	}
}
