package gateway

import (
	"encoding/xml"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// h2spec is the conformance tester for HTTP/2 (RFC 9113, RFC 7541).
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// h2Reasons are the cases that fail, with the reason. They fail in net/http
// itself, which frames HTTP/2 for the gateway.
func h2Reasons() map[string]string {
	const answers = "net/http answers 400 and goes on where a stream error is asked for; nothing of the request is used"
	return map[string]string{
		"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE": "net/http ends a connection whose SETTINGS frame says one thing twice",

		"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                     answers,
		`http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than "trailers"`: answers,
	}
}

// TestH2spec runs h2spec, strict, against the gateway and against a bare
// net/http server that does what the backend does. The gateway may fail nothing
// that the bare server passes, and nothing that is not explained.
func TestH2spec(t *testing.T) {
	if os.Getenv("GATEHOUSE_H2SPEC") == "" {
		t.Skip("it fetches and builds h2spec: run make h2spec")
	}
	backend := func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = rw.Write(append([]byte("read: "), b...))
	}
	w := open(t)
	w.backend("HR", backend)
	w.start(plain, "")
	bare := httptest.NewUnstartedServer(http.HandlerFunc(backend))
	bare.EnableHTTP2 = true
	bare.Config.ErrorLog = log.New(io.Discard, "", 0)
	bare.StartTLS()
	t.Cleanup(bare.Close)

	ours, n := h2specFailures(t, w.base)
	theirs, _ := h2specFailures(t, bare.URL)
	t.Logf("%d cases: the gateway fails %d, net/http %d", n, len(ours), len(theirs))
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		t.Logf("fails: %s (%s)", name, h2Reasons()[name])
		if !theirs[name] {
			t.Errorf("net/http passes %s", name)
		}
		if h2Reasons()[name] == "" {
			t.Errorf("%s is not explained", name)
		}
	}
	for name := range theirs {
		if !ours[name] {
			t.Logf("only net/http fails: %s", name)
		}
	}
}

// h2specFailures gives what fails, by package and case.
func h2specFailures(t *testing.T, base string) (failed map[string]bool, cases int) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.CommandContext(t.Context(), "go", "run", h2spec, "-h", u.Hostname(), "-p", u.Port(), "-t", "-k", "--strict", "-P", "/plain/1", "-j", report)
	cmd.Dir = t.TempDir() // outside of the module
	out, err := cmd.CombinedOutput()
	data, missing := os.ReadFile(report)
	if missing != nil {
		t.Fatalf("h2spec: %v\n%s", err, out)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string  `xml:"package,attr"`
				Name    string  `xml:"classname,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	failed = map[string]bool{}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			cases++
			if c.Failure != nil || c.Error != nil {
				failed[c.Package+": "+c.Name] = true
			}
		}
	}
	if cases < 100 {
		t.Fatalf("only %d cases ran\n%s", cases, out)
	}
	return failed, cases
}
