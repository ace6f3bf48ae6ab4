package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// pair makes the PEM blocks of a new Ed25519 key.
func pair(t testing.TB) (private, public []byte) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return block(t, "PRIVATE KEY", key, x509.MarshalPKCS8PrivateKey), block(t, "PUBLIC KEY", pub, x509.MarshalPKIXPublicKey)
}

func block(t testing.TB, kind string, key any, marshal func(any) ([]byte, error)) []byte {
	t.Helper()
	der, err := marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func sample() map[string][]byte {
	return map[string][]byte{
		"gatehouse.rego":      []byte("package gatehouse\n\nallow if data.roles[input.subject.role]\n"),
		"lib/lib.rego":        []byte("package lib\n\nx := 1\n"),
		"gatehouse_test.rego": []byte("package gatehouse_test\n\ntest_nothing := true\n"),
		"data.json":           []byte(`{"roles": {"hr": true}, "n": 1.50}`),
	}
}

func build(t testing.TB, files map[string][]byte, serial int64, key []byte, id string) []byte {
	t.Helper()
	packed, err := bundle.Build(files, serial, key, id)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func reader(t testing.TB, keys map[string][]byte, size int64) *bundle.Reader {
	t.Helper()
	r, err := bundle.NewReader(keys, size)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// entry is a file of an archive, in its order.
type entry struct {
	head    tar.Header
	content []byte
}

func unpacked(t testing.TB, packed []byte) []entry {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		content, err2 := io.ReadAll(r)
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{*head, content})
	}
}

func repacked(t testing.TB, entries []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range entries {
		e.head.Size = int64(len(e.content))
		err := w.WriteHeader(&e.head)
		if _, err2 := w.Write(e.content); errors.Join(err, err2) != nil {
			t.Fatal(err, err2)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	private, public := pair(t)
	packed := build(t, sample(), 7, private, "k1")
	if !bytes.Equal(packed, build(t, sample(), 7, private, "k1")) {
		t.Error("the same files make another bundle")
	}
	_, other := pair(t)
	b, err := reader(t, map[string][]byte{"k0": other, "k1": public}, 0).Read(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), b.Files); diff != "" || b.Serial != 7 {
		t.Errorf("serial %d, files (-want +got):\n%s", b.Serial, diff)
	}
	// Names as opa build writes them.
	entries := unpacked(t, packed)
	for i := range entries {
		entries[i].head.Name = "/" + entries[i].head.Name
	}
	entries = append([]entry{{tar.Header{Typeflag: tar.TypeDir, Name: "lib/", Mode: 0o755}, nil}}, entries...)
	if b, err = reader(t, map[string][]byte{"k1": public}, 0).Read(repacked(t, entries)); err != nil || len(b.Files) != 4 {
		t.Errorf("bundle %v, error %v", b, err)
	}
}

// Whoever may write to where bundles come from changes one in every way there is.
func TestTamperedBundles(t *testing.T) {
	private, public := pair(t)
	good := build(t, sample(), 7, private, "k1")
	find := func(list []entry, name string) *entry {
		i := slices.IndexFunc(list, func(e entry) bool { return e.head.Name == name })
		return &list[i]
	}
	add := func(name, content string) func([]entry) []entry {
		return func(list []entry) []entry {
			return append(list, entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, []byte(content)})
		}
	}
	change := func(name, old, new string) func([]entry) []entry {
		return func(list []entry) []entry {
			e := find(list, name)
			e.content = bytes.ReplaceAll(e.content, []byte(old), []byte(new))
			return list
		}
	}
	without := func(name string) func([]entry) []entry {
		return func(list []entry) []entry {
			return slices.DeleteFunc(list, func(e entry) bool { return e.head.Name == name })
		}
	}
	foreign, _ := pair(t)
	swap := func(packed []byte) func([]entry) []entry {
		return func(list []entry) []entry {
			find(list, ".signatures.json").content = find(unpacked(t, packed), ".signatures.json").content
			return list
		}
	}
	for name, tt := range map[string]struct {
		tamper func([]entry) []entry
		want   string
	}{
		"unsigned":              {without(".signatures.json"), "not signed"},
		"no signature in it":    {change(".signatures.json", `"signatures"`, `"none"`), "missing .signatures.json"},
		"an empty list":         {func(l []entry) []entry { find(l, ".signatures.json").content = []byte(`{"signatures": []}`); return l }, "missing JWT"},
		"another verifier":      {change(".signatures.json", `{`, `{"plugin": "mine",`), "no verifier exists"},
		"a signature cut short": {change(".signatures.json", `"]`, `x"]`), "refused"},
		"a policy changed":      {change("gatehouse.rego", "data.roles[input.subject.role]", "true"), "digest mismatch"},
		"data changed":          {change("data.json", "hr", "staff"), "digest mismatch"},
		"the serial changed":    {change(".manifest", `"7"`, `"9"`), "digest mismatch"},
		"a policy more":         {add("more.rego", "package gatehouse\n\nall_rows := true\n"), "not included in bundle signature"},
		"data more":             {add("more/data.yaml", "a: 1\n"), "not included in bundle signature"},
		"a policy less":         {without("lib/lib.rego"), "not found in the target bundle"},
		"no manifest":           {without(".manifest"), "no .manifest"},
		"a delta bundle":        {add("patch.json", `{"data": []}`), "patch.json would have no effect"},
		"compiled policies":     {add("policy.wasm", ""), "policy.wasm would have no effect"},
		"data of another name":  {add("roles.yaml", "a: 1\n"), "roles.yaml would have no effect"},
		"a file twice":          {add("gatehouse.rego", "package gatehouse\n\nallow := true\n"), "gatehouse.rego is in the bundle twice"},
		"twice, spelled anew":   {add("./gatehouse.rego", "package gatehouse\n\nallow := true\n"), "twice"},
		"signatures elsewhere":  {add("x/.signatures.json", "{}"), "would have no effect"},
		"manifest elsewhere":    {add("x/.manifest", "{}"), "would have no effect"},
		"a path out of it":      {add("../x.rego", "package x\n"), "not a name in a bundle"},
		"a link": {func(l []entry) []entry {
			return append(l, entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "l.rego", Linkname: "/etc/passwd"}, nil})
		}, "not a regular file"},
		"signed by another":       {swap(build(t, sample(), 7, foreign, "k1")), "failed to verify JWT signature"},
		"signed by nobody known":  {swap(build(t, sample(), 7, foreign, "k2")), "corresponding to ID k2 not found"},
		"the signature of before": {swap(build(t, map[string][]byte{"a.rego": []byte("package a\n")}, 6, private, "k1")), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := reader(t, map[string][]byte{"k1": public}, 0).Read(repacked(t, tt.tamper(unpacked(t, good))))
			if b != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("bundle %v, error %v, want %s", b, err, tt.want)
			}
		})
	}
}

// A signature without a key id, or made by other means than this package.
func TestForeignSignatures(t *testing.T) {
	private, public := pair(t)
	good := unpacked(t, build(t, sample(), 7, private, "k1"))
	i := slices.IndexFunc(good, func(e entry) bool { return e.head.Name == ".signatures.json" })
	var sc struct{ Signatures []string }
	if err := json.Unmarshal(good[i].content, &sc); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(sc.Signatures[0], ".")
	head := func(text string) string { return b64(text) + "." + parts[1] }
	key := signer(t, private)
	for name, tt := range map[string]struct{ token, want string }{
		"none":          {head(`{"alg":"none","kid":"k1"}`) + ".", "verify"},
		"not the bytes": {head(`{"alg":"EdDSA","kid":"k1","x":1}`) + "." + parts[2], "verify"},
		"no key id":     {signed(key, b64(`{"alg":"EdDSA"}`)+"."+without(t, parts[1], "keyid")), "key ID is empty"},
		"empty key id":  {signed(key, b64(`{"alg":"EdDSA","kid":""}`)+"."+without(t, parts[1], "keyid")), "key ID is empty"},
		"HMAC by the public key": {
			hmacSigned(public, b64(`{"alg":"HS256","kid":"k1"}`)+"."+parts[1]), "verify",
		},
	} {
		text, err := json.Marshal(map[string]any{"signatures": []string{tt.token}})
		if err != nil {
			t.Fatal(err)
		}
		good[i].content = text
		b, err := reader(t, map[string][]byte{"k1": public}, 0).Read(repacked(t, good))
		if b != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: bundle %v, error %v, want %s", name, b, err, tt.want)
		}
	}
}

func TestKeys(t *testing.T) {
	private, public := pair(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := block(t, "PUBLIC KEY", &ec.PublicKey, x509.MarshalPKIXPublicKey)
	for want, keys := range map[string]map[string][]byte{
		"no key is given":               nil,
		"a key without a name":          {"": public},
		"k is not a PEM block":          {"k": []byte("secret")},
		"k is not a PEM block PUBLIC":   {"k": private},
		"k is not an Ed25519 key":       {"a": public, "k": other},
		"broken is not an Ed25519 key":  {"broken": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})},
		"private is not a PEM block PU": {"private": private},
	} {
		if r, err := bundle.NewReader(keys, 0); r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reader %v, error %v, want %s", r, err, want)
		}
	}
	for want, f := range map[string]func() ([]byte, error){
		"the key has no id":     func() ([]byte, error) { return bundle.Build(sample(), 1, private, "") },
		"number is not above 0": func() ([]byte, error) { return bundle.Build(sample(), 0, private, "k") },
		"PEM block PRIVATE KEY": func() ([]byte, error) { return bundle.Build(sample(), 1, public, "k") },
		"would have no effect":  func() ([]byte, error) { return bundle.Build(map[string][]byte{"a.txt": nil}, 1, private, "k") },
		"data.json: ": func() ([]byte, error) {
			return bundle.Build(map[string][]byte{"data.json": []byte("{")}, 1, private, "k")
		},
		"not a name in a bundle": func() ([]byte, error) { return bundle.Build(map[string][]byte{"../a.rego": nil}, 1, private, "k") },
	} {
		if b, err := f(); b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes, error %v, want %s", len(b), err, want)
		}
	}
}

// The manifest's revision is a number and nothing else.
func TestSerials(t *testing.T) {
	private, public := pair(t)
	for _, revision := range []string{"", "0", "-1", "07", "1.0", "v7", "7 ", "99999999999999999999"} {
		packed, err := bundle.BuildRevision(sample(), revision, private, "k1")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := reader(t, map[string][]byte{"k1": public}, 0).Read(packed); b != nil || err == nil || !strings.Contains(err.Error(), "is not a serial number") {
			t.Errorf("%q: bundle %v, error %v", revision, b, err)
		}
	}
}

// However small it is packed, nothing larger than the bound is unpacked.
func TestSizes(t *testing.T) {
	private, public := pair(t)
	keys := map[string][]byte{"k1": public}
	files := maps.Clone(sample())
	files["large.rego"] = []byte("package large\n\n#" + strings.Repeat(" ", 4<<20))
	packed := build(t, files, 7, private, "k1")
	if len(packed) > 100_000 {
		t.Fatalf("%d bytes packed", len(packed))
	}
	if _, err := reader(t, keys, 5<<20).Read(packed); err != nil {
		t.Error(err)
	}
	for _, size := range []int64{4 << 20, 1 << 20, 100_000, 100} {
		if b, err := reader(t, keys, size).Read(packed); b != nil || err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("bundle %v, error %v", b, err)
		}
	}
	many := unpacked(t, packed)[:1]
	for range 5000 { // headers count too
		many = append(many, entry{tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}, nil})
	}
	if b, err := reader(t, keys, 100_000).Read(repacked(t, many)); b != nil || err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("bundle %v, error %v", b, err)
	}
	for name, packed := range map[string][]byte{"nothing": nil, "no gzip": []byte("<html>"), "cut": packed[:len(packed)/2]} {
		if b, err := reader(t, keys, 0).Read(packed); b != nil || err == nil || !strings.Contains(err.Error(), "is not a .tar.gz") && name != "cut" {
			t.Errorf("%s: bundle %v, error %v", name, b, err)
		}
	}
}

// Nothing that is not signed may ever come out.
func FuzzRead(f *testing.F) {
	private, public := pair(f)
	good := build(f, sample(), 7, private, "k1")
	f.Add(good)
	f.Add(good[:len(good)-9])
	r := reader(f, map[string][]byte{"k1": public}, 1<<20)
	f.Fuzz(func(t *testing.T, packed []byte) {
		b, err := r.Read(packed)
		if (b == nil) == (err == nil) {
			t.Fatalf("bundle %v, error %v", b, err)
		}
		if b != nil && (b.Serial != 7 || string(b.Files["gatehouse.rego"]) != string(sample()["gatehouse.rego"])) {
			t.Errorf("another bundle: %v", b)
		}
	})
}
