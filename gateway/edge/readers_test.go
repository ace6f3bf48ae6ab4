package edge

import (
	"net/url"
	"path"
	"strings"
)

// readers are small models of how servers read a path. Each gives the segments
// that it would route and serve by.
func readers() map[string]func(escaped string) (segments []string, ok bool) {
	return map[string]func(string) ([]string, bool){
		"net/url":       func(s string) ([]string, bool) { return once1(s, false) },
		"merging":       func(s string) ([]string, bool) { return once1(s, true) }, // as nginx: decode, merge, resolve
		"parameters":    withParameters,
		"decodes twice": twice,
		"windows":       windows,
		"normalizing":   normalizing,
	}
}

// seenBy gives what a reader is expected to make of judged segments: some drop
// the end of a name by rule, for which the router looks.
func seenBy(reader string, judged []string) []string {
	out := make([]string, len(judged))
	for i, s := range judged {
		switch reader {
		case "parameters":
			s, _, _ = strings.Cut(s, ";")
		case "windows":
			s = strings.TrimRight(s, " .")
		case "normalizing":
			s = dotsToo(s)
		}
		out[i] = s
	}
	return out
}

func once1(escaped string, merge bool) ([]string, bool) {
	u, err := url.ParseRequestURI(escaped)
	if err != nil {
		return nil, false
	}
	return cleaned(u.Path, merge), true
}

func cleaned(p string, merge bool) []string {
	if merge {
		end := strings.HasSuffix(p, "/") && p != "/"
		if p = path.Clean(p); end && p != "/" {
			p += "/"
		}
	}
	return strings.Split(strings.TrimPrefix(p, "/"), "/")
}

// withParameters reads as servlet containers do: parameters go first, then
// escapes, then dots.
func withParameters(escaped string) ([]string, bool) {
	var parts []string
	for s := range strings.SplitSeq(escaped, "/") {
		s, _, _ = strings.Cut(s, ";")
		s, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		s, _, _ = strings.Cut(s, ";") // some look again
		parts = append(parts, s)
	}
	return cleaned(strings.Join(parts, "/"), true), true
}

func twice(escaped string) ([]string, bool) {
	s, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, false
	}
	again, err := url.PathUnescape(s)
	if err != nil {
		return nil, false
	}
	return cleaned(again, true), true
}

// windows takes backslashes for slashes and drops dots and blanks at the end of
// a name, after it has resolved those that mean something.
func windows(escaped string) ([]string, bool) {
	s, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, false
	}
	var blank []string
	for p := range strings.SplitSeq(strings.ReplaceAll(s, `\`, "/"), "/") {
		blank = append(blank, strings.TrimRight(p, " "))
	}
	parts := cleaned(strings.Join(blank, "/"), true)
	for i := range parts {
		parts[i] = strings.TrimRight(parts[i], " .")
	}
	return parts, true
}

// normalizing brings text into form KC before it reads it, as far as characters
// of paths are concerned.
func normalizing(escaped string) ([]string, bool) {
	s, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, false
	}
	s = strings.NewReplacer("\uff0f", "/", "\u2044", "/", "\u2215", "/", "\uff3c", `/`, "\ufe68", `/`, "\u2216", "/",
		"\u2100", "a/c", "\u2101", "a/s", "\u2105", "c/o", "\u2106", "c/u").Replace(s)
	return cleaned(dotsToo(s), true), true
}

func dotsToo(s string) string {
	return strings.NewReplacer("\uff0e", ".", "\ufe52", ".", "\u2024", ".", "\u2025", "..", "\u2026", "...").Replace(s)
}
