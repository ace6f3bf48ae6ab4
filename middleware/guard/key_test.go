package guard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// A digest tells names apart and not what they are.
func TestDigest(t *testing.T) {
	a, b := NewKey(""), NewKey("")
	ann := a.Digest("ann")
	if a.Digest("ann") != ann || a.Digest("bob") == ann || a.Digest("a", "b") == a.Digest("ab") {
		t.Error("digests do not tell names apart")
	}
	if b.Digest("ann") == ann || ann == (detect.Digest{}) {
		t.Error("digests are not keyed")
	}
	c, d := NewKey("a secret of the configuration"), NewKey("a secret of the configuration")
	if c.Digest("ann") != d.Digest("ann") || c.Digest("ann") == NewKey("another").Digest("ann") {
		t.Error("it is not the secret that makes the key")
	}
}

// openKey opens a key that is closed when the test ends.
func openKey(t *testing.T, file string, r *storetest.Server) *Key {
	t.Helper()
	k, err := open(file, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func open(file string, r *storetest.Server) (*Key, error) {
	if r == nil {
		return OpenKey(file, nil)
	}
	return OpenKey(file, r.Patient(false)) // a busy machine may miss the real deadlines
}

func TestKeyIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guard.key")
	first := openKey(t, file, nil).Digest("ann")
	if openKey(t, file, nil).Digest("ann") != first {
		t.Error("a restart has another key")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if openKey(t, "", nil).Digest("ann") == first {
		t.Error("without a file it is the same")
	}
}

// A file that is no key is not overwritten, and is not quoted.
func TestKeyThatIsNone(t *testing.T) {
	for _, text := range []string{"", "c0ffee", strings.Repeat("zz", 32), strings.Repeat("ab", 33)} {
		file := filepath.Join(t.TempDir(), "guard.key")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := OpenKey(file, nil)
		if err == nil {
			_ = k.Close()
			t.Fatalf("%q was taken", text)
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes it: %v", err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
	if _, err := OpenKey(filepath.Join(t.TempDir(), "missing", "guard.key"), nil); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

// eventually waits for what the goroutine of a key is about to do.
var eventually = middlewaretest.Eventually

// Replicas agree on the key of the first, whatever they had, and keep it. Redis may
// forget it: they tell it again.
func TestKeyIsShared(t *testing.T) {
	server := storetest.Start(t)
	folder := t.TempDir()
	other := filepath.Join(folder, "other.key")
	openKey(t, other, nil) // has a key of its own from before

	one := openKey(t, filepath.Join(folder, "one.key"), server)
	two := openKey(t, other, server)
	ann := one.Digest("ann")
	if two.Digest("ann") != ann || openKey(t, "", server).Digest("ann") != ann {
		t.Fatal("replicas have different keys")
	}
	if err := two.Trouble(); err != nil {
		t.Error(err)
	}
	server.Kill()
	server.Start() // with nothing in it
	var none string
	eventually(t, "Redis is told again", func() bool {
		var err error
		none, err = server.Client().Get(t.Context(), keyName).Result()
		return err == nil
	})
	if parsed, err := parseSecret(none); err != nil || parsed != *one.current.Load() {
		t.Errorf("Redis has another key: %v", err)
	}
	server.Kill()
	if openKey(t, other, server).Digest("ann") != ann {
		t.Error("what was agreed on is not kept")
	}
}

// A Redis that is not there when a replica starts is asked on.
func TestKeyIsSharedLater(t *testing.T) {
	server := storetest.Start(t)
	one := openKey(t, "", server)
	server.Kill()
	two := openKey(t, "", server)
	if two.Digest("ann") == one.Digest("ann") || two.Trouble() == nil {
		t.Error("they agree without having met")
	}
	server.Start()
	eventually(t, "they agree", func() bool { return two.Digest("ann") == one.Digest("ann") })
	eventually(t, "there is no trouble", func() bool { return one.Trouble() == nil && two.Trouble() == nil })
}

// What is no key in Redis is told, and not used.
func TestKeyOfNobody(t *testing.T) {
	server := storetest.Start(t)
	if err := server.Client().Set(t.Context(), keyName, "garbage", 0).Err(); err != nil {
		t.Fatal(err)
	}
	k := openKey(t, "", server)
	if err := k.Trouble(); err == nil || strings.Contains(err.Error(), "garbage") {
		t.Errorf("trouble: %v", err)
	}
	if k.Digest("ann") == (detect.Digest{}) {
		t.Error("there is no key")
	}
}
