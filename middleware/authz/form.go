package authz

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// maxFields is how many fields of a form are judged, pairs or parts. Forms of
// people have a hundred.
const maxFields = 10_000

// maxTurns is how many dots, brackets and hyphens the names of all fields may have
// together: what a name costs is what it has of them.
const maxTurns = 4 * maxFields

func turns(name string) int {
	return strings.Count(name, ".") + strings.Count(name, "[") + strings.Count(name, "-")
}

func tooManyTurns() error {
	return middleware.Refuse(stageName, middleware.BodyTooLarge, fmt.Sprintf("the names of the fields have more than %d dots, brackets and hyphens", maxTurns))
}

// pair is a field of an application/x-www-form-urlencoded body.
type pair struct {
	raw         []byte // as it came
	name, value string
	// others are the names that a parser finds which takes a semicolon for a
	// separator too, as the HTML 4 recommendation has it. Browsers send none.
	others []string
}

var errEscape = errors.New("an escape is not well-formed")

// readPairs splits a form at its ampersands. Where it is lenient, an escape that
// is none stands for itself.
func readPairs(data []byte, lenient bool) ([]pair, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if bytes.Count(data, []byte("&")) >= maxFields {
		return nil, middleware.Refuse(stageName, middleware.BodyTooLarge, fmt.Sprintf("the form has more than %d fields", maxFields))
	}
	var out []pair
	deep := 0
	for raw := range bytes.SplitSeq(data, []byte("&")) {
		pieces := strings.Split(string(raw), ";")
		p := pair{raw: raw}
		for _, piece := range pieces[1:] {
			name, _, _ := strings.Cut(piece, "=")
			name, err := unescape(name, lenient)
			if err != nil {
				return nil, malformedForm(err)
			}
			p.others = append(p.others, name)
			deep += 1 + turns(name)
		}
		name, value, _ := strings.Cut(string(raw), "=")
		var err, verr error
		p.name, err = unescape(name, lenient)
		p.value, verr = unescape(value, lenient)
		if err = errors.Join(err, verr); err != nil {
			return nil, malformedForm(err)
		}
		if deep += turns(p.name); deep > maxTurns {
			return nil, tooManyTurns()
		}
		out = append(out, p)
	}
	return out, nil
}

func malformedForm(err error) error {
	return middleware.Refuse(stageName, middleware.BodyMalformed, "the form is not well-formed").With(err)
}

func unescape(s string, lenient bool) (string, error) {
	out, err := url.QueryUnescape(s)
	switch {
	case lenient && err != nil:
		return s, nil
	case err != nil:
		return "", errEscape
	case !lenient && !utf8.ValidString(out):
		return "", errors.New("it is not UTF-8")
	}
	return out, nil
}

// joined writes pairs as they came.
func joined(pairs []pair) []byte {
	raws := make([][]byte, len(pairs))
	for i, p := range pairs {
		raws[i] = p.raw
	}
	return bytes.Join(raws, []byte("&"))
}

// strictPairs reads a form for which there must be one reading only. The charset
// of its texts can be told by a field (HTML, section 4.10.21.5).
func strictPairs(x *middleware.Exchange) ([]pair, error) {
	data, err := x.Body(stageName)
	if err != nil {
		return nil, err
	}
	if isDocument(data) {
		return nil, unreadable()
	}
	pairs, err := readPairs(data, false)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if err := charsetField(p.name, p.value); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// isDocument reports whether a body that says it is a form is a document to
// those backends that do not ask what it says: as a form its members are a name
// without a value. Names such as [0].salary are those of forms.
func isDocument(data []byte) bool {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(data) == 0 || data[0] != '[' {
		return len(data) > 0 && (data[0] == '{' || data[0] == '/')
	}
	name := bytes.TrimLeft(data[1:], "0123456789")
	return len(name) == len(data)-1 || !bytes.HasPrefix(name, []byte("]"))
}

func charsetField(name, value string) error {
	if strings.EqualFold(name, "_charset_") && !middleware.IsUTF8(value) {
		return middleware.Refuse(stageName, middleware.MediaTypeUnsupported, "the charset of the form must be utf-8")
	}
	return nil
}

// strictParts reads a multipart form for which there must be one reading only.
func strictParts(x *middleware.Exchange) (*middleware.Form, error) {
	f, err := x.Form(stageName)
	if err != nil || f == nil {
		return nil, err
	}
	if len(f.Parts) > maxFields {
		return nil, middleware.Refuse(stageName, middleware.BodyTooLarge, fmt.Sprintf("the form has more than %d fields", maxFields))
	}
	deep := 0
	for _, p := range f.Parts {
		if deep += turns(p.Name); deep > maxTurns {
			return nil, tooManyTurns()
		}
		if p.File == nil {
			if err := charsetField(p.Name, string(p.Text)); err != nil {
				return nil, err
			}
		} else if !isJSON(p.Type) && !isJSON(p.File.Detected) {
			continue
		}
		if !middleware.IsUTF8(p.Params["charset"]) {
			return nil, middleware.Refuse(stageName, middleware.MediaTypeUnsupported, "the charset of a part must be utf-8")
		}
		if p.File == nil && !utf8.Valid(p.Text) {
			return nil, malformedForm(errors.New("it is not UTF-8"))
		}
	}
	return f, nil
}
