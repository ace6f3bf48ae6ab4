package upload

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"
)

// Bounds of archives. They keep a small file from becoming a large one behind
// the gateway.
const (
	maxEntries  = 10_000
	maxRatio    = 100     // unpacked size over packed size, of the whole
	alwaysSmall = 1 << 20 // unpacked bytes that need no ratio
	maxListing  = 1 << 20 // of [Content_Types].xml
	tail        = 65557   // where the directory of a zip ends: record and comment
	endOfZip    = "PK\x05\x06"
)

// isArchive reports whether a zip reader finds an archive at the end of data,
// wherever it begins.
func isArchive(v *view) bool {
	if !bytes.Contains(v.tail(tail), []byte(endOfZip)) {
		return false
	}
	_, err := zip.NewReader(v, v.size)
	return err == nil
}

// openZip reads the directory of an archive and judges it. Only the directory
// is read, never an entry.
func openZip(v *view) (*zip.Reader, string) {
	if !bytes.HasPrefix(v.head, []byte("PK\x03\x04")) {
		return nil, "it does not start as an archive does"
	}
	z, err := zip.NewReader(v, v.size)
	if err != nil {
		return nil, "its directory cannot be read"
	}
	if len(z.File) > maxEntries {
		return nil, "it has too many entries"
	}
	if !whole(z, v) {
		return nil, "it is more than one archive, or not only an archive"
	}
	var unpacked uint64
	names := make(map[string]bool, len(z.File))
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return nil, "it is encrypted"
		}
		if unsafeName(f.Name) {
			return nil, "it has an entry that leaves its folder"
		}
		folded := strings.ToLower(f.Name)
		if names[folded] {
			return nil, "it has an entry twice"
		}
		names[folded] = true
		if unpacked += f.UncompressedSize64; unpacked < f.UncompressedSize64 || f.UncompressedSize64 > 1<<62 {
			return nil, "it unpacks to too much"
		}
	}
	if unpacked > alwaysSmall && unpacked/maxRatio > uint64(v.size) {
		return nil, "it unpacks to too much"
	}
	return z, ""
}

// whole reports whether the archive that the directory describes is all of
// data. A reader that starts at the front must meet the entries that one
// starting at the end does. The 64-bit form of the record is for archives far
// larger than a body may be, and is not taken.
func whole(z *zip.Reader, v *view) bool {
	const header, record = 30, 22
	data := v.tail(tail)
	end := bytes.LastIndex(data, []byte(endOfZip))
	if end < 0 || len(v.head) < header || len(data) < end+record {
		return false
	}
	field := func(at int) int64 { return int64(binary.LittleEndian.Uint32(data[end+at:])) }
	size, offset, comment := field(12), field(16), int(binary.LittleEndian.Uint16(data[end+20:]))
	if offset+size != v.size-int64(len(data)-end) || len(data) != end+record+comment {
		return false
	}
	n, extra := int(binary.LittleEndian.Uint16(v.head[26:])), int(binary.LittleEndian.Uint16(v.head[28:]))
	if len(v.head) < header+n {
		return false
	}
	for _, f := range z.File {
		at, err := f.DataOffset()
		if err == nil && at == int64(header+n+extra) && f.Name == string(v.head[header:header+n]) {
			return true
		}
	}
	return false
}

// unsafeName reports whether an entry could be unpacked elsewhere.
func unsafeName(s string) bool {
	if s == "" || s[0] == '/' || strings.ContainsAny(s, "\\:\x00") {
		return true
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

func checkZip(v *view) string {
	_, reason := openZip(v)
	return reason
}

// checkOffice wants an Office Open XML document with the main part given and
// without macros. A document with macros differs from one without by its list
// of types and a binary part, and by nothing that a magic number sees.
func checkOffice(v *view, main string) string {
	z, reason := openZip(v)
	if reason != "" {
		return reason
	}
	var listing, body bool
	for _, f := range z.File {
		switch base := strings.ToLower(path.Base(f.Name)); {
		case base == "vbaproject.bin" || base == "vbadata.xml":
			return "it holds macros"
		case f.Name == "[Content_Types].xml":
			listing = true
			if reason := checkListing(f); reason != "" {
				return reason
			}
		case f.Name == main:
			body = true
		}
	}
	if !listing || !body {
		return "it lacks the parts of such a document"
	}
	return ""
}

// checkListing looks for the types of macros in the list of types. It is read
// as bytes; what could hide a word from that is refused.
func checkListing(f *zip.File) string {
	b, err := readEntry(f, maxListing)
	if err != nil {
		return "its list of types cannot be read"
	}
	b = bytes.ToLower(b)
	if bytes.Contains(b, []byte("macroenabled")) || bytes.Contains(b, []byte("vbaproject")) {
		return "it holds macros"
	}
	if bytes.ContainsAny(b, "&\x00") || bytes.Contains(b, []byte("<!")) {
		return "its list of types cannot be read"
	}
	return ""
}

// checkOpen wants an OpenDocument file of the media type given and without
// macros.
func checkOpen(v *view, mediaType string) string {
	z, reason := openZip(v)
	if reason != "" {
		return reason
	}
	var typed, body bool
	for _, f := range z.File {
		top, _, inside := strings.Cut(strings.ToLower(f.Name), "/")
		switch {
		case inside && (top == "basic" || top == "scripts"):
			return "it holds macros"
		case f.Name == "mimetype":
			b, err := readEntry(f, int64(len(mediaType)))
			typed = err == nil && string(b) == mediaType
		case f.Name == "content.xml":
			body = true
		}
	}
	if !typed || !body {
		return "it lacks the parts of such a document"
	}
	return ""
}

// readEntry unpacks an entry of at most limit bytes.
func readEntry(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, zip.ErrFormat
	}
	return b, err
}
