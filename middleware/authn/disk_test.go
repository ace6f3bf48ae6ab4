package authn

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

const jwksURL = "http://127.0.0.1/jwks" // of issuers in a bubble

// A gateway starts while the issuer is down: the keys of the run before serve,
// until they are too old.
func TestStartFromDisk(t *testing.T) {
	k, folder := keysOnce(), t.TempDir()
	bubbleWith(t, folder, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "first run", ask("k1", k.rsa), "")
		synctest.Wait() // for the file
		expect(t, "detail", i.Detail(), "")
	})
	bubbleWith(t, folder, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		s.hang.Store(true)
		start := time.Now()
		expect(t, "second run", ask("k1", k.rsa), "")
		if time.Since(start) != 0 {
			t.Errorf("a known key waited %v for the issuer", time.Since(start))
		}
		if err := i.Ready(); err != nil {
			t.Error(err)
		}
		expect(t, "unknown key", ask("k2", k.rsa2), invalid)
		if d := i.Detail(); !strings.Contains(d, "the keys are from 2000-01-01T00:00:00Z; newer ones cannot be had") {
			t.Errorf("detail: %q", d)
		}
		time.Sleep(maxStale - time.Minute)
		expect(t, "a day later", ask("k1", k.rsa), "")
		time.Sleep(2 * time.Minute)
		expect(t, "too old", ask("k1", k.rsa), unavailable)
		s.hang.Store(false)
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		time.Sleep(time.Minute)
		expect(t, "back", ask("k2", k.rsa2), "")
	})
	bubbleWith(t, folder, func(t *testing.T, _ *idp, ask func(string, any) string, i *Issuer) {
		// Kept a day after this bubble's beginning.
		expect(t, "third run", ask("k2", k.rsa2), unavailable)
		if d := i.Detail(); !strings.Contains(d, "keys from the future") {
			t.Errorf("detail: %q", d)
		}
	})
}

// How old keys are is told from when the issuer gave them, not from a restart.
func TestAgeOnDisk(t *testing.T) {
	k, folder, now := keysOnce(), t.TempDir(), time.Now()
	writeKept(t, folder, members{"fetched": now}, jwkOf(t, "k1", k.rsa, nil))
	for _, c := range []struct {
		age  time.Duration
		want string
	}{{0, ""}, {maxStale, ""}, {maxStale + time.Second, "too old"}, {-30 * time.Second, ""}, {-2 * time.Minute, "future"}} {
		h, err := diskOf(folder).load(now.Add(c.age))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v old: %v, want %q", c.age, err, c.want)
		}
		if h != nil && !h.fetched.Equal(now) {
			t.Errorf("%v old: fetched at %v", c.age, h.fetched)
		}
	}
}

func diskOf(folder string) *disk {
	return &disk{file: filepath.Join(folder, "keys-auth.json"), issuer: "https://auth.example.com", from: jwksURL, algs: []string{"RS256"}}
}

// writeKept writes a file as the gateway would, but for changes.
func writeKept(t *testing.T, folder string, changes members, keys ...members) {
	t.Helper()
	doc := members{"issuer": "https://auth.example.com", "from": jwksURL, "fetched": time.Now(), "keys": keys}
	if err := os.WriteFile(filepath.Join(folder, "keys-auth.json"), []byte(encode(t, with(doc, changes))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file that cannot be believed is as good as none, and the reason is told.
func TestKeysOnDiskRefused(t *testing.T) {
	k := keysOnce()
	good := jwkOf(t, "k1", k.rsa, nil)
	file := func(folder string) string { return filepath.Join(folder, "keys-auth.json") }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		write func(folder string)
		why   string
	}{
		{"none", func(string) {}, ""},
		{"empty", func(f string) { must(os.WriteFile(file(f), nil, 0o600)) }, "is damaged"},
		{"cut off", func(f string) {
			writeKept(t, f, nil, good)
			must(os.Truncate(file(f), 100))
		}, "is damaged"},
		{"no time", func(f string) { writeKept(t, f, members{"fetched": nil}, good) }, "too old"},
		{"no date", func(f string) { writeKept(t, f, members{"fetched": "yesterday"}, good) }, "is damaged"},
		{"of another issuer", func(f string) { writeKept(t, f, members{"issuer": "https://evil.test"}, good) }, "of another issuer or address"},
		{"from another address", func(f string) { writeKept(t, f, members{"from": "http://127.0.0.1/other"}, good) }, "of another issuer or address"},
		{"of nobody", func(f string) { writeKept(t, f, members{"issuer": nil}, good) }, "of another issuer or address"},
		{"tomorrow's", func(f string) { writeKept(t, f, members{"fetched": time.Now().Add(24 * time.Hour)}, good) }, "from the future"},
		{"no keys", func(f string) { writeKept(t, f, nil) }, "has no keys"},
		{"a secret", func(f string) { writeKept(t, f, nil, jwkOf(t, "k1", k.secret, nil)) }, "no usable key"},
		{"a short key", func(f string) { writeKept(t, f, nil, jwkOf(t, "k1", k.rsa1024, nil)) }, "RSA of 1024 bits"},
		{"large", func(f string) {
			writeKept(t, f, members{"x": strings.Repeat("x", maxKeySet)}, good)
		}, "larger than"},
		{"everybody's", func(f string) {
			writeKept(t, f, nil, good)
			must(os.Chmod(file(f), 0o666))
		}, "may be written by everybody"},
		{"a folder", func(f string) { must(os.Mkdir(file(f), 0o700)) }, "is not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			synctest.Test(t, func(*testing.T) { c.write(folder) }) // by the bubble's clock
			bubbleWith(t, folder, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
				expect(t, "asked", ask("k1", k.rsa), unavailable)
				if err := i.Ready(); err == nil {
					t.Error("ready")
				}
				if d := i.Detail(); !strings.Contains(d, c.why) || (c.why == "") != (d == "") {
					t.Errorf("detail: %q, want %q", d, c.why)
				}
				// The issuer's own word is good in any case.
				s.publish(t, good)
				time.Sleep(2 * retryFirst)
				expect(t, "later", ask("k1", k.rsa), "")
			})
		})
	}
}

// Of all that an issuer publishes only the public keys in use are kept, for
// their owner's eyes, and bound to what they were bound to.
func TestWhatIsKept(t *testing.T) {
	k, folder := keysOnce(), t.TempDir()
	published := []members{
		jwkOf(t, "rsa", k.rsa, members{"alg": "PS256", "x5c": []string{"c2VjcmV0"}, "private": "hush"}),
		jwkOf(t, "", k.p256, nil), jwkOf(t, "p384", k.p384, nil), jwkOf(t, "p521", k.p521, members{"use": "sig"}), jwkOf(t, "ed", k.ed, nil),
		jwkOf(t, "oct", k.secret, nil),
		jwkOf(t, "private", k.ed, members{"d": b64(k.ed.Seed())}),
		jwkOf(t, "short", k.rsa1024, nil),
	}
	algs := []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	set, err := parseKeySet([]byte(jwks(t, published...)), algs)
	if err != nil {
		t.Fatal(err)
	}
	d := diskOf(folder)
	d.algs = algs
	if err := d.save(&held{set: set, fetched: time.Now()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{b64(k.secret), b64(k.ed.Seed()), `"d"`, `"k"`, "hush", "x5c", "short"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the file holds %s", secret)
		}
	}
	if info, err := os.Stat(d.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	back, err := d.load(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	equal := func(a, b key) bool {
		return a.id == b.id && slices.Equal(a.algs, b.algs) && encode(t, publicMembers(a.raw)) == encode(t, publicMembers(b.raw))
	}
	if !slices.EqualFunc(set.keys, back.set.keys, equal) || len(set.keys) != 5 || back.set.unused != nil {
		t.Errorf("kept %+v, read %+v", set, back.set)
	}
	if back.set.find("rsa", "RS256") != nil || back.set.find("rsa", "PS256") == nil {
		t.Error("the key is not bound to its algorithm any more")
	}
}

// The file follows the issuer; one that cannot be written is told, and costs
// nothing else.
func TestFileFollows(t *testing.T) {
	k, folder := keysOnce(), t.TempDir()
	bubbleWith(t, folder, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		ids := func() []string {
			t.Helper()
			synctest.Wait()
			h, err := diskOf(folder).load(time.Now())
			if err != nil || h == nil {
				t.Fatal(h, err)
			}
			if age := time.Since(h.fetched); age > refreshEvery*11/10 {
				t.Errorf("the keys on disk are %v old", age)
			}
			var out []string
			for _, k := range h.set.keys {
				out = append(out, k.id)
			}
			return out
		}
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "first", ask("k1", k.rsa), "")
		expect(t, "kept", strings.Join(ids(), " "), "k1")
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		expect(t, "second", ask("k2", k.rsa2), "")
		expect(t, "kept", strings.Join(ids(), " "), "k2")
		time.Sleep(24 * time.Hour) // confirmed, again and again
		expect(t, "kept", strings.Join(ids(), " "), "k2")
		if list, err := os.ReadDir(folder); err != nil || len(list) != 1 {
			t.Errorf("the folder holds %v, %v", list, err)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * refreshEvery)
		expect(t, "no folder", ask("k2", k.rsa2), "")
		if d := i.Detail(); !strings.Contains(d, "the keys cannot be kept") || i.Ready() != nil {
			t.Errorf("detail: %q, ready: %v", d, i.Ready())
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * refreshEvery)
		expect(t, "detail", i.Detail(), "")
		expect(t, "kept", strings.Join(ids(), " "), "k2")
	})
}

// Whoever reads while two write sees one whole file or the other.
func TestFileIsNeverHalf(t *testing.T) {
	k, folder := keysOnce(), t.TempDir()
	d := diskOf(folder)
	var sets []*keySet
	for _, keys := range [][]members{{jwkOf(t, "k1", k.rsa, nil)}, {jwkOf(t, "k2", k.rsa2, nil), jwkOf(t, "k1", k.rsa, nil)}} {
		set, err := parseKeySet([]byte(jwks(t, keys...)), d.algs)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	if err := d.save(&held{set: sets[0], fetched: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, set := range sets {
		wg.Go(func() {
			for range 50 {
				if err := d.save(&held{set: set, fetched: time.Now()}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		if h, err := d.load(time.Now()); err != nil || h == nil || h.set.find("k1", "RS256") == nil {
			t.Errorf("%v, %v", h, err)
		}
	}
	wg.Wait()
}

// Issuers share a folder without sharing keys, and one of keys that do not come
// over the network keeps none there.
func TestFolderOfIssuers(t *testing.T) {
	k, folder := keysOnce(), t.TempDir()
	c := issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil))) })
	i, err := Open(t.Context(), "local", c, folder)
	if err != nil {
		t.Fatal(err)
	}
	_ = i.Close()
	if list, err := os.ReadDir(folder); err != nil || len(list) != 0 {
		t.Errorf("the folder holds %v, %v", list, err)
	}
	f, err := newFetcher(issuerConfig(func(i *config.Issuer) { i.Discovery = true }), dialTCP)
	if err != nil {
		t.Fatal(err)
	}
	a, b := openDisk(folder, "a", f), openDisk(folder, "b", f)
	if a.file == b.file || a.from != "https://auth.example.com/.well-known/openid-configuration" || openDisk("", "a", f) != nil {
		t.Errorf("%+v, %+v", a, b)
	}
}

// FuzzDisk reads what no gateway wrote.
func FuzzDisk(f *testing.F) {
	k := keysOnce()
	f.Add([]byte(encode(f, members{"issuer": "https://auth.example.com", "from": jwksURL, "fetched": time.Now(), "keys": []members{jwkOf(f, "k1", k.rsa, nil)}})))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := diskOf(t.TempDir())
		if err := os.WriteFile(d.file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := d.load(time.Now())
		if (h == nil) == (err == nil) {
			t.Fatal(h, err)
		}
		if h != nil && (len(h.set.keys) == 0 || !json.Valid(data)) {
			t.Fatalf("%+v of %q", h, data)
		}
	})
}
