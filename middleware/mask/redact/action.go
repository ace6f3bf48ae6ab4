package redact

import (
	"bytes"
	"fmt"
	"math/big"
	"unicode/utf8"
)

// Action is what a mask does to a value. A greater one is stricter and wins
// where masks meet.
type Action uint8

// The actions. Null stays null under the first four; booleans, and whatever an
// action has no form for, are redacted.
const (
	noAction Action = iota
	// Generalize makes a date its year, and a number the lower bound of its
	// bucket.
	Generalize
	// Partial leaves the last 4 of at least 8 code points, or the first letter
	// and the domain of an e-mail address. It does not tell the length.
	Partial
	// Tokenize encrypts the value under a key of the tenant and the field.
	Tokenize
	// Hash replaces the value by an HMAC under a key of the tenant and the
	// field: equal values stay equal there and nowhere else.
	Hash
	// Redact makes any value, null and containers too, the string "***".
	Redact
	// Null makes any value null.
	Null
	// Drop removes the member or element.
	Drop
	// Show is the exception from masks; see the package comment.
	Show
)

// ParseAction gives the action that a policy names.
func ParseAction(name string) (Action, error) {
	for i, n := range actionNames() {
		if n == name && i > 0 {
			return Action(i), nil
		}
	}
	return noAction, fmt.Errorf("action %q is unknown", name)
}

func actionNames() []string {
	return []string{"none", "generalize", "partial", "tokenize", "hash", "redact", "null", "drop", "show"}
}

func (a Action) String() string {
	if names := actionNames(); int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Replacements, and what stands for hidden parts of a value. Four stars and
// four characters are eight code points, so masking twice is masking once.
const (
	redacted = `"***"`
	stars    = "****"
)

// appendScalar appends what stands in place of a scalar that starts with head.
// Its text is needed under the actions weaker than redact, and nil where it is
// too long for them.
func (r *rule) appendScalar(dst []byte, head byte, raw []byte, buf *scratch) []byte {
	switch {
	case r.action == Null, head == 'n' && r.action < Redact:
		return append(dst, "null"...)
	case r.action >= Redact, raw == nil, head == 't', head == 'f':
		return append(dst, redacted...)
	}
	text, ok := raw, true
	isText := head == '"'
	if isText {
		text, ok = unquote(buf.buf[:0], raw)
		buf.buf = text
	}
	if !ok {
		return append(dst, redacted...)
	}
	switch r.action {
	case Generalize:
		return appendGeneral(dst, text, isText, r.bucket)
	case Partial:
		return appendPartial(dst, text, isText)
	case Tokenize:
		return r.sealer.appendToken(dst, text, isText)
	case Hash:
		return r.sealer.appendHash(dst, text, isText)
	}
	return append(dst, redacted...)
}

func appendPartial(dst, text []byte, isText bool) []byte {
	if !isText && skipDigits(text, 0) != len(text) {
		return append(dst, redacted...)
	}
	if domain, ok := emailDomain(text); ok && isText {
		_, n := utf8.DecodeRune(text)
		dst = appendInQuotes(append(dst, '"'), text[:n])
		return append(append(append(dst, "***@"...), domain...), '"')
	}
	if utf8.RuneCount(text) < 8 {
		return append(dst, redacted...)
	}
	i := len(text)
	for range 4 {
		_, n := utf8.DecodeLastRune(text[:i])
		i -= n
	}
	dst = append(append(dst, '"'), stars...)
	return append(appendInQuotes(dst, text[i:]), '"')
}

// emailDomain gives the domain of what looks like an e-mail address.
func emailDomain(text []byte) ([]byte, bool) {
	local, domain, ok := bytes.Cut(text, []byte("@"))
	if !ok || len(local) == 0 || bytes.ContainsAny(local, " \t\r\n") {
		return nil, false
	}
	for _, c := range domain {
		if !nameByte(c, true) && c != '-' && c != '.' {
			return nil, false
		}
	}
	dot := bytes.IndexByte(domain, '.')
	return domain, dot > 0 && domain[len(domain)-1] != '.'
}

// Bounds of what can be generalized exactly and cheaply; outside, redact.
const (
	maxGeneralDigits = 64
	maxGeneralExp    = 15 // |x| < 1e15
)

func appendGeneral(dst, text []byte, isText bool, bucket *big.Rat) []byte {
	if isText {
		if isDate(text) {
			return appendQuoted(dst, text[:4])
		}
		return append(dst, redacted...)
	}
	d, ok := parseDecimal(nil, text)
	if !ok || len(d.digits) > maxGeneralDigits || d.exp > maxGeneralExp || d.exp < -maxGeneralDigits {
		return append(dst, redacted...)
	}
	x, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return append(dst, redacted...)
	}
	x.Quo(x, bucket)
	// Euclidean division by a positive number is the floor.
	n := new(big.Int).Div(x.Num(), x.Denom())
	x.Mul(x.SetInt(n), bucket)
	places, _ := x.FloatPrec()
	return append(dst, x.FloatString(places)...)
}

// isDate tells dates and times that begin with YYYY or YYYY-MM or YYYY-MM-DD.
func isDate(s []byte) bool {
	if skipDigits(s, 0) != 4 {
		return false
	}
	rest := s[4:]
	for _, limit := range []int{12, 31} {
		if len(rest) == 0 {
			return true
		}
		if rest[0] != '-' || skipDigits(rest, 1) != 3 {
			return false
		}
		if n := int(rest[1]-'0')*10 + int(rest[2]-'0'); n == 0 || n > limit {
			return false
		}
		rest = rest[3:]
	}
	return len(rest) == 0 || rest[0] == 'T' || rest[0] == 't' || rest[0] == ' '
}
