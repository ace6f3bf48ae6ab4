package middleware

import (
	"crypto/sha256"
	"encoding/base64"
)

// CertificateThumbprint is the x5t#S256 of the client's certificate: the
// SHA-256 of its DER form as base64url without padding (RFC 8705, section 3.1).
// It is "" where the client has shown none that was verified.
func (x *Exchange) CertificateThumbprint() string {
	if x.Certificate == nil {
		return ""
	}
	sum := sha256.Sum256(x.Certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
