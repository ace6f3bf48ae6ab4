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
	// Session bounds how long a session may be unused, and last. Absent: no
	// bound; revoked ones are refused all the same. Needs `authn`.
	Session *Session `yaml:"session"`
	// RateLimits are names of rate_limits, all of which must admit.
	RateLimits []string `yaml:"rate_limits"`
	// RateCost is how much one request of this route counts in each of them.
	// Default: 1.
	RateCost int `yaml:"rate_cost" is:"positive"`
	// ACL says which client addresses the route serves, of those that the
	// listener serves. Absent: all of them.
	ACL *ACL `yaml:"acl"`
	// CORS lets browsers of other origins in. Absent: none.
	CORS *CORS `yaml:"cors"`
	// Login says that a 401 of this route's upstream is a failed login, and an
	// answer of success to what names somebody is that they signed in: it is for the
	// path of the login and no other. Where the upstream takes /login/ or /LOGIN for
	// it too, no other route may lead there. Default: false.
	Login bool `yaml:"login"`
	// LoginUsername says where a login names its user: a JSON pointer (RFC 6901),
	// such as /user/name, or the name of a form's field. It is to be written where
	// something else is called so, such as a button. Default: what the body or the
	// query calls username, email or login.
	LoginUsername string `yaml:"login_username"`
	// CSRF refuses cross-site requests that change something.
	CSRF CSRF `yaml:"csrf"`
	// Sanitize looks for markup in what clients send.
	Sanitize *Sanitize `yaml:"sanitize"`
	// Upload checks the files that clients send. Absent: multipart
	// requests with files are refused on routes with `sanitize`.
	Upload *Upload `yaml:"upload"`
	// Upgrade lists what a connection may turn into where the client asks for it
	// and the upstream agrees: websocket (RFC 6455), over HTTP/1.1. All that the
	// route demands is demanded of the request that asks; what is sent afterwards
	// nobody judges or masks. Default: none, Upgrade is not forwarded.
	Upgrade []string `yaml:"upgrade" oneof:"websocket"`
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
	// Priority is high for what must be served when others are not, such as
	// sign-in or what monitors a backend. Where the route has a share in a bound
	// (overload.in_flight, limits.in_flight or its upstream's concurrency), a
	// tenth of that is kept for such routes, and for overload.roles.
	// Default: normal.
	Priority string `yaml:"priority" oneof:"normal high"`
	// Audit is how much is recorded: none leaves out who it was, metadata
	// says it, detail says what the policy demanded as well. A policy may
	// raise it. Default: metadata.
	Audit string `yaml:"audit" oneof:"none metadata detail"`
}

// Match says which requests a route takes. An exact host goes before any host;
// then, segment by segment, a literal before {id} before a prefix; then a route
// with methods before one without.
type Match struct {
	// Hosts that match exactly, as requests come to name them: in lower case,
	// without port or final dot, names in other scripts as A-labels (xn--…).
	// Empty matches any.
	Hosts []string `yaml:"hosts"`
	// Path: one that ends in / is a prefix; {id} names one segment. Case and a
	// final slash count: where the upstream takes /pay and /pay/ for one, a
	// route for /pay alone leaves /pay/ to a wider route. Required.
	Path string `yaml:"path" is:"required"`
	// Semicolons lets paths with a bare ; in. To some servers what stands
	// behind it is no part of the name (RFC 3986, section 3.3), so a policy
	// that compares segments would judge another name than is served. Where a
	// policy decides, such paths are refused with 400 path_invalid.
	// Default: false.
	Semicolons bool `yaml:"semicolons"`
	// Methods that match; empty matches any.
	Methods []string `yaml:"methods" oneof:"GET HEAD POST PUT PATCH DELETE OPTIONS"`
}

// Authn says whose tokens a route accepts.
type Authn struct {
	// Issuers are names of issuers. At least one is required.
	Issuers []string `yaml:"issuers" is:"required"`
	// ForwardToken lets the token through to the upstream: the Authorization
	// header, and the cookie that the route names.
	// Default: true.
	ForwardToken bool `yaml:"forward_token"`
	// Cookie is the name of a cookie that may carry the token instead of the
	// Authorization header; it begins with __Host-. Changes are then protected
	// against other sites (see csrf), for which csrf.secret is needed. A request
	// that has both, and not the same token in both, is refused, and so is one
	// with the cookie twice. It is taken from listeners with TLS, and from plain
	// ones that say `insecure`: there a load balancer has to speak TLS. The
	// cookie goes to the upstream where forward_token lets it; routes that do
	// not name it forward it as any other.
	// Default: none, tokens come in the header only.
	Cookie string `yaml:"cookie"`
	// ACR: the token's acr claim must be one of these; the answer to others asks
	// the client to sign in again so (RFC 9470). Default: none, any will do.
	ACR []string `yaml:"acr"`
	// AMR: the token's amr claim must hold all of these (RFC 8176), such as otp.
	// Default: none.
	AMR []string `yaml:"amr"`
	// MaxAge is how long ago the user may have signed in, by the token's
	// auth_time; a token without one is too old. Default: none, any time.
	MaxAge Duration `yaml:"max_age" is:"positive"`
}

// Session bounds how long a session may last, whatever its tokens say. A
// session is the token's sid claim; a token without one is a session with
// others of the same issuer, subject and time of authentication. Where store
// has a Redis, all replicas know what one knows.
type Session struct {
	// Idle is how long a session may be unused. Default: 15m.
	Idle Duration `yaml:"idle" is:"positive"`
	// Max is how long a session may last after the user has signed in, used or
	// not. Default: 12h.
	Max Duration `yaml:"max" is:"positive"`
	// Touch says that a request of this route is a use of the session. Say false
	// for what pages ask for by themselves, such as notifications. Default: true.
	Touch bool `yaml:"touch"`
	// Roles have shorter bounds of their own, by role; of a caller with several
	// roles the shortest of each holds.
	Roles map[string]*SessionRole `yaml:"roles"`
}

// SessionRole bounds the sessions of a role.
type SessionRole struct {
	// Idle of this role. Default: that of the route.
	Idle Duration `yaml:"idle" is:"positive"`
	// Max of this role. Default: that of the route.
	Max Duration `yaml:"max" is:"positive"`
}

// CORS lets browsers of other origins in (Fetch standard). The gateway answers
// preflights itself and removes the upstream's Access-Control-* headers and
// Timing-Allow-Origin, on every route. Access to private networks is never
// granted.
type CORS struct {
	// Origins that are let in, exactly as browsers send them: scheme, host and a
	// port that is not the scheme's own, such as https://app.example.com. "*" is
	// any and cannot be combined with credentials. Required.
	Origins []string `yaml:"origins" is:"required"`
	// Credentials lets cookies and Authorization be used. Default: false.
	Credentials bool `yaml:"credentials"`
	// Methods that are allowed. Default: GET, HEAD, POST.
	Methods []string `yaml:"methods" oneof:"GET HEAD POST PUT PATCH DELETE OPTIONS"`
	// Headers that requests may carry, by name. Default: none but the safe ones.
	Headers []string `yaml:"headers"`
	// ExposeHeaders are response headers that scripts may read.
	ExposeHeaders []string `yaml:"expose_headers"`
	// MaxAge is how long a browser may keep a preflight's answer; 0s is not at
	// all.
	// Default: 10m.
	MaxAge Duration `yaml:"max_age"`
}

// CSRF refuses cross-site requests that change something.
type CSRF struct {
	// Mode is auto (on where authn.cookie carries the token, and for requests
	// in which it does), on or off. On is for upstreams that know their users by
	// a cookie of their own, and for a login that other sites must not be able
	// to submit. Other origins may make changes where cors lists them, with
	// credentials. Default: auto.
	Mode string `yaml:"mode" oneof:"auto on off"`
}

// Policy says how a route's requests are decided. Written as `on`, `off`, or
// as settings, which mean on.
type Policy struct {
	// Off goes without a decision. Written as `policy: off`.
	Off bool `yaml:"-"`
	// Stated tells whether the route says anything about policy.
	Stated bool `yaml:"-"`
	// Body shows the whole parsed request body to the policy, as input.body: JSON
	// as it is, and on routes with `upload` a multipart form as a list of its
	// parts, where a file is there with its name, size, types and SHA-256 and
	// without its bytes. Any other body is refused with 415. Where the policies
	// provably do not read it, it is not parsed, unless decisions go on record
	// or others are judged in the shadow. Default: false.
	Body bool `yaml:"body"`
	// Bodies says which bodies a policy is shown. json is application/json and
	// application/merge-patch+json; any is also application/*+json, forms (an
	// object of lists) and multipart on every route. A rule that looks for a
	// member of JSON finds none in those, though the backend may: say any only
	// where the policies know their shapes. Default: json.
	Bodies string `yaml:"bodies" oneof:"json any"`
	// Masks is required or optional. Required: a decision with neither a mask
	// nor expose nor all_fields is refused. Default: optional.
	Masks string `yaml:"masks" oneof:"required optional"`
	// Rows is required or optional. Required: a decision with neither a row
	// filter nor all_rows is refused. Default: optional.
	Rows string `yaml:"rows" oneof:"required optional"`
	// Placeholders says what becomes of a request that sends back what a mask
	// has put in the place of a value ("***", a partial value, a pseudonym), and
	// so would overwrite the value: reject is 422 input_rejected, which names the
	// fields; drop leaves the fields out, which is right where the upstream
	// leaves alone what is not sent (a PATCH) and wrong where it replaces the
	// whole (a PUT); off lets them through. Default: reject.
	Placeholders string `yaml:"placeholders" oneof:"reject drop off"`
}

// Mask says how answers are masked.
type Mask struct {
	// Buffer is stream or full. Stream sends what has been masked while the
	// rest is read; a fault behind the first 64 KiB cuts the answer, so that
	// the client sees a failure. Full holds an answer until all of it is known
	// to be fine: all or nothing. Server-sent events are a stream in any case;
	// each of them is held whole. Default: stream.
	Buffer string `yaml:"buffer" oneof:"stream full"`
	// Max is the largest masked answer that is held with `buffer: full`; a
	// larger one is refused with 502 response_unmaskable. Default: 8MiB.
	Max Size `yaml:"max" is:"positive"`
	// PassthroughTypes are media types that pass as they are, whatever the
	// decision masks or filters: "image/png" or "image/*". Types made of
	// fields (JSON, XML, CSV, HTML, text) cannot be written. Default: none.
	PassthroughTypes []string `yaml:"passthrough_types"`
	// OracleParameters are query parameters that sort, select or filter by
	// the names in their values; with such a name masked, a request is refused
	// with 403. Parameters that are named like a masked field (salary,
	// salary__gt, salary[gt], filter[salary]) are refused in any case.
	// A $ in front does not count. Default: ordering, order, order_by, sort,
	// sort_by, fields, select, include, exclude, expand, columns, filter,
	// where, having, and, or, group_by, distinct, apply, compute, sort_field,
	// sort_column, sort_key, order_field, order_column, group, aggregate,
	// projection, attributes.
	OracleParameters []string `yaml:"oracle_parameters"`
	// Unclassified says what becomes of values that look like personal data
	// under paths that neither a mask nor `classified` names: off, report
	// (counted by route and path) or redact (masked as well). Default: off.
	Unclassified string `yaml:"unclassified" oneof:"off report redact"`
	// GraphQL says that the upstream speaks GraphQL here: paths of the
	// decision are those of the schema (data and field names), whatever names
	// a query gives them. Absent: the route is not GraphQL.
	GraphQL *GraphQL `yaml:"graphql"`
}

// GraphQL says how queries of a route are read. Subscriptions are refused, and
// what has no query to read: the answer could not be masked.
type GraphQL struct {
	// Persisted is a JSON file of queries by id or SHA-256, for requests that
	// name a query instead of sending it. Default: none, and they are refused.
	Persisted string `yaml:"persisted" is:"file"`
	// Batch is how many operations one request may hold. Default: 1.
	Batch int `yaml:"batch" is:"positive"`
	// Depth is how deeply selections may be nested. Default: 20.
	Depth int `yaml:"depth" is:"positive"`
	// Selections is how many fields a query may select, fragments expanded.
	// Default: 2000.
	Selections int `yaml:"selections" is:"positive"`
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
