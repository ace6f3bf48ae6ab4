package formdata

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// body writes lines with the line ends of multipart, the last without one.
func body(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

const text = `Content-Disposition: form-data; name="a"`

func TestReader(t *testing.T) {
	src := body(
		"--b", `Content-Disposition: form-data; name="a"`, "", "one\r\ntwo",
		"--b", `content-disposition: Form-Data;name=f ; filename="Adé %22x%22.txt"`, "Content-Type: Text/Plain; charset=UTF-8", "", "",
		"--b", `Content-Disposition: form-data; name="n"; filename=""`, "Content-Type: application/octet-stream", "X-Other: 1", "", "",
		"--b--", "")
	got, err := readAll(bytes.NewReader(src), "b")
	if err != nil {
		t.Fatal(err)
	}
	want := []piece{
		{Part{Name: "a"}, "one\r\ntwo"},
		{Part{Name: "f", HasFile: true, File: "Adé %22x%22.txt", Type: "text/plain", Params: map[string]string{"charset": "UTF-8"}}, ""},
		{Part{Name: "n", HasFile: true, Type: "application/octet-stream", Params: map[string]string{}}, ""},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(piece{})); d != "" {
		t.Error(d)
	}
	if parts, err := readAll(strings.NewReader("--b--\r\n"), "b"); err != nil || len(parts) != 0 {
		t.Errorf("no parts: %v, %v", parts, err)
	}
}

func TestReaderRefuses(t *testing.T) {
	disposition := func(s string) []byte { return body("--b", "Content-Disposition: "+s, "", "x", "--b--", "") }
	header := func(s string) []byte { return body("--b", text, s, "", "x", "--b--", "") }
	for name, src := range map[string][]byte{
		"empty":                 nil,
		"preamble":              body("hello", "--b", text, "", "x", "--b--"),
		"lines before":          body("", "", "--b", text, "", "x", "--b--"),
		"epilogue":              body("--b", text, "", "x", "--b--", "", "more"),
		"second body":           body("--b", text, "", "x", "--b--", "--b", text, "", "y", "--b--"),
		"no end":                body("--b", text, "", "x"),
		"half end":              body("--b", text, "", "x", "--b-"),
		"padding":               body("--b ", text, "", "x", "--b--"),
		"longer boundary":       body("--bc", text, "", "x", "--b--"),
		"boundary inside":       body("--b", text, "", "x --b y", "--b--"),
		"bare line feeds":       []byte("--b\n" + text + "\n\nx\n--b--\n"),
		"bare feed at boundary": []byte("--b\r\n" + text + "\r\n\r\nx\n--b--"),
		"no headers":            body("--b", "", "x", "--b--"),
		"no blank line":         body("--b", text, "x", "--b--"),
		"folded":                header(" folded: 1"),
		"folded value":          body("--b", "Content-Disposition: form-data;", ` name="a"`, "", "x", "--b--"),
		"repeated header":       header(text),
		"space before colon":    header("Content-Type : text/plain"),
		"control in header":     header("X-A: \x00"),
		"invalid UTF-8":         disposition("form-data; name=\"\xff\""),
		"transfer encoding":     header("Content-Transfer-Encoding: base64"),
		"content encoding":      header("Content-Encoding: gzip"),
		"nested":                header("Content-Type: multipart/mixed; boundary=c"),
		"message":               header("Content-Type: message/rfc822"),
		"bad type":              header("Content-Type: text"),
		"two types":             header("Content-Type: text/plain, text/html"),
		"continued parameter":   header("Content-Type: text/plain; charset*0=utf-; charset*1=7"),
		"many headers":          header("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1"),
		"long headers":          header("X-A: " + strings.Repeat("a", maxHeaderBytes)),
		"no disposition":        body("--b", "Content-Type: text/plain", "", "x", "--b--"),
		"attachment":            disposition(`attachment; name="a"`),
		"no name":               disposition(`form-data; filename="a"`),
		"bare":                  disposition(`form-data`),
		"name twice":            disposition(`form-data; name="a"; name="b"`),
		"name in two cases":     disposition(`form-data; name="a"; NAME="b"`),
		"filename twice":        disposition(`form-data; name="a"; filename="a"; filename="b"`),
		"filename and *":        disposition(`form-data; name="a"; filename="a.txt"; filename*=utf-8''a.php`),
		"backslash":             disposition(`form-data; name="a\"; filename=\"b"`),
		"open quote":            disposition(`form-data; name="a`),
		"after quote":           disposition(`form-data; name="a"b; filename=c`),
		"empty value":           disposition(`form-data; name=`),
		"semicolon at end":      disposition(`form-data; name="a";`),
		"unquoted space":        disposition(`form-data; name=a b`),
		"many parts":            bytes.Repeat(body("--b", text, "", "x", ""), maxParts+1),
	} {
		if name == "many parts" {
			src = append(src, "--b--"...)
		}
		if parts, err := readAll(bytes.NewReader(src), "b"); err == nil {
			t.Errorf("%s: parsed as %+v", name, parts)
		}
	}
	for _, boundary := range []string{"", " ", "a ", "a\"", "a\n", "ä", strings.Repeat("a", 71)} {
		if _, err := readAll(strings.NewReader("--"+boundary+"--"), boundary); err == nil {
			t.Errorf("boundary %q was taken", boundary)
		}
	}
}
