package upload

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image/gif"
	"image/jpeg"
	"strings"
)

// checkPDF wants the magic number where it belongs. Readers look for it in the
// first kilobyte, which lets a PDF hide behind a page.
func checkPDF(data []byte) string {
	if !bytes.HasPrefix(data, []byte("%PDF-")) {
		return "it does not start as a PDF does"
	}
	return ""
}

// textScan is how much of a text is searched for markup, in bytes.
const textScan = 64 << 10

// checkText wants no markup: a browser that is shown the file must not find a
// page in it. NULs are looked through, so that UTF-16 is seen too.
func checkText(data []byte) string {
	rest := data[:min(len(data), textScan)]
	for {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
		next := bytes.TrimLeft(rest, "\x00")
		if len(next) == 0 {
			return ""
		}
		if c := next[0]; 'a' <= c|0x20 && c|0x20 <= 'z' || c == '!' || c == '?' || c == '/' {
			return "it holds markup"
		}
	}
}

func checkJSON(data []byte) string {
	if !json.Valid(data) {
		return "it is not JSON"
	}
	return checkText(data)
}

// checkImage looks for what has no place in a picture, whatever its format: a
// page, or a script for the server. Such files are pictures to who checks
// them and programs to who is led to open them otherwise.
func checkImage(data []byte) string {
	for rest := data; ; {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		head := strings.ToLower(string(rest[:min(len(rest), 8)]))
		for _, word := range []string{"script", "?php", "html", "!doctype", "svg", "iframe", "body", "%@", "?="} {
			if !strings.HasPrefix(head, word) {
				continue
			}
			// Two or three odd bytes come up by chance in compressed data.
			if len(word) > 3 || printable(rest[:min(len(rest), 16)]) {
				return "it holds a page or a script"
			}
		}
	}
	if isArchive(data) {
		return "it is an archive too"
	}
	return ""
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
func checkJPEG(data []byte) string {
	var unsupported jpeg.UnsupportedError
	if _, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil && !errors.As(err, &unsupported) {
		return "it is not a whole image"
	}
	return checkImage(data)
}

func checkGIF(data []byte) string {
	if _, err := gif.DecodeConfig(bytes.NewReader(data)); err != nil {
		return "it is not a whole image"
	}
	return checkImage(data)
}

// checkPNG walks the chunks to the end of the file, so that nothing can follow
// the picture.
func checkPNG(data []byte) string {
	const signature = 8
	rest := data[min(signature, len(data)):]
	for first := true; ; first = false {
		if len(rest) < 12 {
			return "it is not a whole image"
		}
		size, kind := uint64(binary.BigEndian.Uint32(rest)), string(rest[4:8])
		if first != (kind == "IHDR") || uint64(len(rest)) < 12+size {
			return "it is not a whole image"
		}
		rest = rest[12+size:]
		if kind == "IEND" {
			break
		}
	}
	if len(rest) > 0 {
		return "something follows the image"
	}
	return checkImage(data)
}
