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
		raw, value, err := formPair(src[at:end])
		if err != nil {
			return nil, err
		}
		at = end + 1
		p := pointer{{name: value.name, index: -1}}
		if !passes(v, p, value.name) {
			if err := v.name(p); err != nil {
				return nil, err
			}
		}
		if passes(v, p, value.text) {
			continue
		}
		text := string(value.text)
		changed, err := v.text(p, text)
		if err != nil {
			return nil, err
		}
		if changed != text {
			out = append(out, src[kept:end-len(raw)]...)
			out = append(out, url.QueryEscape(changed)...)
			kept = end
		}
	}
	if kept == 0 {
		return src, nil
	}
	return append(out, src[kept:]...), nil
}

func passes(v visitor, p pointer, text []byte) bool {
	return v.pass(p, text, bytes.IndexByte(text, '<') >= 0)
}

// pair is a name and a value, decoded.
type pair struct{ name, text []byte }

// formPair decodes one pair; raw is its value as it came.
func formPair(src []byte) (raw []byte, p pair, err error) {
	name, raw, _ := bytes.Cut(src, []byte("="))
	if p.name, err = unescape(name); err == nil {
		p.text, err = unescape(raw)
	}
	return raw, p, err
}

// unescape decodes one name or value. Broken escapes and what is not UTF-8
// are read differently by different programs, and so by none here. What has no
// escapes comes back as it is, not copied.
func unescape(raw []byte) ([]byte, error) {
	out := raw
	if bytes.ContainsAny(raw, "%+") {
		out = make([]byte, 0, len(raw))
		for i := 0; i < len(raw); i++ {
			switch raw[i] {
			case '+':
				out = append(out, ' ')
			case '%':
				if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
					return nil, malformed("an escape of the form is not well-formed")
				}
				out = append(out, byte(unhex(raw[i+1])<<4|unhex(raw[i+2])))
				i += 2
			default:
				out = append(out, raw[i])
			}
		}
	}
	if !utf8.Valid(out) {
		return nil, malformed("the form is not UTF-8")
	}
	return out, nil
}
