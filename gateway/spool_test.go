package gateway

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// A gateway that could not keep files does not start where a route takes them,
// and says so at the place.
func TestUploadsNeedAFolder(t *testing.T) {
	for _, tt := range []struct {
		upload, want string
	}{
		{"upload: {extensions: [pdf]}", "no file of an upload can be kept"},
		{"", ""},
	} {
		w := open(t)
		w.backend("HR", echo("A"))
		w.write("gatehouse.yaml", preamble+plain+"    "+tt.upload+"\n")
		c, err := config.Load(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", w.dir+"/none")
		p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New()})
		if p != nil {
			p.Close()
		}
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.upload, err)
		}
	}
}
