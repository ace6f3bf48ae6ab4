package gateway

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// A gateway that could not keep files does not start where a route takes them,
// and says so at the place; who only looks at the configuration may not be who
// serves.
func TestUploadsNeedAFolder(t *testing.T) {
	for _, tt := range []struct {
		upload    string
		rehearsal bool
		want      string
	}{
		{"upload: {extensions: [pdf]}", false, "files of uploads could not be kept"},
		{"upload: {extensions: [pdf]}", true, ""},
		{"", false, ""},
	} {
		w := open(t)
		w.backend("HR", echo("A"))
		w.write("gatehouse.yaml", preamble+plain+"    "+tt.upload+"\n")
		c, err := config.Load(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", w.dir+"/none")
		p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New(), Rehearsal: tt.rehearsal})
		if p != nil {
			p.Close()
		}
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q, rehearsal %v: %v", tt.upload, tt.rehearsal, err)
		}
	}
}
