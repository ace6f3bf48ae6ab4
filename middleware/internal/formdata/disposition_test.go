package formdata

import (
	"strings"
	"testing"
)

// The names that clients write, each in their way, are one name; where two stand
// beside each other and differ, nobody knows which.
func TestNames(t *testing.T) {
	for disposition, want := range map[string]string{ // name|file, or "" where it is refused
		// browsers, and clients that write as they do
		`form-data; name="f"; filename="Adé.txt"`:                "f|Adé.txt",
		`form-data; name="a[0].b"; filename="x %22y%22.txt"`:     "a[0].b|x %22y%22.txt",
		`form-data; name="f"; filename="a;b='c'.txt"`:            "f|a;b='c'.txt",
		`form-data; name="f"; filename="AT&T R&D &amp; co.pdf"`:  "f|AT&T R&D &amp; co.pdf",
		`form-data; name="f"; filename=""`:                       "f|",
		`form-data; filename="a.txt"; name="f"; size=12; x="y;"`: "f|a.txt",
		// curl, and others that escape
		`form-data; name="f"; filename="x \"y\".txt"`: "f|x %22y%22.txt",
		`form-data; name="\"f\""; filename="x"`:       "%22f%22|x",
		// .NET
		`form-data; name=f; filename=a.txt; filename*=utf-8''a.txt`:                             "f|a.txt",
		`form-data; name=f; filename="a b.txt"; filename*=utf-8''a%20b.txt`:                     "f|a b.txt",
		`form-data; name=f; filename="=?utf-8?B?QWTDqS50eHQ=?="; filename*=utf-8''Ad%C3%A9.txt`: "f|Adé.txt",
		`form-data; name="=?utf-8?B?QWTDqQ==?="`:                                                "Adé|-",
		// others
		`form-data; name="f"; filename*=UTF-8'en'%E7%94%B3%E8%AF%B7.pdf`:        "f|申请.pdf",
		`form-data; name*=utf-8''Ad%C3%A9; filename*=utf-8''x%22y.txt`:          "Adé|x%22y.txt",
		`form-data; name="f"; filename="=?UTF-8?Q?Ad=C3=A9?= =?UTF-8?Q?.txt?="`: "f|Adé.txt",
		`form-data; name="f"; filename="what=?.txt"`:                            "f|what=?.txt",
		// they differ
		`form-data; name=f; filename=a.txt; filename*=utf-8''a.php`:                             "",
		`form-data; name=f; filename="na_ve.txt"; filename*=utf-8''na%C3%AFve.txt`:              "",
		`form-data; name=f; filename="=?utf-8?B?QWTDqS50eHQ=?="; filename*=utf-8''Ad%C3%A9.php`: "",
		`form-data; name=f; name*=utf-8''g`:                                                     "",
		// what is not well-formed, or read in other ways by somebody
		`form-data; name=f; filename*=a.txt`:                                "",
		`form-data; name=f; filename*=iso-8859-1''a.txt`:                    "",
		`form-data; name=f; filename*=utf-8''a%2`:                           "",
		`form-data; name=f; filename*=utf-8''%FF.txt`:                       "",
		`form-data; name=f; filename*=utf-8''a%00.txt`:                      "",
		`form-data; name=f; filename*=utf-8''a%0d%0aContent-Type:x`:         "",
		`form-data; name=f; filename*=utf-8''a%5cb.txt`:                     "",
		`form-data; name=f; filename*=utf-8''=%3Futf-8%3FQ%3Fa.php%3F=`:     "",
		`form-data; name=f; filename*="utf-8''a.txt"`:                       "",
		`form-data; name=f; filename*=utf-8''a.txt; filename*=utf-8''a.php`: "",
		`form-data; name=f; filename*0=a; filename*1=.txt`:                  "",
		`form-data; name=f; filename*0*=utf-8''a.txt`:                       "",
		`form-data; name="f"; filename="=?utf-8?Q?a.php?=.png"`:             "",
		`form-data; name="f"; filename="x =?utf-8?Q?a.php?="`:               "",
		`form-data; name="f"; filename="=?iso-8859-1?Q?a.png?="`:            "",
		`form-data; name="f"; filename="=?utf-8?B?!?="`:                     "",
		`form-data; name="f"; filename="=?utf-8?Q?a=0D=0A.png?="`:           "",
		`form-data; name="f"; filename="a&#46;php"`:                         "",
		`form-data; name="f"; filename="..&sol;a.txt"`:                      "",
		`form-data; name="f"; filename="a&lt;b.txt"`:                        "",
		`form-data; name="f"; filename="C:\dir\a.txt"`:                      "",
		`form-data; name="f"; filename="a\\"; x="b.txt"`:                    "",
		`form-data; name="f"; filename="a\`:                                 "",
		`form-data; name="a; filename=b.php"`:                               "",
		`form-data; name="filename=b.php; c"`:                               "",
		`form-data; name="a FileName*= b.php"`:                              "",
		`form-data; name="f"; filename="filename=b.txt"`:                    "f|filename=b.txt",
		`form-data; name="a%22 ; FileName *=%22b.php"`:                      "",
		`form-data; name="a\"; filename=\"b.php"`:                           "",
		`form-data; name="f"; filename="a; name=g"`:                         "",
		`form-data; name="f"; filename="name=a; b.txt"`:                     "f|name=a; b.txt",
		`form-data; name=""`:                                                "",
		`form-data; name=" f"`:                                              "",
		"form-data; name=\"f\u00a0\"":                                       "",
	} {
		p, err := parseHead("Content-Disposition: " + disposition)
		got := ""
		if err == nil {
			got = p.Name + "|" + p.File
			if !p.HasFile {
				got += "-"
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q (%v)", disposition, got, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "a.txt") {
			t.Errorf("%s is quoted: %v", disposition, err)
		}
	}
}

// What clients declare who know no type, or take that of the form.
func TestDeclaredTypes(t *testing.T) {
	const field, file = `Content-Disposition: form-data; name="f"`, `Content-Disposition: form-data; name="f"; filename="a"`
	for head, want := range map[string]string{
		file + "\r\nContent-Type: application/octet-stream":                                          "application/octet-stream",
		field + "\r\nContent-Type: application/octet-stream":                                         "",
		file + "\r\nContent-Type: multipart/form-data":                                               "",
		file + "\r\nContent-Type: */*":                                                               "",
		file + "\r\nContent-Type: image/*":                                                           "image/*",
		file + "\r\nContent-Type:":                                                                   "",
		field + "\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: 8bit": "text/plain",
		field + "\r\nContent-Type: text/plain; charset=\"a b\"":                                      "refused",
		file + "\r\nContent-Type: multipart/form-data; boundary=c":                                   "refused",
		file + "\r\nContent-Type: multipart/mixed":                                                   "refused",
	} {
		p, err := parseHead(head)
		if err != nil {
			p = &Part{Type: "refused"}
		}
		if p.Type != want {
			t.Errorf("%q: %q, want %q (%v)", head, p.Type, want, err)
		}
	}
}

// A line break before the first delimiter is its own; a second one is not.
func TestLineBreakFirst(t *testing.T) {
	src := string(body("--b", text, "", "x", "--b--"))
	if got, err := readAll(strings.NewReader("\r\n"+src), "b"); err != nil || len(got) != 1 || got[0].content != "x" {
		t.Errorf("%+v %v", got, err)
	}
	for _, before := range []string{"\r\n\r\n", "\n", " \r\n", "x\r\n"} {
		if got, err := readAll(strings.NewReader(before+src), "b"); err == nil {
			t.Errorf("%q before: %+v", before, got)
		}
	}
}
