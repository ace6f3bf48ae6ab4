package config

// ACME has certificates obtained and renewed from an authority that speaks the
// ACME protocol (RFC 8555), such as Let's Encrypt. Only the names that are
// listed are asked for, never those that a client happens to name.
type ACME struct {
	// Domains are the names that certificates are obtained for, one each, in
	// lower case. A name that a file of `certificates` has is served from the
	// file. Wildcards need a challenge in the DNS, which is not offered.
	Domains []string `yaml:"domains" is:"required"`
	// Agree says that you have read the authority's terms of service and agree
	// to them. It must be true. Default: false.
	Agree bool `yaml:"agree"`
	// Storage is a folder for the account, the private keys and the
	// certificates, which must be there and writable. Gateways that serve the
	// same names share one: then one of them obtains, each can answer for it,
	// and all use what it got.
	Storage string `yaml:"storage" is:"required folder"`
	// Directory is the URL of the authority. Default:
	// https://acme-v02.api.letsencrypt.org/directory.
	Directory string `yaml:"directory"`
	// Email is where the authority can reach you. Default: it cannot.
	Email string `yaml:"email"`
	// CA is a PEM file with the authorities that vouch for the directory, for
	// one of your own. Default: the system's.
	CA string `yaml:"ca" is:"file"`
	// Challenges are the ways to show that a name is yours: tls-alpn-01 is
	// answered where port 443 of the name leads to this listener, http-01 where
	// port 80 leads to a listener with redirect_to_https. Default: tls-alpn-01.
	Challenges []string `yaml:"challenges" oneof:"tls-alpn-01 http-01"`
}
