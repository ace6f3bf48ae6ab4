package config

// Listener is an address that accepts client connections.
type Listener struct {
	// Address to listen on, as host:port; an empty host is every address.
	Address string `yaml:"address" is:"required"`
	// TLS settings. Absent: plain HTTP, which is refused beyond loopback
	// unless `insecure` or `redirect_to_https` is set.
	TLS *TLS `yaml:"tls"`
	// RedirectToHTTPS answers every request of a plain listener with 308 to
	// the same host and path over https, and does nothing else.
	RedirectToHTTPS bool `yaml:"redirect_to_https"`
	// Insecure allows plain HTTP beyond loopback, for use behind a load
	// balancer that terminates TLS.
	Insecure bool `yaml:"insecure"`
}

// TLS says how a listener speaks TLS. Only AEAD cipher suites are offered;
// nothing weaker can be written.
type TLS struct {
	// MinVersion is "1.2" or "1.3". Default: "1.2".
	MinVersion string `yaml:"min_version" oneof:"1.2 1.3"`
	// Certificates are chosen by the server name the client asks for; the
	// first is used where no other matches. At least one is required.
	Certificates []KeyPair `yaml:"certificates" is:"required"`
	// ClientCA is a PEM file with the authorities whose client certificates
	// are required and accepted (mutual TLS). Default: none is asked for.
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
