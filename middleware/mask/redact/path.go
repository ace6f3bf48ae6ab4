package redact

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxSegments bounds the length of a path, so that its positions fit one word.
const maxSegments = 60

type segmentKind uint8

const (
	segName  segmentKind = iota // .name or ['name']
	segAny                      // .*
	segElems                    // [*]
)

// segment is one step of a path.
type segment struct {
	kind segmentKind
	deep bool // written behind "..": at any depth below
	name string
	fold string // name as it is compared loosely
}

// parsePath reads the subset of RFC 9535 that the package comment describes.
func parsePath(path string) ([]segment, error) {
	if !strings.HasPrefix(path, "$") {
		return nil, fmt.Errorf("path %q does not start with $", path)
	}
	return parseSegments(path, 1)
}

// parseField reads the path of a field within a row: names only, "a.b" or
// "a['b']", optionally written "@.a.b"; "@" alone is the row itself.
func parseField(field string) ([]segment, error) {
	rel, marked := strings.CutPrefix(field, "@")
	switch {
	case field == "":
		return nil, errors.New("field is empty")
	case !marked && rel[0] != '[':
		rel = "." + rel
	}
	segs, err := parseSegments(rel, 0)
	if err != nil {
		return nil, fmt.Errorf("field %q: %w", field, err)
	}
	for _, s := range segs {
		if s.kind != segName || s.deep {
			return nil, fmt.Errorf("field %q: only names can stand in a field", field)
		}
	}
	return segs, nil
}

func parseSegments(s string, i int) ([]segment, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("path %q is not valid UTF-8", s)
	}
	var segs []segment
	for i < len(s) {
		seg, end, err := parseSegment(s, i)
		if err != nil {
			return nil, err
		}
		seg.fold = foldString(seg.name)
		segs = append(segs, seg)
		if len(segs) > maxSegments {
			return nil, fmt.Errorf("path %q has more than %d segments", s, maxSegments)
		}
		i = end
	}
	return segs, nil
}

func parseSegment(s string, i int) (segment, int, error) {
	var seg segment
	rest := s[i:]
	switch {
	case strings.HasPrefix(rest, "..["):
		seg.deep = true
		i += 2
	case strings.HasPrefix(rest, ".."):
		seg.deep = true
		i++
	}
	switch rest = s[i:]; {
	case strings.HasPrefix(rest, "[*]"):
		seg.kind = segElems
		return seg, i + 3, nil
	case strings.HasPrefix(rest, ".*"):
		seg.kind = segAny
		return seg, i + 2, nil
	case strings.HasPrefix(rest, "['"), strings.HasPrefix(rest, `["`):
		name, end, err := parseQuoted(s, i+1)
		seg.name = name
		return seg, end, err
	case strings.HasPrefix(rest, "."):
		end := i + 1
		for end < len(s) && nameByte(s[end], end > i+1) {
			end++
		}
		if end > i+1 {
			seg.name = s[i+1 : end]
			return seg, end, nil
		}
	}
	return seg, 0, fmt.Errorf("path %q: expected .name, ['name'], .* or [*] at byte %d", s, i)
}

// nameByte tells the bytes of member-name-shorthand (RFC 9535, 2.5.1.1).
func nameByte(c byte, digits bool) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80 || digits && '0' <= c && c <= '9'
}

// parseQuoted reads a string literal of RFC 9535, 2.3.1.1, which starts at i,
// and the bracket behind it, by way of the JSON string it is equal to.
func parseQuoted(s string, i int) (string, int, error) {
	quote := s[i]
	text := []byte{'"'}
	for j := i + 1; j < len(s); j++ {
		switch c := s[j]; {
		case c == quote:
			if text = append(text, '"'); !strings.HasPrefix(s[j+1:], "]") {
				return "", 0, fmt.Errorf("path %q: expected ] at byte %d", s, j+1)
			}
			if !isString(text) {
				return "", 0, fmt.Errorf("path %q: bad name at byte %d", s, i)
			}
			name, ok := unquote(nil, text)
			if !ok {
				return "", 0, fmt.Errorf("path %q: half a surrogate pair at byte %d", s, i)
			}
			return string(name), j + 2, nil
		case c == '\\' && j+1 < len(s):
			if j++; s[j] != '\'' || quote != '\'' {
				text = append(text, '\\')
			}
			if s[j] == '"' && quote == '\'' {
				return "", 0, fmt.Errorf("path %q: bad escape at byte %d", s, j-1)
			}
			text = append(text, s[j])
		case c == '"':
			text = append(text, '\\', '"')
		default:
			text = append(text, c)
		}
	}
	return "", 0, fmt.Errorf("path %q: name without an end at byte %d", s, i)
}
