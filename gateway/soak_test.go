package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
)

const soakPolicy = `
allow if input.subject.role == "staff"
mask contains {"path": "$[*].salary", "action": "redact"}
`

const soakSettings = `
upstreams:
  hr:
    endpoints: ["{ONE}", "{TWO}"]
    health: {path: /healthz, interval: 200ms, timeout: 5s} # a machine that is busy is no backend that is gone
    retries: {attempts: 3, pause: 5ms, budget: 1}
    breaker: {requests: 50, threshold: 0.9, window: 2s, open: 200ms}
    connections: {idle: IDLE}
policies: {path: rego, budget: 10s}
routes:
  - {name: staff, match: {path: /staff/}, upstream: hr, authn: {issuers: [auth]}, policy: {masks: required}, audit: none}
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off", audit: none, limits: {body_bytes: 8MiB}}
`

// What the backend serves. No two places of a blob look alike.
const (
	blobBytes  = 64 << 10
	largeBytes = 4 << 20
)

func blob(n int) []byte {
	out := make([]byte, 0, n+16)
	for i := 0; len(out) < n; i++ {
		out = fmt.Appendf(out, "%08x ", uint32(i)*2654435761)
	}
	return out[:n]
}

func salaries() []byte {
	var out []map[string]any
	for i := range 100 {
		out = append(out, map[string]any{"id": i, "name": fmt.Sprintf("Person %d", i), "salary": 1000 * i})
	}
	b, _ := json.Marshal(out)
	return b
}

// roomFor is how large the heap may be at the end: pools and caches are not full
// after the first seconds. A leak is larger than that within half an hour.
func roomFor(early uint64) uint64 { return early + early/4 + 4<<20 }

// soakBackend serves blobs and people, and gives back what is posted. It counts who
// asks after its health.
func soakBackend(probed *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	send := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
	}
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) { probed.Add(1) })
	mux.HandleFunc("/plain/blob", send(blob(blobBytes)))
	mux.HandleFunc("/plain/large", send(blob(largeBytes)))
	list := salaries()
	mux.HandleFunc("/staff/list", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(list)
	})
	mux.HandleFunc("/plain/echo", func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err == nil {
			_, _ = w.Write(b)
		}
	})
	return mux
}

// phoenix is a backend that dies and comes back at the same address.
type phoenix struct {
	address string
	handler http.Handler
	probed  atomic.Int64
	srv     *http.Server
	done    chan struct{}
}

func (p *phoenix) rise() error {
	ln, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.address = ln.Addr().String()
	p.srv, p.done = &http.Server{Handler: p.handler}, make(chan struct{})
	go func() {
		defer close(p.done)
		_ = p.srv.Serve(ln)
	}()
	return nil
}

// fall ends everything that is under way.
func (p *phoenix) fall() {
	_ = p.srv.Close()
	<-p.done
}

// soak is a gateway under a mixed load, while everything around it fails.
type soak struct {
	*world
	fires [2]*phoenix
	down  atomic.Int64 // backends that are, or have just come back
	falls atomic.Int64
	blob  []byte
	large []byte
	list  []byte // as callers are to get it

	right, refused, wrong atomic.Int64
}

// TestSoak loads the gateway for 20 seconds, and with GATEHOUSE_SOAK for half an hour.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 seconds")
	}
	long := 20 * time.Second
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		long = 30 * time.Minute
	}
	w := open(t)
	s := &soak{world: w, blob: blob(blobBytes), large: blob(largeBytes)}
	for i, name := range []string{"ONE", "TWO"} {
		s.fires[i] = &phoenix{address: "127.0.0.1:0"}
		s.fires[i].handler = soakBackend(&s.fires[i].probed)
		if err := s.fires[i].rise(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.fires[i].fall)
		w.vars[name] = "http://" + s.fires[i].address
	}
	w.start(strings.Replace(soakSettings, "IDLE", "64", 1), soakPolicy)
	s.list = s.masked()

	s.run(long / 3)
	early := s.held(100)
	s.run(long - long/3)
	late := s.held(101)
	for range 60 { // what is slow to end does not grow
		if !early.outgrown(late) {
			break
		}
		time.Sleep(time.Second)
		late = late.least(s.measure())
	}
	t.Logf("%d answers right, %d refused while a backend was down, %d wrong, %d falls; held after a third: %+v, at the end: %+v",
		s.right.Load(), s.refused.Load(), s.wrong.Load(), s.falls.Load(), early, late)
	if s.right.Load() < 100 || s.falls.Load() == 0 {
		t.Error("hardly anything happened")
	}
	if early.outgrown(late) {
		t.Errorf("it grows: %+v, and then %+v", early, late)
	}
}

// masked is the list as it must always be, from an answer in which every salary
// is hidden and nothing else is.
func (s *soak) masked() []byte {
	res, err := s.client(false).Do(s.request("GET", "/staff/list", nil, s.as("e1", "staff")))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var got, want []map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		s.t.Fatalf("%v: %.200s", err, b)
	}
	_ = json.Unmarshal(salaries(), &want)
	for i := range want {
		want[i]["salary"] = "***"
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Fatalf("got %.300s", b)
	}
	return b
}

// run lets everything loose for a while, and waits until it is quiet again.
func (s *soak) run(long time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	loop := func(pause time.Duration, f func(ctx context.Context)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				f(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	h1, h2 := s.client(false), s.client(true)
	small, big := s.blob[:500], s.large[:1<<20]
	staff := s.staff()
	for _, c := range []*http.Client{h1, h2} {
		loop(2*time.Millisecond, func(context.Context) { s.check(c, s.request("GET", "/plain/blob", nil), s.blob) })
		loop(2*time.Millisecond, func(context.Context) { s.check(c, s.request("GET", "/staff/list", nil, staff()), s.list) })
		loop(2*time.Millisecond, func(context.Context) {
			s.check(c, s.request("POST", "/plain/echo", bytes.NewReader(small)), small)
		})
		loop(20*time.Millisecond, func(context.Context) {
			s.check(c, s.request("PUT", "/plain/echo", struct{ io.Reader }{bytes.NewReader(big)}), big)
		})
		loop(50*time.Millisecond, func(context.Context) { s.leaveUpload(c) })
		loop(50*time.Millisecond, func(context.Context) { s.leaveDownload(c) })
		loop(10*time.Millisecond, func(context.Context) { s.slowly(c) })
	}
	loop(time.Second, s.reload)
	loop(700*time.Millisecond, s.burn)
	wg.Wait()
}

// staff gives tokens of some people. They are made anew every two minutes: each one
// that was ever seen is remembered for a while, and that is to be as many at the
// beginning as at the end.
func (s *soak) staff() func() string {
	var mu sync.Mutex
	var tokens []string
	var made time.Time
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(made) > 2*time.Minute {
			tokens, made = nil, time.Now()
			for i := range 50 {
				tokens = append(tokens, s.as(fmt.Sprint("e", i), "staff"))
			}
		}
		return tokens[rand.N(len(tokens))]
	}
}

// check sends a request, whose answer is right byte for byte, or a refusal that is
// owed to a backend that was down meanwhile.
func (s *soak) check(c *http.Client, r *http.Request, want []byte) {
	s.judge(r, want, func() (*http.Response, []byte, error) {
		res, err := c.Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res, b, err
	})
}

func (s *soak) judge(r *http.Request, want []byte, send func() (*http.Response, []byte, error)) {
	falls, down := s.falls.Load(), s.down.Load() > 0
	res, got, err := send()
	disturbed := down || s.down.Load() > 0 || s.falls.Load() != falls
	var why string
	switch {
	case err != nil && disturbed && (res == nil || bytes.HasPrefix(want, got)):
		s.refused.Add(1) // it was cut, and what came of it is right
		return
	case err != nil:
		why = err.Error()
	case res.StatusCode == http.StatusOK && bytes.Equal(got, want):
		s.right.Add(1)
		return
	case disturbed && res.StatusCode/100 == 5 && bytes.Contains(got, []byte(`"upstream_unavailable"`)):
		s.refused.Add(1)
		return
	default:
		why = fmt.Sprintf("%s, %d bytes: %.200q", res.Status, len(got), got)
	}
	if s.wrong.Add(1) <= 10 {
		s.t.Errorf("%s %s over HTTP/%d (disturbed: %t): %s", r.Method, r.URL.Path, r.ProtoMajor, disturbed, why)
	}
}

// slowly takes a long answer in small steps.
func (s *soak) slowly(c *http.Client) {
	r := s.request("GET", "/plain/large", nil)
	s.judge(r, s.large, func() (*http.Response, []byte, error) {
		res, err := c.Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer res.Body.Close()
		var b bytes.Buffer
		for {
			if _, err := io.CopyN(&b, res.Body, 512<<10); err == io.EOF {
				return res, b.Bytes(), nil
			} else if err != nil {
				return res, b.Bytes(), err
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

// leaveUpload sends a part of a body and goes away.
func (s *soak) leaveUpload(c *http.Client) {
	ctx, leave := context.WithCancel(s.t.Context())
	defer leave()
	part, more := io.Pipe()
	r := s.request("PUT", "/plain/echo", part).WithContext(ctx)
	go func() {
		_, _ = more.Write(s.large[:100<<10])
		leave()
		_ = more.CloseWithError(context.Canceled)
	}()
	if res, err := c.Do(r); err == nil {
		_ = res.Body.Close()
	}
	_ = part.Close()
}

// leaveDownload takes a part of an answer and goes away.
func (s *soak) leaveDownload(c *http.Client) {
	res, err := c.Do(s.request("GET", "/plain/large", nil))
	if err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, res.Body, 100<<10)
	_ = res.Body.Close()
}

// reload makes another plan: an upstream with other settings replaces the one that
// serves.
func (s *soak) reload(ctx context.Context) { s.renew(ctx, 32+rand.N(64)) }

func (s *soak) renew(ctx context.Context, idle int) {
	s.write("gatehouse.yaml", preamble+strings.Replace(soakSettings, "IDLE", fmt.Sprint(idle), 1))
	if err := s.reloader.Reload(ctx); err != nil && ctx.Err() == nil {
		s.t.Errorf("reload: %v", err)
	}
}

// burn kills a backend for a moment, and now and then both.
func (s *soak) burn(ctx context.Context) {
	n := 1
	if s.falls.Load()%5 == 4 {
		n = 2
	}
	first := rand.N(2)
	s.down.Add(1)
	s.falls.Add(1)
	for i := range n {
		s.fires[(first+i)%2].fall()
	}
	time.Sleep(100 * time.Millisecond)
	for i := range n {
		p := s.fires[(first+i)%2]
		err := p.rise()
		for tries := 0; err != nil && tries < 3000; tries++ { // the address may be taken for a moment
			time.Sleep(10 * time.Millisecond)
			err = p.rise()
		}
		if err != nil {
			s.t.Errorf("a backend does not come back: %v", err)
			return
		}
	}
	time.Sleep(500 * time.Millisecond) // for connections
	s.known(ctx)
	s.down.Add(-1)
}

// known waits until the gateway knows that all backends are back, by health checks
// that began since, and sends everything to them. A breaker needs requests for that,
// and there are none once the load is over.
func (s *soak) known(ctx context.Context) {
	one, two := s.fires[0].probed.Load()+2, s.fires[1].probed.Load()+2
	for range 3000 {
		u := s.g.Plan().upstreams["hr"] // another one after each reload
		unwell := slices.ContainsFunc(u.Endpoints(), func(e upstream.Endpoint) bool { return !e.Well && !e.Draining })
		probed := s.fires[0].probed.Load() >= one && s.fires[1].probed.Load() >= two
		if probed && !unwell && (u.Stats().Breaker.State == "closed" || ctx.Err() != nil) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Error("the backends are back, and not asked")
}

// holding is what a process holds.
type holding struct {
	goroutines, descriptors int
	heap                    uint64
}

func (h holding) least(now holding) holding {
	return holding{min(h.goroutines, now.goroutines), min(h.descriptors, now.descriptors), min(h.heap, now.heap)}
}

func (h holding) outgrown(late holding) bool {
	return late.goroutines > h.goroutines+5 || late.descriptors > h.descriptors+5 || late.heap > roomFor(h.heap)
}

// held tells what is held once it is quiet: nothing falls for a second. Clients
// give up their connections, which hold what was on its way to whoever left, and so
// does the upstream, whose connections are as many as were once in use together: it
// is replaced by one with another bound of idle ones.
func (s *soak) held(idle int) holding {
	s.renew(s.t.Context(), idle)
	least, calm := s.measure(), 0
	for range 300 {
		for _, leave := range s.idle {
			leave()
		}
		time.Sleep(100 * time.Millisecond)
		now := s.measure()
		if calm++; now.goroutines < least.goroutines || now.descriptors < least.descriptors {
			calm = 0
		}
		least = least.least(now)
		if calm >= 10 {
			break
		}
	}
	return least
}

func (s *soak) measure() holding {
	runtime.GC()
	runtime.GC() // what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, _ := os.ReadDir("/proc/self/fd")
	return holding{runtime.NumGoroutine(), len(open), m.HeapAlloc}
}
