package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
)

// A prober asks a system what it must do right before its time is taken, so that
// nobody is fast by failing.
type prober struct {
	w      *world
	r      *row
	s      *system
	client *http.Client
	good   string // a token of a member of the staff
}

// probe fails with the first thing that a system does wrong.
func (w *world) probe(r *row, s *system) error {
	protocols := []string{"http/1.1"}
	if r.h2 {
		protocols = []string{"h2"}
	}
	transport := &http.Transport{TLSClientConfig: w.tls(protocols...), ForceAttemptHTTP2: r.h2, DisableCompression: true}
	defer transport.CloseIdleConnections()
	p := &prober{w: w, r: r, s: s, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	var err error
	if p.good, err = w.token(1, map[string]any{"jti": "probe"}); err != nil {
		return err
	}
	for _, check := range []struct {
		when bool
		do   func() error
	}{
		{true, p.answers},
		{r.post > 0 || r.setup.Policy, p.takesBodies},
		{r.setup.TLS, p.protocol},
		{r.setup.JWT, p.refusesTokens},
		{r.setup.Policy, p.decides},
		{r.setup.Rate, p.limits},
		{r.setup.Chain, p.records},
	} {
		if check.when {
			if err := check.do(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask makes a request and reads the whole answer.
func (p *prober) ask(method, path, token string, body []byte) (*http.Response, []byte, error) {
	r, err := http.NewRequest(method, p.s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Host = "localhost"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "text/plain")
	}
	res, err := p.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

// token is the good one where the setup wants one.
func (p *prober) token() string {
	if p.r.setup.JWT {
		return p.good
	}
	return ""
}

// answers wants the row's own requests answered with every byte, or with all
// members but the masked ones.
func (p *prober) answers() error {
	if p.r.post > 0 {
		return nil
	}
	for _, path := range p.r.paths[:min(3, len(p.r.paths))] {
		res, text, err := p.ask(http.MethodGet, path, p.token(), nil)
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s: %.200s", path, res.Status, text)
		}
		if p.r.wide > 0 {
			return wide(text, p.r.wide)
		}
		if err := sameAs(text, p.r.setup.Mask, path); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
	}
	return nil
}

// original is what the upstream has under a path.
func original(path string) any {
	switch rest, records := strings.CutPrefix(path, "/employees/"); {
	case records && rest == "":
		return fixture.List()
	case records:
		for i := range fixture.Records {
			if fixture.ID(i) == rest {
				return fixture.Record(i)
			}
		}
	case path == "/16k":
		return fixture.Plain(16 << 10)
	case path == "/256k":
		return fixture.Plain(256 << 10)
	}
	return fixture.Plain(1 << 10)
}

// sameAs compares an answer with what it must be: byte for byte, or, where it is
// masked, member for member.
func sameAs(text []byte, masked bool, path string) error {
	v := original(path)
	plain, ok := v.([]byte)
	if !ok {
		plain = fixture.JSON(v)
	}
	if !masked {
		if !bytes.Equal(text, plain) {
			return fmt.Errorf("%d bytes that are not the upstream's %d", len(text), len(plain))
		}
		return nil
	}
	fixture.Mask(v.(map[string]any))
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if err := json.Unmarshal(fixture.JSON(v), &want); err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("not the record without what is masked: %.300s", text)
	}
	return nil
}

// wide wants the first so many members of the wide record gone, and the others
// there.
func wide(text []byte, masked int) error {
	want := fixture.Wide()
	for i := range masked {
		delete(want, fixture.Member(i))
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%d members and not the right %d", len(got), len(want))
	}
	return nil
}

// takesBodies wants every byte of a body at the upstream.
func (p *prober) takesBodies() error {
	size, token := max(p.r.post, 1<<10), p.token()
	if p.r.setup.Policy {
		var err error
		if token, err = p.w.token(2, map[string]any{"role": "hr", "jti": "probe-hr"}); err != nil {
			return err
		}
	}
	body := fixture.Plain(size)
	if p.r.setup.Chain {
		return nil // which bodies a route takes is said by its media types there
	}
	res, text, err := p.ask(http.MethodPost, "/sink", token, body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !bytes.Equal(text, fixture.ReceiptOf(body)) {
		return fmt.Errorf("POST: %s: %.200s, want the receipt %s", res.Status, text, fixture.ReceiptOf(body))
	}
	return nil
}

// protocol wants TLS 1.3 with the cipher that all are measured with.
func (p *prober) protocol() error {
	res, _, err := p.ask(http.MethodGet, p.r.paths[0], p.token(), nil)
	if err != nil {
		return err
	}
	if res.TLS == nil || res.TLS.Version != tls.VersionTLS13 || res.TLS.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		return fmt.Errorf("not TLS 1.3 with AES-128-GCM: %+v", res.TLS)
	}
	if p.r.h2 != (res.ProtoMajor == 2) {
		return fmt.Errorf("the protocol is %s", res.Proto)
	}
	return nil
}

// refusesTokens wants bad tokens refused.
func (p *prober) refusesTokens() error {
	parts := strings.Split(p.good, ".")
	broken := []byte(parts[2])
	broken[20] ^= 1
	bad := map[string]string{
		"no token":              "",
		"a broken signature":    parts[0] + "." + parts[1] + "." + string(broken),
		"the signature cut":     parts[0] + "." + parts[1] + ".",
		"alg none":              encode(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
		"the public key as MAC": p.macToken(parts[1]),
	}
	for name, change := range map[string]map[string]any{
		"expired":            {"exp": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix()},
		"the wrong audience": {"aud": "another"},
		"the wrong issuer":   {"iss": "https://somebody.example"},
	} {
		var err error
		if bad[name], err = p.w.token(3, change); err != nil {
			return err
		}
	}
	for name, token := range bad {
		res, _, err := p.ask(http.MethodGet, p.r.paths[0], token, nil)
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden {
			return fmt.Errorf("%s: %s", name, res.Status)
		}
	}
	return nil
}

// macToken is signed with HS256 under the issuer's public key: who takes the
// algorithm from the token lets it in.
func (p *prober) macToken(claims string) string {
	public, _ := os.ReadFile(p.w.Public)
	text := encode(`{"alg":"HS256","typ":"JWT"}`) + "." + claims
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(text))
	return text + "." + encode(string(mac.Sum(nil)))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// decides wants the wrong role and the missing factor denied, and what a role
// may see shown.
func (p *prober) decides() error {
	role := func(role string, amr ...string) string {
		token, err := p.w.token(4, map[string]any{"role": role, "amr": append([]string{"pwd"}, amr...), "jti": "probe-" + role})
		if err != nil {
			return ""
		}
		return token
	}
	for _, c := range []struct {
		method, token, what string
		want                int
	}{
		{http.MethodGet, role("visitor", "otp"), "the wrong role", http.StatusForbidden},
		{http.MethodGet, role("nobody", "otp"), "an unknown role", http.StatusForbidden},
		{http.MethodDelete, role("staff", "otp"), "the wrong method", http.StatusForbidden},
		{http.MethodPost, role("hr"), "no second factor", http.StatusForbidden},
		{http.MethodGet, role("auditor"), "a role that may", http.StatusOK},
	} {
		res, _, err := p.ask(c.method, p.r.paths[0], c.token, nil)
		if err != nil {
			return err
		}
		if res.StatusCode != c.want {
			return fmt.Errorf("%s: %s, want %d", c.what, res.Status, c.want)
		}
	}
	if !p.r.setup.Mask {
		return nil
	}
	res, text, err := p.ask(http.MethodGet, p.r.paths[0], role("hr", "otp"), nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("a role that sees everything: %s: %.200s", res.Status, text)
	}
	return sameAs(text, false, p.r.paths[0])
}

// limits wants a limit of five in a minute to refuse one of twenty requests, and
// the wide one none.
func (p *prober) limits() error {
	refused := 0
	for range 20 {
		res, _, err := p.ask(http.MethodGet, "/limited/1k", p.token(), nil)
		if err != nil {
			return err
		}
		switch res.StatusCode {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			refused++
		default:
			return fmt.Errorf("a limited path: %s", res.Status)
		}
	}
	if refused < 10 {
		return fmt.Errorf("a limit of 5 in a minute refused %d of 20", refused)
	}
	return nil
}

// records wants who asked to be on record.
func (p *prober) records() error {
	token, err := p.w.token(77, map[string]any{"jti": "probe-audit"})
	if err != nil {
		return err
	}
	if _, _, err := p.ask(http.MethodGet, p.r.paths[0], token, nil); err != nil {
		return err
	}
	for range 100 { // lines may be written later
		text, err := os.ReadFile(filepath.Join(p.s.dir, "access.log"))
		if err == nil && bytes.Contains(text, []byte(`"`+fixture.ID(77)+`"`)) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the caller's id is not in the access log")
}
