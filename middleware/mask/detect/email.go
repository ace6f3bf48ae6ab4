package detect

import "bytes"

const (
	maxLabel  = 63  // RFC 1035, section 2.3.4
	maxDomain = 253 // as text, without the last point
)

// hasEmail looks for an e-mail address in a text: the end of a local part
// (RFC 5322, section 3.2.3, with RFC 6531), '@', and the name of a host in a
// domain. "Name <address>" needs no rule of its own.
func hasEmail(text []byte) bool {
	for i := 1; i < len(text); i++ {
		at := bytes.IndexByte(text[i:], '@')
		if at < 0 {
			return false
		}
		i += at
		if isAtext(text[i-1]) && isDomain(text[i+1:]) {
			return true
		}
	}
	return false
}

// isAtext tells the bytes of an atom.
func isAtext(c byte) bool {
	return isAlnum(c) || c >= 0x80 || bytes.IndexByte([]byte("!#$%&'*+-/=?^_`{|}~"), c) >= 0
}

// isDomain reports whether text starts with the name of a host: two labels or
// more, the last one a top-level domain. Paths and ports behind it belong to
// the address of a repository or a service, not of a mailbox.
func isDomain(text []byte) bool {
	var labels, numbers, i int
	var first, last []byte
	for {
		start := i
		for i < len(text) && (isAlnum(text[i]) || text[i] == '-' || text[i] >= 0x80) {
			i++
		}
		label := text[start:i]
		if len(label) == 0 {
			break // behind the point that ends a sentence
		}
		if len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if number(last) {
			numbers++
		}
		if labels++; labels == 1 {
			first = label
		}
		last = label
		if i == len(text) || text[i] != '.' {
			break
		}
		i++
	}
	return labels > 1 && i <= maxDomain+1 && isTop(last) && !isFile(first, labels, numbers) && endsHost(text[i:])
}

// isTop reports whether a label can be a top-level domain: letters, or a name
// that is not in ASCII (RFC 5890), as such or encoded.
func isTop(label []byte) bool {
	if len(label) < 2 {
		return false
	}
	if len(label) > 4 && bytes.EqualFold(label[:4], []byte("xn--")) {
		return true
	}
	for _, c := range label {
		if !isLetter(c) && c < 0x80 {
			return false
		}
	}
	return true
}

// isFile tells "logo@2x.png" and "package@4.1.2.tgz". Numbers are how many
// labels in front of the last are numbers; "163.com" is a domain.
func isFile(first []byte, labels, numbers int) bool {
	return labels == 2 && len(first) == 2 && isDigit(first[0]) && first[1]|0x20 == 'x' || numbers > 1
}

func number(label []byte) bool {
	for _, c := range label {
		if !isDigit(c) {
			return false
		}
	}
	return len(label) > 0
}

// endsHost reports whether an address can end in front of rest.
func endsHost(rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	switch rest[0] {
	case '/', '@', '_':
		return false
	case ':':
		return len(rest) == 1 || !isAlnum(rest[1])
	}
	return true
}
