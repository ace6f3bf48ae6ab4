package config

// Timeouts bound an exchange.
type Timeouts struct {
	// Header is the time a client has for the TLS handshake, and again to send
	// the head of a request. Over HTTP/2 a head that never ends counts as
	// `idle`. Default: 10s. It cannot be set per route.
	Header Duration `yaml:"header" is:"positive"`
	// Body is the time a client has to send the whole request body. A gRPC call
	// to an upstream of http2 or h2c has `idle` for each piece instead.
	// Default: 60s.
	Body Duration `yaml:"body" is:"positive"`
	// Idle is how long a connection may be idle between requests, and a
	// response body between two reads; a client has twice as long to take each
	// piece of an answer. Default: 60s.
	Idle Duration `yaml:"idle" is:"positive"`
	// Upstream is the time an upstream has to answer with its response
	// headers. Default: 30s.
	Upstream Duration `yaml:"upstream" is:"positive"`
	// Stream is how long a stream may last: a connection that was upgraded, a
	// gRPC call, an answer of text/event-stream or multipart/x-mixed-replace.
	// Default: none, as long as something moves within `idle`.
	Stream Duration `yaml:"stream" is:"positive"`
	// Drain is how long running requests may take to finish on shutdown.
	// Default: 25s. It cannot be set per route.
	Drain Duration `yaml:"drain" is:"positive"`
}

// Spool is where files of requests are kept while they are judged. They have no
// name there, nobody else can open them, and they are gone with the process,
// however it ends. A file of up to 64 KiB stays in memory.
type Spool struct {
	// Folder for files. Where a route has upload, the gateway does not start if it
	// cannot write there; the container image has no folder of its own. Default:
	// empty, the system's for temporary files.
	Folder string `yaml:"folder" is:"folder"`
	// Bytes that all files may take together; beyond it requests are refused
	// with 503 overloaded. Default: 1GiB.
	Bytes Size `yaml:"bytes" is:"positive"`
}

// Limits bound sizes.
type Limits struct {
	// HeaderBytes is the largest request head, over HTTP/2 as it is unpacked.
	// At most 1MiB. Default: 32KiB. It cannot be set per route.
	HeaderBytes Size `yaml:"header_bytes" is:"positive"`
	// HeaderFields is how many header fields a request may have, each value
	// counted, Host not; more are refused with 431 header_too_large. At most
	// 10000. Default: 100. It cannot be set per route.
	HeaderFields int `yaml:"header_fields" is:"positive"`
	// Cookies is how many cookies a request may have; more are refused with 431
	// header_too_large. At most 3000. Default: 100. It cannot be set per route.
	Cookies int `yaml:"cookies" is:"positive"`
	// Streams is how many requests one HTTP/2 connection may have open. At most
	// 10000. Default: 250. It cannot be set per route.
	Streams int `yaml:"streams" is:"positive"`
	// BodyBytes is the largest request body. Default: 10MiB.
	BodyBytes Size `yaml:"body_bytes" is:"positive"`
	// BodyMemory is the memory that all bodies which must be held whole
	// (request and response) may take together; beyond it requests are
	// refused with 503 overloaded. Default: 256MiB. It cannot be set per
	// route.
	BodyMemory Size `yaml:"body_memory" is:"positive"`
	// InFlight is how many requests of a route may be under way at once, until
	// their answers are sent; others are refused at once with 503 overloaded.
	// Said for the gateway it holds for each route that does not say otherwise;
	// for all of them together see overload. Default: none, no bound.
	InFlight int `yaml:"in_flight" is:"positive"`
}
