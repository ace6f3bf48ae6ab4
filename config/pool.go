package config

import "time"

// What connections are bounded by where nothing is written.
const (
	IdleConnections = 256              // kept for each endpoint
	IdleConnection  = 30 * time.Second // for which one is kept, shorter than what servers usually grant
)

// Pool bounds the connections to each endpoint of an upstream, of this
// replica. Over HTTP/2 many requests share one.
type Pool struct {
	// Max is how many connections to one endpoint may be open at once. A request
	// that finds all of them in use waits until one comes free, within
	// timeouts.upstream, and is refused with 503 overloaded where none did, or so late that the
	// backend did not answer in what was left, less than half of it. It waits in the order of arrival: `concurrency` is what shares a backend
	// fairly and refuses early, and max protects the backend's own bound behind
	// it. At most 100000. Default: none, no bound.
	Max int `yaml:"max" is:"positive"`
	// Idle is how many connections to one endpoint are kept open while nobody
	// uses them. At most 100000. Default: 256.
	Idle int `yaml:"idle" is:"positive"`
	// IdleTimeout is how long a connection is kept that nobody uses. It should
	// be shorter than what the backend grants, which would otherwise close
	// connections just when requests are written to them. At most 10m.
	// Default: 30s.
	IdleTimeout Duration `yaml:"idle_timeout" is:"positive"`
}
