package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// wiretap is a backend that keeps the heads of requests as they come over the
// wire, by request id.
type wiretap struct {
	mu    sync.Mutex
	heads map[string][]string // the lines of each
	n     int
}

func (b *wiretap) listen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.heads = map[string][]string{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

// serve answers requests without bodies.
func (b *wiretap) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		var lines []string
		id := ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(line, "\r\n")
			if line == "" {
				break
			}
			lines = append(lines, line)
			if v, ok := strings.CutPrefix(line, "X-Request-Id: "); ok {
				id = v
			}
		}
		b.mu.Lock()
		b.heads[id], b.n = lines, b.n+1
		b.mu.Unlock()
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}
}

// listening keeps the questions that a decider is asked, by request id.
type listening struct {
	policies.Decider
	mu    sync.Mutex
	asked map[string]*policies.Input
}

func (l *listening) Decide(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	l.mu.Lock()
	l.asked[in.Context.RequestID] = in
	l.mu.Unlock()
	return l.Decider.Decide(ctx, in)
}

// pieces of which requests are made up: ordinary ones, and those that programs
// disagree about.
var (
	wirePaths = []string{
		"a", "b", "7", "caf\u00e9", "%C3%A9", "%61", "%7e", "a%20b", "%3B", ";x=1", ";", "%3f", "%23", "+", "@:", "!$'()*,=&", "[x]", "~", "...", "a.b", "x.", "|", "\"", "%e6%97%a5", "\uff0e", "\u2026",
		"..", ".", "%2e", "%2f", "%5c", `\`, "%25", "%00", "%0d%0a", "%zz", "%", " ", "#", "\uff0f", "%c0%af", "%ff", "//", "?",
	}
	wireQueries = []string{
		"a", "b", "=", "=", "&", "&", "1", "%20", "+", "%26", "%3D", "%3B", "caf\u00e9", "%C3%A9", "[]", "{}", "|", "?", "/", "%0D%0A", "\"", "%EF%BF%BD",
		";", "%", "%zz", "%00", "%ff", "#", " ", "\x01", "%c3",
	}
	wireHosts = []string{
		"localhost", "LocalHost", "localhost.", "localhost:443", "API.example.com:8443", "[::1]", "[::1]:80", "192.0.2.1", "xn--bcher-kva.example", "XN--BCHER-KVA.example.", "my_service",
		"127.1", "0x7f.1", "a..b", "a@b", "a/b", "a b", "[::1%25lo]", "a:0", "a:x", "b\u00fccher.example", ":80",
	}
)

func wireTarget(random *rand.Rand) string {
	some := func(from []string, odd int) string { // mostly of the ordinary first half
		if random.IntN(12) == 0 {
			return from[random.IntN(len(from))]
		}
		return from[random.IntN(len(from)-odd)]
	}
	target := []string{"/w/", "/w/", "/v1/", "/p/", "/%77/"}[random.IntN(5)]
	for range 1 + random.IntN(4) {
		target += some(wirePaths, 18) + []string{"", "", "/"}[random.IntN(3)]
	}
	if random.IntN(2) == 0 {
		target += "?"
		for range random.IntN(8) {
			target += some(wireQueries, 9)
		}
	}
	return target
}

const wired = `
upstreams: {hr: {endpoints: ["{HR}"]}}
policies: {path: rego, budget: 5s, headers: [X-Purpose]}
routes:
  - {name: wide, match: {path: /w/}, upstream: hr, public: true, policy: "on"}
  - {name: stripped, match: {path: /v1/}, upstream: hr, public: true, policy: "on", rewrite: {strip_prefix: /v1}}
  - {name: named, match: {path: "/p/{id}/"}, upstream: hr, public: true, policy: "on"}
`

// What a policy is asked about, what the log says and what the backend reads
// are the same, whatever clients send.
func TestJudgedIsForwarded(t *testing.T) {
	w := open(t)
	tap := &wiretap{}
	w.vars["HR"] = tap.listen(t)
	p := w.compile(wired, "allow if input.resource.path != \"\"\nallow if input.resource.query\nallow if input.context.headers\n")
	judge := &listening{Decider: p.decider, asked: map[string]*policies.Input{}}
	p.decideBy(w, judge)
	w.serve(p)
	random := rand.New(rand.NewPCG(3, 5)) // the same in every run
	n, passed := 800, 0
	if testing.Short() {
		n = 100
	}
	total := 0
	sent := map[string]raw{}
	for _, proto := range []proto{plainH1, tlsH1, tlsH2} {
		for range n {
			r := raw{target: wireTarget(random), host: wireHosts[random.IntN(len(wireHosts)*2)%len(wireHosts)], headers: [][2]string{{"X-Purpose", "caf\u00e9"}, {"X-Purpose", "b"}}}
			if random.IntN(2) == 0 {
				r.host = wireHosts[random.IntN(4)]
			}
			o := w.ask(proto, r)
			if id := o.header.Get("X-Request-Id"); id != "" {
				sent[id] = r
				total++
			}
			switch {
			case o.status == 204:
				passed++
			case o.err == nil && !slices.Contains([]string{"path_invalid", "route_unknown", "request_malformed", ""}, o.code()):
				t.Errorf("%s %q: %v", proto, r.target, o)
			}
		}
	}
	if passed < n || passed > 3*n-n/4 || tap.n != passed {
		t.Errorf("of %d requests %d passed, and the backend saw %d", 3*n, passed, tap.n)
	}
	for _, e := range w.exchanges(total) {
		id := fmt.Sprint(e["request_id"])
		if e["status"] == float64(204) {
			agree(t, sent[id], e, judge.asked[id], tap.heads[id])
		} else if tap.heads[id] != nil {
			t.Errorf("%q was answered %v and reached the backend", sent[id].target, e["status"])
		}
	}
	t.Logf("%d requests, %d passed", 3*n, passed)
}

// agree holds the three readings of a request against each other.
func agree(t *testing.T, r raw, logged map[string]any, in *policies.Input, head []string) {
	t.Helper()
	if in == nil || head == nil {
		t.Errorf("%q: the policy was asked %v, the backend %q", r.target, in, head)
		return
	}
	line := strings.Split(head[0], " ")
	path, query, _ := strings.Cut(line[1], "?")
	plain, err := url.PathUnescape(path)
	if in.Resource.Route == "stripped" {
		plain = "/v1" + plain
	}
	_, asked, _ := strings.Cut(r.target, "?")
	if err != nil || len(line) != 3 || plain != in.Resource.Path || plain != logged["path"] || line[0] != in.Action.Method || query != asked {
		t.Errorf("%q: judged %s %q, logged %q, forwarded %q (%v)", r.target, in.Action.Method, in.Resource.Path, logged["path"], head[0], err)
	}
	if got := "/" + strings.Join(in.Resource.Segments, "/"); got != plain && got+"/" != plain {
		t.Errorf("%q: %q is judged as the segments %q", r.target, plain, in.Resource.Segments)
	}
	values, err := url.ParseQuery(query)
	if d := cmp.Diff(map[string][]string(values), in.Resource.Query); err != nil || d != "" {
		t.Errorf("%q: judged and forwarded queries: %v %s", r.target, err, d)
	}
	for name, list := range in.Resource.Query {
		for _, v := range append(list, name) {
			if !utf8.ValidString(v) {
				t.Errorf("%q: the policy is shown %q, which is no text", r.target, v)
			}
		}
	}
	var purposes []string
	for _, l := range head[1:] {
		name, value, _ := strings.Cut(l, ": ")
		switch name {
		case "X-Purpose":
			purposes = append(purposes, value)
		case "X-Forwarded-Host":
			u, err := url.Parse("http://" + value)
			if err != nil || u.Hostname() != in.Resource.Host || u.Hostname() != logged["host"] {
				t.Errorf("%q: judged host %q, logged %q, forwarded %q", r.host, in.Resource.Host, logged["host"], value)
			}
		}
	}
	if d := cmp.Diff(purposes, in.Context.Headers["x-purpose"]); d != "" {
		t.Errorf("%q: headers: %s", r.target, d)
	}
}
