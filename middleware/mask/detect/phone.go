package detect

import "bytes"

// isSSN reports whether text, of the length of one, is a social security
// number of the United States: ddd-dd-dddd, and none of its parts one that is
// never assigned.
func isSSN(text []byte) bool {
	for i, c := range text {
		if i == 3 || i == 6 {
			if c != '-' {
				return false
			}
		} else if !isDigit(c) {
			return false
		}
	}
	area := string(text[:3])
	return area != "000" && area != "666" && text[0] != '9' &&
		string(text[4:6]) != "00" && string(text[7:]) != "0000"
}

// maxPhone is how many digits an international number has at most (ITU-T
// E.164, 6.2.1).
const maxPhone = 15

// isPhone reports whether text is a telephone number as people write them: with
// a '+', with a 0 for the trunk and the parts set apart, or with the area code
// of North America in parentheses.
func isPhone(text []byte) bool {
	if c := text[0]; c != '+' && c != '0' && c != '(' || len(text) > maxPhone+2*maxGroups {
		return false
	}
	s, ok := readShape(text)
	switch {
	case !ok:
		return false
	case s.plus:
		return international(&s)
	case s.first == '0':
		return national0(&s)
	}
	// (212) 555-0142: area codes start with 2 to 9.
	return s.area && s.sizes == [maxGroups]int{3, 3, 4} && s.first >= '2' && s.nseps == 1
}

// maxGroups is into how many groups a telephone number is divided at most.
const maxGroups = 8

// shape is how a number is written.
type shape struct {
	plus   bool
	area   bool // the first group is in parentheses
	first  byte // digit
	second byte
	digits int
	groups int
	sizes  [maxGroups]int
	seps   [maxGroups]byte // between groups, without those at parentheses
	nseps  int
}

// readShape reads groups of digits, with one separator between two. A group
// may stand in parentheses, with a space or nothing around them.
func readShape(text []byte) (s shape, ok bool) {
	if text[0] == '+' {
		s.plus, text = true, text[1:]
	}
	for len(text) > 0 {
		if s.groups == maxGroups {
			return s, false
		}
		paren := text[0] == '('
		if paren {
			text = text[1:]
		}
		n := 0
		for n < len(text) && isDigit(text[n]) {
			n++
		}
		if n == 0 {
			return s, false
		}
		s.add(text[:n], paren)
		if text = text[n:]; paren {
			if len(text) < 2 || text[0] != ')' {
				return s, false
			}
			if text = text[1:]; text[0] == ' ' || text[0] == '-' {
				text = text[1:]
			}
			continue
		}
		if len(text) == 0 {
			return s, true
		}
		sep := text[0]
		if sep == ' ' && len(text) > 1 && text[1] == '(' || sep == '(' {
			text = bytes.TrimPrefix(text, []byte(" "))
			continue
		}
		if bytes.IndexByte([]byte(" -./"), sep) < 0 {
			return s, false
		}
		s.seps[s.nseps] = sep
		s.nseps++
		text = text[1:]
	}
	return s, false
}

func (s *shape) add(group []byte, paren bool) {
	if s.digits == 0 {
		s.first, s.area = group[0], paren
	}
	if s.digits <= 1 && s.digits+len(group) > 1 {
		s.second = group[1-s.digits]
	}
	s.sizes[s.groups] = len(group)
	s.digits += len(group)
	s.groups++
}

// international is for +44 20 7946 0958. With points it has three groups at the
// least: +48.8566140 is a latitude.
func international(s *shape) bool {
	return s.first != '0' && s.digits >= minPhone && s.digits <= maxPhone &&
		(s.groups != 2 || s.nseps == 0 || s.seps[0] != '.')
}

// national0 is for 020 7946 0958, (020) 7946-0958, 0171/123456 and
// 070-123 45 67: a trunk 0 in front and two parts at the least. A number that
// is not divided could be anything, and so could one with more zeros in front.
func national0(s *shape) bool {
	if s.second == '0' || s.groups < 2 || s.digits < 9 || s.digits > 12 || s.digits == 12 && s.groups > 2 {
		return false
	}
	pairs, short := true, true
	for _, n := range s.sizes[:s.groups] {
		if n < 2 {
			return false
		}
		pairs, short = pairs && n == 2, short && n <= 3
	}
	if s.sizes[0] == 2 && s.sizes[1] == 2 && s.sizes[2] == 4 {
		return false // a day, a month, a year
	}
	seps := s.seps[:s.nseps]
	if len(seps) > 1 && seps[0] != seps[1] && (seps[0] == '/' || seps[0] == '-') {
		seps = seps[1:] // the one behind the area code
	}
	for _, c := range seps {
		if c != seps[0] {
			return false
		}
	}
	switch {
	case len(seps) == 0 || seps[0] == ' ':
		return true
	case seps[0] == '.': // four short groups are an address of a network
		return s.groups > 2 && !(s.groups == 4 && short)
	case seps[0] == '/':
		return len(seps) == 1
	}
	return pairs || s.sizes[s.groups-1] >= 4
}
