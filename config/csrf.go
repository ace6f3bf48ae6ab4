package config

// CSRFToken is the signed double submit of routes whose token comes in a cookie
// (authn.cookie): an answer sets a cookie that scripts of the same origin can
// read, and what changes something must repeat its value in a header. The value
// is bound to the session by a MAC. A refusal csrf_failed carries the value in
// the header too, so that a client can repeat it and try again. How clients go
// about it is told in middleware/README.md. Neither goes to the upstream.
type CSRFToken struct {
	// Secret is the key of the MAC, at least 32 characters, the same on every
	// replica. Required where a route has authn.cookie, unless its csrf is off.
	// A new secret makes the values of before worthless; clients get new ones.
	Secret Secret `yaml:"secret"`
	// Cookie that carries the value; it begins with __Host- and is none of
	// authn.cookie.
	// Default: __Host-csrf.
	Cookie string `yaml:"cookie"`
	// Header that must repeat it, on requests with another method than GET, HEAD
	// and OPTIONS. Default: X-CSRF-Token.
	Header string `yaml:"header"`
}
