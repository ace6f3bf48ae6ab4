package middleware

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// SessionID tells sessions apart. It is a hash, so that it may be kept and
// compared without being anybody's data.
type SessionID [sha256.Size]byte

// Authenticated is when the user last proved who they are: auth_time, or the
// token's issue where the issuer does not tell. Zero where unknown, and where
// there is no subject.
func (x *Exchange) Authenticated() time.Time {
	if x.Subject != nil && x.Subject.AuthTime != 0 {
		return time.Unix(x.Subject.AuthTime, 0)
	}
	return x.IssuedAt
}

// Session gives the session that the subject's token belongs to: its sid claim
// (OpenID Connect Front-Channel Logout 1.0, section 3), so that a refreshed
// token stays in its session. A token without one stands for a session of its
// own, told apart by issuer, subject and time of authentication. There must be
// a subject.
func (x *Exchange) Session() SessionID {
	s := x.Subject
	parts := []string{"sid", s.Issuer}
	if sid, ok := s.Claims["sid"].(string); ok && sid != "" {
		parts = append(parts, sid)
	} else {
		at := binary.BigEndian.AppendUint64(nil, uint64(x.Authenticated().Unix()))
		parts = []string{"login", s.Issuer, s.ID, string(at)}
	}
	var b []byte
	for _, p := range parts { // lengths keep parts from running into one another
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}
