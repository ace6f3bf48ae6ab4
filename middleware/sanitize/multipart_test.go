package sanitize_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// form writes a multipart body with the boundary b.
func form(parts ...string) string {
	return "--b\r\nContent-Disposition: form-data; " + strings.Join(parts, "\r\n--b\r\nContent-Disposition: form-data; ") + "\r\n--b--\r\n"
}

func TestMultipart(t *testing.T) {
	const media = "multipart/form-data; boundary=b"
	const file = "name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n<b>\x00\xff"
	const text, empty = "name=\"t\"\r\n\r\n", "name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	for name, tt := range map[string]struct {
		files bool
		in    string
		want  result
	}{
		"texts alone change": {true, form(text+"AT&T", file, text+"<b>x</b>", file), result{Got: form(text+"AT&T", file, text+"x", file), Notes: notes("sanitize_strip", "/t")}},
		"nothing to change":  {true, form(file, text+"5 < 6 & O'Brien"), result{Got: form(file, text+"5 < 6 & O'Brien")}},
		"no files taken":     {false, form(file), result{Code: "upload_rejected", Detail: "this route takes no files"}},
		"no file chosen":     {false, form(text+"x", empty), result{Got: form(text+"x", empty)}},
		"JSON part":          {true, form("name=\"j\"\r\nContent-Type: application/json\r\n\r\n[\"\\u003cb>x\"]"), result{Got: form("name=\"j\"\r\nContent-Type: application/json\r\n\r\n[\"x\"]"), Notes: notes("sanitize_strip", "/j/0")}},
		"broken JSON part":   {true, form("name=\"j\"\r\nContent-Type: application/json\r\n\r\n["), result{Code: "body_malformed", Detail: "malformed body: a value is expected at byte 1"}},
		"another type":       {true, form("name=\"j\"\r\nContent-Type: image/png\r\n\r\nx"), result{Code: "media_type_unsupported", Detail: "a part of the body has a type or charset that is not accepted here"}},
		"another charset":    {true, form("name=\"j\"\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nx"), result{Code: "media_type_unsupported", Detail: "a part of the form has a charset that is not accepted"}},
		"_charset_":          {true, form("name=\"_charset_\"\r\n\r\nutf-7"), result{Code: "media_type_unsupported", Detail: "a part of the body has a type or charset that is not accepted here"}},
		"not UTF-8":          {true, form(text + "\xff"), result{Code: "body_malformed", Detail: "malformed body: a text is not UTF-8"}},
		"name with markup":   {true, form("name=\"<b>\"\r\n\r\nx"), result{Code: "input_rejected", Detail: "the name of a field in / holds markup", Notes: notes("sanitize_reject", "/")}},
		"boundary made anew": {true, form(text + "\r\n-<b></b>-b\r\nContent-Disposition: form-data; name=\"t\"; filename=\"x.php\"\r\n\r\n<?php"), result{Got: form(text + "\n--b\nContent-Disposition: form-data; name=\"t\"; filename=\"x.php\"\n\n"), Notes: notes("sanitize_strip", "/t")}},
		"ISO 8859-1":         {true, form("name=\"t\"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\n\r\nAd\xe9 <b>x</b>"), result{Got: form("name=\"t\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAdé x"), Notes: notes("sanitize_strip", "/t")}},
		"type of the form":   {true, form("name=\"t\"\r\nContent-Type: multipart/form-data\r\n\r\n<b>x"), result{Got: form(text + "x"), Notes: notes("sanitize_strip", "/t")}},
		"bytes without name": {true, form("name=\"t\"\r\nContent-Type: application/octet-stream\r\n\r\n<b>x"), result{Got: form(text + "x"), Notes: notes("sanitize_strip", "/t")}},
		"preamble":           {true, "x" + form(text), result{Code: "body_malformed", Detail: "the multipart body is malformed: the body does not start with the boundary"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, stage(t, config.Sanitize{}), media, tt.in, func(x *middleware.Exchange) {
				if tt.files {
					x.Route.Upload = &config.Upload{}
				}
			})
			// What is sent is always written anew.
			boundary := regexp.MustCompile("--gatehouse-[0-9a-f]{32}")
			if got.Code == "" && len(boundary.FindAllString(got.Got, -1)) == 0 {
				t.Errorf("the client's own bytes are sent: %q", got.Got)
			}
			got.Got = boundary.ReplaceAllString(got.Got, "--b")
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
