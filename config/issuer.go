package config

// Issuer is a party whose tokens (JWT, RFC 7519) are accepted. Exactly one of
// jwks_url, jwks_file, discovery and secret says where its keys are.
type Issuer struct {
	// Issuer is the exact value of the token's iss claim. Required.
	Issuer string `yaml:"issuer" is:"required"`
	// Audiences: one of them must be in the token's aud claim. Required.
	Audiences []string `yaml:"audiences" is:"required"`
	// Algorithms that are accepted (RFC 7518), each bound to its key type.
	// Required: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA; or, with `secret` only, HS256, HS384, HS512.
	Algorithms []string `yaml:"algorithms" is:"required" oneof:"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512"`
	// JWKSURL is the https address of the issuer's key set (RFC 7517); plain
	// http is allowed on loopback.
	JWKSURL string `yaml:"jwks_url"`
	// JWKSFile is a file with the issuer's key set.
	JWKSFile string `yaml:"jwks_file" is:"file"`
	// Discovery finds the key set through the issuer's
	// /.well-known/openid-configuration.
	Discovery bool `yaml:"discovery"`
	// Secret is the shared secret of HMAC algorithms. At least 32 bytes.
	Secret Secret `yaml:"secret"`
	// CA is a PEM file with the authorities that vouch for jwks_url.
	// Default: the system's.
	CA string `yaml:"ca" is:"file"`
	// Leeway allows for clocks that differ, on exp, nbf, iat and auth_time. At
	// most 60s. Default: 30s.
	Leeway Duration `yaml:"leeway"`
	// Claims says which claim feeds which field of the subject. A dot enters
	// an object.
	Claims Claims `yaml:"claims"`
}

// Claims maps claims to the subject's fields.
type Claims struct {
	// Subject is the claim with the caller's id. Default: sub.
	Subject string `yaml:"subject"`
	// Role is the claim with the caller's role. Default: role.
	Role string `yaml:"role"`
	// Roles is the claim with the list of the caller's roles. Default: roles.
	Roles string `yaml:"roles"`
	// Tenant is the claim with the caller's tenant. Default: tenant.
	Tenant string `yaml:"tenant"`
	// Branch is the claim with the caller's branch. Default: branch.
	Branch string `yaml:"branch"`
	// Branches is the claim with the list of the caller's branches.
	// Default: branches.
	Branches string `yaml:"branches"`
}
