package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

// flood is too much of one thing.
type flood struct {
	name string
	// run attacks until the context is done, and tells what it sent and what
	// became of it.
	run func(ctx context.Context, a *flooder)
	// cheap floods cost the gateway no more for each thing sent than an ordinary
	// request: what is left to tell is who sends how much.
	cheap bool
}

// flooder counts what an attacker has done. Several goroutines share it.
type flooder struct {
	*child
	sent    atomic.Int64 // requests or frames, as the flood goes
	refused atomic.Int64 // answers of 4xx and 5xx, and streams that were reset
	ended   atomic.Int64 // connections that the gateway has closed
}

// floodSettings are those of the gateway that is flooded. A client that behaves
// may not get to run for seconds on a busy machine; that is no reason to end its
// connection.
const floodSettings = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
  plain: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
log: {output: access.log, level: error}
timeouts: {idle: 10s}
limits: {body_memory: 16MiB}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: off}
  - {name: held, match: {path: /held/}, upstream: hr, public: true, policy: off, sanitize: {html: strip}}
`

// bodies is the budget that floodSettings give.
const bodies = 16 << 20

// ceiling is what the process may have in RAM at most, whatever is sent to it: in
// KiB. Idle it has about 40 MiB. The race detector's own memory is not bounded: it
// keeps track of every place that ever was in use, and grows with what was sent.
const ceiling = 192 << 10

// floodTime is for how long all floods go on together.
func floodTime() time.Duration {
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		return 5 * time.Minute
	}
	return 6 * time.Second
}

// TestFloodsOfEachKind sends too much of everything, one kind after another, to a
// gateway in a process of its own. Its memory stays under the ceiling, each
// thing sent costs it little, a client that behaves is served as ever, and in the
// end nothing is left of it all. GATEHOUSE_SOAK makes it take five minutes.
func TestFloodsOfEachKind(t *testing.T) {
	w := open(t)
	backend := w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		size := 10
		_, _ = fmt.Sscan(r.URL.Query().Get("size"), &size)
		_, _ = rw.Write(make([]byte, size))
	})
	c := w.child(floodSettings)
	good := c.wellBehaved()
	before := c.usage()
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(rows, "kind\tsent\trefused\tconnections ended\tCPU µs each\tRSS MiB\tgood answers\terrors\t")
	all, ordinary := floods(), 0.0
	for _, f := range all {
		r := c.flood(f, good, floodTime()/time.Duration(len(all)))
		if f.name == "ordinary requests" {
			ordinary = r.each
		}
		fmt.Fprintf(rows, "%s\t%d\t%d\t%d\t%.0f\t%d\t%d\t%d\t\n", f.name, r.sent, r.refused, r.ended, r.each, r.peak>>10, r.good, r.bad)
		if r.sent == 0 {
			t.Errorf("%s: nothing was sent", f.name)
		}
		if r.peak > ceiling && !raceEnabled {
			t.Errorf("%s: %d KiB in RAM, want at most %d", f.name, r.peak, ceiling)
		}
		if r.bad > 0 || r.good == 0 {
			t.Errorf("%s: of a client that behaves %d requests were answered and %d not", f.name, r.good, r.bad)
		}
		if f.cheap && r.sent > 2000 && r.each > 3*ordinary {
			t.Errorf("%s: costs %.0f µs each, an ordinary request %.0f", f.name, r.each, ordinary)
		}
	}
	_ = rows.Flush()
	t.Log("\n" + table.String())
	good.stop()
	// Idle connections to the backend are kept on purpose, two goroutines each.
	backend.CloseClientConnections()
	var after usage
	for range 600 {
		if after = c.usage(); after.goroutines <= before.goroutines && after.files <= before.files && after.memory == bodies {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("left over: %+v, at first %+v", after, before)
}

// result is what a flood has come to.
type result struct {
	sent, refused, ended, good, bad int64
	each                            float64 // µs of processor time for each thing sent
	peak                            int     // KiB
}

// flood runs one, while the good client goes on.
func (c *child) flood(f flood, g *good, d time.Duration) (r result) {
	c.t.Helper()
	a := &flooder{child: c}
	c.forget()
	ticks, well, badly := c.ticks(), g.well.Load(), g.badly.Load()
	ctx, cancel := context.WithTimeout(c.t.Context(), d+20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { f.run(ctx, a) })
	}
	// A machine that has no time does not let anybody off: something is sent, and
	// a few requests are answered meanwhile.
	time.Sleep(d)
	for ctx.Err() == nil && (a.sent.Load() == 0 || g.well.Load()+g.badly.Load() < well+badly+4) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	r = result{sent: a.sent.Load(), refused: a.refused.Load(), ended: a.ended.Load(), good: g.well.Load() - well, bad: g.badly.Load() - badly, peak: c.peak()}
	r.each = float64(c.ticks()-ticks) * 1e4 / float64(max(1, r.sent+r.good))
	return r
}

// good is a client that asks for little, over both protocols, all the time.
type good struct {
	well, badly atomic.Int64
	cancel      context.CancelFunc
	wg          sync.WaitGroup
}

func (c *child) wellBehaved() *good {
	c.t.Helper()
	g := &good{}
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	c.t.Cleanup(g.stop)
	for _, h2 := range []bool{true, false} {
		client := c.client(h2)
		g.wg.Go(func() {
			for ctx.Err() == nil {
				res, err := client.Do(c.request("GET", "/plain/1", nil))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				if err == nil && res.StatusCode == http.StatusOK {
					g.well.Add(1)
				} else if g.badly.Add(1) == 1 {
					c.t.Errorf("a client that behaves: %v %v", res, err)
				}
				time.Sleep(2 * time.Millisecond)
			}
			client.CloseIdleConnections()
		})
	}
	return g
}

func (g *good) stop() {
	g.cancel()
	g.wg.Wait()
}
