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
	var room [256]byte // enough for most, so that nothing is allocated
	b := room[:0]
	if sid, ok := s.Claims["sid"].(string); ok && sid != "" {
		b = part(part(part(b, "sid"), s.Issuer), sid)
		return sha256.Sum256(b)
	}
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(x.Authenticated().Unix()))
	b = part(part(part(b, "login"), s.Issuer), s.ID)
	return sha256.Sum256(part(b, at[:]))
}

// part appends a part with its length, which keeps parts from running into one
// another.
func part[T string | []byte](b []byte, p T) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(p))), p...)
}
