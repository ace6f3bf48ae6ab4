package upload

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image/gif"
	"image/jpeg"
	"io"
	"strings"
)

// checkPDF wants the magic number where it belongs. Readers look for it in the
// first kilobyte, which lets a PDF hide behind a page.
func checkPDF(v *view) string {
	if !bytes.HasPrefix(v.head, []byte("%PDF-")) {
		return "it does not start as a PDF does"
	}
	return ""
}

// checkText wants no markup: a browser that is shown the file must not find a
// page in it. NULs are looked through, so that UTF-16 is seen too.
func checkText(v *view) (reason string) {
	v.windows(8, func(piece []byte) bool {
		if markup(piece) {
			reason = "it holds markup"
		}
		return reason == ""
	})
	return reason
}

func markup(rest []byte) bool {
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		next := bytes.TrimLeft(rest, "\x00")
		if len(next) == 0 {
			return false
		}
		if c := next[0]; 'a' <= c|0x20 && c|0x20 <= 'z' || c == '!' || c == '?' || c == '/' {
			return true
		}
	}
}

// checkJSON reads the file as one value. The tokens of a decoder are held one at
// a time.
func checkJSON(v *view) string {
	d := json.NewDecoder(v.reader())
	d.UseNumber()
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return "it is not JSON"
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // given bare
		return "it is not JSON"
	}
	return checkText(v)
}

// checkImage looks for what has no place in a picture, whatever its format: a
// page, or a script for the server. Such files are pictures to who checks
// them and programs to who is led to open them otherwise.
func checkImage(v *view) (reason string) {
	v.windows(16, func(piece []byte) bool {
		if page(piece) {
			reason = "it holds a page or a script"
		}
		return reason == ""
	})
	if reason == "" && isArchive(v) {
		return "it is an archive too"
	}
	return reason
}

func page(rest []byte) bool {
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		head := strings.ToLower(string(rest[:min(len(rest), 8)]))
		for _, word := range []string{"script", "?php", "html", "!doctype", "svg", "iframe", "body", "%@", "?="} {
			// Two or three odd bytes come up by chance in compressed data.
			if strings.HasPrefix(head, word) && (len(word) > 3 || printable(rest[:min(len(rest), 16)])) {
				return true
			}
		}
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' || c > 0x7e {
			return false
		}
	}
	return true
}

// checkJPEG wants a header that can be decoded: three bytes make a JPEG to a
// magic number.
func checkJPEG(v *view) string {
	var unsupported jpeg.UnsupportedError
	if _, err := jpeg.DecodeConfig(v.reader()); err != nil && !errors.As(err, &unsupported) {
		return "it is not a whole image"
	}
	return checkImage(v)
}

func checkGIF(v *view) string {
	if _, err := gif.DecodeConfig(v.reader()); err != nil {
		return "it is not a whole image"
	}
	return checkImage(v)
}

// checkPNG walks the chunks to the end of the file, so that nothing can follow
// the picture.
func checkPNG(v *view) string {
	r := bufio.NewReaderSize(v.reader(), windowSize)
	if _, err := r.Discard(8); err != nil { // the signature
		return "it is not a whole image"
	}
	for first := true; ; first = false {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return "it is not a whole image"
		}
		size, kind := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		if first != (kind == "IHDR") {
			return "it is not a whole image"
		}
		if n, err := io.CopyN(io.Discard, r, size+4); err != nil || n != size+4 {
			return "it is not a whole image"
		}
		if kind == "IEND" {
			break
		}
	}
	if _, err := r.ReadByte(); err == nil {
		return "something follows the image"
	}
	return checkImage(v)
}
