// Package bench measures what the gateway costs beside a plain reverse proxy.
//
// Each proxy is a process of its own (the test binary, started again), so that
// its CPU time is its alone; clients and backend share the process of the test.
// The proxies take turns in short slices, so that whatever else the machine does
// meets all of them. What comes out are ratios: a microsecond of one machine
// says nothing about another. See README.md.
package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	clients = 16                     // requests at a time, each on a connection of its own
	rounds  = 7                      // how often each proxy has its turn at each request
	slice   = 400 * time.Millisecond // how long a turn takes
	warmUp  = 300 * time.Millisecond
)

// workload is a request that all proxies are given.
type workload struct {
	name   string
	method string
	path   func(i int) string // for caller i
	body   func(i int) []byte
	whole  bool // the caller may see all of the answer
}

func workloads() []workload {
	none := func(int) []byte { return nil }
	return []workload{
		{"read a record of 1 KB", "GET", func(i int) string { return "/api/employees/" + employee((i+1)%people) }, none, false},
		{"change one, 1 KB each way", "PATCH", func(i int) string { return "/api/employees/" + employee(i) }, change, true},
		{"list 100 records, 100 KB", "GET", func(int) string { return "/api/employees/" }, none, false},
	}
}

// BenchmarkRatios prints CPU time per request, relative to the plain proxy. It
// runs once, for about forty seconds, whatever -benchtime says.
func BenchmarkRatios(b *testing.B) {
	if testing.Short() {
		b.Skip("takes forty seconds")
	}
	w, proxies := openWorld(b)
	found := make([][][]float64, len(workloads())) // by workload, proxy and round
	for i := range found {
		found[i] = make([][]float64, len(proxies))
	}
	var requests int64
	for round := range rounds + 1 {
		for i, load := range workloads() {
			for n := range proxies {
				p := (n + round) % len(proxies) // nobody is always the first
				d := slice
				if round == 0 {
					d = warmUp
				}
				us, count, err := w.measure(proxies[p], load, d)
				if err != nil {
					b.Fatal(err)
				}
				if round > 0 {
					found[i][p] = append(found[i][p], us)
					requests += count
				}
			}
		}
	}
	report(b, proxies, found, requests)
}

// measure keeps a proxy busy and gives the CPU microseconds it took for one
// request.
func (w *world) measure(p *proxy, load workload, d time.Duration) (float64, int64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	var count atomic.Int64
	var failed error
	var once sync.Once
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for c := range clients {
		wg.Go(func() {
			for i := c; time.Now().Before(end); i += clients {
				if err := w.ask(p, load, i%people); err != nil {
					once.Do(func() { failed = err })
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	after, err := p.cpu()
	if failed != nil {
		err = failed
	}
	if err != nil {
		return 0, 0, err
	}
	return float64((after - before).Microseconds()) / float64(count.Load()), count.Load(), nil
}

// ask makes one request and reads the answer.
func (w *world) ask(p *proxy, load workload, i int) error {
	res, err := w.send(p, load, i, w.tokens[i])
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s: %s: %s: %s", p.name, load.name, res.Status, text)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func (w *world) send(p *proxy, load workload, i int, token string) (*http.Response, error) {
	r, err := http.NewRequest(load.method, p.base+load.path(i), bytes.NewReader(load.body(i)))
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if r.ContentLength > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return w.client.Do(r)
}

// report prints the table. The ratios are made within each round, where the
// proxies had the same weather; their median and their range are printed.
func report(b *testing.B, proxies []*proxy, found [][][]float64, requests int64) {
	var out strings.Builder
	t := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprint(t, "CPU time per request")
	for _, p := range proxies {
		fmt.Fprint(t, "\t", p.name)
	}
	fmt.Fprintln(t)
	for i, load := range workloads() {
		fmt.Fprint(t, load.name)
		for p := range proxies {
			ratios := make([]float64, rounds)
			for r := range ratios {
				ratios[r] = found[i][p][r] / found[i][0][r]
			}
			slices.Sort(ratios)
			median := ratios[rounds/2]
			if p == 0 {
				fmt.Fprint(t, "\t1")
				continue
			}
			fmt.Fprintf(t, "\t%.2f (%.2f to %.2f)", median, ratios[0], ratios[rounds-1])
			b.ReportMetric(median, strings.Fields(load.name)[0]+":"+label(proxies[p].name))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	b.ReportMetric(0, "ns/op") // one run of everything: its duration says nothing
	b.Logf("\n%s\n%d requests over TLS 1.3 and HTTP/1.1, %d at a time, median and range of %d rounds; %s, %d CPUs\n%s",
		out.String(), requests, clients, rounds, runtime.Version(), runtime.NumCPU(), peers())
}

// label makes one word of a name.
func label(name string) string {
	return strings.Trim(strings.NewReplacer(" ", "-", ",", "").Replace(name), "+-")
}

// peers tells which other gateways are on this machine.
func peers() string {
	var here []string
	for _, name := range []string{"nginx", "caddy", "haproxy", "envoy"} {
		if _, err := exec.LookPath(name); err == nil {
			here = append(here, name)
		}
	}
	if len(here) == 0 {
		return "no other gateway is installed here, and none is compared"
	}
	return strings.Join(here, ", ") + " would be here, but only the proxies above are compared"
}

// TestProxiesDoWhatIsMeasured makes sure that the fast ones are not fast
// because they leave something out.
func TestProxiesDoWhatIsMeasured(t *testing.T) {
	w, proxies := openWorld(t)
	for n, p := range proxies {
		full := n == len(proxies)-1
		for _, load := range workloads() {
			res, err := w.send(p, load, 0, w.tokens[0])
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s: %s: %s: %v", p.name, load.name, res.Status, text, err)
			}
			for _, s := range secrets() {
				if want := !full || load.whole; bytes.Contains(text, []byte(s)) != want {
					t.Errorf("%s: %s: whether %q is in the answer must be %v: %.300s", p.name, load.name, s, want, text)
				}
			}
		}
		if _, err := p.cpu(); err != nil {
			t.Error(err)
		}
	}
	full := proxies[len(proxies)-1]
	res, err := w.send(full, workloads()[0], 0, "")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s without a token: %s", full.name, res.Status)
	}
}
