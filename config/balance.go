package config

// Endpoint is a base address of an upstream, or a name with several.
type Endpoint struct {
	// URL of scheme, host and port. The host is what its server is asked for, in
	// the Host header and in TLS, at whichever address of it.
	URL string `yaml:"url" is:"required"`
	// Region it stands in. A request whose policies name a region goes to
	// endpoints of that one and to no other; without any the answer is 503
	// upstream_unavailable. Default: none.
	Region string `yaml:"region"`
	// Weight is its share of the requests against that of others; of a name, that of
	// each address. At most 100. Default: 1.
	Weight int `yaml:"weight" is:"positive"`
}

// Hash sends the requests of one tenant or subject to one endpoint, by
// rendezvous hashing: every replica comes to the same one, and where an endpoint
// comes or goes, only requests move that it gets or had.
type Hash struct {
	// By is what stays with an endpoint: a tenant, or a subject of an issuer.
	// Default: tenant.
	By string `yaml:"by" oneof:"tenant subject"`
	// Otherwise is how requests without it are balanced, such as those of public
	// routes. Default: round_robin.
	Otherwise string `yaml:"otherwise" oneof:"round_robin least_in_flight power_of_two"`
}

// Health is an active health check of every address of the endpoints: a GET of
// path, answered in time. A check that finds all of connections.max in use until
// then says nothing.
type Health struct {
	// Path to ask for. Required.
	Path string `yaml:"path" is:"required"`
	// Interval between two checks of an address, more or less: so that replicas
	// do not ask in step, each is up to a tenth longer or shorter. Default: 5s.
	Interval Duration `yaml:"interval" is:"positive"`
	// Timeout is how long an answer may take. Default: the interval.
	Timeout Duration `yaml:"timeout" is:"positive"`
	// Statuses that say that the endpoint is well. Empty: any 2xx.
	Statuses []int `yaml:"statuses"`
	// Healthy is after how many good answers in a row an address that was not well
	// is well again. Default: 1.
	Healthy int `yaml:"healthy" is:"positive"`
	// Unhealthy is after how many bad ones in a row it is not well any more.
	// Default: 1.
	Unhealthy int `yaml:"unhealthy" is:"positive"`
}

// Ejection takes an address out for a while when requests to it fail one after
// the other: it cannot be connected to, breaks off, does not answer in time, or
// answers with one of the statuses. What a client causes does not count.
type Ejection struct {
	// Failures in a row. Default: 5.
	Failures int `yaml:"failures" is:"positive"`
	// Statuses of answers that are failures. Default: 502, 503, 504.
	Statuses []int `yaml:"statuses"`
	// For is how long it gets no requests, the first time. It is twice as long each
	// time that it follows upon the last one within `longest`. Default: 10s.
	For Duration `yaml:"for" is:"positive"`
	// Longest that it can become. Default: 5m.
	Longest Duration `yaml:"longest" is:"positive"`
	// Share of the upstream's addresses that may be out at once, in percent. Of
	// one alone nothing is taken out, unless it is 100. Default: 50.
	Share int `yaml:"share" is:"positive"`
}
