package config

// Upstream is a named backend service.
type Upstream struct {
	// Endpoints are the base addresses that serve it (scheme, host and port,
	// no path), each alone or as a mapping with a region and a weight. Plain http
	// is allowed on loopback or with `insecure`. At least one is required.
	Endpoints []Endpoint `yaml:"endpoints" is:"required"`
	// Protocol is what is spoken with the endpoints. auto: with https what they
	// choose, HTTP/2 or HTTP/1.1, with http HTTP/1.1. http1: HTTP/1.1. http2:
	// HTTP/2 over https, or nothing. h2c: HTTP/2 over plain http, without asking
	// first (RFC 9113, section 3.3). gRPC needs http2 or h2c. Default: auto.
	Protocol string `yaml:"protocol" oneof:"auto http1 http2 h2c"`
	// Resolve is how often the names of endpoints are looked up again. All
	// addresses of a name get requests; where it has IPv4 and IPv6 addresses,
	// those of the kind that this machine prefers; localhost is left to each dial.
	// An address that is gone gets no new ones and has `timeouts.drain` to finish
	// those it has. A look-up that fails changes nothing. Default: 30s.
	Resolve Duration `yaml:"resolve" is:"positive"`
	// Balance says which endpoint gets a request: each in turn (round_robin), the
	// one with the fewest requests under way for its weight (least_in_flight),
	// the better one of two that are drawn (power_of_two), or always the same one
	// for the same caller (hash). Default: round_robin.
	Balance string `yaml:"balance" oneof:"round_robin least_in_flight power_of_two hash"`
	// Hash is how balance: hash chooses. Absent: by tenant.
	Hash *Hash `yaml:"hash"`
	// SlowStart is how long an endpoint that became well takes to get its whole
	// share: it begins with a tenth. So does an address that is new to a name.
	// Default: 0s, its whole share at once.
	SlowStart Duration `yaml:"slow_start"`
	// Health checks the endpoints. Absent: they are taken to be well.
	Health *Health `yaml:"health"`
	// Ejection takes endpoints out that fail requests. Absent: none is.
	Ejection *Ejection `yaml:"ejection"`
	// Panic is a percentage: where fewer of the addresses, of those that may serve
	// a request, are well, all of them get requests, as if the checks were wrong.
	// Never those of another region. Default: 0, never: what is not well gets none.
	Panic int `yaml:"panic"`
	// Insecure allows plain http endpoints beyond loopback.
	Insecure bool `yaml:"insecure"`
	// CA is a PEM file with the authorities that vouch for https endpoints.
	// Default: the system's.
	CA string `yaml:"ca" is:"file"`
	// ClientCertificate is what the gateway shows to https endpoints (mutual
	// TLS). Default: none.
	ClientCertificate *KeyPair `yaml:"client_certificate"`
	// ServerName is the name that https endpoints are asked for and that their
	// certificates must carry. Default: the host of the endpoint.
	ServerName string `yaml:"server_name"`
	// SAN are subject alternative names, of which the certificate of an https
	// endpoint must carry one, besides being good for its name: DNS names, IP
	// addresses, or URIs such as spiffe://example.org/hr. Empty: its
	// name is enough.
	SAN []string `yaml:"san"`
	// Concurrency bounds how many requests the backend has at once. Absent: no
	// bound.
	Concurrency *Concurrency `yaml:"concurrency"`
	// Connections bounds the connections to each endpoint.
	Connections Pool `yaml:"connections"`
	// Retries says which requests are sent again where one try failed. Absent:
	// none, but those that never left the gateway.
	Retries *Retries `yaml:"retries"`
	// Breaker stops sending for a while when the backend mostly fails. Absent:
	// it is always tried.
	Breaker *Breaker `yaml:"breaker"`
}

// Store is where what all replicas share is kept: counts of rate limits, sessions,
// proofs of tokens that are bound to a key (DPoP), revocations, lockdowns and
// blocks. What the guard's detectors have counted so far each replica keeps for
// itself.
type Store struct {
	// Redis is a Redis server or cluster. Absent: each replica has all of that for
	// itself, in memory.
	Redis *Redis `yaml:"redis"`
	// Folder keeps what a restart must not lose: in keys-NAME.json the last good
	// keys of each issuer that they are fetched from, in orders.json revocations,
	// lockdowns and blocks, in guard.key what stands between usernames and their
	// digests. Whoever can write there can sign tokens and lift orders. It belongs to
	// one process. Default: none; without it and without Redis a restart forgets what
	// was revoked and who is blocked.
	Folder string `yaml:"folder" is:"folder"`
}

// Revocation is about what is called back: tokens, sessions, all of a subject
// or tenant, and the lockdowns of an emergency. `gatehouse revoke` and
// `gatehouse lockdown` give such orders, the admin API does, and issuers do by
// back-channel logout.
type Revocation struct {
	// Keep is how long a revocation is remembered. It must be longer than any
	// token lives, and than a session may be refreshed. Default: 720h.
	Keep Duration `yaml:"keep" is:"positive"`
	// OnStoreError says what becomes of requests with a token while the store
	// has not told for five seconds what is revoked. open: what was known last
	// holds. closed: they are refused with 503. Default: open.
	OnStoreError string `yaml:"on_store_error" oneof:"open closed"`
}

// Redis is a Redis server or cluster.
type Redis struct {
	// Addresses as host:port; several are a cluster. Required.
	Addresses []string `yaml:"addresses" is:"required"`
	// Username for AUTH. Default: none.
	Username string `yaml:"username"`
	// Password for AUTH. Default: none.
	Password Secret `yaml:"password"`
	// TLS makes the connection TLS, verified against the system's authorities
	// or `ca`.
	TLS bool `yaml:"tls"`
	// CA is a PEM file with the authorities that vouch for the server.
	CA string `yaml:"ca" is:"file"`
}
