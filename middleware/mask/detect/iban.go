package detect

// maxIBAN is the length of the longest IBAN (ISO 13616-1), and minLenIBAN of
// the shortest that is registered.
const (
	maxIBAN    = 34
	minLenIBAN = 15
)

// hasIBAN looks for an IBAN in a text, in one piece or with a space after every
// four characters, in either case.
func hasIBAN(text []byte) bool {
	for i := 0; i+minLenIBAN <= len(text); i++ {
		if isLetter(text[i]) && isLetter(text[i+1]) && isDigit(text[i+2]) && isDigit(text[i+3]) &&
			(i == 0 || !isAlnum(text[i-1])) && ibanAt(text[i:]) {
			return true
		}
	}
	return false
}

// ibanAt reports whether text starts with an IBAN and, behind it, something
// else or nothing.
func ibanAt(text []byte) bool {
	layout := ibanLayout(text[0]&^0x20, text[1]&^0x20)
	if layout == "" {
		return false
	}
	var iban [maxIBAN]byte
	spaced := text[4] == ' '
	n, i := 0, 0
	for want := layoutLen(layout); n < want; i++ {
		if i == len(text) {
			return false
		}
		c := text[i]
		if spaced && i%5 == 4 {
			if c != ' ' {
				return false
			}
			continue
		}
		if !isAlnum(c) {
			return false
		}
		if isLetter(c) {
			c &^= 0x20
		}
		iban[n] = c
		n++
	}
	if i < len(text) && isAlnum(text[i]) {
		return false
	}
	return laidOut(iban[4:n], layout) && mod97(iban[:n])
}

// laidOut reports whether an account number has the layout of its country: n
// stands for digits, a for letters, c for both.
func laidOut(account []byte, layout string) bool {
	for len(layout) > 0 {
		count, kind, rest := field(layout)
		for _, c := range account[:count] {
			if kind == 'n' && !isDigit(c) || kind == 'a' && !isLetter(c) {
				return false
			}
		}
		account, layout = account[count:], rest
	}
	return true
}

// layoutLen is the length of an IBAN with that layout.
func layoutLen(layout string) int {
	n := len("XX00")
	for len(layout) > 0 {
		count, _, rest := field(layout)
		n += count
		layout = rest
	}
	return n
}

// field cuts the first field, such as "12n", off a layout.
func field(layout string) (count int, kind byte, rest string) {
	i := 0
	for isDigit(layout[i]) {
		count = 10*count + int(layout[i]-'0')
		i++
	}
	return count, layout[i], layout[i+1:]
}

// mod97 checks the check digits (ISO/IEC 7064, MOD 97-10): with the first four
// characters put last and A to Z read as 10 to 35, the number is 1 modulo 97.
func mod97(iban []byte) bool {
	rest := 0
	for i := range iban {
		c := iban[(i+4)%len(iban)]
		if isDigit(c) {
			rest = (10*rest + int(c-'0')) % 97
		} else {
			rest = (100*rest + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}
