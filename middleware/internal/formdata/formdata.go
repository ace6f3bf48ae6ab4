// Package formdata reads multipart/form-data (RFC 7578) in the one way that no
// two parsers can disagree about, and refuses everything else.
//
// What a gateway looked at must be what the backend sees. Multipart is where
// that fails most easily: preambles, bare line feeds, folded headers, repeated
// parameters and transfer encodings are each read differently by somebody. No
// browser and no common client library needs any of them, so none is repaired
// here: a body that has one is an error. What common clients do write in several
// ways is how a name is quoted and encoded; that is read where it says one name
// beyond doubt, and is only safe to send on when it is written anew.
//
// The package serves the stages that look into multipart bodies and has no
// HTTP in it.
package formdata

import (
	"errors"
	"strings"
)

// Limits of a body. Real forms stay far below them.
const (
	maxParts       = 1000
	maxHeaders     = 8
	maxHeaderBytes = 4 << 10
	maxNames       = 800 // bytes of names and types in the headers of one part
	maxBoundary    = 70  // RFC 2046, section 5.1.1
)

// Part is one part of a body.
type Part struct {
	Name    string            // field name, a quote in it as %22
	HasFile bool              // there is a filename parameter, be it empty
	File    string            // its value, a quote in it as %22
	Type    string            // declared media type in lower case, "" where none is
	Params  map[string]string // parameters of the declared type
}

// The errors are worded for clients: they say what is wrong with the form
// of the body and quote nothing of it.
var (
	errBoundary  = errors.New("the boundary is missing or not well-formed")
	errStart     = errors.New("the body does not start with the boundary")
	errEnd       = errors.New("the body does not end with the closing boundary")
	errInside    = errors.New("the boundary stands inside of a part")
	errTooMany   = errors.New("there are too many parts")
	errNoHeaders = errors.New("the headers of a part do not end")
)

// validBoundary checks the grammar of RFC 2046, section 5.1.1.
func validBoundary(s string) bool {
	if s == "" || len(s) > maxBoundary || strings.HasSuffix(s, " ") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && !strings.ContainsRune("'()+_,-./:=? ", rune(c)) {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
