package upload

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
	"strings"
)

// Bounds of what is unpacked of one PDF to look into it.
const (
	mostObjects = 32 << 20 // bytes of objects in streams, unpacked
	mostPacked  = 4        // how often as much as the file is read for it
)

// hidden is noted where objects are kept so that they cannot be looked into.
const hidden = "objects that cannot be looked into"

// checkPDF wants the magic number where it belongs (readers look for it in the
// first kilobyte, which lets a PDF hide behind a page) and the end, and notes
// active content (ISO 32000-2, 12.6 and 7.11).
//
// Names are found wherever they stand, however they are escaped: in objects, and
// in the objects that are packed in streams, which are unpacked within bounds.
// What is packed or encrypted in another way is noted as such. It is a search
// for names, not a reading of the document: a name that stands in a text counts.
func checkPDF(v *view) string {
	if !bytes.HasPrefix(v.head, []byte("%PDF-")) {
		return "it does not start as a PDF does"
	}
	s := &pdfScanner{
		v: v, packed: bufio.NewReaderSize(nil, 4<<10), inflate: flate.NewReader(bytes.NewReader(nil)), buf: make([]byte, 16<<10),
		room: mostObjects, fuel: mostPacked*v.size + windowSize,
	}
	v.windows(0, func(piece []byte) bool {
		for _, c := range piece {
			s.next(c)
		}
		return true
	})
	if !s.ended {
		return "it is not a whole PDF"
	}
	v.trailing = s.trailing
	if endsAsZip(v) {
		return "it is an archive too"
	}
	return ""
}

// pdfScanner takes a PDF byte by byte.
type pdfScanner struct {
	v     *view
	at    int64  // of the next byte
	last  uint64 // the last bytes
	inner bool   // in objects that were unpacked

	inName  bool
	name    []byte
	pending string // a name whose value decides

	// Of the object before a stream.
	objects, first, number, params, filtered bool
	waiting                                  bool // for the first byte of a stream

	ended, trailing bool

	packed  *bufio.Reader
	inflate io.ReadCloser
	buf     []byte
	room    int64 // for what is unpacked
	fuel    int64 // for what is read for that
}

const maxPDFName = 127

func (s *pdfScanner) next(c byte) {
	s.last = s.last<<8 | uint64(c)
	s.at++
	if s.inName {
		if !delimits(c) {
			if len(s.name) <= 3*maxPDFName {
				s.name = append(s.name, c)
			}
			return
		}
		s.inName = false
		s.named()
	}
	switch {
	case c == '/':
		s.decide(c)
		s.inName, s.name = true, s.name[:0]
		s.trailing = s.ended
		return
	case space(c):
		return
	case s.pending != "":
		s.decide(c)
	}
	if s.waiting {
		s.waiting = false
		s.stream()
	}
	s.trailing = s.ended
	switch {
	case c == 'm' && s.last<<16 == 0x73747265616d0000 && byte(s.last>>48) != 'd': // stream, and not endstream
		s.waiting = !s.inner
	case c == 'F' && s.last<<24 == 0x2525454f46000000: // %%EOF
		s.ended, s.trailing = true, false
	}
}

func space(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func delimits(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return space(c)
}

// named takes a name that is whole.
func (s *pdfScanner) named() {
	if len(s.name) == 0 || len(s.name) > 3*maxPDFName {
		return
	}
	switch name := pdfName(s.name); name {
	case "JavaScript", "Launch", "RichMedia", "ImportData", "SubmitForm", "GoToE":
		s.v.act(name)
	case "EmbeddedFile", "EmbeddedFiles":
		s.v.act("EmbeddedFile")
	case "Encrypt":
		s.v.act("encryption")
	case "JS", "AA", "XFA", "OpenAction":
		s.pending = name
	case "ObjStm":
		s.objects = true
	case "First":
		s.first = true
	case "N":
		s.number = true
	case "DecodeParms", "DP", "Predictor":
		s.params = true
	case "Filter", "F":
		s.filtered = true
	}
}

// decide takes the first byte of a value. Short names come up in packed data;
// with a value of their kind behind them they hardly do. An OpenAction that is
// an array is a page to open at.
func (s *pdfScanner) decide(c byte) {
	name := s.pending
	if s.pending = ""; name == "" {
		return
	}
	values := "0123456789<%"
	switch name {
	case "JS":
		values += "("
	case "XFA":
		values += "["
	}
	if strings.IndexByte(values, c) >= 0 {
		s.v.act(name)
	}
}

// pdfName decodes the escapes of a name: /J#61vaScript is /JavaScript.
func pdfName(raw []byte) string {
	if bytes.IndexByte(raw, '#') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) && hex(raw[i+1]) >= 0 && hex(raw[i+2]) >= 0 {
			out = append(out, byte(hex(raw[i+1])<<4|hex(raw[i+2])))
			i += 2
			continue
		}
		out = append(out, raw[i])
	}
	return string(out)
}

// stream looks into a stream of objects, which begins with the byte before at.
// Readers know one by what it must say, and not all want its type.
func (s *pdfScanner) stream() {
	is, odd := s.objects || s.first && s.number, s.params
	packed := s.filtered
	s.objects, s.first, s.number, s.params, s.filtered = false, false, false, false, false
	if !is {
		return
	}
	if !packed { // it is seen anyway; or the word stood in a text, and the stream is to come
		s.objects, s.params = true, odd
		return
	}
	if odd || s.room <= 0 || s.fuel <= 0 || !s.unpack(s.at-1) {
		s.v.act(hidden)
	}
}

// unpack scans what a stream of zlib (RFC 1950) at an offset holds, and reports
// whether that was all of it and looked like objects: their list of numbers
// comes first. The checksum is not asked for; readers do not ask either.
func (s *pdfScanner) unpack(at int64) bool {
	var head [2]byte
	if _, err := s.v.ReadAt(head[:], at); err != nil || head[0]&0xf != 8 || (int(head[0])<<8|int(head[1]))%31 != 0 || head[1]&0x20 != 0 {
		return false
	}
	s.packed.Reset(&metered{r: io.NewSectionReader(s.v, at+2, s.v.size-at-2), fuel: &s.fuel})
	if err := s.inflate.(flate.Resetter).Reset(s.packed, nil); err != nil {
		return false
	}
	inside, buf := &pdfScanner{v: s.v, inner: true}, s.buf
	for first := true; ; {
		n, err := s.inflate.Read(buf)
		for _, c := range buf[:n] {
			inside.next(c)
		}
		if s.room -= int64(n); n > 0 && first {
			first = false
			if c := bytes.TrimLeft(buf[:n], "\x00\t\n\f\r "); len(c) > 0 && (c[0] < '0' || c[0] > '9') {
				return false
			}
		}
		if err != nil {
			inside.next(' ')
			return err == io.EOF //nolint:errorlint // given bare
		}
		if s.room <= 0 {
			return false
		}
	}
}

// metered bounds what is read in all.
type metered struct {
	r    io.Reader
	fuel *int64
}

func (m *metered) Read(p []byte) (int, error) {
	if *m.fuel <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := m.r.Read(p)
	*m.fuel -= int64(n)
	return n, err
}

// checkRTF notes objects in a rich text.
func checkRTF(v *view) string {
	v.windows(16, func(piece []byte) bool {
		for _, word := range []string{`\objdata`, `\objocx`, `\objautlink`, `\objupdate`} {
			if bytes.Contains(piece, []byte(word)) {
				v.act("embedded object")
				return false
			}
		}
		return true
	})
	return ""
}
