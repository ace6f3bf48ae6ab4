package upload

import (
	"bytes"
	"strings"
)

// embedded looks for what has no place in a picture, whatever its format: a page,
// a script for a server or a browser, an archive. Such files are pictures to who checks them and something else to who is led to open them
// otherwise. What is looked for is long, or stands in places where chance does
// not put it: compressed data holds any two or three bytes.
func embedded(v *view) (reason string) {
	script := scriptHead(v.head)
	if script && v.head[6] == '=' {
		return "it is a script too"
	}
	v.windows(32, func(piece []byte) bool {
		switch {
		case page(piece):
			reason = "it holds a page or a script"
		case bytes.Contains(piece, []byte("Rar!\x1a\x07")), bytes.Contains(piece, []byte("7z\xbc\xaf\x27\x1c")):
			reason = "it is an archive too"
		case script && closesComment(piece):
			reason = "it is a script too"
		}
		return reason == ""
	})
	if reason == "" && endsAsZip(v) {
		return "it is an archive too"
	}
	return reason
}

// scriptHead reports whether the file begins like a script: a word, which is the
// magic number, and then a comment or an assignment, where the header has a
// number.
func scriptHead(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	at := 4 // the length of the first segment of a JPEG, the size of a RIFF file
	switch {
	case bytes.HasPrefix(head, []byte("GIF8")):
		if head[6] == '=' && 0x20 < head[7] && head[7] < 0x7f {
			return true
		}
		at = 6 // the width
	case bytes.HasPrefix(head, []byte("BM")):
		at = 2 // the size
	}
	return head[at] == '/' && head[at+1] == '*'
}

// closesComment reports whether a comment ends, and something that a script may
// be follows.
func closesComment(piece []byte) bool {
	for {
		_, rest, ok := bytes.Cut(piece, []byte("*/"))
		if !ok {
			return false
		}
		if len(rest) >= 4 && printable(rest[:min(len(rest), 6)]) {
			return true
		}
		piece = rest
	}
}

// page looks for elements and instructions that make a page or a script.
func page(rest []byte) bool {
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		if len(rest) == 0 || !strings.ContainsRune("sShHiIbB!?%", rune(rest[0])) {
			continue
		}
		head := strings.ToLower(string(rest[:min(len(rest), 10)]))
		for _, word := range []string{"script", "html", "svg", "iframe", "body"} {
			if after, ok := strings.CutPrefix(head, word); ok && after != "" && strings.ContainsRune(" \t\r\n/>", rune(after[0])) {
				return true
			}
		}
		for _, word := range []string{"?php", "!doctype", "%@", "?=", "!entity"} {
			// Two or three odd bytes come up by chance in compressed data.
			if strings.HasPrefix(head, word) && (len(word) > 3 || printable(rest[:min(len(rest), 16)])) {
				return true
			}
		}
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' || c > 0x7e {
			return false
		}
	}
	return true
}
