package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

const (
	issuer   = "https://auth.bench.example"
	audience = "erp"
	callers  = 64 // with a token each
)

// world is everything around the systems.
type world struct {
	peers.World
	dir     string // scratch, removed at the end
	root    string // this module's folder
	pool    *x509.CertPool
	key     *rsa.PrivateKey
	backend *group
	many    string  // a file of tokens that nobody has seen
	few     string  // a file of one token for each caller
	pace    float64 // requests a second: what the gateway was asked at half load, last; 0: not known
}

// openWorld builds the helpers, makes certificates and tokens and starts the
// backend.
func openWorld(fresh int) (*world, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, root: root, backend: &group{}}
	w.World = peers.World{
		Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server-key.pem"), Public: filepath.Join(dir, "issuer.pem"),
		Issuer: issuer, Audience: audience, Policies: filepath.Join(root, "policies"), Bin: filepath.Join(root, ".bin"),
	}
	for _, step := range []func() error{w.build, w.certificates, func() error { return w.tokens(fresh) }, w.startBackend} {
		if err := step(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *world) close() {
	w.backend.stop()
	_ = os.RemoveAll(w.dir)
}

// build makes the programs of this module, and the gateway as it is released,
// from the working tree.
func (w *world) build() error {
	if err := os.MkdirAll(w.Bin, 0o755); err != nil {
		return err
	}
	for name, from := range map[string]string{"upstream": "./upstream", "std": "./peers/std", "naive": "./peers/naive", "gatehouse": "../cmd/gatehouse"} {
		profile := "-pgo=off"
		if name == "gatehouse" {
			profile = "-pgo=gatehouse/release.pgo"
		}
		cmd := exec.Command("go", "build", profile, "-tags=grpcnotrace", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(w.Bin, name), "./"+filepath.Base(from))
		cmd.Dir = filepath.Join(w.root, filepath.Dir(from)) // the gateway is another module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", name, err, out)
		}
	}
	return nil
}

// certificates makes an authority and a certificate for this machine (ECDSA
// P-256), and the key that tokens are signed with (RSA, 2048 bits).
func (w *world) certificates() error {
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if w.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&w.key.PublicKey)
	if err != nil {
		return err
	}
	chain := append(block("CERTIFICATE", der), block("CERTIFICATE", caDER)...)
	w.pool = x509.NewCertPool()
	w.pool.AppendCertsFromPEM(block("CERTIFICATE", caDER))
	for path, text := range map[string][]byte{
		w.Cert: chain, w.Key: block("PRIVATE KEY", keyDER), w.Public: block("PUBLIC KEY", public),
		w.Cert + ".both": append(chain, block("PRIVATE KEY", keyDER)...), // HAProxy wants one file
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// token signs a token for a caller, with the claims changed as said.
func (w *world) token(i int, change map[string]any) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": issuer, "aud": audience, "sub": fixture.ID(i % fixture.Records), "role": "staff", "tenant": "acme", "branch": "lagos", "amr": []string{"pwd", "otp"},
		"iat": now.Unix() - 10, "exp": now.Add(6 * time.Hour).Unix(), "jti": fmt.Sprintf("t%d", i), "sid": fmt.Sprintf("s%d", i%callers),
	}
	maps.Copy(claims, change)
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, w.key, crypto.SHA256, sum[:])
	return text + "." + enc.EncodeToString(signature), err
}

// tokens writes a file with a token for each caller, and one with so many that
// nobody has seen.
func (w *world) tokens(fresh int) error {
	w.few, w.many = filepath.Join(w.dir, "few"), filepath.Join(w.dir, "many")
	all := make([]string, callers+fresh)
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for c := range errs {
		wg.Go(func() {
			for i := c; i < len(all) && errs[c] == nil; i += len(errs) {
				all[i], errs[c] = w.token(i, nil)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if err := os.WriteFile(w.few, []byte(strings.Join(all[:callers], "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.many, []byte(strings.Join(all[callers:], "\n")+"\n"), 0o600)
}

// startBackend starts the upstream, which prints its address.
func (w *world) startBackend() error {
	r, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	err = w.backend.start(loadCPU, []string{"sh", "-c", "exec " + filepath.Join(w.Bin, "upstream") + " >&3"}, nil, out)
	_ = out.Close()
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	w.Upstream = strings.TrimSpace(line)
	return nil
}

// tls is what the probes connect with.
func (w *world) tls(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: w.pool, ServerName: "localhost", MinVersion: tls.VersionTLS13, NextProtos: protocols}
}
