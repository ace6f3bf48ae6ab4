package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxLine is the longest record that is read: a body of the largest size that
// is common, and then some.
const maxLine = 64 << 20

// Reader reads a log of decisions, strictly: a line that is anything else is an
// error that names it.
type Reader struct {
	lines *bufio.Scanner
	n     int
}

// NewReader makes a reader.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Reader{lines: s}
}

// Next gives the next record; the error is io.EOF after the last one.
func (r *Reader) Next() (*Record, error) {
	for r.lines.Scan() {
		r.n++
		if len(bytes.TrimSpace(r.lines.Bytes())) == 0 {
			continue
		}
		rec, err := read(r.lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.n, err)
		}
		return rec, nil
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d: is longer than %d MiB", r.n+1, maxLine>>20)
	case err != nil:
		return nil, err
	}
	return nil, io.EOF
}

func read(line []byte) (*Record, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	d.DisallowUnknownFields()
	rec := &Record{}
	err := d.Decode(rec)
	if err == nil && d.InputOffset() != int64(len(bytes.TrimRight(line, " \t\r"))) {
		err = errors.New("something follows the object")
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("is not a record of a decision: %w", err)
	case rec.ID == "" || rec.Time.IsZero() || rec.Revision == "":
		return nil, errors.New("is not a record of a decision: id, time and revision are required")
	case !slices.Contains([]string{Allow, Deny, Error}, rec.Outcome):
		return nil, fmt.Errorf("is not a record of a decision: outcome is allow, deny or error, not %q", rec.Outcome)
	case (rec.Result == nil) != (rec.Outcome == Error):
		return nil, errors.New("is not a record of a decision: there is a result exactly where there was a decision")
	}
	complete(rec)
	return rec, nil
}

// complete puts back what is never nil in a question, and may have been taken
// out of its record.
func complete(r *Record) {
	in := &r.Input
	if s := in.Subject; s != nil {
		for _, list := range []*[]string{&s.Roles, &s.Branches, &s.AMR} {
			if *list == nil {
				*list = []string{}
			}
		}
		if s.Claims == nil {
			s.Claims = map[string]any{}
		}
		// Records of before there was an age: it is what it was then.
		if age, known := s.Age(r.Time); known && s.AuthAge == nil && !slices.Contains(r.Erased, authAge) {
			s.AuthAge = &age
		}
	}
	if in.Resource.Segments == nil {
		in.Resource.Segments = []string{}
	}
	if in.Resource.Params == nil {
		in.Resource.Params = map[string]string{}
	}
	if in.Resource.Query == nil {
		in.Resource.Query = map[string][]string{}
	}
	if in.Context.Headers == nil {
		in.Context.Headers = map[string][]string{}
	}
}
