package middleware_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// oddBodies are forms with the boundary b, as attackers and odd clients write
// them, by what is odd.
func oddBodies() map[string]string {
	field := func(disposition string, more ...string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n" + strings.Join(append(more, "", "x"), "\r\n") + "\r\n--b--\r\n"
	}
	file := func(disposition string) string { return field(`name="f"; `+disposition, "Content-Type: image/png") }
	content := func(s string) string {
		return formOf("name=\"t\"\r\n\r\n"+s, "name=\"f\"; filename=\"f.bin\"\r\n\r\n"+s)
	}
	out := map[string]string{
		"no parts": "--b--\r\n", "line break first": "\r\n" + formOf("name=a\r\n\r\nx"), "no line break last": strings.TrimSuffix(formOf("name=a\r\n\r\nx"), "\r\n"),
		"empty parts": content(""), "preamble": "x\r\n" + formOf("name=a\r\n\r\nx"), "epilogue": formOf("name=a\r\n\r\nx") + "x",
		"second form": formOf("name=a\r\n\r\nx") + formOf("name=b\r\n\r\nx"), "bare line feeds": strings.ReplaceAll(formOf("name=a\r\n\r\nx"), "\r\n", "\n"),
		"no line break before the boundary": "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx--b--\r\n",
		"padding behind the boundary":       "--b \r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n",
		"boundary and more":                 content("\r\n--bc\r\nContent-Disposition: form-data; name=b\r\n\r\nx"),
		"boundary after a line feed":        content("\n--b\nContent-Disposition: form-data; name=b\n\nx"),
		"boundary without dashes":           content("\r\nb\r\n--\r\n-b--\r\n\r\n-"),
		"dashes":                            content("\r\n--\r\n----\r\n--B--\r\n-"),
		"our own boundary":                  content("\r\n--gatehouse-00000000000000000000000000000000--\r\n"),
		"zeros":                             content("\x00\xff\xfe\r\r\n\n\x1a"),
		"line ends":                         content("\r\n\r\n\r\n"),
		"every byte":                        content(everyByte()),
		"name twice":                        field(`name=a; name=b`), "filename twice": file(`filename="a.png"; filename="a.php"`), "FileName": file(`FileName="a.png"`),
		"filename*": file(`filename*=utf-8''%E7%94%B3.png`), "filename* and filename": file(`filename="a.png"; filename*=utf-8''a.png`),
		"filename* that differs": file(`filename="a.png"; filename*=utf-8''a.php`), "filename in pieces": file(`filename*0="a."; filename*1="php"`),
		"encoded word": file(`filename="=?utf-8?B?QWTDqS5wbmc=?="`), "encoded word and filename*": file(`filename="=?utf-8?B?QWTDqS5wbmc=?="; filename*=utf-8''Ad%C3%A9.png`),
		"no file chosen": field(`name="f"; filename=""`, "Content-Type: application/octet-stream"), "content without a name": file(`filename=""`),
		"nothing chosen":            formOf("name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n", "name=\"g\"; filename=\"\"\r\n\r\n"),
		"bytes without a file name": field(`name="f"`, "Content-Type: application/octet-stream"), "unquoted": file(`filename=a.png`),
		"base64": field(`name=a`, "Content-Transfer-Encoding: base64"), "8bit": field(`name=a`, "Content-Transfer-Encoding: 8BIT"),
		"quoted-printable": field(`name=a`, "Content-Transfer-Encoding: quoted-printable"), "nested": field(`name=a`, "Content-Type: multipart/mixed; boundary=c"),
		"folded": field(`name=a`, "Content-Type:", " text/plain"), "header twice": field(`name=a`, "Content-Type: text/plain", "Content-Type: text/html"),
		"other headers": field(`name=a`, "Content-Length: 99", "X-Name: b", "Content-ID: <a>"), "attachment": strings.Replace(field(`name=a`), "form-data", "attachment", 1),
		"charset in pieces": field(`name=a`, "Content-Type: text/plain; charset*0=utf-; charset*1=7"),
	}
	for _, name := range []string{
		"Adé.png", "a;b.png", "a%22b.png", `a\"b.png`, `a\b.png`, `a\\b.png`, "a'b.png", "a=b.png", "a,b.png", " a.png", "a.png ", "a.png.", "%2e%2e%2fa.png", "../a.png", "a/b.png", ".", "..",
		"Screenshot at 5.00.00\u202fPM.png", "a\u202egnp.exe", "a\u00a0b.png", "AT&T.png", "AT&amp;T.png", "a&#46;php", "cost&regulation.png", "a\tb.png", "a\x00b.png", "申请.png", "👋🏾.png",
		"a\u0085b.png", "a\u2028b.png", "a\ufeff.png", "a%.png", "a%00.png", "{a}.png", "<b>.png", strings.Repeat("a", 2000) + ".png", "utf-8''a.png", "a*.png", "e\u0301.png",
	} {
		out["file name "+name] = file(`filename="` + name + `"`)
		out["field name "+name] = field(`name="` + name + `"`)
	}
	for _, charset := range []string{"utf-8", "UTF-8", "utf8", "us-ascii", "iso-8859-1", "ISO-8859-1", "windows-1252", "utf-7", "utf-16", "base64", "x y", `"utf-8"`, "binary", "latin1", "hex", "ucs2"} {
		out["charset "+charset] = field(`name=a`, "Content-Type: text/plain; charset="+charset)
		out["bytes in charset "+charset] = strings.Replace(out["charset "+charset], "\r\nx\r\n", "\r\nAd\xe9 \xc3\xa9 +ADw-b+AD4-\r\n", 1)
		out["file in charset "+charset] = field(`name=f; filename=a`, "Content-Type: text/plain; charset="+charset)
	}
	for _, media := range []string{"application/json", "text/html", "image/*", "*/*", "text", "", "multipart/form-data", "application/octet-stream; x=y", "message/rfc822", "text/plain;", "TEXT/Plain; a=b; CHARSET=utf-8"} {
		out["field of type "+media] = field(`name=a`, "Content-Type: "+media)
		out["file of type "+media] = field(`name=f; filename=a`, "Content-Type: "+media)
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("name=\"n%d\"\r\n\r\n%d", i%7, i))
	}
	out["a thousand parts"] = formOf(many...)
	return out
}

func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// randomBody writes a form of pieces that are mostly well-formed.
func randomBody(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	rare := func(s, often string) string {
		if r.IntN(40) == 0 {
			return s
		}
		return often
	}
	text := func(n int, from ...string) string {
		var b strings.Builder
		for range r.IntN(n) {
			b.WriteString(pick(from...))
		}
		return b.String()
	}
	name := func() string {
		return text(5, "a", "b", "é", "%22", ";", "=", " x", "'", "[0]", ".", "&", "amp;", "😀", "%", "*", rare(`\`, "-"), rare("\t", "_"), rare("\u00a0", "+"), rare(`\"`, ","))
	}
	var b strings.Builder
	b.WriteString(rare("x", rare("\r\n", "")))
	for range r.IntN(5) {
		b.WriteString("--b" + rare(" ", "") + rare("\n", "\r\n") + pick("Content-Disposition", "content-disposition") + ": " + pick("form-data", "Form-Data") + ";")
		b.WriteString(pick(" ", "") + pick(`name="f`+name()+`"`, `name="n`+name()+`"`, "name=n", rare("name=n;name=m", "name=o"), rare("name*=utf-8''n", "name=p")))
		switch n := name() + pick(".png", ".txt", ".php", ""); r.IntN(6) {
		case 0:
			b.WriteString(`; filename="` + n + `"`)
		case 1:
			b.WriteString(`; filename="a"; filename*=utf-8''a`)
		case 2:
			b.WriteString(`; filename*=utf-8''` + pick("%C3%A9", "a%22b", "a;", "a.png", rare("%00", "b")))
		case 3:
			b.WriteString(pick(`;filename=`, `; FILENAME=`) + pick("a.png", `""`, `"=?utf-8?Q?=C3=A9?="`, `"\"a\".png"`))
		}
		b.WriteString(rare(";", rare("; size=1", "")) + "\r\n")
		if r.IntN(2) == 0 {
			b.WriteString("Content-Type: " + pick("text/plain", "text/plain; charset=utf-8", "text/plain; charset=US-ASCII", "text/plain; charset=ISO-8859-1", "application/json", "application/octet-stream", "image/png", rare("multipart/mixed", "text/html")) + "\r\n")
		}
		b.WriteString(rare("X-A: 1\r\n", rare("Content-Transfer-Encoding: "+pick("8bit", "base64")+"\r\n", "")) + "\r\n")
		b.WriteString(text(8, "x", "\r\n", "\n", "\r", "-", "--", "é", "\r\n--", "\r\n-", "b", "\x00", rare("\xff", "y"), rare("--b", "-b"), rare("\r\n--b--", "\r\n--\r\nb")))
		b.WriteString(rare("\n", "\r\n"))
	}
	b.WriteString("--b--" + rare("x", pick("\r\n", "")))
	return b.String()
}
