package authn

import (
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
)

// cut takes bytes off the end of a token's signature.
func (a *arena) cut(token string, n int) string {
	return a.resigned(token, func(s []byte) []byte { return s[:len(s)-n] })
}

// resigned changes the signature of a token.
func (a *arena) resigned(token string, change func([]byte) []byte) string {
	dot := strings.LastIndexByte(token, '.')
	s, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		a.t.Fatal(err)
	}
	return token[:dot+1] + b64(change(s))
}

// ecdsa makes a token by ES256 whose signature is made of a sound one's halves.
func (a *arena) ecdsa(change func(r, s []byte) []byte) string {
	return a.resigned(signText(a.t, "ES256", a.p256, `{"alg":"ES256","kid":"e1"}`, a.good), func(b []byte) []byte {
		return change(slices.Clone(b[:32]), slices.Clone(b[32:]))
	})
}

// negated gives n-s, which is as good as s.
func (a *arena) negated(s []byte) []byte {
	n := new(big.Int).SetBytes(s)
	return n.Sub(elliptic.P256().Params().N, n).FillBytes(make([]byte, 32))
}

// shortRSA makes a token whose signature begins with a zero byte.
func (a *arena) shortRSA() string {
	for i := 0; ; i++ {
		token := a.rs(k1, encode(a.t, with(goodClaims(), members{"n": i})))
		if s := token[strings.LastIndexByte(token, '.')+1:]; s[0] == 'A' && s[1] >= 'A' && s[1] <= 'P' {
			return token
		}
		if i == 10000 {
			a.t.Fatal("no signature begins with a zero")
		}
	}
}

// signatures are attacks on the signature of good claims.
func (a *arena) signatures() []class {
	n, order := a.rsa.N, elliptic.P256().Params().N
	rs := a.rs(k1, a.good)
	with := func(name, token string, change func([]byte) []byte) attack {
		return a.bearer(name, a.resigned(token, change))
	}
	fixed := func(name, token string, b []byte) attack {
		return with(name, token, func([]byte) []byte { return b })
	}
	zero, one, nn := make([]byte, 32), append(make([]byte, 31), 1), order.FillBytes(make([]byte, 32))
	es := func(name string, change func(r, s []byte) []byte) attack { return a.bearer(name, a.ecdsa(change)) }
	pair := func(name string, r, s []byte) attack {
		return es(name, func(_, _ []byte) []byte { return slices.Concat(r, s) })
	}
	ed := signText(a.t, "EdDSA", a.ed, `{"alg":"EdDSA","kid":"d1"}`, a.good)
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	return []class{
		{"RSA signature", []attack{
			a.bearer("cut by a byte", a.cut(rs, 1)), a.bearer("cut to half", a.cut(rs, 128)), with("a byte more", rs, func(s []byte) []byte { return append(s, 0) }), with("a zero before it", rs, func(s []byte) []byte { return append([]byte{0}, s...) }),
			with("twice", rs, func(s []byte) []byte { return slices.Concat(s, s) }), with("leading zero left out", a.shortRSA(), func(s []byte) []byte { return s[1:] }),
			with("one bit", rs, func(s []byte) []byte { s[100] ^= 4; return s }), with("backwards", rs, func(s []byte) []byte { slices.Reverse(s); return s }),
			fixed("zero", rs, make([]byte, 256)), fixed("one", rs, big.NewInt(1).FillBytes(make([]byte, 256))), fixed("the modulus", rs, n.FillBytes(make([]byte, 256))), fixed("the modulus less one", rs, new(big.Int).Sub(n, big.NewInt(1)).FillBytes(make([]byte, 256))),
			fixed("ones", rs, slices.Repeat([]byte{0xff}, 256)), fixed("one byte", rs, []byte{0}), a.bearer("of another token", rs[:strings.LastIndexByte(rs, '.')]+a.rs(k1, `{}`)[strings.LastIndexByte(a.rs(k1, `{}`), '.'):]),
			a.bearer("of the header alone", b64([]byte(k1))+"."+b64([]byte(a.good))+"."+b64(signature(a.t, "RS256", a.rsa, b64([]byte(k1))))),
			a.bearer("of what the segments decode to", b64([]byte(k1))+"."+b64([]byte(a.good))+"."+b64(signature(a.t, "RS256", a.rsa, k1+"."+a.good))),
		}},
		{"ECDSA signature", []attack{
			pair("zeros (CVE-2022-21449)", zero, zero), pair("r zero, s one", zero, one), pair("r one, s zero", one, zero), pair("r and s the order", nn, nn), pair("r the order, s one", nn, one), pair("ones", one, one),
			es("r zero", func(_, s []byte) []byte { return append(slices.Clone(zero), s...) }), es("s zero", func(r, _ []byte) []byte { return append(r, zero...) }), es("s the order", func(r, _ []byte) []byte { return append(r, nn...) }),
			es("swapped", func(r, s []byte) []byte { return append(s, r...) }), es("a byte less", func(r, s []byte) []byte { return append(r, s[:31]...) }), es("a byte more", func(r, s []byte) []byte { return append(append(r, s...), 0) }),
			es("padded as for P-384", func(r, s []byte) []byte { return slices.Concat(zero[:16], r, zero[:16], s) }),
			es("in DER", func(r, s []byte) []byte {
				der, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)}) // of sound numbers
				return der
			}),
			es("r negated", func(r, s []byte) []byte { return append(a.negated(r), s...) }), es("r alone", func(r, _ []byte) []byte { return r }),
		}},
		{"Ed25519 signature", []attack{
			with("s and the order (not canonical)", ed, func(b []byte) []byte {
				s := slices.Clone(b[32:])
				slices.Reverse(s)
				m := new(big.Int).SetBytes(s)
				s = m.Add(m, l).FillBytes(make([]byte, 32))
				slices.Reverse(s)
				return append(b[:32], s...)
			}),
			a.bearer("a byte less", a.cut(ed, 1)), with("a byte more", ed, func(b []byte) []byte { return append(b, 0) }), fixed("zeros", ed, make([]byte, 64)),
			with("r the neutral element", ed, func(b []byte) []byte { return slices.Concat([]byte{1}, make([]byte, 31), b[32:]) }), with("one bit", ed, func(b []byte) []byte { b[0] ^= 1; return b }), with("s zero", ed, func(b []byte) []byte { return append(b[:32], zero...) }),
		}},
	}
}
