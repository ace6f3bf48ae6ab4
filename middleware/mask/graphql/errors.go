package graphql

import "errors"

// Kinds of requests that are not let through. They arrive wrapped in an
// [Error].
var (
	// ErrMalformed: the request is none of GraphQL over HTTP, its query does
	// not parse, or it could be read in two ways. It deserves a 400.
	ErrMalformed = errors.New("malformed GraphQL request")
	// ErrRefused: what is asked for is not configured, too large, or nothing
	// that a policy can be carried out on. It deserves a 403.
	ErrRefused = errors.New("GraphQL request refused")
)

// Error is a kind together with a detail that can be shown to the caller: it
// holds nothing of the request but places in it.
type Error struct {
	Kind   error // ErrMalformed or ErrRefused
	Detail string
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Detail }

// Unwrap gives the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }

func malformed(detail string) error { return &Error{ErrMalformed, detail} }
func refused(detail string) error   { return &Error{ErrRefused, detail} }
