package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// adminFlags say which gateway is told something, and as whom.
type adminFlags struct {
	file, address, ca, cert, key string
	asJSON                       bool
}

// adminFlagsOf adds the flags of verbs that speak to a running gateway.
func adminFlagsOf(f *flag.FlagSet) *adminFlags {
	a := &adminFlags{}
	f.StringVar(&a.file, "c", "", "configuration `file` of the gateway")
	f.StringVar(&a.address, "admin", "", "`host:port` of its admin listener; default: admin.address of the configuration")
	f.StringVar(&a.ca, "ca", "", "`file` with authorities that vouch for the admin listener, besides its own certificates")
	f.StringVar(&a.cert, "cert", "", "`file` with a client certificate to show")
	f.StringVar(&a.key, "key", "", "`file` with its private key")
	f.BoolVar(&a.asJSON, "json", false, "print JSON")
	return a
}

// wrong says what is wrong with the flags.
func (a *adminFlags) wrong() error {
	switch {
	case a.file == "":
		return errors.New("-c is missing: the configuration of the gateway that is to be told")
	case (a.cert == "") != (a.key == ""):
		return errors.New("--cert and --key go together")
	}
	return nil
}

// adminClient asks the admin API of one gateway.
type adminClient struct {
	base  string // https://127.0.0.1:9901
	token string // "" where a client certificate is shown
	http  *http.Client
}

// adminTimeout bounds one question. The gateway itself gives the store of all
// replicas a fraction of a second.
const adminTimeout = 10 * time.Second

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 64 << 20

// open makes the client. The configuration says where the admin listener is,
// what opens it, and which certificates it shows.
func (a *adminFlags) open() (*adminClient, error) {
	c, err := config.Load(a.file)
	if err != nil {
		return nil, err
	}
	address := a.address
	if address == "" {
		address = c.Admin.Address
	}
	if address, err = reachable(address); err != nil {
		return nil, err
	}
	client := &adminClient{base: "http://" + address}
	// No proxy: what is told here is for this gateway alone.
	transport := &http.Transport{DisableKeepAlives: true}
	if len(c.Admin.Certificates) > 0 || a.ca != "" {
		client.base = "https://" + address
		if transport.TLSClientConfig, err = a.tls(c.Admin.Certificates, address); err != nil {
			return nil, err
		}
	} else if a.cert != "" {
		return nil, errors.New("a client certificate needs TLS, which admin.certificates make the admin listener speak")
	} else if !onLoopback(address) {
		return nil, fmt.Errorf("%s is not on this machine and speaks no TLS: the token would be anybody's; configure admin.certificates, or give --ca", address)
	}
	if a.cert == "" {
		if client.token = c.Admin.Token.Reveal(); client.token == "" {
			return nil, errors.New("admin.token is not configured; show a client certificate with --cert and --key")
		}
	}
	client.http = &http.Client{
		Transport: transport, Timeout: adminTimeout,
		// The token goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, nil
}

// reachable gives the address to call for one to listen on: every address of
// this machine includes loopback.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if port == "" || port == "0" {
		return "", fmt.Errorf("the admin listener has no port of its own in the configuration (%s); give --admin HOST:PORT", listen)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && addr == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && addr == netip.IPv6Unspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

func onLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// tls trusts the very certificates that the configuration gives the admin
// listener, whatever names they are for and whoever signed them: there is no
// closer acquaintance. Besides, with --ca, those of its authorities for the
// host that is called.
func (a *adminFlags) tls(pairs []config.KeyPair, address string) (*tls.Config, error) {
	var known []*x509.Certificate
	for _, p := range pairs {
		leaf, err := leafOf(p.Cert)
		if err != nil {
			return nil, err
		}
		known = append(known, leaf)
	}
	var roots *x509.CertPool
	if a.ca != "" {
		var err error
		if roots, err = certs.Pool(a.ca); err != nil {
			return nil, err
		}
	}
	host, _, _ := net.SplitHostPort(address)
	out := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: true, // verified below
		VerifyConnection:   func(s tls.ConnectionState) error { return vouched(s, known, roots, host) },
	}
	if a.cert != "" {
		own, err := tls.LoadX509KeyPair(a.cert, a.key)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{own}
	}
	return out, nil
}

// vouched believes a server that shows one of the known certificates, or one
// that the roots vouch for.
func vouched(s tls.ConnectionState, known []*x509.Certificate, roots *x509.CertPool, host string) error {
	leaf := s.PeerCertificates[0]
	for _, k := range known {
		if leaf.Equal(k) {
			return nil
		}
	}
	if roots == nil {
		return errors.New("the admin listener shows a certificate that is not in admin.certificates; where it stands behind another, give --ca")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host})
	return err
}

// leafOf reads the first certificate of a PEM file.
func leafOf(file string) (*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, fmt.Errorf("%s: there is no certificate in it", file)
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
		data = rest
	}
}

// ask sends a request, with a JSON body where in is not nil, and reads the
// answer into out.
func (c *adminClient) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case res.StatusCode >= 300:
		return complaint(res, text)
	}
	return json.Unmarshal(text, out)
}

// complaint is what a gateway says of a request that it did not serve.
func complaint(res *http.Response, text []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		return fmt.Errorf("the admin listener answers %s", res.Status)
	}
	return errors.New(said.Error)
}
