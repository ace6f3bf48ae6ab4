package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// want checks that every line is among the metrics.
func want(t *testing.T, m *Metrics, lines ...string) {
	t.Helper()
	all := scrape(t, m)
	for _, l := range lines {
		if !strings.Contains("\n"+all, "\n"+l+"\n") {
			t.Errorf("missing %s; there is:\n%s", l, about(all, l))
		}
	}
}

func about(all, line string) string {
	name, _, _ := strings.Cut(line, "{")
	name, _, _ = strings.Cut(name, " ")
	var out []string
	for l := range strings.SplitSeq(all, "\n") {
		if strings.HasPrefix(l, name) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// used is what a busy gateway's metrics look like.
func used(t *testing.T) *Metrics {
	m := New()
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	x.Masked = []middleware.Finding{{Path: "$..ssn", Class: "pii", Count: 3}, {Path: "$..dob", Class: "pii", Count: 1}, {Path: "$..pay", Count: 2}}
	x.Unclassified = []middleware.Finding{{Path: "$.note", Class: "email", Count: 7}}
	x.Note("hidden", int64(6))
	x.Note("answer_cut", "byte 7: not valid JSON")
	x.Note("ended", "session_revoked")
	x.Note("rows_dropped", 4)
	x.Note("ratelimit_store", "per-address: local")
	x.Note("sanitize_strip", []string{"/a", "/b"})
	x.Note("sanitize_sql_injection", []string{"query:q"})
	x.Note("sanitize_whatever", []string{"/c"})
	x.Note("something", "else")
	m.Enter()
	m.Enter()
	m.Exchange(x, 200, 1000, 20*time.Millisecond)
	m.Leave()
	x = middlewaretest.Exchange(t, "POST", "/", nil)
	x.Refusal = middleware.Refuse("authz", middleware.Forbidden, "")
	m.Exchange(x, 403, 100, time.Millisecond)
	m.Reload(true, time.Unix(1_700_000_000, 0))
	m.Reload(false, time.Unix(1_800_000_000, 0))
	m.Panic()
	m.GuardFinding("auth_failures", "enforce", "block_address")
	m.WatchEndpoints(func(yield func(Endpoint)) {
		yield(Endpoint{Upstream: "hr", URL: "http://127.0.0.1:1", Well: 2, Draining: 1, InFlight: 7})
		yield(Endpoint{Upstream: "hr", URL: "http://127.0.0.1:2", Unwell: 1, Ejected: 3, Ejections: 4})
	})
	m.WatchUpstreams(func(yield func(Upstream)) {
		yield(Upstream{Name: "hr", Connections: 3, Retries: map[string]uint64{"reset": 2}, Withheld: 1, Breaker: "open", Opened: 4, Refused: 5})
		yield(Upstream{Name: "plain"})
	})
	c := m.Connections("public", "total", "per_address")
	c.Opened()
	c.Opened()
	c.Closed()
	c.Refused("per_address")
	m.WatchTracing(func() int64 { return 0 })
	m.WatchCertificates(func(yield func(string, string, time.Time)) { yield("public", "localhost", time.Unix(1e9, 0)) })
	m.WatchIssuers(func(yield func(string, int, time.Time)) {
		yield("auth", 2, time.Now().Add(-time.Hour))
		yield("local", 1, time.Time{})
	})
	m.WatchOrders(func() (int, int, int) { return 3, 1, 2 })
	m.WatchLimits(func(yield func(string, string, uint64)) { yield("per-user", "shadow", 7) })
	m.WatchMemo(func() Memo { return Memo{Hits: 9, Misses: 2, Bypassed: 1, Evictions: 3, Audits: 4} })
	stage := m.Stage(sleeper{name: "authn"})
	upstream := m.Upstream("hr", middlewaretest.NewUpstream(t, 200, "", "").Handle)
	if _, _, err := middlewaretest.Run(t, stage, middlewaretest.Exchange(t, "GET", "/", nil), upstream); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMetricsAreCounted(t *testing.T) {
	want(t, used(t),
		`gatehouse_requests_total{method="GET",route="test",status="200"} 1`,
		`gatehouse_requests_total{method="POST",route="test",status="403"} 1`,
		`gatehouse_request_duration_seconds_count{route="test"} 2`,
		`gatehouse_request_duration_seconds_sum{route="test"} 0.021`,
		`gatehouse_response_bytes_total{route="test"} 1100`,
		`gatehouse_requests_in_flight 1`,
		`gatehouse_orders_in_force{kind="revocation"} 3`,
		`gatehouse_orders_in_force{kind="lockdown"} 1`,
		`gatehouse_orders_in_force{kind="block"} 2`,
		`gatehouse_refusals_total{code="forbidden",route="test",stage="authz"} 1`,
		`gatehouse_findings_total{kind="sanitize_strip",route="test"} 2`,
		`gatehouse_findings_total{kind="sanitize_sql_injection",route="test"} 1`,
		`gatehouse_masked_values_total{class="pii",route="test"} 4`,
		`gatehouse_masked_values_total{class="none",route="test"} 2`,
		`gatehouse_unclassified_values_total{class="email",route="test"} 7`,
		`gatehouse_hidden_values_total{route="test"} 6`,
		`gatehouse_answers_cut_total{route="test"} 1`,
		`gatehouse_answers_ended_total{reason="session_revoked",route="test"} 1`,
		`gatehouse_rows_dropped_total{route="test"} 4`,
		`gatehouse_ratelimit_decisions_total{decision="shadow",limit="per-user"} 7`,
		`gatehouse_ratelimit_store_errors_total{limit="per-address"} 1`,
		`gatehouse_config_reloads_total{result="success"} 1`,
		`gatehouse_config_reloads_total{result="failure"} 1`,
		`gatehouse_config_last_reload_success 0`,
		`gatehouse_config_last_reload_success_timestamp_seconds 1.7e+09`,
		`gatehouse_connections_open{listener="public"} 1`,
		`gatehouse_connections_refused_total{listener="public",reason="per_address"} 1`,
		`gatehouse_connections_refused_total{listener="public",reason="total"} 0`,
		`gatehouse_panics_total 1`,
		`gatehouse_guard_findings_total{action="block_address",detector="auth_failures",mode="enforce"} 1`,
		`gatehouse_upstream_endpoint_well{endpoint="http://127.0.0.1:1",upstream="hr"} 1`,
		`gatehouse_upstream_endpoint_well{endpoint="http://127.0.0.1:2",upstream="hr"} 0`,
		`gatehouse_upstream_connections_open{upstream="hr"} 3`,
		`gatehouse_upstream_connections_open{upstream="plain"} 0`,
		`gatehouse_upstream_retries_total{reason="reset",upstream="hr"} 2`,
		`gatehouse_upstream_retries_withheld_total{upstream="hr"} 1`,
		`gatehouse_upstream_breaker_state{upstream="hr"} 2`,
		`gatehouse_upstream_breaker_opened_total{upstream="hr"} 4`,
		`gatehouse_upstream_breaker_refused_total{upstream="hr"} 5`,
		`gatehouse_upstream_endpoint_addresses{endpoint="http://127.0.0.1:1",state="well",upstream="hr"} 2`,
		`gatehouse_upstream_endpoint_addresses{endpoint="http://127.0.0.1:1",state="draining",upstream="hr"} 1`,
		`gatehouse_upstream_endpoint_addresses{endpoint="http://127.0.0.1:2",state="unwell",upstream="hr"} 1`,
		`gatehouse_upstream_endpoint_addresses{endpoint="http://127.0.0.1:2",state="ejected",upstream="hr"} 3`,
		`gatehouse_upstream_endpoint_in_flight{endpoint="http://127.0.0.1:1",upstream="hr"} 7`,
		`gatehouse_upstream_endpoint_ejections_total{endpoint="http://127.0.0.1:2",upstream="hr"} 4`,
		`gatehouse_issuer_keys{issuer="auth"} 2`,
		`gatehouse_issuer_keys{issuer="local"} 1`,
		`gatehouse_stage_duration_seconds_count{stage="authn"} 1`,
		`gatehouse_upstream_duration_seconds_count{upstream="hr"} 1`,
		`gatehouse_trace_spans_lost_total 0`,
		`gatehouse_policy_memo_total{result="hit"} 9`,
		`gatehouse_policy_memo_total{result="miss"} 2`,
		`gatehouse_policy_memo_total{result="bypass"} 1`,
		`gatehouse_policy_memo_evictions_total 3`,
		`gatehouse_policy_memo_audits_total 4`,
		`gatehouse_policy_memo_mismatches_total 0`,
	)
}

func TestMetricNamesFollowTheRules(t *testing.T) {
	families, err := used(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	ours := 0
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), namespace+"_") {
			ours++
		}
	}
	if ours < 17 {
		t.Errorf("only %d metrics were gathered", ours)
	}
}

// Nothing a client or an upstream sends may make new time series.
func TestLabelsAreBounded(t *testing.T) {
	m := New()
	for i, verb := range []string{"BREW", "get", "X1", "X2"} {
		x := middlewaretest.Exchange(t, "GET", "/", nil)
		x.Request.Method, x.Route = verb, nil
		x.Refusal = &middleware.Refusal{Stage: "authz", Status: 403, Code: verb}
		x.Note("sanitize_strip", "a lot")
		x.Note("sanitize_"+verb, []string{"/a"})
		x.Note("hidden", "a lot")
		x.Note("hidden", -1)
		for j := range 2 * maxClasses {
			x.Masked = append(x.Masked, middleware.Finding{Class: fmt.Sprint("class", i, j), Count: 1})
		}
		m.Exchange(x, 520+i, 0, 0)
		m.Exchange(x, 700+i, 0, 0)
	}
	m.Exchange(&middleware.Exchange{}, 400, 0, 0) // refused before there was a request to send
	want(t, m,
		`gatehouse_requests_total{method="other",route="none",status="5xx"} 4`,
		`gatehouse_requests_total{method="other",route="none",status="other"} 4`,
		`gatehouse_requests_total{method="other",route="none",status="400"} 1`,
		`gatehouse_refusals_total{code="policy",route="none",stage="authz"} 8`,
		`gatehouse_hidden_values_total{route="none"} 0`,
		fmt.Sprintf(`gatehouse_masked_values_total{class="other",route="none"} %d`, 2*(4*2*maxClasses-maxClasses)),
	)
}

// sleeper takes a while on the way in and on the way out.
type sleeper struct {
	name    string
	in, out time.Duration
}

func (s sleeper) Name() string { return s.name }

func (s sleeper) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	time.Sleep(s.in)
	res, err := next(x)
	time.Sleep(s.out)
	return res, err
}

func TestStagesAreTimedWithoutWhatIsInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		slow := middleware.Refuse("upstream", middleware.UpstreamTimeout, "")
		h := middleware.Chain(
			m.Upstream("hr", func(*middleware.Exchange) (*http.Response, error) { time.Sleep(8 * time.Second); return nil, slow }),
			m.Stage(sleeper{"outer", 1 * time.Second, 2 * time.Second}),
			m.Stage(nil),
			m.Stage(sleeper{"inner", 4 * time.Second, 0}),
		)
		if _, err := h(middlewaretest.Exchange(t, "GET", "/", nil)); !errors.Is(err, slow) {
			t.Error(err)
		}
		want(t, m,
			`gatehouse_stage_duration_seconds_sum{stage="outer"} 3`,
			`gatehouse_stage_duration_seconds_sum{stage="inner"} 4`,
			`gatehouse_upstream_duration_seconds_sum{upstream="hr"} 8`,
		)
	})
}

// inward is a stage that sleeps on its way in, and may answer itself.
type inward struct {
	sleeper
	refuses bool
}

func (inward) Inward() {}

func (s inward) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	time.Sleep(s.in)
	if s.refuses {
		return nil, middleware.Refuse(s.name, middleware.Forbidden, "")
	}
	return next(x)
}

func TestInwardStagesAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		answer := func(*middleware.Exchange) (*http.Response, error) {
			time.Sleep(8 * time.Second)
			return &http.Response{}, nil
		}
		for _, refuses := range []bool{false, true} {
			h := middleware.Chain(m.Upstream("hr", answer),
				m.Stage(sleeper{"outer", 1 * time.Second, 2 * time.Second}),
				m.Stage(inward{sleeper{name: "first", in: 4 * time.Second}, false}),
				m.Stage(inward{sleeper{name: "second", in: 16 * time.Second}, refuses}),
				m.Stage(sleeper{"inner", 32 * time.Second, 64 * time.Second}),
			)
			_, _ = h(middlewaretest.Exchange(t, "GET", "/", nil))
		}
		want(t, m,
			`gatehouse_stage_duration_seconds_sum{stage="outer"} 6`, `gatehouse_stage_duration_seconds_count{stage="outer"} 2`,
			`gatehouse_stage_duration_seconds_sum{stage="first"} 8`, `gatehouse_stage_duration_seconds_count{stage="first"} 2`,
			`gatehouse_stage_duration_seconds_sum{stage="second"} 32`, `gatehouse_stage_duration_seconds_count{stage="second"} 2`,
			`gatehouse_stage_duration_seconds_sum{stage="inner"} 96`, `gatehouse_upstream_duration_seconds_sum{upstream="hr"} 8`,
		)
	})
}

type described struct{ sleeper }

func (described) Describe() string { return "by the book" }

func TestStageStaysWhatItIs(t *testing.T) {
	m := New()
	if m.Stage(nil) != nil {
		t.Error("a nil stage became one")
	}
	s := m.Stage(described{sleeper{name: "authz"}})
	if d, ok := s.(middleware.Describer); !ok || d.Describe() != "by the book" || s.Name() != "authz" {
		t.Errorf("%T does not say what it is", s)
	}
	if _, ok := m.Stage(sleeper{name: "plain"}).(middleware.Describer); ok {
		t.Error("a stage that does not describe itself pretends to")
	}
}

func BenchmarkStage(b *testing.B) {
	m := New()
	next := func(*middleware.Exchange) (*http.Response, error) { return nil, nil }
	h := middleware.Chain(next, m.Stage(described{}))
	x := middlewaretest.Exchange(b, "GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h(x)
	}
}

func BenchmarkExchange(b *testing.B) {
	m := New()
	x := middlewaretest.Exchange(b, "GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Exchange(x, 200, 100, time.Millisecond)
	}
}

func TestUnclassifiedIsKeptByPlace(t *testing.T) {
	m := New()
	first, last := time.Unix(1000, 0), time.Unix(2000, 0)
	for _, at := range []time.Time{last, first, last} {
		x := middlewaretest.Exchange(t, "GET", "/", nil)
		x.Start = at
		x.Unclassified = []middleware.Finding{{Path: "$.b", Class: "card", Count: 2}, {Path: "$.a", Class: "email", Count: 1}}
		m.Exchange(x, 200, 0, 0)
	}
	got := m.Unclassified()
	if len(got) != 2 || got[0].Path != "$.a" || got[0].Count != 3 || got[1].Path != "$.b" || got[1].Count != 6 || !got[1].Last.Equal(last) {
		t.Errorf("got %+v", got)
	}
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	for i := range 2 * maxPlaces {
		x.Unclassified = append(x.Unclassified, middleware.Finding{Path: fmt.Sprint("$.p", i), Class: "card", Count: 1})
	}
	m.Exchange(x, 200, 0, 0)
	if n := len(m.Unclassified()); n != maxPlaces {
		t.Errorf("%d places are kept, want %d", n, maxPlaces)
	}
}

// The age of keys grows by itself; those that do not age have none.
func TestAgeOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, confirmed := New(), time.Now()
		m.WatchIssuers(func(yield func(string, int, time.Time)) {
			yield("auth", 2, confirmed)
			yield("local", 1, time.Time{})
		})
		time.Sleep(90 * time.Second)
		want(t, m, `gatehouse_issuer_keys_age_seconds{issuer="auth"} 90`)
		if strings.Contains(scrape(t, m), `age_seconds{issuer="local"`) {
			t.Error("keys of a file have an age")
		}
	})
}

// Many goroutines count in the time series of routes that none of them has met.
func TestExchangesAtOnce(t *testing.T) {
	m := New()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 400 {
				x := middlewaretest.Exchange(t, "GET", "/", nil)
				x.Route = &config.Route{Name: "r" + strconv.Itoa(i%4)}
				m.Exchange(x, 200+i%4+g%2, 10, time.Millisecond)
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		route := "r" + strconv.Itoa(i)
		want(t, m,
			"gatehouse_response_bytes_total{route=\""+route+"\"} 8000",
			"gatehouse_request_duration_seconds_count{route=\""+route+"\"} 800",
			"gatehouse_requests_total{method=\"GET\",route=\""+route+"\",status=\""+strconv.Itoa(200+i)+"\"} 400",
			"gatehouse_requests_total{method=\"GET\",route=\""+route+"\",status=\""+strconv.Itoa(201+i)+"\"} 400")
	}
}
