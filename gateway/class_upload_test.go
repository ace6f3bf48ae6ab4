package gateway

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
)

// parts: no wording of a multipart body brings a file past the route's rules, or
// markup past those for fields.
func (s *arenas) parts(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for name, try := range multiparts() {
		for _, target := range []string{"/clean/x", "/files/x"} {
			for _, noLength := range []bool{false, true} {
				o, got := a.send(p, raw{method: "POST", target: target, headers: [][2]string{{"Content-Type", try[0]}}, body: try[1], noLength: noLength})
				a.refused(name+" to "+target, o, got, "upload_rejected", "input_rejected", "body_malformed", "media_type_unsupported", "body_too_large", "header_invalid")
				n++
			}
		}
	}
	const form = "multipart/form-data; boundary=x"
	part := func(disposition, content string) string {
		return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
	}
	for name, body := range map[string]string{
		"a field": part(`name="a"`, "b") + "--x--\r\n", "a text file": part(`name="a"; filename="a.txt"`, "Dear Ann,\n") + "--x--\r\n", "two fields of one name": part(`name="a"`, "b") + part(`name="a"`, "c") + "--x--\r\n",
		"an empty file": part(`name="a"; filename=""`, "") + "--x--\r\n", "three files": strings.Repeat(part(`name="a"; filename="a.txt"`, "b"), 3) + "--x--\r\n", "a name in UTF-8": part(`name="a"; filename="r\u00e9sum\u00e9.txt"`, "b") + "--x--\r\n",
	} {
		body = strings.NewReplacer(`\u00e9`, "\u00e9").Replace(body)
		o, got := a.send(p, raw{method: "POST", target: "/files/x", headers: [][2]string{{"Content-Type", form}}, body: body})
		if q, ok := a.passed(name, o, got); ok && !sameParts(t, form, body, q.values("Content-Type"), q.body) {
			t.Errorf("%s arrived as %q", name, q.body)
		}
		n++
	}
	for name, body := range map[string]string{
		"four files": strings.Repeat(part(`name="a"; filename="a.txt"`, "b"), 4) + "--x--\r\n", "a large file": part(`name="a"; filename="a.txt"`, strings.Repeat("b", 5<<10)) + "--x--\r\n",
		"a flood of parts":   strings.Repeat(part(`name="a"; filename="a.txt"`, ""), 1200) + part(`name="a"; filename="a.php"`, "<?php evil") + "--x--\r\n",
		"a flood of headers": "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n" + strings.Repeat("X-Y: z\r\n", 6000) + "\r\nb\r\n--x--\r\n",
	} {
		o, got := a.send(p, raw{method: "POST", target: "/files/x", headers: [][2]string{{"Content-Type", form}}, body: body})
		a.refused(name, o, got, "upload_rejected", "body_malformed", "body_too_large")
		n++
	}
	o, got := a.send(p, raw{method: "POST", target: "/files/x", headers: [][2]string{{"Content-Type", form}}, body: strings.Repeat(part(`name="a"`, "b"), 5000) + "--x--\r\n"})
	a.refused("more than a body may be", o, got, "body_too_large")
	return n + 1
}

// multiparts are bodies with their media types, each with something in it that
// neither a route with uploads nor one without may let through.
func multiparts() map[string][2]string {
	const form = "multipart/form-data; boundary=x"
	part := func(headers, content string) string {
		return "--x\r\n" + headers + "\r\n\r\n" + content + "\r\n--x--\r\n"
	}
	out := map[string][2]string{
		"no boundary":       {"multipart/form-data", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"an empty boundary": {"multipart/form-data; boundary=", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"another boundary":  {"multipart/form-data; boundary=y", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"two boundaries":    {"multipart/form-data; boundary=y; boundary=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"a boundary in parts": {
			"multipart/form-data; boundary*0=x; boundary*1=y", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil"),
		},
		"a boundary with a charset": {"multipart/form-data; boundary*=utf-8''x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"multipart/mixed":           {"multipart/mixed; boundary=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"multipart/related":         {"multipart/related; boundary=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"a part within a part":      {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: multipart/mixed; boundary=y", "--y\r\nContent-Disposition: file; filename=\"a.php\"\r\n\r\n<?php evil\r\n--y--")},
		"line feeds":                {form, strings.ReplaceAll(part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil"), "\r\n", "\n")},
		"something before":          {form, "evil\r\n" + part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"something behind":          {form, part(`Content-Disposition: form-data; name="a"`, "b") + part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil")},
		"no end":                    {form, strings.TrimSuffix(part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php evil"), "--x--\r\n")},
		"two dispositions":          {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.php\"", "<?php evil")},
		"a folded line":             {form, part("Content-Disposition: form-data; name=\"a\";\r\n filename=\"a.php\"", "<?php evil")},
		"no disposition":            {form, part("Content-Type: application/x-php", "<?php evil")},
		"a transfer encoding":       {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64", "PHNjcmlwdD4=")},
		"markup in a field":         {form, part(`Content-Disposition: form-data; name="a"`, "<script>evil()</script>")},
		"markup in a second field":  {form, strings.TrimSuffix(part(`Content-Disposition: form-data; name="a"`, "b"), "--x--\r\n") + part(`Content-Disposition: form-data; name="a"`, "<script>evil()</script>")},
		"markup in a name":          {form, part(`Content-Disposition: form-data; name="<script>"`, "evil")},
		"another charset":           {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-7", "+ADw-script+AD4-evil")},
		"a field that says so":      {form, "--x\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-7\r\n" + part(`Content-Disposition: form-data; name="a"`, "+ADw-script+AD4-evil")},
		"a page that is a text":     {form, part(`Content-Disposition: form-data; name="a"; filename="a.txt"`, "<html><script>evil()</script>")},
		"a program that is a picture": {
			form, part("Content-Disposition: form-data; name=\"a\"; filename=\"a.png\"\r\nContent-Type: image/png", "<?php evil"),
		},
	}
	for i, filename := range []string{
		`filename="a.php"`, `filename=a.php`, `FILENAME="a.php"`, `filename*=utf-8''a.php`, `filename="a.txt"; filename*=utf-8''a.php`, `filename="a.txt"; filename="a.php"`, `filename=""; filename="a.php"`, `filename="a.txt\"; filename=\"a.php"`, `filename="a.php;.txt"`, `filename="a.php\x00.txt"`, `filename="a.php%00.txt"`,
		`filename="a.txt.php"`, `filename="a.php."`, `filename="a.php "`, `filename="a.php/"`, `filename="../../a.txt"`, `filename="..\..\a.txt"`, `filename="/etc/a.txt"`, `filename="C:\a.txt"`, `filename="a.txt:b.php"`, `filename=".txt"`, `filename=".htaccess"`, `filename="a"`, `filename="a.phtml"`, `filename="a.svg"`, `filename="a.html"`,
		`filename='a.php'`, `filename="a.php`, `filename=a.txt b.php`, `filename*0="a."; filename*1="php"`, `filename="a.txt" filename="a.php"`, `filename ="a.php"`, `filename= "a.php"`, `filename="=?utf-8?B?YS5waHA=?="`, "filename=\"a\u202ephp.txt\"", `filename*=utf-7''a.txt`, `filename*=''a.php`, "filename=\"a.txt\xff\"",
	} {
		filename = strings.NewReplacer(`\x00`, "\x00").Replace(filename)
		out[fmt.Sprintf("%d: %q", i, filename)] = [2]string{form, part(`Content-Disposition: form-data; name="a"; `+filename, "<?php evil")}
	}
	return out
}

// sameParts reports whether a form that arrived holds what the one that was sent
// does, part by part, under a boundary that the client did not choose.
func sameParts(t *testing.T, media, body string, types []string, arrived string) bool {
	t.Helper()
	if len(types) != 1 || types[0] == media {
		return false
	}
	read := func(media, body string) (out []string) {
		_, params, err := mime.ParseMediaType(media)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(strings.NewReader(body), params["boundary"])
		for {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				return out
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(p.Header, string(b)))
		}
	}
	return slices.Equal(read(media, body), read(types[0], arrived))
}
