package sanitize

import (
	"bytes"
	"net/url"
	"unicode/utf8"
)

// rewriteForm shows every value of an application/x-www-form-urlencoded body
// to v. Pairs keep their order, and a pair that v does not change keeps its
// bytes. A semicolon is data, as in the URL standard.
func rewriteForm(src []byte, v visitor) ([]byte, error) {
	var out []byte
	kept := 0
	for at := 0; at <= len(src); {
		end := len(src)
		if n := bytes.IndexByte(src[at:], '&'); n >= 0 {
			end = at + n
		}
		rawName, rawValue, has := bytes.Cut(src[at:end], []byte("="))
		name, err := unescape(rawName)
		if err != nil {
			return nil, err
		}
		p := pointer{member(name)}
		if err := v.name(p); err != nil {
			return nil, err
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, err
		}
		changed, err := v.text(p, value)
		if err != nil {
			return nil, err
		}
		if has && changed != value {
			out = append(out, src[kept:end-len(rawValue)]...)
			out = append(out, url.QueryEscape(changed)...)
			kept = end
		}
		at = end + 1
	}
	if kept == 0 {
		return src, nil
	}
	return append(out, src[kept:]...), nil
}

// unescape decodes one name or value. Broken escapes and what is not UTF-8
// are read differently by different programs, and so by none here.
func unescape(raw []byte) (string, error) {
	if !bytes.ContainsAny(raw, "%+") {
		if !utf8.Valid(raw) {
			return "", malformed("the form is not UTF-8")
		}
		return string(raw), nil
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
				return "", malformed("an escape of the form is not well-formed")
			}
			out = append(out, byte(unhex(raw[i+1])<<4|unhex(raw[i+2])))
			i += 2
		default:
			out = append(out, raw[i])
		}
	}
	if !utf8.Valid(out) {
		return "", malformed("the form is not UTF-8")
	}
	return string(out), nil
}
