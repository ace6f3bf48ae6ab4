package authn

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// spellings write a good token in another way than the one, or something else.
func (a *arena) spellings() []class {
	good := a.rs(k1, a.good)
	parts := strings.Split(good, ".")
	h, p, s := parts[0], parts[1], parts[2]
	t := func(name, token string) attack { return a.bearer(name, token) }
	plain := strings.NewReplacer("-", "+", "_", "/")
	flattened := encode(a.t, members{"protected": h, "payload": p, "signature": s})
	general := encode(a.t, members{"payload": p, "signatures": []members{{"protected": h, "signature": s}}})
	return []class{
		{"base64", []attack{
			t("padding of the header", h+"=."+p+"."+s), t("padding of the payload", h+"."+p+"=="+"."+s), t("padding of the signature", good+"=="), t("padding escaped", good+"%3D%3D"),
			t("plain base64", h+"."+p+"."+plain.Replace(strings.Repeat("-_", 171))), t("plain base64 of the signature", h+"."+p+"."+plain.Replace(s)+"+/"), t("bits left over", good[:len(good)-1]+leftover(good[len(good)-1])),
			t("one character more", good+"A"), t("line break between", h+".\r\n"+p+"."+s), t("line break within", h[:4]+"\n"+h[4:]+"."+p+"."+s), t("carriage return at the end", good+"\r"), t("line break at the end", good+"\n"),
			t("space within", h+"."+p[:4]+" "+p[4:]+"."+s), t("tab within", h+"."+p[:4]+"\t"+p[4:]+"."+s), t("wide letters", h+"."+p[:4]+"\uff21"+p[4:]+"."+s), t("zero width space", h+".\u200b"+p+"."+s),
			t("NUL", h+"."+p+"\x00."+s), t("not ASCII", h+"."+p+"\xff."+s), t("percent escapes", strings.ReplaceAll(good, ".", "%2E")), t("not encoded", k1+"."+a.good+"."+s), t("encoded twice", b64([]byte(good))),
		}},
		{"segments", []attack{
			t("one", h), t("two", h+"."+p), t("three, the last empty", h+"."+p+"."), t("three, the second empty", h+".."+s), t("three, the first empty", "."+p+"."+s), t("four", good+"."), t("four, the first empty", "."+good), t("five", good+".AAAA.AAAA"),
			t("dots alone", ".."), t("many dots", strings.Repeat(".", 8000)), t("wide dots", strings.ReplaceAll(good, ".", "\uff0e")), t("two tokens", good+"."+good),
		}},
		{"other formats", []attack{
			t("JSON, flattened", flattened), t("JSON, general", general), t("JSON in base64", b64([]byte(flattened))), t("JWE", strings.Join([]string{b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}`)), "AAAA", "AAAA", p, "AAAA"}, ".")),
			t("JWE, direct", strings.Join([]string{b64([]byte(`{"alg":"dir","enc":"A128CBC-HS256"}`)), "", "AAAA", p, "AAAA"}, ".")), t("JWE, by password (CVE-2023-49290)", strings.Join([]string{b64([]byte(`{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AAAA","enc":"A256GCM"}`)), "AAAA", "AAAA", p, "AAAA"}, ".")),
			t("SD-JWT", good+"~"), t("SD-JWT with a disclosure", good+"~WyJzYWx0Iiwicm9sZSIsImFkbWluIl0~"), t("detached payload", h+".."+s), t("PASETO", "v4.public."+p), t("macaroon", "MDAxY2xvY2F0aW9u"), t("a session id", "8d1c6a9e2b7f4c55"),
		}},
		{"size", []attack{
			t("claims of 9,000 bytes", a.rs(k1, encode(a.t, with(goodClaims(), members{"x": strings.Repeat("a", 9000)})))), t("a header of 9,000 bytes", a.rs(`{"alg":"RS256","kid":"`+strings.Repeat("k", 9000)+`"}`, a.good)),
			t("a signature of 9,000 bytes", h+"."+p+"."+strings.Repeat("A", 9000)), t("a megabyte", strings.Repeat("A", 1<<20)), t("8,193 bytes", strings.Repeat("A", maxToken+1)),
		}},
		{"Authorization, malformed", []attack{
			{name: "two headers", values: []string{"Bearer " + good, "Bearer " + good}},
			{name: "two headers, one empty", values: []string{"", "Bearer " + good}},
			{name: "two headers, one Basic", values: []string{"Bearer " + good, "Basic dTpw"}},
			{name: "two spaces", values: []string{"Bearer  " + good}},
			{name: "scheme alone", values: []string{"Bearer"}},
			{name: "scheme and a space", values: []string{"Bearer "}},
			{name: "blank at the end", values: []string{"Bearer " + good + " "}},
			{name: "a comma", values: []string{"Bearer " + good + ","}},
			{name: "two tokens", values: []string{"Bearer " + good + ", Bearer " + good}},
			{name: "two tokens, a blank between", values: []string{"Bearer " + good + " " + good}},
			{name: "a parameter", values: []string{"Bearer " + good + " realm=x"}},
			{name: "quoted", values: []string{`Bearer "` + good + `"`}},
			{name: "as a parameter", values: []string{"Bearer token=" + good}},
			{name: "DPoP, bound to no key", values: []string{"DPoP " + good}},
			{name: "scheme twice", values: []string{"Bearer Bearer " + good}},
		}},
		{"Authorization, another scheme", want(
			middleware.TokenMissing,
			attack{name: "no header"}, attack{name: "no scheme", values: []string{good}}, attack{name: "a tab", values: []string{"Bearer\t" + good}}, attack{name: "no space", values: []string{"Bearer" + good}}, attack{name: "a colon", values: []string{"Bearer: " + good}},
			attack{name: "empty", values: []string{""}}, attack{name: "blank before", values: []string{" Bearer " + good}}, attack{name: "Basic", values: []string{"Basic dTpw"}}, attack{name: "JWT", values: []string{"JWT " + good}},
			attack{name: "Token", values: []string{"Token " + good}}, attack{name: "Negotiate", values: []string{"Negotiate " + good}}, attack{name: "a lookalike", values: []string{"B\u0435arer " + good}},
		)},
	}
}
