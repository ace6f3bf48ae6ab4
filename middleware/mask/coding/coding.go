// Package coding undoes the content codings of answers (RFC 9110, section
// 8.4.1): gzip (RFC 1952), zstd (RFC 8878) and br (RFC 7932), while they are
// read.
//
// It is made for bodies of which nothing may pass that has not been read as
// what it is. So it is stricter than most: one coding and not several, the
// whole of the body and nothing behind it, checksums where there are any, and
// an expansion that ordinary data has. io.EOF says that all of this held. What
// came before an error is what the packed bytes stand for as far as they were
// read, and not known to be whole.
//
// br has no checksum, and zstd need not have one. There a body that was changed
// on its way may be another text, or none; the reader of the text has to look.
// br is also the one that a sender who means harm can make slow, by some 10
// microseconds for each byte that is packed: it is for those who are trusted
// that far.
//
// A text is there as it arrives: what a sender has flushed is given before more
// is read. There are no goroutines.
//
// A decoder holds its window: 32 KiB for gzip, up to 8 MiB for zstd, which is
// all that RFC 9659 allows, and up to 16 MiB for br. It is as large as the
// sender says, not as the body is.
package coding

import (
	"errors"
	"io"
	"strings"
)

// Reasons why a body cannot be read. They arrive wrapped or as they are, with
// nothing of the body.
var (
	// ErrCoding: the coding is not one of those that are read, or the body is
	// not in that coding, not whole, or has something behind its end.
	ErrCoding = errors.New("content coding is not understood")
	// ErrExpansion: the body is larger than [Options] allow for what it was
	// packed.
	ErrExpansion = errors.New("body expands too much")
)

// Options bound what a body may expand to. Zero fields mean the defaults.
type Options struct {
	// Ratio is how many times as large as what was read of the packed body the
	// text may be. Data that packs better is made to. Default: 200.
	Ratio int64
	// Free is up to which size, in bytes, a text may be of any ratio. Default:
	// 1 MiB.
	Free int64
}

func (o Options) withDefaults() Options {
	if o.Ratio <= 0 {
		o.Ratio = 200
	}
	if o.Free <= 0 {
		o.Free = 1 << 20
	}
	return o
}

// Open gives the text of a body, where coding is the value of Content-Encoding,
// several joined by commas. Without one, and with identity, that is the body
// itself. Codings are compared without regard to case. x-gzip is gzip (RFC
// 9110, section 8.4.1.3). Deflate is not read, because senders do not agree
// what it is. Of several codings none is, not even where one is identity: that
// is not to be sent at all.
//
// Open reads nothing. An empty body is an error in every coding but identity.
// Errors of the body are passed on as they are; all others are [ErrCoding] or
// [ErrExpansion]. Both stay.
//
// What Open gives has to be closed, which closes body, if it can be closed. An
// error of Open leaves body open.
func Open(coding string, body io.Reader, opts Options) (io.ReadCloser, error) {
	var dec decoder
	switch lower(strings.Trim(coding, " \t")) {
	case "", "identity":
		return &plain{body}, nil
	case "gzip", "x-gzip":
		dec = newGzip()
	case "zstd":
		z, err := newZstd()
		if err != nil {
			return nil, err
		}
		dec = z
	case "br":
		dec = newBrotli()
	default:
		return nil, ErrCoding
	}
	r := &reader{dec: dec, packed: packed{body: body}, opts: opts.withDefaults()}
	dec.start(&r.packed)
	return r, nil
}

// Memory gives how much reading a body in a coding may take, in bytes: what a
// decoder holds beside what it gives. Of codings that are not read it is 0.
func Memory(coding string) int64 {
	switch lower(strings.Trim(coding, " \t")) {
	case "gzip", "x-gzip":
		return 64 << 10
	case "zstd":
		return 9 << 20
	case "br":
		return 18 << 20
	}
	return 0
}

// lower turns ASCII letters into small ones. Others stay: strings.ToLower makes
// an i of a dotted capital I.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// plain is a body without a coding.
type plain struct{ io.Reader }

func (p *plain) Close() error { return closeBody(p.Reader) }

func closeBody(body io.Reader) error {
	if c, ok := body.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
