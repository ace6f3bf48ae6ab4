package formdata

import (
	"errors"
	"html"
	"mime"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// disposition reads form-data with a name and perhaps a filename, each once.
//
// Names are written in many ways. Browsers write UTF-8 and percent-encode a
// quote; others escape it with a backslash. .NET sends filename and filename*
// always, with an RFC 2047 encoded word in the former where it is not ASCII;
// others send filename* alone. All of these say one name, which Name and File
// hold in the form of browsers. Where two of them stand beside each other they
// must say the same. Parameters that mean nothing in a form are left out.
func (p *Part) disposition(value string) error {
	kind, rest, more := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimRight(kind, " \t"), "form-data") {
		return errors.New("its disposition is not form-data")
	}
	params := map[string]string{}
	for more {
		name, val, after, ok := parameter(strings.TrimLeft(rest, " \t"))
		if !ok {
			return errors.New("its disposition is not well-formed")
		}
		if _, again := params[name]; again {
			return errors.New("its disposition has a repeated parameter")
		}
		params[name] = val
		if strings.Contains(name, "*") && name != "name*" && name != "filename*" {
			return errors.New("its disposition has a parameter in pieces")
		}
		after = strings.TrimLeft(after, " \t")
		if more = after != ""; more {
			if after[0] != ';' {
				return errors.New("its disposition is not well-formed")
			}
			rest = after[1:]
		}
	}
	return p.names(params)
}

// names takes the names of the field and the file out of the parameters.
func (p *Part) names(params map[string]string) error {
	name, named, err := nameIn(params, "name")
	if err != nil {
		return err
	}
	// White space around a name is dropped by some parsers, and a part without
	// a name by others.
	if !named || name == "" || strings.TrimSpace(name) != name {
		return errors.New("its disposition has no name, or one with white space around it")
	}
	file, has, err := nameIn(params, "filename")
	if err != nil {
		return err
	}
	if splits(name) || splits(file) || strings.Contains(unspaced(name), "filename=") {
		return errors.New("its disposition has a parameter inside of a name")
	}
	if unescapes(file) {
		return errors.New("its file name has a character reference")
	}
	p.Name, p.File, p.HasFile = name, file, has
	return nil
}

// nameIn gives the one text that a parameter and its extended form say.
func nameIn(params map[string]string, name string) (string, bool, error) {
	plain, has := params[name]
	if hasWord(plain) {
		word, ok := encodedWord(plain)
		if !ok {
			return "", false, errors.New("its disposition has an encoded word that is not well-formed")
		}
		plain = word
	}
	extended, both := params[name+"*"]
	if !both {
		return plain, has, nil
	}
	s, ok := extendedValue(extended)
	if !ok {
		return "", false, errors.New("its disposition has " + name + "* that is not well-formed")
	}
	if has && plain != s {
		return "", false, errors.New("its disposition has " + name + " and " + name + "* that differ")
	}
	return s, true, nil
}

// extendedValue reads RFC 8187, section 3.2: a charset, which must be UTF-8, a
// language, and a percent-encoded text.
func extendedValue(s string) (string, bool) {
	charset, s, _ := strings.Cut(s, "'")
	_, s, ok := strings.Cut(s, "'")
	if !ok || !strings.EqualFold(charset, "utf-8") || strings.ContainsAny(s, "'*") {
		return "", false
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", false
	}
	return quotable(s)
}

// encodedWord reads RFC 2047 encoded words, in UTF-8 and with nothing else
// between them. Some parsers decode them wherever they stand, and others take
// them as they are.
func encodedWord(s string) (string, bool) {
	for _, word := range strings.Split(s, " ") {
		if len(word) < len("=?utf-8?b??=") || !strings.EqualFold(word[:len("=?utf-8?")], "=?utf-8?") || !strings.HasSuffix(word, "?=") || strings.Count(word, "?") != 4 {
			return "", false
		}
	}
	s, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return "", false
	}
	return quotable(s)
}

// hasWord reports whether there may be an encoded word in s.
func hasWord(s string) bool {
	_, after, _ := strings.Cut(s, "=?")
	return strings.Contains(after, "?=")
}

// quotable gives a decoded text as browsers write it between quotes, and false
// where it cannot stand there or would be decoded again.
func quotable(s string) (string, bool) {
	if hasControl(s) || !utf8.ValidString(s) || strings.Contains(s, `\`) || hasWord(s) {
		return "", false
	}
	return strings.ReplaceAll(s, `"`, "%22"), true
}

// splits reports whether a name looks like two parameters to who splits at
// semicolons without minding the quotes, as simple parsers do.
func splits(s string) bool {
	_, after, _ := strings.Cut(s, ";")
	return strings.Contains(unspaced(after), "name=")
}

// unspaced gives a text as a parameter in it would be found. A file name in the
// name of a field makes a file of a text to parsers that search the whole header
// for one, without minding what stands before.
func unspaced(s string) string {
	return strings.NewReplacer(" ", "", "\t", "", "*", "").Replace(strings.ToLower(s))
}

// unescapes reports whether character references of HTML in a file name, which
// Django undoes, would make another kind of name of it: with other dots or
// separators, with markup, or with characters that are not seen.
func unescapes(file string) bool {
	plain := html.UnescapeString(file)
	if plain == file {
		return false
	}
	odd := func(s string) (n int) {
		for _, r := range s {
			if strings.ContainsRune(`./\:<>"%*?|`, r) || !unicode.IsPrint(r) {
				n++
			}
		}
		return n
	}
	return odd(plain) != odd(file)
}

// parameter reads name=value or name="value" off the front of s. A quote that
// is escaped with a backslash is given percent-encoded, which is how browsers
// write it and ends the text for nobody.
// Browsers do not escape backslashes, so what any other means is not known.
func parameter(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	name = strings.ToLower(name)
	if !ok || !isToken(name) {
		return "", "", "", false
	}
	quoted, is := strings.CutPrefix(s, `"`)
	if !is {
		n := 0
		for n < len(s) && isTokenByte(s[n]) {
			n++
		}
		return name, s[:n], s[n:], n > 0
	}
	if strings.HasSuffix(name, "*") {
		return "", "", "", false
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(quoted, `"\`)
		if i < 0 {
			return "", "", "", false
		}
		b.WriteString(quoted[:i])
		if quoted[i] == '"' {
			return name, b.String(), quoted[i+1:], true
		}
		if !strings.HasPrefix(quoted[i:], `\"`) {
			return "", "", "", false
		}
		b.WriteString("%22")
		quoted = quoted[i+2:]
	}
}
