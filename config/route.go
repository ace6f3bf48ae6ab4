package config

// Route says which requests it takes, where they go and what is done to them.
type Route struct {
	// Name of the route, in logs, metrics and policies. Required, unique.
	Name string `yaml:"name" is:"required"`
	// Match says which requests the route takes.
	Match Match `yaml:"match" is:"required"`
	// Upstream is the name of the backend service. Required.
	Upstream string `yaml:"upstream" is:"required"`
	// Public says that the route needs no token. A route says either this or
	// `authn`; a public one must also say `policy: on` or `policy: off`.
	Public bool `yaml:"public"`
	// Authn says whose tokens are accepted.
	Authn *Authn `yaml:"authn"`
	// Session bounds inactivity. Absent: no bound. Needs `authn`.
	Session *Session `yaml:"session"`
	// RateLimits are names of rate_limits, all of which must admit.
	RateLimits []string `yaml:"rate_limits"`
	// CORS lets browsers of other origins in. Absent: none.
	CORS *CORS `yaml:"cors"`
	// Login says that a 401 of this route's upstream is a failed login.
	// Default: false.
	Login bool `yaml:"login"`
	// CSRF refuses cross-site requests that change something.
	CSRF CSRF `yaml:"csrf"`
	// Sanitize looks for markup in what clients send.
	Sanitize *Sanitize `yaml:"sanitize"`
	// Upload checks the files in multipart requests. Absent: multipart
	// requests with files are refused on routes with `sanitize`.
	Upload *Upload `yaml:"upload"`
	// Policy says how policies are asked: on, off, or settings.
	Policy Policy `yaml:"policy"`
	// Mask says how answers are masked.
	Mask Mask `yaml:"mask"`
	// Rewrite changes the path towards the upstream.
	Rewrite Rewrite `yaml:"rewrite"`
	// Timeouts of this route, where they differ.
	Timeouts Timeouts `yaml:"timeouts"`
	// Limits of this route, where they differ.
	Limits Limits `yaml:"limits"`
	// Audit is how much is recorded: none leaves out who it was, metadata
	// says it, detail says what the policy demanded as well. A policy may
	// raise it. Default: metadata.
	Audit string `yaml:"audit" oneof:"none metadata detail"`
}

// Match says which requests a route takes. An exact host goes before any host;
// then, segment by segment, a literal before {id} before a prefix; then a route
// with methods before one without.
type Match struct {
	// Hosts that match exactly; empty matches any.
	Hosts []string `yaml:"hosts"`
	// Path: one that ends in / is a prefix; {id} names one segment. Case and a
	// final slash count: where the upstream takes /pay and /pay/ for one, a
	// route for /pay alone leaves /pay/ to a wider route. Required.
	Path string `yaml:"path" is:"required"`
	// Methods that match; empty matches any.
	Methods []string `yaml:"methods" oneof:"GET HEAD POST PUT PATCH DELETE OPTIONS"`
}

// Authn says whose tokens a route accepts.
type Authn struct {
	// Issuers are names of issuers. At least one is required.
	Issuers []string `yaml:"issuers" is:"required"`
	// ForwardToken lets the Authorization header through to the upstream.
	// Default: true.
	ForwardToken bool `yaml:"forward_token"`
}

// Session bounds inactivity.
type Session struct {
	// Idle is how long a session may be unused. Required.
	Idle Duration `yaml:"idle" is:"required positive"`
}

// CORS lets browsers of other origins in (Fetch standard). The gateway answers
// preflights itself and removes the upstream's Access-Control-* headers.
type CORS struct {
	// Origins that are let in, exactly as browsers send them; "*" is any and
	// cannot be combined with credentials. Required.
	Origins []string `yaml:"origins" is:"required"`
	// Credentials lets cookies and Authorization be used. Default: false.
	Credentials bool `yaml:"credentials"`
	// Methods that are allowed. Default: GET, HEAD, POST.
	Methods []string `yaml:"methods" oneof:"GET HEAD POST PUT PATCH DELETE OPTIONS"`
	// Headers that requests may carry. Default: none but the safe ones.
	Headers []string `yaml:"headers"`
	// ExposeHeaders are response headers that scripts may read.
	ExposeHeaders []string `yaml:"expose_headers"`
	// MaxAge is how long a browser may keep a preflight's answer.
	// Default: 10m.
	MaxAge Duration `yaml:"max_age"`
}

// CSRF refuses cross-site requests that change something.
type CSRF struct {
	// Mode is auto (on where a cookie carries the token), on or off. Tokens
	// come from the Authorization header only, so auto is off. Default: auto.
	Mode string `yaml:"mode" oneof:"auto on off"`
}

// Policy says how a route's requests are decided. Written as `on`, `off`, or
// as settings, which mean on.
type Policy struct {
	// Off goes without a decision. Written as `policy: off`.
	Off bool `yaml:"-"`
	// Stated tells whether the route says anything about policy.
	Stated bool `yaml:"-"`
	// Body shows the whole parsed JSON request body to the policy.
	// Default: false.
	Body bool `yaml:"body"`
	// Masks is required or optional. Required: a decision with neither a mask
	// nor expose nor all_fields is refused. Default: optional.
	Masks string `yaml:"masks" oneof:"required optional"`
	// Rows is required or optional. Required: a decision with neither a row
	// filter nor all_rows is refused. Default: optional.
	Rows string `yaml:"rows" oneof:"required optional"`
}

// Mask says how answers are masked.
type Mask struct {
	// Max is the largest answer that is masked; a larger one is refused with
	// 502 response_unmaskable. Default: 8MiB.
	Max Size `yaml:"max" is:"positive"`
}

// Rewrite changes the path towards the upstream. Policies judge the original
// path.
type Rewrite struct {
	// StripPrefix is taken off the front of the path. Default: none.
	StripPrefix string `yaml:"strip_prefix"`
}

// MarshalYAML writes the policy in the form it was read in, so that off stays
// off.
func (p Policy) MarshalYAML() (any, error) {
	if p.Off {
		return "off", nil
	}
	type settings Policy
	return settings(p), nil
}
