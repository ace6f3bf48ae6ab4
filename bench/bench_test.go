package main

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// testWorld has certificates and a key for tokens, and starts nothing.
func testWorld(t *testing.T) *world {
	dir := t.TempDir()
	w := &world{dir: dir, root: ".", backend: &group{}}
	w.World = peers.World{
		Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "key.pem"), Public: filepath.Join(dir, "issuer.pem"),
		Issuer: issuer, Audience: audience, Policies: "policies", Bin: ".bin", Upstream: "127.0.0.1:9",
	}
	if err := w.certificates(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestProbesFindOut holds the probes: a system that does one thing wrong is not
// timed.
func TestProbesFindOut(t *testing.T) {
	w := testWorld(t)
	body := func(v any) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			b, ok := v.([]byte)
			if !ok {
				b = fixture.JSON(v)
			}
			_, _ = rw.Write(b)
		}
	}
	masked, forgotten := fixture.Record(0), fixture.Record(0)
	fixture.Mask(masked)
	fixture.Mask(forgotten)
	forgotten["pay"].(map[string]any)["salary"] = 9800000
	record := row{setup: peers.Setup{Mask: true}, paths: []string{"/employees/e0"}}
	plain := row{paths: []string{"/1k"}}
	for _, c := range []struct {
		name string
		row  row
		does http.HandlerFunc
		want string // in the mistake; empty: none
	}{
		{"all right", plain, body(fixture.Plain(1 << 10)), ""},
		{"masked", record, body(masked), ""},
		{"another byte", plain, body(append(fixture.Plain(1 << 10)[:1023], 'X')), "not the upstream's"},
		{"cut", plain, body(fixture.Plain(1000)), "not the upstream's"},
		{"an error", plain, http.NotFound, "404"},
		{"one field is there", record, body(forgotten), "without what is masked"},
		{"nothing is masked", record, body(fixture.Record(0)), "without what is masked"},
		{"too much is masked", record, body(map[string]any{"id": "e0"}), "without what is masked"},
		{"a receipt for less", row{paths: []string{"/sink"}, post: 2048}, body(fixture.ReceiptOf(fixture.Plain(2000))), "want the receipt"},
		{"any token will do", row{setup: peers.Setup{JWT: true}, paths: []string{"/1k"}}, body(fixture.Plain(1 << 10)), "200 OK"},
		{"nothing is limited", row{setup: peers.Setup{Rate: true}, paths: []string{"/1k"}}, body(fixture.Plain(1 << 10)), "refused 0 of 20"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(c.does)
			defer srv.Close()
			err := w.probe(&c.row, &system{base: srv.URL, dir: t.TempDir()})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestGatewayConfigurations holds that the gateway takes the configuration of
// every row.
func TestGatewayConfigurations(t *testing.T) {
	w := testWorld(t)
	binary := filepath.Join(t.TempDir(), "gatehouse")
	build := exec.Command("go", "build", "-o", binary, "./cmd/gatehouse")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	policies, err := filepath.Abs("policies")
	if err != nil {
		t.Fatal(err)
	}
	w.Policies = policies
	for _, r := range rows() {
		file := filepath.Join(w.dir, r.name+".yaml")
		text := peers.GatewayConfig(w.World, r.setup, w.dir, 18080, 18081, 3)
		if strings.Contains(text, "%!") {
			t.Errorf("%s: the template does not fit: %s", r.name, text)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(binary, "check", "-c", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", r.name, err, out)
		}
	}
}

// TestRatiosAreMadeWithinRounds holds that the weather of a round does not count.
func TestRatiosAreMadeWithinRounds(t *testing.T) {
	var samples []sample
	for round, weather := range []float64{1, 3, 10} {
		samples = append(samples,
			sample{Row: "plain-1k", System: "gateway", Round: round + 1, CPU: 20 * weather},
			sample{Row: "plain-1k", System: "std", Round: round + 1, CPU: 40 * weather})
	}
	samples = append(samples, sample{Row: "plain-1k", System: "nginx", Problem: "not installed: [nginx]"})
	r := newReport(samples)
	if got := r.ratio("plain-1k", "gateway", "std"); got != 0.5 {
		t.Errorf("the ratio is %v, want 0.5", got)
	}
	if got := r.difference("plain-1k", "gateway", "std"); got != -60 {
		t.Errorf("the difference is %v, want -60", got)
	}
	if got := r.ratio("plain-1k", "gateway", "nginx"); got != 0 {
		t.Errorf("the ratio to what was not measured is %v", got)
	}
	if err := r.check(); err != nil {
		t.Errorf("a peer that is not installed is no mistake: %v", err)
	}
	table := r.goalsTable(true)
	for _, want := range []string{"| plain, 1 KB | tuned ReverseProxy | 0.50 x | 0.65 x | 0.50 x | goal met |", "| plain, 1 KB | nginx | 1.80 x |  |  | not measured |"} {
		if !strings.Contains(table, want) {
			t.Errorf("the goals lack %q:\n%s", want, table)
		}
	}
	for _, bad := range []sample{{Row: "rate", System: "gateway", Errors: 1}, {Row: "rate", System: "std", Problem: "an expired token: 200 OK"}} {
		if newReport(append(samples, bad)).check() == nil {
			t.Errorf("%+v is no mistake", bad)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		value, goal, must float64
		want              string
	}{
		{0, 1, 2, "not measured"},
		{1, 1, 2, "goal met"},
		{1.5, 1, 2, "met"},
		{2.1, 1, 2, "**missed**"},
		{14, 0, 15, "met"},
		{1.9, 1.8, 0, "goal missed"},
		{-3, 0, 15, "met"},
	} {
		if got := verdict(c.value, c.goal, c.must); got != c.want {
			t.Errorf("verdict(%v, %v, %v) is %q, want %q", c.value, c.goal, c.must, got, c.want)
		}
	}
}

// TestFiguresAreRewritten holds that a second run replaces what the first wrote,
// and nothing else.
func TestFiguresAreRewritten(t *testing.T) {
	dir := t.TempDir()
	readme := filepath.Join(dir, "README.md")
	before := "# Text\n\n" + beginFigures + "old\n" + endFigures + "\nmore\n"
	if err := os.WriteFile(readme, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for _, g := range pictured() {
		samples = append(samples, sample{Row: g.row, System: "gateway", Round: 1, CPU: 30}, sample{Row: g.row, System: g.other, Round: 1, CPU: 60})
	}
	r := newReport(samples)
	for range 2 {
		if err := r.write(dir, readme); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Text\n\n" + beginFigures + "\n" + r.markdown() + "\n" + endFigures + "\nmore\n"; string(got) != want {
		t.Errorf("README.md is\n%s", got)
	}
	again, err := readSamples(filepath.Join(dir, "turns.jsonl"))
	if err != nil || len(again) != len(samples) {
		t.Errorf("%d lines, %v, want %d", len(again), err, len(samples))
	}
	picture, err := os.Open(filepath.Join(dir, "ratios.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	bars := 0
	for d := xml.NewDecoder(picture); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != len(pictured()) {
		t.Errorf("%d bars, want %d", bars, len(pictured()))
	}
}

// TestRealReadmeHasAPlace keeps the marks in README.md.
func TestRealReadmeHasAPlace(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{beginFigures, endFigures} {
		if strings.Count(string(text), mark) != 1 {
			t.Errorf("README.md must have %q once", mark)
		}
	}
}

// TestGroupsAreStopped holds that children go too, and that their time counts.
func TestGroupsAreStopped(t *testing.T) {
	g := &group{log: filepath.Join(t.TempDir(), "said")}
	// The child ignores the polite signal, and outlives its parent.
	if err := g.start(peerCPU, []string{"sh", "-c", "(trap '' TERM; while :; do :; done) & wait"}, nil); err != nil {
		t.Fatal(err)
	}
	defer g.stop()
	var used time.Duration
	for end := time.Now().Add(20 * time.Second); used < 50*time.Millisecond && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		used, _, _ = g.used()
	}
	if used < 50*time.Millisecond {
		t.Errorf("a busy child has taken %v", used)
	}
	id := g.id
	members, err := g.members()
	if err != nil || len(members) < 2 {
		t.Fatalf("members %v, %v", members, err)
	}
	g.stop()
	for range 500 {
		left, err := (&group{id: id}).members()
		if err != nil {
			t.Fatal(err)
		}
		alive := 0
		for _, m := range left {
			if m.state != "Z" {
				alive++
			}
		}
		if alive == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a child is left")
}

// TestOwnLoadCounts holds that the generator takes broken answers for errors.
func TestOwnLoadCounts(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		errors       bool
	}{
		{"an answer", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false},
		{"a refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nabc", true},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc", true},
		{"no HTTP", "hello\r\n\r\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := serveRaw(t, c.answer)
			spec := ownSpec{Address: l, Connections: 2, For: 200 * time.Millisecond, Method: "GET", Paths: []string{"/1k"}, Rate: 100}
			begun := 0
			got, err := spec.run(context.Background(), func() error { begun++; return nil })
			if err != nil || begun != 1 {
				t.Fatal(begun, err)
			}
			if got.Requests == 0 || (got.Errors > 0) != c.errors || !c.errors && got.Requests != 20 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestFollowed holds that what a load generator counts is taken from when it was
// told to begin, and that one which never gets so far is an error.
func TestFollowed(t *testing.T) {
	wrong := errors.New("wrong")
	for _, c := range []struct {
		name, says string
		begin      error
		want       string // of the error
		requests   int64
	}{
		{"as it should", ready + `{"Requests": 7}`, nil, "", 7},
		{"no connections", "", nil, "load: it says", 0},
		{"another word", "red\n", nil, "load: it says", 0},
		{"nothing counted", ready, nil, "load: EOF", 0},
		{"the beginning fails", ready + `{"Requests": 7}`, wrong, "wrong", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told strings.Builder
			begun := 0
			got, err := follow(bufio.NewReader(strings.NewReader(c.says)), &told, func() error {
				if begun++; told.Len() > 0 {
					t.Error("it was told to begin before")
				}
				return c.begin
			})
			if got.Requests != c.requests || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v", got, err)
			}
			if (told.String() == ready) != (begun == 1 && c.begin == nil) {
				t.Errorf("it was told %q", told.String())
			}
		})
	}
}

// serveRaw answers each request with the text. What is cut ends with the
// connection.
func serveRaw(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					if _, err := io.WriteString(c, answer); err != nil || strings.Contains(answer, "Length: 30") {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestReadH2Log(t *testing.T) {
	var log strings.Builder
	for i := range 100 {
		fmt.Fprintf(&log, "%d\t%d\t%d\n", 1_000_000+i*100, 200, 100+i)
	}
	log.WriteString("1020000\t503\t5000\n1030000\t-1\t100\n")
	got, err := readH2Log([]byte(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 102 || got.Errors != 2 || got.P50 != 150*time.Microsecond || got.P99 != 199*time.Microsecond || got.Took != 30100*time.Microsecond {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "1 2\n", "a 200 5\n"} {
		if _, err := readH2Log([]byte(bad)); err == nil {
			t.Errorf("%q is a log", bad)
		}
	}
}

// TestRowsAreThere holds that goals and pictures name rows and systems that take
// part.
func TestRowsAreThere(t *testing.T) {
	for _, g := range append(goals(), pictured()...) {
		found := false
		for _, e := range entrants(options{}, rowNamed(g.row)) {
			found = found || e.label == g.other
		}
		if !found {
			t.Errorf("%s: %s does not take part", g.row, g.other)
		}
	}
	for _, e := range extras() {
		rowNamed(e.row)
	}
}
