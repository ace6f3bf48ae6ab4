package h1

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// odd answers, and what our client makes of them: status, body and trailers; ""
// where it is none, or breaks off.
func oddAnswers() map[string]struct{ answer, want string } {
	ok := func(fields string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + fields + "\r\nok" }
	chunked := func(fields, body string) string {
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + fields + "\r\n" + body
	}
	return map[string]struct{ answer, want string }{
		"plain":                   {ok(""), "200 ok"},
		"no reason":               {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "200 ok"},
		"no reason, no space":     {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "200 ok"},
		"no fields":               {"HTTP/1.1 200 OK\r\n\r\nok", "200 ok"},
		"999":                     {"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok", "999 ok"},
		"099":                     {"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok", ""},
		"1000":                    {"HTTP/1.1 1000 X\r\nContent-Length: 2\r\n\r\nok", ""},
		"20":                      {"HTTP/1.1 20 X\r\nContent-Length: 2\r\n\r\nok", ""},
		"2x0":                     {"HTTP/1.1 2x0 X\r\nContent-Length: 2\r\n\r\nok", ""},
		"two spaces":              {"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"tab":                     {"HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"a NUL in the reason":     {"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\nok", ""},
		"a CR in the reason":      {"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok", ""},
		"beyond ASCII":            {"HTTP/1.1 200 \xfcber\r\nContent-Length: 2\r\n\r\nok", "200 ok"},
		"lower case":              {"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"HTTP/1.2":                {"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"HTTP/2.0":                {"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"HTTP/0.9":                {"ok", ""},
		"HTTP/1.0":                {"HTTP/1.0 200 OK\r\n\r\nok", "200 ok"},
		"HTTP/1.0, length":        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok!", "200 ok"},
		"HTTP/1.0, chunks":        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\nok", "200 ok"},
		"empty line ahead":        {"\r\n" + ok(""), ""},
		"nothing":                 {"", ""},
		"half a status":           {"HTTP/1.1 20", ""},
		"half a head":             {"HTTP/1.1 200 OK\r\nContent-Le", ""},
		"half a body":             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", ""},
		"bare LF":                 {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", ""},
		"one bare LF":             {"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\r\nok", ""},
		"bare LF at the end":      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok", ""},
		"bare CR":                 {ok("X: a\rb\r\n"), ""},
		"NUL":                     {ok("X: a\x00b\r\n"), ""},
		"DEL":                     {ok("X: a\x7fb\r\n"), ""},
		"no colon":                {ok("X\r\n"), ""},
		"no name":                 {ok(": x\r\n"), ""},
		"blank before the colon":  {ok("X : y\r\n"), ""},
		"blank in the name":       {ok("X Y: z\r\n"), ""},
		"folded":                  {ok("X: a\r\n b\r\n"), "200 ok"},
		"folded at once":          {"HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok", ""},
		"folded length":           {"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", ""},
		"folded coding":           {"HTTP/1.1 200 OK\r\ntransfer-encoding: \r\n\tchunked\r\n\r\n0\r\n\r\n", ""},
		"two lengths":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", ""},
		"one length twice":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", ""},
		"lengths in a list":       {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", ""},
		"signed":                  {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", ""},
		"negative":                {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", ""},
		"hexadecimal":             {"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", ""},
		"no number":               {"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", ""},
		"too large a length":      {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok", ""},
		"zeros":                   {"HTTP/1.1 200 OK\r\nContent-Length: 002\r\n\r\nok", "200 ok"},
		"empty":                   {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 "},
		"chunks":                  {chunked("", "2\r\nok\r\n0\r\n\r\n"), "200 ok"},
		"Chunked":                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ok"},
		"length and chunks":       {chunked("Content-Length: 5\r\n", "2\r\nok\r\n0\r\n\r\n"), "200 ok"},
		"lengths and chunks":      {chunked("Content-Length: 5\r\nContent-Length: 6\r\n", "2\r\nok\r\n0\r\n\r\n"), ""},
		"gzip, chunked":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"chunked, chunked":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"chunked twice":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"identity":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", ""},
		"no coding":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nok", ""},
		"xchunked":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"chunked in quotes":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: \"chunked\"\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"a vertical tab":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: \vchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		"chunks that are none":    {chunked("", "ok\r\n"), ""},
		"half a chunk":            {chunked("", "5\r\nok"), ""},
		"no last chunk":           {chunked("", "2\r\nok\r\n"), ""},
		"no end of trailers":      {chunked("", "2\r\nok\r\n0\r\n"), ""},
		"trailers":                {chunked("Trailer: X-Sum, X-Not\r\n", "2\r\nok\r\n0\r\nX-Sum: 7\r\nX-Late: 1\r\n\r\n"), "200 ok X-Late=1 X-Not= X-Sum=7"},
		"trailers unsaid":         {chunked("", "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"), "200 ok X-Sum=7"},
		"a trailer that frames":   {chunked("Trailer: Content-Length\r\n", "2\r\nok\r\n0\r\n\r\n"), ""},
		"trailers in bare LF":     {chunked("", "2\r\nok\r\n0\r\nX-Sum: 7\n\r\n"), ""},
		"interim":                 {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(""), "200 ok"},
		"interim, 99 of them":     {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 99) + ok(""), "200 ok"},
		"interim, 100 of them":    {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100) + ok(""), ""},
		"interim, 90 KiB of it":   {strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("y", 1<<10)+"\r\n\r\n", 90) + ok(""), ""},
		"interim, malformed":      {"HTTP/1.1 103 Early Hints\r\nLink : </a>\r\n\r\n" + ok(""), ""},
		"only interim":            {"HTTP/1.1 100 Continue\r\n\r\n", ""},
		"switching protocols":     {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + ok(""), ""},
		"204":                     {"HTTP/1.1 204 No Content\r\n\r\n", "204 "},
		"204 with a length":       {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "204 "},
		"304 with a length":       {"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "304 "},
		"surplus":                 {ok("") + ok(""), "200 ok"},
		"a long head":             {ok("X: " + strings.Repeat("y", 60<<10) + "\r\n"), "200 ok"},
		"too long a head":         {ok("X: " + strings.Repeat("y", 65<<10) + "\r\n"), ""},
		"1,000 fields":            {ok(strings.Repeat("X: y\r\n", 999)), "200 ok"},
		"1,001 fields":            {ok(strings.Repeat("X: y\r\n", 1000)), ""},
		"a head without end":      {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 20000), ""},
		"a status line too long":  {"HTTP/1.1 200 " + strings.Repeat("y", 70<<10) + "\r\n\r\n", ""},
		"another client's answer": {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok" + ok(""), "200 ok"},
	}
}

// told is an answer in one line.
func told(res *http.Response, err error) (string, error) {
	status, body, err := whole(res, err)
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("%d %s", status, body)
	for _, name := range []string{"X-Late", "X-Not", "X-Sum"} {
		if v, there := res.Trailer[name]; there {
			out += " " + name + "=" + strings.Join(v, ",")
		}
	}
	return out, nil
}

// Nothing is accepted that net/http refuses, and what both accept is the same.
func TestOddAnswers(t *testing.T) {
	for name, tt := range oddAnswers() {
		for way, each := range map[string]int{"in one piece": 1 << 20, "in pieces": 7} {
			if way == "in pieces" && len(tt.answer) > 4000 {
				continue
			}
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				address := raw(t, func(c net.Conn, r *bufio.Reader) {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					for text := tt.answer; text != ""; {
						n := min(each, len(text))
						if _, err := io.WriteString(c, text[:n]); err != nil {
							return
						}
						text = text[n:]
					}
				})
				res, err := client(t, address).Do(&Call{Answer: time.Minute, Idle: time.Minute}, ask(t, "GET", "/", nil))
				got, err := told(res, err)
				if got != tt.want || (err == nil) != (tt.want != "") {
					t.Fatalf("got %q %v, want %q", got, err, tt.want)
				}
				theirs, reference := reference(t, address)
				if err != nil {
					return // we may be stricter
				}
				if reference == nil || theirs != got {
					t.Fatalf("we read %q, net/http %q", got, theirs)
				}
				delete(reference.Header, "Connection") // which it keeps in some cases
				delete(res.Header, "Connection")
				if d := cmp.Diff(reference.Header, res.Header); d != "" {
					t.Errorf("header (-net/http +ours):\n%s", d)
				}
				if reference.Status != strings.TrimSpace(res.Status) && reference.Status != res.Status || reference.Proto != res.Proto || reference.ContentLength != res.ContentLength || reference.Close && !res.Close {
					t.Errorf("net/http: %q %s %d %v, we: %q %s %d %v", reference.Status, reference.Proto, reference.ContentLength, reference.Close, res.Status, res.Proto, res.ContentLength, res.Close)
				}
			})
		}
	}
}

// reference asks by net/http. It gives no answer where there is none.
func reference(t *testing.T, address string) (string, *http.Response) {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer(address)(ctx) }, MaxResponseHeaderBytes: 64 << 10}
	defer tr.CloseIdleConnections()
	r := ask(t, "GET", "/", nil)
	r = r.WithContext(interim(r.Context()))
	res, err := tr.RoundTrip(r)
	got, err := told(res, err)
	if err != nil {
		return "", nil
	}
	return got, res
}
