// Package table masks tables in CSV (RFC 4180) as a policy demands that was
// written for the JSON of the same backend: exports must not be a way around
// it. It knows nothing of HTTP.
//
// A text is read as a list of flat records whose members are named by the first
// record. What a plan makes of a column is told by [redact.Plan.Columns]: masks
// hold by the last name of their path, show and expose by the exact name of the
// column, and row filters judge every record. A column that is dropped, or not
// exposed, is removed with its name; where none remains the text is empty. A
// null is an empty field. Where the plan looks for personal data, it does so in
// the columns that nothing in it speaks of, and redacts it there if asked to.
//
// What a plan does not touch stays byte for byte, quotes and ends of lines
// included. A field that is written anew is in quotes where it has to be; so is
// the empty field of a record that has become an empty line, which many readers
// skip.
//
// # What is CSV
//
// Readers of CSV agree on little beyond RFC 4180, and where one sees a field
// end another does not, a mask protects nothing. So the text is that or an
// error, and nothing of it is to be sent: fields are separated by commas,
// quotes stand around a whole field and are doubled inside, records end with
// CRLF or LF, CR stands in quotes otherwise, all records have as many fields as
// the first, the encoding is UTF-8 without NUL. A byte order mark in front is
// kept, and so is one empty line at the end. Elsewhere an empty line is an
// error, unless there is one column.
//
// The first record must look like names. One with an empty field, a number, a
// date or an address with "@" is data, and then it is not known what the fields
// are; one with another delimiter in it was not made with commas.
package table

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Reader is a table as a plan lets it pass, read while the text itself is read.
// It holds the record at hand, and what has been masked and not read yet.
//
// Nothing that Read gives is taken back later. But a text that turns out not to
// be CSV is an error only when that is read: the receiver must be able to tell
// that what came before it is not all.
type Reader struct {
	scanner
	plan    *redact.Plan
	limits  redact.Limits
	columns *redact.Columns // nil before the header
	steps   []step          // what is done to a record
	plain   bool            // nothing
	mark    bool            // there is a byte order mark
	blank   bool            // an empty line has been read

	out     []byte
	given   int   // bytes of out that Read has given
	err     error // what Read gives behind them
	closed  bool
	counted []int // columns whose fields are counted
	kept    int   // records
	dropped int

	text []byte // room for a field without its quotes, or before it has any
}

var errClosed = errors.New("read after close")

// NewReader gives the CSV text body as plan lets it pass. Errors about the text
// are a [*redact.Error]; those of body are passed on. The Reader has to be
// closed, which closes body, if it can be closed.
//
// Of the limits, Scalar is the longest text that actions and conditions work
// on, Element the longest record, and Window how much is read at a time.
// Whatever they are, the header has at most 64 KiB and 4096 columns.
func NewReader(plan *redact.Plan, body io.Reader, limits redact.Limits) *Reader {
	limits = limits.Defaults()
	return &Reader{
		plan: plan, limits: limits,
		scanner: scanner{
			body: body, buf: make([]byte, limits.Window),
			max: maxHeader, width: maxColumns, excess: redact.ErrTooLarge,
		},
	}
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for r.given == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.advance()
	}
	n := copy(p, r.out[r.given:])
	r.given += n
	return n, nil
}

// Prefetch reads on until at least n bytes of the result are there, or all, and
// gives what is there: what Read gives next, valid until then. An error is one
// that Read would give behind it; where there is none, complete says that head
// is all that is left to read.
func (r *Reader) Prefetch(n int) (head []byte, complete bool, err error) {
	if r.closed {
		return nil, false, errClosed
	}
	for len(r.out)-r.given < n && r.err == nil {
		r.advance()
	}
	head = r.out[r.given:]
	if r.err == io.EOF {
		return head, true, nil
	}
	return head, false, r.err
}

// Report tells what was changed: Masked, Rules and Hidden count fields of the
// records that were kept, Dropped the records that were not, and there are no
// Pointers. It is complete once Read has given io.EOF.
func (r *Reader) Report() redact.Report {
	columns := r.columns
	if columns == nil {
		columns = r.plan.Columns(nil, r.limits)
	}
	return columns.Report(r.kept, r.dropped)
}

// Kept tells how many records were kept, but for the header.
func (r *Reader) Kept() int { return r.kept }

// Close ends the reading.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.scanner.buf, r.out = nil, nil
	if c, ok := r.body.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// batch is after how many bytes of the result Read is served first.
const batch = 32 << 10

// advance masks the records in the window, or, if there is none, reads on.
func (r *Reader) advance() {
	if r.given > 0 {
		r.out = slices.Delete(r.out, 0, r.given)
		r.given = 0
	}
	before := len(r.out)
	var err error
	for err == nil && len(r.out) < before+batch {
		err = r.record()
	}
	if err == errMore {
		if err = nil; len(r.out) == before {
			err = r.fill()
		}
	}
	if r.err = err; err != nil && err != io.EOF {
		// What is in front of the error may be sent, but need not.
		r.out = r.out[:0]
	}
}

// record masks one record.
func (r *Reader) record() error {
	if r.columns == nil && !r.mark && r.base == 0 && r.start == 0 {
		if err := r.byteOrderMark(); err != nil {
			return err
		}
	}
	err := r.scan()
	switch {
	case err == io.EOF && r.columns == nil:
		return r.fail(ErrSyntax, r.p)
	case err != nil:
		return err
	case r.columns == nil:
		err = r.header()
	case r.blank && r.width > 1:
		err = r.fail(ErrSyntax, r.start)
	case r.end == 0 && r.width > 1:
		r.blank = true
		if len(r.steps) > 0 {
			r.out = append(r.out, r.lineEnd()...)
		}
	case len(r.ends) < r.width:
		err = r.fail(ErrFields, r.start+r.end)
	default:
		r.row()
	}
	if err == nil {
		r.next()
	}
	return err
}

const mark = "\ufeff"

// byteOrderMark passes over a mark in front of the text.
func (r *Reader) byteOrderMark() error {
	if r.filled < len(mark) && !r.over {
		return errMore
	}
	if r.mark = bytes.HasPrefix(r.buf[:r.filled], []byte(mark)); r.mark {
		r.p = len(mark)
		r.next()
	}
	return nil
}

// row judges a record that is not the header, and writes what is left of it.
func (r *Reader) row() {
	if r.columns.Filtered() && !r.columns.Passes(r.field) {
		r.dropped++
		return
	}
	r.kept++
	for _, i := range r.counted {
		r.columns.Count(r.field(i))
	}
	if r.plain {
		r.out = append(r.out, r.buf[r.start:r.p]...)
		return
	}
	r.write(false)
}
