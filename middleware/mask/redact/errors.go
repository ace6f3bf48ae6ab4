package redact

import (
	"errors"
	"fmt"
)

// Reasons why a text cannot be rewritten. They arrive wrapped in an [Error].
var (
	// ErrSyntax: the text is not JSON (RFC 8259).
	ErrSyntax = errors.New("not valid JSON")
	// ErrUTF8: a string is not valid UTF-8.
	ErrUTF8 = errors.New("not valid UTF-8")
	// ErrDepth: arrays and objects are nested deeper than [Limits].Depth.
	ErrDepth = errors.New("nested too deeply")
	// ErrTooLarge: a name is longer than [Limits].Key, or more would have to be
	// held back than [Limits].Element.
	ErrTooLarge = errors.New("name or element too large")
	// ErrRowDenied: the row filters do not let the document as a whole pass.
	ErrRowDenied = errors.New("row denied")
	// ErrRowsAbsent: the path of no row filter exists in the text, so that it
	// is not known what in it are rows. See [Plan.OptionalRows].
	ErrRowsAbsent = errors.New("no row filter applies to the text")
)

// Error is a reason together with the place where it was found. It holds
// nothing of the text.
type Error struct {
	Err    error // one of the Err… variables
	Offset int   // byte offset into the text
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %v", e.Offset, e.Err) }

// Unwrap gives the reason, for errors.Is.
func (e *Error) Unwrap() error { return e.Err }
