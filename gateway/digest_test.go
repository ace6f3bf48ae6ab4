package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

const watched = `
masking: {keys: {k1: "${file:mask-key}"}}
policies: {path: rego, data: facts, shadow: next, shadow_data: next/facts}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: plain, match: {path: /}, upstream: hr, public: true, policy: "off"}
`

func (w *world) load() *config.Config {
	w.t.Helper()
	c, err := config.Load(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Whatever a plan is made from is watched, and nothing else.
func TestSources(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	w.write("mask-key", "0123456789abcdef0123456789abcdef")
	w.write("rego/gatehouse.rego", "package gatehouse\n")
	w.write("rego/deep/data.json", "{}")
	w.write("facts/data.json", "{}")
	w.write("next/gatehouse.rego", "package gatehouse\n")
	w.write("next/facts/data.json", "{}")
	w.write("gatehouse.yaml", preamble+watched)
	c := w.load()
	last := sources(c)
	for _, file := range []string{
		"gatehouse.yaml", "mask-key", "certs/gateway.pem", "certs/gateway-key.pem", "rego/gatehouse.rego", "rego/deep/data.json",
		"facts/data.json", "rego/new.rego", "facts/deep/new.json",
		"next/gatehouse.rego", "next/facts/data.json",
	} {
		if again := sources(c); again != last {
			t.Fatal("nothing has changed and the digest has")
		}
		old, _ := os.ReadFile(filepath.Join(w.dir, file))
		w.write(file, string(old)+"\n")
		if now := sources(c); now == last {
			t.Errorf("a change of %s is not noticed", file)
		} else {
			last = now
		}
	}
	if err := os.Remove(filepath.Join(w.dir, "rego/new.rego")); err != nil {
		t.Fatal(err)
	}
	if now := sources(c); now == last {
		t.Error("a file that went is not noticed")
	}
	last = sources(c)
	w.write("rego/.git/index", "x") // policies are not read from hidden folders
	w.write("certs/other.pem", "x")
	w.write("rego/.gatehouse.rego.swp", "x")
	if sources(c) != last {
		t.Error("what no plan is made from is noticed")
	}
}

// volume is a folder as Kubernetes mounts a ConfigMap: names are links into
// ..data, which is a link to a folder that is replaced as a whole.
type volume struct {
	t   *testing.T
	dir string
}

func (v volume) put(version string, files map[string]string) {
	v.t.Helper()
	folder := ".." + version
	must := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(v.dir, folder), 0o755))
	for name, text := range files {
		must(os.WriteFile(filepath.Join(v.dir, folder, name), []byte(text), 0o600))
		link := filepath.Join(v.dir, name)
		if _, err := os.Lstat(link); err != nil {
			must(os.Symlink(filepath.Join("..data", name), link))
		}
	}
	old, _ := os.Readlink(filepath.Join(v.dir, "..data"))
	must(os.Symlink(folder, filepath.Join(v.dir, "..data_tmp")))
	must(os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	if old != "" {
		must(os.RemoveAll(filepath.Join(v.dir, old)))
	}
}

// A mounted volume is noticed when it is swapped, once, and its policies are
// read once, not again from the folder behind the links. The same holds where
// the folder itself is a link.
func TestMountedVolume(t *testing.T) {
	for _, linked := range []bool{false, true} {
		w := open(t)
		w.backend("HR", (&witness{}).ServeHTTP)
		v := volume{t, filepath.Join(w.dir, "rego")}
		if linked {
			v.dir = filepath.Join(w.dir, "mounted")
			if err := os.Symlink("mounted", filepath.Join(w.dir, "rego")); err != nil {
				t.Fatal(err)
			}
		}
		v.put("2026_11_22_1", map[string]string{"gatehouse.rego": "package gatehouse\n" + masking, "data.json": `{"version": 1}`})
		w.start(one+"policies: {path: rego, budget: 1m}\n", "")
		get := func() int {
			return do(t, w.client(false), w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))).StatusCode
		}
		if got := get(); got != 200 {
			t.Fatalf("linked %v: status %d", linked, got)
		}
		if w.reloader.changed() {
			t.Errorf("linked %v: a change is noticed before there is one", linked)
		}
		v.put("2026_11_22_2", map[string]string{"gatehouse.rego": "package gatehouse\n\nallow if false\n", "data.json": `{"version": 2}`})
		if !w.reloader.changed() {
			t.Fatalf("linked %v: the swap is not noticed", linked)
		}
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := get(); got != 403 {
			t.Errorf("linked %v: status %d after the swap", linked, got)
		}
		if w.reloader.changed() {
			t.Errorf("linked %v: the swap is noticed twice", linked)
		}
		w.close()
	}
}
