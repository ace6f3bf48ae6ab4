package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// replica is a gateway in a process of its own, one of several that share a
// Redis. It keeps its folder over restarts, and not its addresses.
type replica struct {
	t         testing.TB
	dir       string
	cmd       *exec.Cmd
	out       *logBuffer
	done      chan error
	base, ops string // https://127.0.0.1:…, and host:port of the admin listener
	client    *http.Client
}

const operators = "the token of operators"

// newReplica starts one that serves by the settings, which follow what every
// replica has.
func newReplica(t testing.TB, signer *signer, settings string) *replica {
	t.Helper()
	r := &replica{t: t, dir: t.TempDir()}
	if err := certs.Dev(filepath.Join(r.dir, "certs"), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.write("jwks.json", signer.set)
	r.write("gatehouse.yaml", []byte(`version: 1
listeners:
  public: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}}
admin: {address: "127.0.0.1:0", token: "`+operators+`"}
issuers:
  auth: {issuer: "`+signer.name+`", audiences: [erp], algorithms: [ES256], jwks_file: jwks.json}
`+settings))
	ca, err := os.ReadFile(filepath.Join(r.dir, "certs/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	r.client = &http.Client{Transport: transport, Timeout: 60 * time.Second}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *replica) write(name string, text []byte) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start runs `gatehouse serve` and waits until it is ready.
func (r *replica) start() {
	r.t.Helper()
	ready := &readiness{found: map[string]string{}, done: make(chan struct{})}
	r.out, r.done = &logBuffer{}, make(chan error, 1)
	r.cmd = exec.Command("gatehouse", "serve", "-c", filepath.Join(r.dir, "gatehouse.yaml"))
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = r.dir, r.out, io.MultiWriter(r.out, ready)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	cmd, done := r.cmd, r.done
	go func() { done <- cmd.Wait() }()
	select {
	case <-ready.done:
	case err := <-r.done:
		r.cmd = nil
		r.t.Fatalf("the gateway ended: %v\n%s", err, r.out)
	case <-time.After(60 * time.Second):
		r.t.Fatalf("the gateway is not ready\n%s", r.out)
	}
	r.base, r.ops = "https://"+ready.found["public"], ready.found["admin"]
}

// restart ends the process well and starts it anew.
func (r *replica) restart() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := <-r.done; err != nil {
		r.t.Fatalf("the gateway ended badly: %v\n%s", err, r.out)
	}
	r.start()
}

func (r *replica) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		<-r.done
		r.cmd = nil
	}
	if r.t.Failed() {
		r.t.Logf("a gateway said:\n%s", r.out)
	}
}

// get asks for /api/ and gives the status with the code of a refusal, such as
// "401 session_revoked".
func (r *replica) get(token string) string {
	r.t.Helper()
	res, err := r.client.Do(r.request("/api/", token))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &problem) // what backends say is something else
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", problem.Code))
}

func (r *replica) request(path, token string) *http.Request {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.base+path, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	return q
}

// stream opens /stream/, reads its first event, and tells on the channel when and
// how it ends.
func (r *replica) stream(token string) <-chan ended {
	r.t.Helper()
	forever := &http.Client{Transport: r.client.Transport}
	res, err := forever.Do(r.request("/stream/", token))
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(res.Body)
	if first, err := lines.ReadString('\n'); res.StatusCode != http.StatusOK || err != nil {
		r.t.Fatalf("the stream: %d %q %v", res.StatusCode, first, err)
	}
	end := make(chan ended, 1)
	go func() {
		defer res.Body.Close()
		_, err := io.Copy(io.Discard, lines)
		end <- ended{err, time.Now()}
	}()
	return end
}

// ended is the end of a stream; err is nil where it seemed complete.
type ended struct {
	err error
	at  time.Time
}

// events is a backend whose streams end with their clients only.
func events(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/stream/" {
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(rw, "data: 1\n\n"); err != nil || http.NewResponseController(rw).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// revoke runs `gatehouse revoke` against this replica and gives its exit code and
// what it says.
func (r *replica) revoke(args ...string) (int, string) {
	r.t.Helper()
	return r.tell(append([]string{"revoke"}, args...)...)
}

// given tells whether a verb has given an order which is shared, or will be: on a
// busy machine Redis may be too late for the first try.
func given(code int, said string) bool {
	return code == exitOK || code == exitWrong && strings.Contains(said, "goes on trying")
}

// tell runs a verb that speaks to this gateway, and gives how it ends and what it
// prints.
func (r *replica) tell(args ...string) (int, string) {
	r.t.Helper()
	args = append(args, "-c", filepath.Join(r.dir, "gatehouse.yaml"), "--admin", r.ops)
	out, err := exec.Command("gatehouse", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

// order gives a revocation over the admin API. Whether others have it is for them to
// say: Redis may have been too late for the answer.
func (r *replica) order(members map[string]string) {
	r.t.Helper()
	body, _ := json.Marshal(members) // a map of texts
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.ops+"/admin/revocations", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+operators)
	q.Header.Set("Content-Type", "application/json")
	res, err := r.client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if said, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusAccepted {
		r.t.Fatalf("%d %s", res.StatusCode, said)
	}
}

// signer is an issuer whose key set is a file.
type signer struct {
	t    testing.TB
	name string
	key  *ecdsa.PrivateKey
	set  []byte
	n    int
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1", "x": enc(point[1:33]), "y": enc(point[33:]),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t: t, name: "https://auth.example.com", key: key, set: set}
}

// token gives a new token of a session, which somebody has begun a minute ago.
func (s *signer) token(sid string) string {
	s.t.Helper()
	s.n++
	now := time.Now()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"alg": "ES256", "typ": "JWT", "kid": "k1"}) + "." + part(map[string]any{
		"iss": s.name, "aud": "erp", "sub": "alice", "sid": sid, "jti": fmt.Sprint("t", s.n), "tenant": "acme", "role": "staff",
		"iat": now.Unix(), "auth_time": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	sum := sha256.Sum256([]byte(text))
	x, y, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		s.t.Fatal(err)
	}
	signature := make([]byte, 64)
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// eventually waits for what another process is about to do.
var eventually = middlewaretest.Eventually
