package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), "s3cret\n")
	write(t, filepath.Join(folder, "windows"), "s3cret\r\n")
	write(t, filepath.Join(folder, "lines"), "a\n\n")
	write(t, filepath.Join(folder, "dollar"), "${HOST}")
	write(t, filepath.Join(folder, "large"), strings.Repeat("x", maxFile+1))
	env := map[string]string{"HOST": "example.com", "EMPTY": "", "TRICK": "x\nadmin: {}"}
	for _, c := range []struct{ in, want, err string }{
		{in: "plain", want: "plain"},
		{in: "costs $5", want: "costs $5"},
		{in: "$HOST", want: "$HOST"},
		{in: "https://${HOST}:${PORT:-8443}/", want: "https://example.com:8443/"},
		{in: "${EMPTY}", want: ""},
		{in: "${EMPTY:-x}", want: "x"},
		{in: "${NONE:-}", want: ""},
		{in: "${HOST:-x}${HOST}", want: "example.comexample.com"},
		{in: "$${HOST}", want: "${HOST}"},
		{in: "$$${HOST}", want: "$${HOST}"},
		{in: "a$${b} ${HOST}", want: "a${b} example.com"},
		{in: "${TRICK}", want: "x\nadmin: {}"},
		{in: "${file:secret}", want: "s3cret"},
		{in: "${file:windows}", want: "s3cret"},
		{in: "${file:lines}", want: "a\n"},
		{in: "${file:dollar}", want: "${HOST}"},
		{in: "${file:" + folder + "/secret}", want: "s3cret"},
		{in: "${NONE}", err: "the environment variable NONE is not set"},
		{in: "${file:none}", err: `file "none" does not exist`},
		{in: "${file:.}", err: `file "." is not a regular file`},
		{in: "${file:large}", err: `file "large" is larger than 4MiB`},
		{in: "${file:}", err: "${file:} names no file"},
		{in: "${}", err: "${} is none of ${NAME}, ${NAME:-default} and ${file:PATH}"},
		{in: "${1A}", err: "${1A} is none of ${NAME}, ${NAME:-default} and ${file:PATH}"},
		{in: "${HOST", err: `"${HOST" is not closed by }; a literal ${ is written $${`},
	} {
		d := decoder{
			report: &report{}, folder: folder,
			lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		}
		got, err := d.expand(c.in)
		switch {
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q: error %v, want %s", c.in, err, c.err)
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%q became %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}
