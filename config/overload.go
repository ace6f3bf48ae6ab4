package config

// Overload is what the gateway does when there is more to do than it can. Where
// there is no place for a request it answers 503 overloaded, with a Retry-After.
//
// The places of a bound are shared between tenants: one alone has at most seven
// eighths of them, two have seven fifteenths each, and there is room for one that
// has none yet. A caller without a tenant counts for itself, and a request
// without a token for the network it comes from (an IPv4 address or an IPv6
// /64).
type Overload struct {
	// InFlight is how many requests of all routes together may be under way at
	// once, until their answers are sent. It is asked before anything is done for
	// a stranger, so its places are shared between networks; where all clients
	// come by one address, that has seven eighths. Choose it well above what the
	// upstreams may have: it protects the gateway itself.
	// Default: none, no bound.
	InFlight int `yaml:"in_flight" is:"positive"`
	// Roles that are served when others are refused, by the verified token, such
	// as oncall: a tenth of the places of a route or upstream is kept for them.
	// The bound of in_flight above knows no roles. Default: none.
	Roles []string `yaml:"roles"`
}

// Concurrency bounds how many requests a backend has at once, in this replica.
// A request counts until the body of its answer is sent; a stream of server-sent
// events only until its head is there, as long as fewer than `max` streams are
// open.
type Concurrency struct {
	// Max is how many requests the backend may have at once. At most 100000.
	// Required.
	Max int `yaml:"max" is:"required positive"`
	// Adaptive finds the bound between `min` and `max`: by how long the backend
	// takes to answer, against how long it takes when nothing waits, and by its
	// failures (502, 503, 504, no answer). Requests that take long by nature, such
	// as reports, belong to an upstream of their own then. Default: false.
	Adaptive bool `yaml:"adaptive"`
	// Min is the least that adaptive may come to. Default: a tenth of max, and
	// at least 1.
	Min int `yaml:"min" is:"positive"`
	// Wait is how long a request may wait for a place, which goes to the tenant
	// that has the fewest. 0s refuses it at once. At most 10s. Default: 100ms.
	Wait Duration `yaml:"wait"`
	// Queue is how many requests may wait at once; one tenant has half of that
	// at most. At most 100000. Default: max.
	Queue int `yaml:"queue" is:"positive"`
}

// complete fills in what depends on max.
func (c *Concurrency) complete() {
	if c == nil {
		return
	}
	if c.Min == 0 {
		c.Min = max(1, c.Max/10)
	}
	if c.Queue == 0 {
		c.Queue = c.Max
	}
}
