package gateway

import "fmt"

// ambiguous is a request that carries a Content-Length and further lines of its
// head. To whom goes by the length, its body is one whole; to whom goes by
// chunks, it ends at once and a second request follows.
func ambiguous(lines string) (request, hidden string) {
	hidden = "0\r\n\r\n" + smuggled
	return postTo(fmt.Sprintf("Content-Length: %d\r\n%s\r\n", len(hidden), lines), hidden), hidden
}

// encodings are spellings of Transfer-Encoding beside a Content-Length.
func encodings() []framed {
	var out []framed
	// An unknown coding: nobody knows where the body ends.
	for _, v := range []string{
		"x", "", "identity", "xchunked", "chunkedx", "chunked,", ",chunked", "chunked, chunked", "chunked, identity",
		"identity, chunked", "gzip, chunked", "chunked, gzip", "chunked;q=1", "chunked;", `"chunked"`, "'chunked'",
		"chunked\r\n identity", "chunked\r\n ", "x\r\n chunked", "\xc2\xa0chunked", "chun\u212aed", "chunked\xff", "chunked/1", "chunked chunked", "deflate", "trailers",
	} {
		send, _ := ambiguous("Transfer-Encoding: " + v + "\r\n")
		out = append(out, framed{fmt.Sprintf("coding %q", v), send, "501", ""})
	}
	for _, lines := range []string{
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
		"transfer-encoding: chunked\r\nTransfer-encoding: cow\r\n",
	} {
		send, _ := ambiguous(lines)
		out = append(out, framed{fmt.Sprintf("twice %q", lines), send, "501", ""})
	}
	// No header at all, but one that somebody might take for it.
	for _, line := range []string{
		"Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked",
		"Transfer-Encoding\x00: chunked", "\x00Transfer-Encoding: chunked", "Transfer-Encoding: \x00chunked", "Transfer-Encoding: chunked\x00",
		"Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked\x0c", "Transfer-Encoding: chun\x7fked", "Transfer-Encoding\xa0: chunked",
		"Transfer Encoding: chunked", "Tran\u017ffer-Encoding: chunked", "Transfer-Encoding", ": chunked", "Transfer-Encoding\r\n : chunked",
		"Transfer-Encoding: chunked\r\nContent-Length: 44",
		"X: y\rTransfer-Encoding: chunked", "X: y\x00Transfer-Encoding: chunked", "Transfer-Encoding:\r chunked", "(Transfer-Encoding: chunked",
	} {
		send, _ := ambiguous(line + "\r\n")
		out = append(out, framed{fmt.Sprintf("line %q", line), send, "400", ""})
	}
	// Another name: the length holds, and the body goes out as what it is.
	for _, line := range []string{
		"X-Transfer-Encoding: chunked", "Transfer.Encoding: chunked", "TE: chunked", "Content-Encoding: chunked", "Transfer--Encoding: chunked",
		"X: y\r\n Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "Encoding: chunked",
	} {
		send, hidden := ambiguous(line + "\r\n")
		out = append(out, framed{fmt.Sprintf("name %q", line), send, "200 200", "POST /plain/1 " + hidden})
	}
	// Both in force: the chunks hold, and nothing is read behind them.
	for _, line := range []string{
		"Transfer-Encoding: chunked", "transfer-encoding:chunked", "TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: \t chunked \t ",
		"Transfer-Encoding:\r\n chunked",
	} {
		send, _ := ambiguous(line + "\r\n")
		out = append(out, framed{fmt.Sprintf("both %q", line), send, "200", "POST /plain/1 "})
	}
	return out
}

// lengths are spellings of Content-Length.
func lengths() []framed {
	var out []framed
	for _, lines := range []string{
		"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 1, 1\r\n", "Content-Length: 1,2\r\n", "Content-Length: +1\r\n", "Content-Length: -1\r\n",
		"Content-Length: 0x1\r\n", "Content-Length: 1 1\r\n", "Content-Length: 1e0\r\n", "Content-Length: \r\n", "Content-Length: 9223372036854775808\r\n",
		"Content-Length: 18446744073709551617\r\n", "Content-Length: 1.0\r\n", "Content-Length: 1;\r\n", "Content-Length: \"1\"\r\n", "Content-Length : 1\r\n",
		"Content-Length\x00: 1\r\n", "Content-Length: \x0b1\r\n", "Content-Length: \xc2\xa01\r\n", "Content-Length: 1_0\r\n", "Content-Length: \u0661\r\n",
		"Content-Length: 1\r\n\t 1\r\n",
	} {
		out = append(out, framed{fmt.Sprintf("length %q", lines), postTo(lines+"\r\n", "x"), "400", ""})
	}
	for _, lines := range []string{
		"Content-Length: 1\r\n", "Content-Length:1\r\n", "content-length: 1 \t\r\n", "Content-Length: 0001\r\n",
		"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1\r\nContent_Length: 9\r\n", "Content-Length:\r\n 1\r\n",
	} {
		out = append(out, framed{fmt.Sprintf("length %q", lines), postTo(lines+"\r\n", "x"), "200 200", "POST /plain/1 x"})
	}
	return append(out,
		framed{"none", postTo("\r\n", ""), "200 200", "POST /plain/1 "},
		framed{"nothing", postTo("Content-Length: 0\r\n\r\n", ""), "200 200", "POST /plain/1 "},
		// To whom does not go by the length of a GET, a second request follows.
		framed{"CL.0", "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + fmt.Sprint(len(smuggled)) + "\r\n\r\n" + smuggled, "200 200", "GET /plain/1 " + smuggled},
		framed{"0.CL", postTo("Content-Length: 0\r\nX-Content-Length: 9\r\n\r\n", ""), "200 200", "POST /plain/1 "},
		framed{"TE.0", "OPTIONS /plain/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), "200", "OPTIONS /plain/1 " + smuggled},
		framed{"HEAD with a body", "HEAD /plain/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "200 200", "HEAD /plain/1 hello"},
	)
}

// chunks are chunked bodies.
func chunks() []framed {
	var out []framed
	for name, body := range map[string]string{
		"overflow":          "10000000000000000\r\nx\r\n0\r\n\r\n",
		"sign":              "+1\r\nx\r\n0\r\n\r\n",
		"negative":          "-1\r\nx\r\n0\r\n\r\n",
		"prefix":            "0x1\r\nx\r\n0\r\n\r\n",
		"empty size":        "\r\nx\r\n0\r\n\r\n",
		"not hex":           "g\r\nx\r\n0\r\n\r\n",
		"space before":      " 1\r\nx\r\n0\r\n\r\n",
		"underscore":        "1_0\r\nx\r\n0\r\n\r\n",
		"bare LF":           "1\nx\r\n0\r\n\r\n",
		"bare CR":           "1\rx\r\n0\r\n\r\n",
		"LF in extension":   "1;a\nb\r\nx\r\n0\r\n\r\n",
		"CR in extension":   "1;a\rb\r\nx\r\n0\r\n\r\n",
		"LF in quotes":      "1;a=\"\n\"\r\nx\r\n0\r\n\r\n",
		"no end of chunk":   "1\r\nxy\r\n0\r\n\r\n",
		"bare LF at end":    "1\r\nx\n0\r\n\r\n",
		"too long":          "1\r\nxyz\r\n0\r\n\r\n",
		"last chunk LF":     "1\r\nx\r\n0\n\r\n",
		"extension, 5 KiB":  "1;" + string(make5k('a')) + "\r\nx\r\n0\r\n\r\n",
		"many extensions":   manyExtensions(),
		"NUL in size":       "1\x00\r\nx\r\n0\r\n\r\n",
		"size in the body":  "1 1\r\nx\r\n0\r\n\r\n",
		"leading zeros, 20": "00000000000000000001\r\nx\r\n0\r\n\r\n",
	} {
		out = append(out, framed{"chunk: " + name, postTo("Transfer-Encoding: chunked\r\n\r\n", body), "400", ""})
	}
	for name, body := range map[string]string{
		"plain":         "1\r\nx\r\n0\r\n\r\n",
		"leading zeros": "0001\r\nx\r\n000\r\n\r\n",
		"extension":     "1;a=b\r\nx\r\n0;c\r\n\r\n",
		"quoted":        "1;a=\"b;c\"\r\nx\r\n0\r\n\r\n",
		"space behind":  "1 \r\nx\r\n0\r\n\r\n",
		"trailers":      "1\r\nx\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nX-User-Id: root\r\n\r\n",
	} {
		out = append(out, framed{"chunk: " + name, postTo("Transfer-Encoding: chunked\r\n\r\n", body), "200", "POST /plain/1 x"})
	}
	return out
}

func make5k(c byte) []byte {
	b := make([]byte, 5<<10)
	for i := range b {
		b[i] = c
	}
	return b
}

// manyExtensions sends far more of extensions than of content.
func manyExtensions() string {
	var out string
	for range 200 {
		out += "1;" + string(make5k('a')[:500]) + "\r\nx\r\n"
	}
	return out + "0\r\n\r\n"
}
