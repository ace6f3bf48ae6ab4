package eventstream

import (
	"errors"
	"fmt"
)

// Reasons why an event cannot be sent, besides those of package redact. They
// arrive wrapped in an [Error].
var (
	// ErrTooLarge: an event is larger than [MaxEvent], or than the limit that
	// stands in its place.
	ErrTooLarge = errors.New("event too large")
	// ErrUTF8: a field is not valid UTF-8.
	ErrUTF8 = errors.New("not valid UTF-8")
)

var errClosed = errors.New("read after close")

// Error is a reason together with the event it was found in. It holds nothing
// of the stream.
type Error struct {
	Err   error // ErrTooLarge, ErrUTF8 or a *redact.Error about the data
	Event int   // the first event is 1
}

func (e *Error) Error() string { return fmt.Sprintf("event %d: %v", e.Event, e.Err) }

// Unwrap gives the reason, for errors.Is.
func (e *Error) Unwrap() error { return e.Err }
