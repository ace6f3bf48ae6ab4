// Package config is what operators may say: one YAML file, strict, every
// mistake reported at once with its file, line and column.
//
// The structs of this package are the only source of the reference: their
// comments become README.md and schema.json of this folder
// (go generate ./config), and a test fails where those are not current.
// Defaults are Go values, stated once, in [Default].
//
// A configuration that passes [Load] is well formed, complete, and refers only
// to names and files that exist. What is in those files, whether a certificate
// fits its key, a policy compiles or a key set parses, is found out by the code
// that will use it (gateway.Compile); mistakes found there are reported through
// [Config.Mistake], with the same positions.
//
// A file is read in three steps. The document becomes a tree of nodes that know
// their place (go.yaml.in/yaml). A decoder walks that tree along the structs
// and their tags, and goes on after a mistake. A checker then looks at what the
// values say together. Whatever could not be read is not complained about a
// second time.
package config

//go:generate go run ./reference

import "net/netip"

// Config is the whole configuration of one gateway.
type Config struct {
	// Version of the configuration format. Required; the only one is 1.
	Version int `yaml:"version" is:"required"`
	// Listeners accept client connections, by name. At least one is required.
	Listeners map[string]*Listener `yaml:"listeners" is:"required"`
	// Admin is the listener for health, metrics and administration.
	Admin Admin `yaml:"admin"`
	// Log is where and how the gateway logs.
	Log Log `yaml:"log"`
	// Tracing sends spans to an OpenTelemetry collector.
	Tracing Tracing `yaml:"tracing"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed. The
	// header is read from right to left and the first address outside these
	// networks is the client; where a proxy names no address there, the client
	// is not known, which no acl serves. Forwarded (RFC 7239) is never read.
	// Default: none, the header is ignored.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// IdentityHeaders are request headers that clients may never send, on any
	// route, in addition to those that policies set. A trailing * stands for
	// any ending. Default: X-User-*, X-Auth-*, X-Role, X-Tenant-*, X-Branch.
	IdentityHeaders []string `yaml:"identity_headers"`
	// Timeouts bound every exchange; a route may set its own.
	Timeouts Timeouts `yaml:"timeouts"`
	// Limits bound sizes; a route may set its own.
	Limits Limits `yaml:"limits"`
	// Overload is about what the gateway does when there is too much to do.
	Overload Overload `yaml:"overload"`
	// Spool is where uploads are kept while they are judged.
	Spool Spool `yaml:"spool"`
	// Scanner looks for viruses in uploads.
	Scanner Scanner `yaml:"scanner"`
	// Issuers are the parties whose tokens are accepted, by name.
	Issuers map[string]*Issuer `yaml:"issuers"`
	// Upstreams are the backend services, by name.
	Upstreams map[string]*Upstream `yaml:"upstreams"`
	// Store is what replicas share and what survives a restart.
	Store Store `yaml:"store"`
	// Revocation is about tokens and sessions that are called back, and about
	// lockdowns.
	Revocation Revocation `yaml:"revocation"`
	// RateLimits are the limits that routes refer to, by name.
	RateLimits map[string]*RateLimit `yaml:"rate_limits"`
	// RateLimitHeaders are the fields that tell clients of their limits: ietf is
	// RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers),
	// x-ratelimit is X-RateLimit-Limit, -Remaining and -Reset, the last in
	// seconds since 1970 as most clients expect. On routes with limits they
	// replace what the upstream sends under these names. A refusal has
	// Retry-After in any case. Default: ietf.
	RateLimitHeaders []string `yaml:"rate_limit_headers" oneof:"ietf x-ratelimit"`
	// CSRF holds what routes need whose token comes in a cookie.
	CSRF CSRFToken `yaml:"csrf"`
	// Guard notices abuse and blocks addresses.
	Guard Guard `yaml:"guard"`
	// Alerts says who is told of what the guard has noticed.
	Alerts Alerts `yaml:"alerts"`
	// Policies are the Rego policies that decide. Required unless every route
	// says `policy: off`.
	Policies Policies `yaml:"policies"`
	// Decisions says where decisions go on record. Default: nowhere.
	Decisions Decisions `yaml:"decisions"`
	// Masking holds the keys of the mask actions hash and tokenize.
	Masking Masking `yaml:"masking"`
	// Routes say which requests go where, and what is done to them. At least
	// one is required.
	Routes []*Route `yaml:"routes" is:"required"`

	source source
}
