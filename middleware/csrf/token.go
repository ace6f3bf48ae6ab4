package csrf

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
)

// tokens makes and checks the values of the signed double submit.
//
// A value is a random nonce and a MAC over the caller's session and the nonce,
// in base64url. It stands in a cookie that scripts can read, and a change must
// repeat it in a header. Another site can make a browser send the cookie but
// cannot read it, and so cannot repeat it. Somebody who can plant cookies (from
// a subdomain, where a browser does not know the prefix __Host-) has no value
// for the session of another: what the gateway gave to the attacker's own
// session fails here.
type tokens struct {
	secret         []byte
	cookie, header string
	canonical      string // the name of the header, as maps have it
}

const (
	nonceSize = 16
	valueSize = nonceSize + sha256.Size // 48 bytes, 64 characters: one spelling for each value
	// purpose keeps these MACs apart from any other use of the secret.
	purpose = "gatehouse csrf 1\x00"
)

// of gives the value of a request whose cookie carries a good one for its
// session, and else a new one, which the client does not hold yet.
func (t *tokens) of(x *middleware.Exchange) (value string, held bool) {
	session := x.Session()
	value, err := cookies.Find(x.Request.Header, t.cookie)
	if err == nil && t.good(session, value) {
		return value, true
	}
	return t.issue(session), false
}

func (t *tokens) issue(session middleware.SessionID) string {
	b := make([]byte, nonceSize, valueSize)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(append(b, t.mac(session, b)...))
}

// good reports whether the value was issued for the session. Without a secret
// nothing is: anybody could have made it.
func (t *tokens) good(session middleware.SessionID, value string) bool {
	if len(t.secret) == 0 || len(value) != base64.RawURLEncoding.EncodedLen(valueSize) {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) != valueSize {
		return false
	}
	return hmac.Equal(b[nonceSize:], t.mac(session, b[:nonceSize]))
}

func (t *tokens) mac(session middleware.SessionID, nonce []byte) []byte {
	m := hmac.New(sha256.New, t.secret)
	m.Write([]byte(purpose))
	m.Write(session[:]) // of fixed size, as the nonce is: nothing runs into anything
	m.Write(nonce)
	return m.Sum(nil)
}

// repeated reports whether the header holds the value, once.
func (t *tokens) repeated(x *middleware.Exchange, value string) bool {
	values := x.Request.Header.Values(t.header)
	return len(values) == 1 && subtle.ConstantTimeCompare([]byte(values[0]), []byte(value)) == 1
}

// setCookie hands the value out. Scripts must be able to read it, so it is not
// HttpOnly; it ends with the browser's session and goes to this host only. It
// is SameSite=Lax and not Strict: a link from another site opens the
// application with the token's cookie and without a Strict one, would be given
// a new value, and what other tabs are about to send would no longer match.
// Strict would protect nothing more, for it is not the cookie that another
// site lacks, but the header.
func (t *tokens) setCookie(value string) string {
	return t.cookie + "=" + value + "; Path=/; Secure; SameSite=Lax"
}
