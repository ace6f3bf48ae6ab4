package acme

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-dev/gatehouse/certs/acme/acmetest"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// No test may leave a goroutine behind, but the one that certmagic keeps a lock
// file fresh with: it ends by itself, within five seconds.
func TestMain(m *testing.M) {
	middlewaretest.Main(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

// quick looks and tries again within fractions of a second.
func quick() pace {
	return pace{200 * time.Millisecond, func(int) time.Duration { return 200 * time.Millisecond }, usual().left}
}

// place is where names lead: a TLS and a plain listener, as the gateway has
// them, and an authority that looks there.
type place struct {
	t         *testing.T
	authority *acmetest.Authority
	config    config.ACME
	pace      pace
	tls       string
	logs      *observer.ObservedLogs
	log       *zap.Logger

	mu     sync.Mutex
	client *Client // that answers
	served []*Certificate
}

func newPlace(t *testing.T, o acmetest.Options, types ...string) *place {
	t.Helper()
	p := &place{t: t, pace: quick()}
	core, logs := observer.New(zapcore.InfoLevel)
	p.log, p.logs = zap.New(core), logs
	secure, plain := listen(t), listen(t)
	p.tls = secure.Addr().String()
	o.HTTPPort, o.TLSPort = portOf(t, plain), portOf(t, secure)
	p.serve(secure, plain)
	p.authority = acmetest.New(t, o)
	p.config = config.ACME{
		Agree: true, Storage: t.TempDir(), Directory: p.authority.Directory, CA: p.authority.CA,
		Email: "ops@example.com", Challenges: types,
	}
	return p
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func portOf(t *testing.T, l net.Listener) int {
	t.Helper()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("%T", l.Addr())
	}
	return a.Port
}

func (p *place) serve(secure, plain net.Listener) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		token, _ := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
		if c := p.current(); c != nil {
			if k, ok := c.HTTP01(host, token); ok {
				fmt.Fprint(w, k)
				return
			}
		}
		http.NotFound(w, r)
	})
	silent := log.New(io.Discard, "", 0)
	for _, s := range []struct {
		*http.Server
		serve func(*http.Server) error
	}{
		{&http.Server{Handler: answer, ErrorLog: silent}, func(s *http.Server) error { return s.Serve(plain) }},
		{
			&http.Server{Handler: http.NotFoundHandler(), ErrorLog: silent, TLSConfig: &tls.Config{GetConfigForClient: p.choose}},
			func(s *http.Server) error { return s.ServeTLS(secure, "", "") },
		},
	} {
		done := make(chan error, 1)
		go func() { done <- s.serve(s.Server) }()
		p.t.Cleanup(func() {
			_ = s.Close()
			if err := <-done; !errors.Is(err, http.ErrServerClosed) {
				p.t.Error(err)
			}
		})
	}
}

func (p *place) current() *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.client
}

func (p *place) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		if t := p.client.TLSALPN01(hello); t != nil {
			return t, nil
		}
	}
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, m := range p.served {
			if m.Name() == hello.ServerName {
				return m.TLS(), nil
			}
		}
		return nil, nil
	}}, nil
}

// open makes a client and certificates of names, and answers for them. What it
// gives closes all of them.
func (p *place) open(names ...string) (*Client, []*Certificate, func()) {
	p.t.Helper()
	c, err := open(&p.config, p.log, p.pace)
	if err != nil {
		p.t.Fatal(err)
	}
	var list []*Certificate
	for _, n := range names {
		list = append(list, c.Manage(n))
	}
	p.mu.Lock()
	p.client, p.served = c, list
	p.mu.Unlock()
	return c, list, sync.OnceFunc(func() {
		for _, m := range list {
			if err := m.Close(); err != nil {
				p.t.Error(err)
			}
		}
		if err := c.Close(); err != nil {
			p.t.Error(err)
		}
	})
}

// start opens and starts, until the test ends.
func (p *place) start(names ...string) (*Client, []*Certificate) {
	p.t.Helper()
	c, list, stop := p.open(names...)
	p.t.Cleanup(stop)
	for _, m := range list {
		m.Start()
	}
	return c, list
}

func (p *place) eventually(what string, ok func() bool) {
	p.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, e := range p.logs.All() {
		p.t.Log(e.LoggerName, e.Message, e.ContextMap())
	}
	said := p.authority.Said()
	p.t.Fatalf("never: %s\n…%s", what, said[max(0, len(said)-4000):])
}

// shown gives the certificate that a client is shown, verified.
func (p *place) shown(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", p.tls, &tls.Config{RootCAs: roots, ServerName: name})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func TestIssuance(t *testing.T) {
	for _, kind := range []string{http01, tlsALPN01} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, acmetest.Options{}, kind)
			p.authority.Start()
			names := []string{"one.example", "two.example", "three.example"}
			c, list := p.start(names...)
			roots := p.authority.Roots()
			for _, m := range list {
				p.eventually("a certificate of "+m.Name(), func() bool { return m.TLS() != nil && m.Err() == nil })
				cert, err := p.shown(m.Name(), roots)
				if err != nil {
					t.Fatalf("%s: %v", m.Name(), err)
				}
				if err := cert.VerifyHostname(m.Name()); err != nil || len(cert.DNSNames) != 1 {
					t.Errorf("%s got the certificate of %v", m.Name(), cert.DNSNames)
				}
			}
			if p.logs.FilterField(zap.String("challenge_type", kind)).Len() == 0 {
				t.Errorf("no challenge was %s", kind)
			}
			p.private()
			c.challenges.mu.RLock()
			defer c.challenges.mu.RUnlock()
			if len(c.challenges.open) != 0 {
				t.Errorf("challenges are still open: %v", c.challenges.open)
			}
		})
	}
}

// private wants everything in the storage but locks to be the owner's only.
func (p *place) private() {
	p.t.Helper()
	var keys int
	err := filepath.WalkDir(p.config.Storage, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".key") {
			keys++
		}
		if !strings.HasSuffix(path, ".lock") && path != p.config.Storage && info.Mode().Perm()&0o077 != 0 {
			p.t.Errorf("%s: %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || keys == 0 {
		p.t.Errorf("%d keys, %v", keys, err)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{Validity: time.Hour}, tlsALPN01)
	p.pace.left = 1 - 2/time.Hour.Seconds() // due two seconds after it was issued
	p.authority.Start()
	_, list := p.start("renewed.example")
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil })
	first := list[0].TLS()
	roots := p.authority.Roots()
	p.eventually("another certificate", func() bool { return list[0].TLS() != first })
	if time.Now().After(first.Leaf.NotAfter) {
		t.Error("it was renewed too late")
	}
	cert, err := p.shown("renewed.example", roots)
	if err != nil || cert.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
		t.Errorf("%v: %v is still shown", err, first.Leaf.SerialNumber)
	}
}

// TestAuthorityComesLate begins without the authority, and one name never
// resolves: the others have their certificates all the same.
func TestAuthorityComesLate(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	_, list := p.start("late.example", "never.unknown")
	p.eventually("a failure that is told", func() bool {
		return list[0].Err() != nil && p.logs.FilterMessage("a certificate was not obtained").Len() > 0
	})
	if list[0].TLS() != nil {
		t.Error("a certificate from nobody")
	}
	if _, err := p.shown("late.example", nil); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a handshake without a certificate: %v", err)
	}
	p.authority.Start()
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil && list[0].Err() == nil })
	p.eventually("what is wrong with the other name", func() bool {
		err := list[1].Err()
		return err != nil && strings.Contains(err.Error(), "never.unknown")
	})
	if list[1].TLS() != nil {
		t.Error("a name that does not resolve has a certificate")
	}
}

func TestWrongAuthority(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	p.authority.Start()
	other := acmetest.New(t, acmetest.Options{HTTPPort: 1, TLSPort: 1})
	p.config.CA = other.CA
	_, list := p.start("wrong.example")
	p.eventually("a failure", func() bool { return list[0].Err() != nil })
	var unknown x509.UnknownAuthorityError
	if err := list[0].Err(); !errors.As(err, &unknown) || list[0].TLS() != nil {
		t.Errorf("an authority nobody vouches for: %v", err)
	}
}

// TestRestart wants what is in the storage to be served with nobody asked.
func TestRestart(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	p.authority.Start()
	_, list, stop := p.open("kept.example")
	list[0].Start()
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil })
	first := list[0].TLS().Leaf
	stop()
	p.authority.Stop()
	failed := func() int { return p.logs.FilterLevelExact(zapcore.ErrorLevel).Len() }
	before := failed() // tries that the authority was too slow for

	_, list, stop = p.open("kept.example")
	defer stop()
	if c := list[0].TLS(); c == nil || !c.Leaf.Equal(first) {
		t.Fatal("the certificate in the storage is not there before Start")
	}
	list[0].Start()
	time.Sleep(3 * quick().look)
	if err := list[0].Err(); err != nil {
		t.Errorf("a valid certificate, and yet: %v", err)
	}
	if n := failed() - before; n != 0 {
		t.Errorf("%d errors are logged", n)
	}
}

// TestForgottenAccount has an authority that is set up anew.
func TestForgottenAccount(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	p.authority.Start()
	_, list, stop := p.open("before.example")
	list[0].Start()
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil })
	stop()
	p.authority.Stop()
	p.authority.Start()
	_, list = p.start("after.example")
	p.eventually("a certificate by another account", func() bool { return list[0].TLS() != nil })
}

// TestTornStorage has the key of another certificate beside a certificate, as a
// crash between the two writes would leave it.
func TestTornStorage(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	p.authority.Start()
	_, list, stop := p.open("torn.example", "other.example")
	for _, m := range list {
		m.Start()
		p.eventually("a certificate", func() bool { return m.TLS() != nil })
	}
	stop()
	folder := filepath.Join(p.config.Storage, "certificates", issuerKey(p.config.Directory))
	key, err := os.ReadFile(filepath.Join(folder, "other.example", "other.example.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "torn.example", "torn.example.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, list, stop = p.open("torn.example")
	defer stop()
	if list[0].TLS() != nil || list[0].Err() == nil {
		t.Error("a key that does not belong to its certificate was taken")
	}
	list[0].Start()
	p.eventually("a whole certificate", func() bool { return list[0].TLS() != nil && list[0].Err() == nil })
}

// TestForeignCertificate has the certificate of another name in the storage.
func TestForeignCertificate(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	p.authority.Start()
	_, list, stop := p.open("other.example")
	list[0].Start()
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil })
	stop()
	folder := filepath.Join(p.config.Storage, "certificates", issuerKey(p.config.Directory))
	if err := os.Mkdir(filepath.Join(folder, "own.example"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{".crt", ".key", ".json"} {
		data, err := os.ReadFile(filepath.Join(folder, "other.example", "other.example"+kind))
		if err != nil {
			t.Fatal(err)
		}
		data = []byte(strings.ReplaceAll(string(data), "other.example", "own.example"))
		if err := os.WriteFile(filepath.Join(folder, "own.example", "own.example"+kind), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, list, stop = p.open("own.example")
	defer stop()
	if list[0].TLS() != nil {
		t.Error("a certificate of another name was taken")
	}
	list[0].Start()
	p.eventually("a certificate", func() bool { return list[0].TLS() != nil && list[0].Err() == nil })
	if err := list[0].TLS().Leaf.VerifyHostname("own.example"); err != nil {
		t.Error(err)
	}
}

// TestSharedStorage has two gateways with one name: one certificate is issued,
// and the one that did not ask can answer for the one that did.
func TestSharedStorage(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{http01, tlsALPN01} {
		p := newPlace(t, acmetest.Options{}, kind)
		p.authority.Start()
		_, first, stop := p.open("shared.example")
		defer stop()
		_, second, stop := p.open("shared.example") // all questions go to this one
		defer stop()
		first[0].Start()
		p.eventually("a certificate that the other gateway answered for", func() bool { return first[0].TLS() != nil })
		second[0].Start()
		p.eventually("the same certificate", func() bool { return second[0].TLS() != nil })
		if !first[0].TLS().Leaf.Equal(second[0].TLS().Leaf) {
			t.Errorf("%s: each has obtained its own", kind)
		}
	}
}

// TestAnswersAreForTheirNames holds answers back from whoever asks for another
// name, token or type.
func TestAnswersAreForTheirNames(t *testing.T) {
	t.Parallel()
	c, err := open(&config.ACME{Storage: t.TempDir(), Directory: "https://127.0.0.1:1/dir", Challenges: []string{http01, tlsALPN01}}, zap.NewNop(), quick())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mine := c.Manage("mine.example")
	defer mine.Close()
	for _, kind := range []string{http01, tlsALPN01} {
		for _, name := range []string{"mine.example", "gone.example"} {
			data, err := json.Marshal(answer{Domain: name, Type: kind, Token: "token", KeyAuthorization: "token.print"})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.challenges.storage.Store(t.Context(), c.challenges.key(kind, name), data); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		host, token string
		ok          bool
	}{
		{"mine.example", "token", true},
		{"mine.example", "tok", false},
		{"mine.example", "", false},
		{"gone.example", "token", false}, // in the storage, but nothing of ours any more
		{"../mine.example", "token", false},
		{"", "token", false},
	} {
		if k, ok := c.HTTP01(tt.host, tt.token); ok != tt.ok || ok != (k == "token.print") {
			t.Errorf("%q for %q: %q", tt.token, tt.host, k)
		}
	}
	for _, tt := range []struct {
		name   string
		protos []string
		ok     bool
	}{
		{"mine.example", []string{"acme-tls/1"}, true},
		{"MINE.example", []string{"acme-tls/1"}, true},
		{"mine.example", []string{"acme-tls/1", "h2"}, false},
		{"mine.example", []string{"h2"}, false},
		{"mine.example", nil, false},
		{"gone.example", []string{"acme-tls/1"}, false},
		{"", []string{"acme-tls/1"}, false},
	} {
		got := c.TLSALPN01(&tls.ClientHelloInfo{ServerName: tt.name, SupportedProtos: tt.protos})
		if (got != nil) != tt.ok || got != nil && !got.SessionTicketsDisabled {
			t.Errorf("%q with %q: %v", tt.name, tt.protos, got)
		}
	}
	// A slow storage does not collect those who ask.
	for range readers {
		c.challenges.readers <- struct{}{}
	}
	if _, ok := c.HTTP01("mine.example", "token"); ok {
		t.Error("one more looks into the storage than may")
	}
}

func TestOnlyConfiguredTypesAreAnswered(t *testing.T) {
	t.Parallel()
	c, err := open(&config.ACME{Storage: t.TempDir(), Directory: "https://127.0.0.1:1/dir"}, zap.NewNop(), quick())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mine := c.Manage("mine.example")
	defer mine.Close()
	for _, kind := range []string{http01, tlsALPN01} {
		c.challenges.open[kind+" mine.example"] = answer{Domain: "mine.example", Type: kind, Token: "token", KeyAuthorization: "token.print"}
	}
	if _, ok := c.HTTP01("mine.example", "token"); ok {
		t.Error("http-01 is answered")
	}
	if c.TLSALPN01(&tls.ClientHelloInfo{ServerName: "mine.example", SupportedProtos: []string{"acme-tls/1"}}) != nil {
		t.Error("tls-alpn-01 is answered")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	err := Check(&config.ACME{CA: empty, Storage: filepath.Join(folder, "missing")})
	if err == nil || !strings.Contains(err.Error(), "ca: ") || !strings.Contains(err.Error(), "storage: ") {
		t.Errorf("got %v", err)
	}
	if err := Check(&config.ACME{Storage: folder}); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestUsualPaceIsWithinTheLimits(t *testing.T) {
	t.Parallel()
	var at time.Duration
	inAnHour := 1 // the first try
	for n := 1; n < 100; n++ {
		if at += usual().again(n); at < time.Hour {
			inAnHour++
		}
	}
	if inAnHour != 5 {
		t.Errorf("%d tries in the first hour", inAnHour)
	}
	if left := usual().left; left < 0.3 || left > 0.35 {
		t.Errorf("renewed when %.2f of its life is left, want a third", left)
	}
}

// TestCloseWithoutStart and in the middle of a try: nothing goes on.
func TestClose(t *testing.T) {
	t.Parallel()
	p := newPlace(t, acmetest.Options{}, http01)
	_, _, stop := p.open("unstarted.example")
	stop()
	_, list, stop := p.open("started.example")
	list[0].Start()
	stop()
	list[0].Start()
	n := p.logs.Len()
	time.Sleep(2 * quick().look)
	if p.logs.Len() != n {
		t.Errorf("it goes on after Close: %v", p.logs.All()[n:])
	}
}
