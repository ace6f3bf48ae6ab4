package gateway

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
)

const alerting = `store: {folder: state}
alerts: {webhook: {siem: {url: "{SIEM}/PATH?key=hidden", secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=, ca: certs/ca.pem}}}
`

// siem takes events on paths that are well.
type siem struct {
	mu   sync.Mutex
	well string
	seen map[string]int // by id
}

func (s *siem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.well != r.URL.Path {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.seen[r.Header.Get("webhook-id")]++
}

func (s *siem) takes(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.well = path
}

func (s *siem) got() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// siem adds an HTTPS server of the world's authority; {SIEM} is its address.
func (w *world) siem() *siem {
	w.t.Helper()
	s := &siem{seen: map[string]int{}}
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs/gateway.pem"), filepath.Join(w.dir, "certs/gateway-key.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(s)
	srv.TLS, srv.Config.ErrorLog = &tls.Config{Certificates: []tls.Certificate{pair}}, log.New(io.Discard, "", 0)
	srv.StartTLS()
	w.t.Cleanup(srv.Close)
	w.vars["SIEM"] = srv.URL
	return s
}

func (w *world) raise(n byte) {
	w.g.Plan().alerts.Raise(alert.Event{
		Class: alert.Finding, Detector: "auth_failures", Severity: alert.High, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 32),
	})
}

func (w *world) spooled() int {
	list, _ := filepath.Glob(filepath.Join(w.dir, "state/alerts/siem/*.event"))
	return len(list)
}

// Events that a receiver does not take wait on disk through reloads and a restart.
// The gateway stays ready, and tells.
func TestAlertsWait(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	s := w.siem()
	w.write("state/README", "")
	settings := preamble + plain + strings.Replace(alerting, "PATH", "one", 1)
	w.start(settings, "")
	for n := range byte(5) {
		w.raise(n)
	}
	eventually(t, "all wait", func() bool { return w.spooled() == 5 })
	var c Condition
	eventually(t, "it is told", func() bool { c = w.g.Plan().alerting(); return c.Detail != "" })
	if !c.OK || c.Detail != "sink siem fails, and 5 events wait for it: answered 500" {
		t.Errorf("%+v", c)
	}
	found := false
	for _, c := range w.g.Plan().Conditions(t.Context()) {
		found = found || c.Name == "alerts" && c.OK
	}
	if !found {
		t.Error("no condition")
	}
	w.close()
	if w.spooled() != 5 {
		t.Fatalf("%d wait on disk", w.spooled())
	}
	s.takes("/one")
	w.start(settings, "")
	eventually(t, "all arrive after the restart", func() bool { return s.got() == 5 && w.spooled() == 0 })

	s.takes("/two") // and not where the configuration says
	w.raise(10)
	eventually(t, "it waits", func() bool { return w.spooled() == 1 })
	w.write("gatehouse.yaml", strings.Replace(settings, "/one", "/two", 1))
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it arrives after the reload", func() bool { return s.got() == 6 && w.spooled() == 0 })
	w.raise(10) // told already: a reload does not forget that
	w.raise(11)
	eventually(t, "the other arrives", func() bool { return s.got() == 7 })
	text, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
	if err != nil || strings.Contains(string(text), "hidden") || !strings.Contains(string(text), `"message":"alert sink does not take events","sink":"siem","error":"answered 500"`) {
		t.Errorf("%v\n%s", err, text)
	}
}

// Without any sink findings are in the log, at every level of it.
func TestAlertsInTheLog(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(strings.Replace(preamble, "{output: access.log}", "{output: access.log, level: error}", 1)+plain, "")
	w.raise(1)
	eventually(t, "the line is there", func() bool { return len(w.log("alert")) == 1 })
	line := w.log("alert")[0]
	event, _ := line["event"].(map[string]any)
	if line["level"] != "error" || event["class_uid"] != 2004.0 || event["type_uid"] != 200401.0 {
		t.Errorf("%v", line)
	}
	for _, severity := range []alert.Severity{alert.Informational, alert.Medium, alert.Critical} {
		if err := w.g.Plan().log.alert(severity, json.RawMessage(`{}`)); err != nil {
			t.Error(err)
		}
	}
	for i, want := range []string{"error", "info", "warn", "error"} {
		if got := w.log("alert")[i]["level"]; got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}

// What is in the files of a sink is found out by check as by serve, which leaves
// the spool alone.
func TestAlertsMistakes(t *testing.T) {
	w := open(t)
	w.vars["HR"], w.vars["SIEM"] = "http://127.0.0.1:1", "https://siem.example"
	w.write("state/README", "")
	w.write("empty.pem", "")
	settings := preamble + plain + alerting
	for change, want := range map[string]string{
		"":                     "",
		"ca: empty.pem":        "ca: the file holds no certificate",
		"ca: certs/ca-key.pem": "ca: the file holds no certificate",
	} {
		text := settings
		if change != "" {
			text = strings.Replace(settings, "ca: certs/ca.pem", change, 1)
		}
		w.write("gatehouse.yaml", text)
		c, err := config.Load(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New(), Rehearsal: true})
		if want == "" {
			if err != nil {
				t.Fatal(err)
			}
			p.Close()
			continue
		}
		m, ok := err.(config.Mistakes) //nolint:errorlint // Compile gives them so
		if !ok || len(m) != 1 || m[0].Line == 0 || m[0].Message != strings.TrimPrefix(want, "ca: ") {
			t.Errorf("%s: %v", change, err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "state/alerts")); !os.IsNotExist(err) {
		t.Errorf("check made a folder: %v", err)
	}
}
