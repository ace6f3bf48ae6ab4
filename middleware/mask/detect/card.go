package detect

// maxCard is the length of the longest card number (ISO/IEC 7812-1, 4.2).
const maxCard = 19

// hasCard looks for a card number in a text: digits, in one piece or in groups
// with single spaces or single hyphens between them.
func hasCard(text []byte) bool {
	for i := 0; i+minCard <= len(text); i++ {
		if isDigit(text[i]) && opensCard(text, i) && cardAt(text, i) {
			return true
		}
	}
	return false
}

// opensCard reports whether a number can start at i: what hangs on something in
// front of it is a part of an identifier, a path, a fraction or a signed
// number.
func opensCard(text []byte, i int) bool {
	if i == 0 {
		return true
	}
	switch c := text[i-1]; c {
	case '-', '_', '.', '/', '+', '$':
		return false
	default:
		return !isAlnum(c)
	}
}

// closesCard reports whether a number can end before i.
func closesCard(text []byte, i int) bool {
	if i == len(text) {
		return true
	}
	switch c := text[i]; c {
	case '-', '_':
		return false
	case '.':
		return i+1 == len(text) || !isDigit(text[i+1])
	default:
		return !isAlnum(c)
	}
}

// cardAt reads groups of digits from i on until they are a card number. The
// first group has at least four digits and those between at least three, which
// dates and most other grouped numbers do not.
func cardAt(text []byte, i int) bool {
	var digits [maxCard]byte
	var sep byte
	n, least, group := 0, 4, 0
	for ; ; i++ {
		if i < len(text) && isDigit(text[i]) {
			if n == maxCard {
				return false
			}
			digits[n] = text[i]
			n++
			group++
			continue
		}
		if n >= minCard && closesCard(text, i) && isCard(digits[:n]) {
			return true
		}
		if i+1 >= len(text) || group < least || !isDigit(text[i+1]) {
			return false
		}
		c := text[i]
		if c != ' ' && c != '-' || sep != 0 && c != sep {
			return false
		}
		sep, least, group = c, 3, 0
	}
}

// isCard reports whether digits, and nothing else, are a card number: of an
// issuer, of a length that this issuer uses, with the right check digit.
func isCard(digits []byte) bool {
	n := len(digits)
	if n < minCard || n > maxCard || !luhn(digits) {
		return false
	}
	iin := 0
	for _, c := range digits[:6] {
		iin = 10*iin + int(c-'0')
	}
	// The only card numbers of 13 digits are old ones, and article numbers
	// (GTIN) of as many digits are everywhere.
	return issued(iin, n) && (n != 13 || !gtin(digits))
}

// issued reports whether an issuer whose numbers start with the six digits of
// iin has numbers of n digits. Lengths that are only set aside, and prefixes
// nobody has issued under, are not listed.
func issued(iin, n int) bool {
	two, three, four := iin/10000, iin/1000, iin/100
	long := n >= 16
	switch {
	case two/10 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		return n == 16
	case two == 34, two == 37: // American Express
		return n == 15
	case three >= 300 && three <= 305, four == 3095, two == 36, two == 38, two == 39: // Diners Club
		return n == 14 || long
	case four >= 3528 && four <= 3589, // JCB
		four == 6011, three >= 644 && three <= 649, two == 65, // Discover
		two == 62, four >= 8110 && four <= 8171, // UnionPay
		four >= 2200 && four <= 2204,                                             // Mir
		two == 50, two >= 56 && two <= 58, four == 6304, three == 639, two == 67: // Maestro and national schemes
		return long
	case two == 60, two == 82, three == 353, three == 356, // RuPay
		three >= 636 && three <= 638, // InstaPayment, Elo
		four == 9792:                 // Troy
		return n == 16
	}
	return false
}

// luhn tells whether the last digit is the check digit of the others (ISO/IEC
// 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// gtin tells whether the last digit is the check digit of an article number
// (GS1 General Specifications, 7.9).
func gtin(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 3
		}
		sum += d
	}
	return sum%10 == 0
}
