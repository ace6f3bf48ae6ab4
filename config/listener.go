package config

import "net/netip"

// Listener is an address that accepts client connections.
type Listener struct {
	// Address to listen on, as host:port; an empty host is every address.
	Address string `yaml:"address" is:"required"`
	// TLS settings. Absent: plain HTTP, which is refused beyond loopback
	// unless `insecure` or `redirect_to_https` is set.
	TLS *TLS `yaml:"tls"`
	// RedirectToHTTPS answers every request of a plain listener with 308 to
	// the same host and path over https, and does nothing else. Hosts are those
	// that routes name, and where routes are for any host, those that a
	// certificate of a listener is for; any other is 421 host_unknown.
	RedirectToHTTPS bool `yaml:"redirect_to_https"`
	// Insecure allows plain HTTP beyond loopback, for use behind a load
	// balancer that terminates TLS.
	Insecure bool `yaml:"insecure"`
	// ACL says which client addresses are served, on every route of this
	// listener. Absent: all.
	ACL *ACL `yaml:"acl"`
	// Connections bounds how many connections may be open at once.
	Connections Connections `yaml:"connections"`
	// ProxyProtocol are the networks of load balancers: every connection from
	// there must begin with a PROXY protocol v2 header, which says who the
	// client is; without one, or with another version, it is closed. A
	// connection from elsewhere must not begin so. Default: none.
	ProxyProtocol []netip.Prefix `yaml:"proxy_protocol"`
}

// ACL says which client addresses are served; others get 403 address_blocked,
// preflights included. An IPv4 address that comes as an IPv6 one counts as IPv4.
// An address that is not known, because a trusted proxy does not tell it, is
// not served.
type ACL struct {
	// Allow are the networks that are served. Absent: every one.
	Allow []netip.Prefix `yaml:"allow"`
	// Deny are networks that are not served, though allow may hold them.
	Deny []netip.Prefix `yaml:"deny"`
}

// Connections bounds how many connections a listener has open at once. One that
// is too many is closed before anything is read of it, but for a PROXY protocol
// header. A lower bound closes no connection that is open.
type Connections struct {
	// Total of the listener. Default: 0, as many as the system lets in.
	Total int `yaml:"total"`
	// PerAddress is how many one client address may have (IPv6: one /64). A
	// browser opens up to six, and an office may share one address. Behind a
	// load balancer it needs proxy_protocol, or all clients are one.
	// Default: 0, no bound.
	PerAddress int `yaml:"per_address"`
}

// TLS says how a listener speaks TLS. Only AEAD cipher suites are offered;
// nothing weaker can be written.
type TLS struct {
	// MinVersion is "1.2" or "1.3". Default: "1.2".
	MinVersion string `yaml:"min_version" oneof:"1.2 1.3"`
	// Certificates are chosen by the server name the client asks for; the
	// first is used where no other matches. At least one is required, or acme.
	Certificates []KeyPair `yaml:"certificates"`
	// ClientCA is a PEM file with the authorities whose client certificates
	// are required and accepted (mutual TLS). Default: none is asked for.
	ClientCA string `yaml:"client_ca" is:"file"`
	// Names sets other options for single server names, exact or with *. for
	// one label; a certificate must be for each. With names, a client that
	// asks for a server name that no certificate knows is refused in the
	// handshake; a request whose Host has other options than the connection
	// gets 421 host_unknown.
	// Default: none, all names have the options above.
	Names map[string]*TLSOptions `yaml:"names"`
	// ACME has certificates obtained and renewed. Default: none are.
	ACME *ACME `yaml:"acme"`
}

// TLSOptions are the options of one server name. What is not written is as it
// is for the listener.
type TLSOptions struct {
	// MinVersion is "1.2" or "1.3".
	MinVersion string `yaml:"min_version" oneof:"1.2 1.3"`
	// ClientCA is a PEM file with the authorities whose client certificates
	// are required and accepted.
	ClientCA string `yaml:"client_ca" is:"file"`
}

// KeyPair is a certificate with its private key, as PEM files.
type KeyPair struct {
	// Cert is the PEM file with the certificate and its chain.
	Cert string `yaml:"cert" is:"required file"`
	// Key is the PEM file with the private key.
	Key string `yaml:"key" is:"required file"`
}

// Admin is the listener for operators. /livez, /readyz and /metrics are open;
// everything else needs the token or a client certificate, and is off where
// neither is configured.
type Admin struct {
	// Address to listen on. Default: 127.0.0.1:9901.
	Address string `yaml:"address"`
	// Token is the bearer token for /admin/ and /debug/pprof/. At least 16
	// characters.
	Token Secret `yaml:"token"`
	// ClientCA is a PEM file with the authorities whose client certificates
	// open /admin/ and /debug/pprof/. It needs `certificates`.
	ClientCA string `yaml:"client_ca" is:"file"`
	// Certificates make the admin listener speak TLS. Required beyond
	// loopback where a token is set.
	Certificates []KeyPair `yaml:"certificates"`
	// Pprof answers operators with profiles of the Go runtime under
	// /debug/pprof/. Default: false.
	Pprof bool `yaml:"pprof"`
}

// Log is where and how the gateway logs.
type Log struct {
	// Level is debug, info, warn or error. Default: info.
	Level string `yaml:"level" oneof:"debug info warn error"`
	// Format is json or console. Default: json.
	Format string `yaml:"format" oneof:"json console"`
	// Output is stdout, stderr or the path of a file that is appended to.
	// Default: stdout.
	Output string `yaml:"output" is:"output"`
}

// Tracing sends spans to an OpenTelemetry collector.
type Tracing struct {
	// OTLP is the URL of the collector's OTLP/HTTP endpoint. Default: empty,
	// no spans are sent; a traceparent goes to upstreams all the same.
	OTLP string `yaml:"otlp"`
	// Sample is the share of new traces that are sampled, 0 to 1. Default: 0.1.
	Sample float64 `yaml:"sample"`
}
