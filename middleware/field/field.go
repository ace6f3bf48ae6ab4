// Package field says what the fields of an HTTP message may be made of (RFC 9110,
// section 5). Whoever reads them, writes them or judges them asks here, so that all
// do so alike.
package field

// ValidName reports whether a name is a token (RFC 9110, section 5.6.2). So is a
// method.
func ValidName(name string) bool {
	for i := range len(name) {
		if !TokenByte(name[i]) {
			return false
		}
	}
	return name != ""
}

// TokenByte reports whether c may stand in a token.
func TokenByte(c byte) bool {
	const low = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
	const high = 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
	return (uint64(1)<<c)&low|(uint64(1)<<(c-64))&high != 0 // shifts of 64 and more give 0
}

// ValidValue reports whether a value may stand in a field over HTTP/1.1 and HTTP/2
// alike: it holds no control character but tabs (RFC 9110, section 5.5). Bytes beyond
// ASCII are allowed; there are applications that send them.
func ValidValue(v string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(v) >= 8 {
		x := uint64(v[0]) | uint64(v[1])<<8 | uint64(v[2])<<16 | uint64(v[3])<<24 |
			uint64(v[4])<<32 | uint64(v[5])<<40 | uint64(v[6])<<48 | uint64(v[7])<<56
		del := x ^ ones*0x7f
		if ((x-ones*0x20)&^x|(del-ones)&^del)&tops != 0 { // a byte below 0x20, or 0x7f
			break // a tab, perhaps
		}
		v = v[8:]
	}
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
