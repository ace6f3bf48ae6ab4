package upload

import (
	"archive/zip"
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// entry is one file of an archive.
type entry struct{ name, content string }

// archive packs entries in their order.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.name == "mimetype" || e.content == "" {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const listing = `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
	`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`

func docx(t testing.TB, more ...entry) []byte {
	return archive(t, append([]entry{
		{"[Content_Types].xml", listing},
		{"_rels/.rels", "<Relationships/>"},
		{"word/document.xml", "<w:document/>"},
	}, more...)...)
}

// lateDocx has a first member that is larger than what a magic number is
// looked for in.
func lateDocx(t testing.TB) []byte {
	return archive(t, entry{"docProps/thumb.bin", noise(64 << 10)}, entry{"[Content_Types].xml", listing}, entry{"word/document.xml", "<w:document/>"})
}

// noise does not compress.
func noise(n int) string {
	b, x := make([]byte, n), uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}

func odt(t testing.TB, more ...entry) []byte {
	return archive(t, append([]entry{{"mimetype", "application/vnd.oasis.opendocument.text"}, {"content.xml", "<office/>"}}, more...)...)
}

func picture(t testing.TB, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	m, err := image.NewPaletted(image.Rect(0, 0, 2, 2), nil), error(nil)
	switch format {
	case "png":
		err = png.Encode(&b, image.NewRGBA(m.Rect))
	case "jpeg":
		err = jpeg.Encode(&b, image.NewRGBA(m.Rect), nil)
	case "gif":
		err = gif.Encode(&b, image.NewRGBA(m.Rect), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

// file is one file of a form; a declared type of "" is not sent.
type file struct {
	name, declared string
	data           []byte
}

// form writes files as a browser does, with the boundary b0undary.
func form(files ...file) string {
	var b strings.Builder
	b.WriteString("--b0undary\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA <b>title</b>")
	for _, f := range files {
		b.WriteString("\r\n--b0undary\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"" + f.name + "\"\r\n")
		if f.declared != "" {
			b.WriteString("Content-Type: " + f.declared + "\r\n")
		}
		b.WriteString("\r\n" + string(f.data))
	}
	b.WriteString("\r\n--b0undary--\r\n")
	return b.String()
}
