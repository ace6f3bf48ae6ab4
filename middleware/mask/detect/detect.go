// Package detect tells whether a value looks like personal data: a payment
// card number, an IBAN, an e-mail address, a telephone number, a US social
// security number, or a national identifier that is configured.
//
// It serves to notice members of answers that no policy knows of, so it is
// tuned to be believed: what has a checksum must pass it, a card number must
// have an issuer and a length that this issuer uses, and a bare run of digits
// is never a telephone number. One in ten numbers that have the form of a card
// number pass its check by chance, and a telephone number may be somebody's
// part number: what is found is a reason to look, not a proof. It is no
// classifier of everything that is personal; names and addresses have no form
// that could be found.
//
// Card numbers, IBANs and e-mail addresses are also found inside of texts of up
// to [MaxText] bytes, everything else only where it is the whole value.
//
// Most values are none of it and have few digits and no '@', which one pass of
// eight bytes at a time tells. Nothing is allocated.
package detect

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// The classes. A configured national identifier is "national_id:" with its
// name.
const (
	Card  = "card"
	IBAN  = "iban"
	Email = "email"
	Phone = "phone"
	USSSN = "us_ssn"

	nationalID = "national_id:"
)

// MaxText is the length in bytes of the longest text that is looked into. Of a
// longer one only the configured patterns are tried.
const MaxText = 256

// The fewest digits that each class has. An IBAN could have fewer by the letter
// of the registry, and none in use does.
const (
	minCard  = 13
	minIBAN  = 8
	minPhone = 8
	lenSSN   = len("123-45-6789")
)

// Detector finds personal data. It is immutable and safe for any number of
// goroutines.
type Detector struct {
	national []national // by name
}

// New makes a detector. nationalIDs are regular expressions (RE2) by name, each
// matched against whole values. One that does not compile, or that matches the
// empty text, is an error.
func New(nationalIDs map[string]string) (*Detector, error) {
	d := &Detector{}
	for _, name := range slices.Sorted(maps.Keys(nationalIDs)) {
		n, err := newNational(name, nationalIDs[name])
		if err != nil {
			return nil, fmt.Errorf("national id %q: %w", name, err)
		}
		d.national = append(d.national, n)
	}
	return d, nil
}

// Class tells what a value looks like, or "" where it looks like nothing known.
// text is the value of a JSON string, decoded, or a JSON number as it is
// spelled, which can only be a card number or a configured identifier. Where it
// looks like several things, configured identifiers go first, as the most
// specific statement, then iban, card, email, us_ssn, phone.
func (d *Detector) Class(text []byte, isString bool) string {
	if len(text) > MaxText {
		if !d.anyTakes(len(text)) {
			return ""
		}
		digits, _ := survey(text)
		return d.nationalID(text, digits)
	}
	digits, at := survey(text)
	if len(d.national) > 0 {
		if class := d.nationalID(text, digits); class != "" {
			return class
		}
	}
	switch {
	case !isString:
		// Without a sign, a point or an exponent: an integer.
		if digits == len(text) && digits >= minCard && isCard(text) {
			return Card
		}
		return ""
	case digits < minPhone && !at:
		return ""
	}
	return classOf(text, digits, at)
}

// classOf looks into a text that could be something, going by its digits.
func classOf(text []byte, digits int, at bool) string {
	switch {
	case digits >= minIBAN && hasIBAN(text): // before cards: its groups can be one by chance
		return IBAN
	case digits >= minCard && hasCard(text):
		return Card
	case at && hasEmail(text):
		return Email
	case len(text) == lenSSN && isSSN(text):
		return USSSN
	case digits >= minPhone && isPhone(text):
		return Phone
	}
	return ""
}

// survey counts the digits of a text and tells whether there is an '@' in it.
// The words are exact: every byte is tested in seven bits with room for the
// carry, so that nothing of it reaches the next byte.
func survey(text []byte) (digits int, at bool) {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
		low  = 0x7f * ones
	)
	var noAt uint64 = high
	for len(text) >= 8 {
		x := binary.LittleEndian.Uint64(text)
		text = text[8:]
		y := x & low
		digits += bits.OnesCount64((y + (0x80-'0')*ones) &^ (y + (0x80-'9'-1)*ones) &^ x & high)
		noAt &= ((x ^ '@'*ones) & low) + low | x
	}
	at = noAt&high != high
	for _, c := range text {
		if isDigit(c) {
			digits++
		}
		at = at || c == '@'
	}
	return digits, at
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }
