package table

import "github.com/gatehouse-dev/gatehouse/middleware/mask/redact"

// Reasons why a text cannot be masked, beside [redact.ErrUTF8] and
// [redact.ErrTooLarge]. They arrive wrapped in a [redact.Error] and are, for
// errors.Is, [redact.ErrSyntax].
var (
	// ErrSyntax: the text is not CSV (RFC 4180), or has no record.
	ErrSyntax error = reason("not valid CSV")
	// ErrFields: a record has not as many fields as the header.
	ErrFields error = reason("records of different length")
	// ErrHeader: the first record does not look like the names of columns.
	ErrHeader error = reason("no header record")
	// ErrDelimiter: fields do not seem to be separated by commas.
	ErrDelimiter error = reason("another delimiter than a comma")
)

type reason string

func (r reason) Error() string { return string(r) }

func (reason) Unwrap() error { return redact.ErrSyntax }
