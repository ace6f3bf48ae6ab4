package config

// CSRFToken is the signed double submit of routes whose token comes in a cookie
// (authn.cookie): an answer sets a cookie that scripts of the same origin can
// read, and what changes something must repeat its value in a header. The value
// is bound to the session by a MAC.
type CSRFToken struct {
	// Secret is the key of the MAC, at least 32 characters, the same on every
	// replica. Required where a route has authn.cookie.
	Secret Secret `yaml:"secret"`
	// Cookie that carries the value; it begins with __Host-.
	// Default: __Host-csrf.
	Cookie string `yaml:"cookie"`
	// Header that must repeat it. Default: X-CSRF-Token.
	Header string `yaml:"header"`
}
