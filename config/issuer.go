package config

// Issuer is a party whose tokens (JWT, RFC 7519) are accepted. Exactly one of
// jwks_url, jwks_file, discovery and secret says where its keys are; an issuer
// with introspection may have none of them, and then has no JWTs.
type Issuer struct {
	// Issuer is the exact value of the token's iss claim. Required.
	Issuer string `yaml:"issuer" is:"required"`
	// Audiences: one of them must be in the token's aud claim. Required.
	Audiences []string `yaml:"audiences" is:"required"`
	// Algorithms that are accepted (RFC 7518), each bound to its key type.
	// Required where the issuer has keys: RS256, RS384, RS512, PS256, PS384, PS512,
	// ES256, ES384, ES512, EdDSA; or, with `secret` only, HS256, HS384, HS512.
	Algorithms []string `yaml:"algorithms" oneof:"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512"`
	// JWKSURL is the https address of the issuer's key set (RFC 7517); plain
	// http is allowed on loopback.
	JWKSURL string `yaml:"jwks_url"`
	// JWKSFile is a file with the issuer's key set, or with public keys in PEM
	// (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE; the dates of a certificate are not
	// judged). Keys in PEM have no kid: the one that fits a token's algorithm is
	// taken, and where several do, the token's kid must be the thumbprint of one
	// (RFC 7638). A change is noticed within seconds.
	JWKSFile string `yaml:"jwks_file" is:"file"`
	// Discovery finds the key set through the issuer's
	// /.well-known/openid-configuration.
	Discovery bool `yaml:"discovery"`
	// Secret is the shared secret of HMAC algorithms. At least 32 bytes.
	Secret Secret `yaml:"secret"`
	// CA is a PEM file with the authorities that vouch for jwks_url, discovery and
	// introspection.
	// Default: the system's.
	CA string `yaml:"ca" is:"file"`
	// Leeway allows for clocks that differ, on exp, nbf, iat and auth_time. At
	// most 60s. Default: 30s.
	Leeway Duration `yaml:"leeway"`
	// MaxLifetime is how long a token may be good in all, from iat, or from now
	// where it has none, to exp. Default: 24h.
	MaxLifetime Duration `yaml:"max_lifetime" is:"positive"`
	// Profile says what a token must be. jwt: a JWT whose typ is JWT, at+jwt or
	// absent. at+jwt: an access token of RFC 9068, whose typ is at+jwt and which
	// has sub, iat, jti and client_id. Default: jwt.
	Profile string `yaml:"profile" oneof:"jwt at+jwt"`
	// SenderConstrained refuses tokens that are good in anybody's hands: they
	// must be bound to the client's certificate (RFC 8705) or to a key of the
	// client's (DPoP, RFC 9449). Tokens that are bound are checked to be in the
	// right hands in any case. Default: false.
	SenderConstrained bool `yaml:"sender_constrained"`
	// Introspection asks the issuer about tokens that are not JWTs (RFC 7662): all
	// that are not three texts with dots between. It is never asked about others. A
	// route may have one issuer with introspection. Absent: they are refused.
	Introspection *Introspection `yaml:"introspection"`
	// BackchannelLogout takes the issuer's word that a session has ended (OpenID
	// Connect Back-Channel Logout 1.0). Absent: it is not heard.
	BackchannelLogout *BackchannelLogout `yaml:"backchannel_logout"`
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
	// Required are the fields without which a token is refused, besides the
	// subject. Default: none.
	Required []string `yaml:"required" oneof:"role roles tenant branch branches acr amr auth_time"`
}

// Introspection asks an issuer about opaque tokens (RFC 7662). Its answer is
// judged as the claims of a JWT are: aud and exp are needed. iss may be absent.
type Introspection struct {
	// URL is the https address of the introspection endpoint; plain http is
	// allowed on loopback. Required.
	URL string `yaml:"url" is:"required"`
	// ClientID and ClientSecret are the gateway's own at the issuer, sent as
	// HTTP Basic authentication (RFC 6749, section 2.3.1). Required.
	ClientID string `yaml:"client_id" is:"required"`
	// ClientSecret is the secret of client_id. Required.
	ClientSecret Secret `yaml:"client_secret" is:"required"`
	// Cache is how long an answer is kept, and at most until the token expires:
	// so long a token that the issuer has called back goes on. That a token is not
	// good is kept for 5s at most. At most 5m; 0s keeps nothing. Default: 30s.
	Cache Duration `yaml:"cache"`
	// Timeout bounds one question. Default: 1s.
	Timeout Duration `yaml:"timeout" is:"positive"`
}

// BackchannelLogout is where an issuer posts its logout tokens.
type BackchannelLogout struct {
	// Path on every listener that serves clients, such as /backchannel-logout. It
	// is matched before routes. Required.
	Path string `yaml:"path" is:"required"`
	// Audiences: one of them must be in the logout token's aud, which names the
	// client that users sign in to. Required.
	Audiences []string `yaml:"audiences" is:"required"`
}
