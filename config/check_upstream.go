package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

func (k *checker) upstreams() {
	for _, name := range names(k, "upstreams", k.c.Upstreams) {
		u, path := k.c.Upstreams[name], join("upstreams", name)
		k.endpoints(join(path, "endpoints"), u)
		k.protocol(path, u)
		k.clientTLS(path, u)
		k.concurrency(u.Concurrency, join(path, "concurrency"))
		k.pool(u.Connections, join(path, "connections"))
		k.retries(u.Retries, join(path, "retries"))
		k.breaker(u.Breaker, join(path, "breaker"))
		k.balance(path, u)
	}
}

// clientTLS checks how the gateway speaks TLS to an upstream. What is written
// for https would do nothing where no endpoint is: whoever wrote it thinks that
// it does.
func (k *checker) clientTLS(path string, u *Upstream) {
	if u.ServerName != "" && !isHost(u.ServerName) {
		k.mistake(join(path, "server_name"), "%q is not a host name; write it without scheme and port", u.ServerName)
	}
	k.unique(join(path, "san"), u.SAN)
	for i, name := range u.SAN {
		if why := wrongSAN(name); why != "" {
			k.mistake(index(join(path, "san"), i), "%q %s", name, why)
		}
	}
	secure := func(e Endpoint) bool { return len(e.URL) >= 6 && strings.EqualFold(e.URL[:6], "https:") }
	if len(u.Endpoints) == 0 || k.unread(join(path, "endpoints")) || slices.ContainsFunc(u.Endpoints, secure) {
		return
	}
	for _, key := range []struct {
		name    string
		written bool
	}{{"ca", u.CA != ""}, {"client_certificate", u.ClientCertificate != nil}, {"server_name", u.ServerName != ""}, {"san", len(u.SAN) > 0}} {
		if key.written {
			k.mistake(join(path, key.name), "%s is for https endpoints, and there are none", key.name)
		}
	}
}

// wrongSAN says what is wrong with a subject alternative name, or "". It is
// compared as it is written.
func wrongSAN(name string) string {
	if !strings.Contains(name, "://") {
		host := strings.TrimPrefix(name, "*.")
		switch {
		case !isHost(host) || strings.HasSuffix(host, "."):
			return "is neither a DNS name, an IP address nor a URI such as spiffe://example.org/hr"
		case name != strings.ToLower(name):
			return "must be lower case"
		}
		return ""
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || u.String() != name {
		return "is not a URI as certificates carry them, such as spiffe://example.org/hr"
	}
	return ""
}

// endpoint checks one base address. The path is that of the endpoint, or of its
// url where it is a mapping.
func (k *checker) endpoint(path, endpoints, text string, insecure bool) {
	u := k.url(path, text)
	switch {
	case u == nil:
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery:
		k.mistake(path, "%q has more than a scheme, a host and a port", text)
	case plain(u) && !insecure && !k.unread(join(parent(endpoints), "insecure")):
		k.mistake(path, "%q is plain http beyond loopback; use https, or write insecure: true beside endpoints", text)
	}
}

func (k *checker) store() {
	r := k.c.Store.Redis
	if r == nil {
		return
	}
	k.unique("store.redis.addresses", r.Addresses)
	for i, a := range r.Addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil || !isHost(host) || !isPort(port) || port == "0" {
			k.mistake(index("store.redis.addresses", i), "%q is not an address; write it as host:port, such as 127.0.0.1:6379", a)
		}
	}
	if r.CA != "" && !r.TLS {
		k.mistake("store.redis.ca", "ca needs tls: true")
	}
	if r.Username != "" && r.Password == "" {
		k.mistake("store.redis.username", "username needs a password")
	}
}
