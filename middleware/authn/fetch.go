package authn

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
)

// fetcher gets an issuer's keys over the network. What it trusts is TLS to the
// host that the configuration names; plain HTTP goes to this machine only.
type fetcher struct {
	client    *http.Client
	plain     bool   // the configured address is plain HTTP on loopback
	url       string // of the key set; "" where it is to be discovered
	discovery string // of the issuer's metadata
	issuer    string
	algs      []string
}

func newFetcher(c *config.Issuer, dial dialer) (*fetcher, error) {
	f := &fetcher{url: c.JWKSURL, issuer: c.Issuer, algs: c.Algorithms}
	setting, address := "jwks_url", f.url
	if c.Discovery {
		f.discovery = strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
		setting, address = "issuer", f.discovery
	}
	u, err := checkURL(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	f.plain = u.Scheme == "http"
	f.client, err = newClient(c.CA, f.plain, dial)
	return f, err
}

// newClient makes what asks an issuer. It trusts the authorities in a file, or
// the system's where that is ""; plain keeps it on this machine. It follows no
// redirect: what is asked where is the configuration's word.
func newClient(ca string, plain bool, dial dialer) (*http.Client, error) {
	if plain {
		dial = loopbackOnly(dial)
	}
	roots, err := authorities(ca)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // one request every ten minutes
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// checkURL wants https, or http to an address or name of this machine.
func checkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, errors.New("not a plain URL with a host")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("must be https, or http on loopback")
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// loopbackOnly refuses connections that turn out to leave the machine, such
// as those to a localhost that the resolver sends elsewhere.
func loopbackOnly(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if a, tcp := c.RemoteAddr().(*net.TCPAddr); tcp && !a.IP.IsLoopback() {
			_ = c.Close()
			return nil, fmt.Errorf("%s is not on loopback", address)
		}
		return c, nil
	}
}

// authorities reads a PEM file; nil stands for the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// fetch gets the key set, after the metadata that say where it is if need be.
func (f *fetcher) fetch(ctx context.Context, have *held) (*held, error) {
	address := f.url
	if f.discovery != "" {
		var err error
		if address, err = f.discover(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", f.discovery, err)
		}
	}
	if have == nil {
		have = &held{}
	}
	h, err := f.fetchFrom(ctx, address, have)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return h, nil
}

// fetchFrom gets the key set of an address, unless it is the one we have: its
// place says so, or sends the same bytes.
func (f *fetcher) fetchFrom(ctx context.Context, address string, have *held) (*held, error) {
	var tag string
	if have.set != nil && have.address == address {
		tag = have.etag
	}
	data, etag, err := f.get(ctx, address, tag)
	switch {
	case errors.Is(err, errNotModified):
		return &held{set: have.set, address: address, etag: have.etag, digest: have.digest}, nil
	case err != nil:
		return nil, err
	}
	h := &held{set: have.set, address: address, etag: etag, digest: sha256.Sum256(data)}
	if h.set == nil || h.digest != have.digest {
		if h.set, err = parseKeySet(data, f.algs); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// discover asks where the keys are (OpenID Connect Discovery 1.0, section 4).
// The metadata must name this very issuer, and cannot send us from https to
// plain HTTP.
func (f *fetcher) discover(ctx context.Context) (string, error) {
	data, _, err := f.get(ctx, f.discovery, "")
	if err != nil {
		return "", err
	}
	meta, err := Claims(data)
	if err != nil {
		return "", fmt.Errorf("not issuer metadata: %w", err)
	}
	if meta["issuer"] != f.issuer {
		return "", errors.New("the metadata are of another issuer")
	}
	keys, _ := meta["jwks_uri"].(string)
	u, err := checkURL(keys)
	if err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	if u.Scheme == "http" && !f.plain {
		return "", errors.New("jwks_uri: must be https")
	}
	return keys, nil
}

// errNotModified is the answer of a place whose version we have already.
var errNotModified = errors.New("not modified")

// get asks for what is at an address, unless it is still the version called tag;
// "" asks in any case. It gives the name of the version that it got. Nothing is
// unpacked: what is small on the wire is small here.
func (f *fetcher) get(ctx context.Context, address, tag string) (data []byte, etag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "gatehouse")
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	res, err := f.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is named by the caller
		}
		return nil, "", err
	}
	defer res.Body.Close()
	switch coding := res.Header.Get("Content-Encoding"); {
	case res.StatusCode == http.StatusNotModified && tag != "":
		return nil, "", errNotModified
	case res.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("answered with status %d", res.StatusCode)
	case coding != "" && coding != "identity":
		return nil, "", errors.New("the answer is packed, which was not asked for")
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, "", err
	}
	if len(data) > maxKeySet {
		return nil, "", fmt.Errorf("the answer is larger than %d bytes", maxKeySet)
	}
	return data, entityTag(res.Header.Values("Etag")), nil
}

// entityTag gives the name of a version, strong or weak, as it is to be sent
// back; "" for none, and for what is none.
func entityTag(values []string) string {
	if len(values) != 1 || len(values[0]) > 256 {
		return ""
	}
	tag := values[0]
	opaque := strings.TrimPrefix(tag, "W/")
	if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return ""
	}
	for _, c := range []byte(opaque[1 : len(opaque)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return ""
		}
	}
	return tag
}
