package gateway_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestMultipartBypass: on a route that takes no files, no wording of
// a multipart body brings one to the backend, nor markup in a field.
func TestMultipartBypass(t *testing.T) {
	a := attack(t, answer("200 OK", jsonType, `{"tenant":"acme"}`))
	part := func(headers, content string) string {
		return "--x\r\n" + headers + "\r\n\r\n" + content + "\r\n--x--\r\n"
	}
	const form = "multipart/form-data; boundary=x"
	for name, try := range map[string]struct{ mediaType, body string }{
		"file":                {form, part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"filename*":           {form, part(`Content-Disposition: form-data; name="a"; filename*=utf-8''a.php`, "<?php")},
		"filename twice":      {form, part(`Content-Disposition: form-data; name="a"; filename=""; filename="a.php"`, "<?php")},
		"two dispositions":    {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.php\"", "<?php")},
		"folded":              {form, part("Content-Disposition: form-data; name=\"a\";\r\n filename=\"a.php\"", "<?php")},
		"nested":              {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: multipart/mixed; boundary=y", "--y\r\nContent-Disposition: file; filename=\"a.php\"\r\n\r\n<?php\r\n--y--")},
		"bare lf":             {form, strings.ReplaceAll(part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php"), "\r\n", "\n")},
		"preamble":            {form, "x\r\n" + part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"epilogue":            {form, part(`Content-Disposition: form-data; name="a"`, "b") + part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"two boundaries":      {"multipart/form-data; boundary=y; boundary=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"boundary*":           {"multipart/form-data; boundary=y; boundary*=utf-8''x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"quoted boundary":     {`multipart/form-data; boundary="x"`, part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"mixed":               {"multipart/mixed; boundary=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"upper":               {"MULTIPART/FORM-DATA; BOUNDARY=x", part(`Content-Disposition: form-data; name="a"; filename="a.php"`, "<?php")},
		"backslash":           {form, part(`Content-Disposition: form-data; name="a\"; filename=\"a.php"`, "<?php")},
		"transfer encoding":   {form, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64", "PHNjcmlwdD4=")},
		"charset field":       {form, "--x\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-7\r\n" + part(`Content-Disposition: form-data; name="a"`, "+ADw-script+AD4-")},
		"markup":              {form, part(`Content-Disposition: form-data; name="a"`, "<script>evil</script>")},
		"markup in a name":    {form, part(`Content-Disposition: form-data; name="<script>"`, "a")},
		"form":                {"application/x-www-form-urlencoded", "a=%3Cscript%3Eevil"},
		"form, charset":       {"application/x-www-form-urlencoded; charset=utf-16", "a=%3Cscript%3Eevil"},
		"json":                {"application/json", `{"a":"\u003cscript\u003eevil\u003c/script\u003e"}`},
		"json with nul":       {"application/json", `{"a":"<\u0000script>evil"}`},
		"xml":                 {"application/xml", "<a>evil</a>"},
		"html as text":        {"text/plain", "<script>evil"},
		"no type":             {"", "<script>evil"},
		"json, wrong charset": {"application/json;charset=utf-7", `{"a":"+ADw-script+AD4-"}`},
		"many parts":          {form, strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n", 2000) + "--x--\r\n"},
	} {
		for _, method := range []string{"POST", "PATCH", "DELETE"} {
			head := method + " /forms/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			if try.mediaType != "" {
				head += "Content-Type: " + try.mediaType + "\r\n"
			}
			got := a.raw(t, head+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(try.body), try.body))
			a.mu.Lock()
			for _, body := range a.bodies {
				for _, bad := range []string{"<script", "php", "\\u003cscript", "%3Cscript", "ADw"} {
					if strings.Contains(body, bad) {
						t.Errorf("%s, %s: reached the backend as %q (%.30q)", name, method, body, got)
					}
				}
			}
			a.mu.Unlock()
			a.seen()
		}
	}
}
