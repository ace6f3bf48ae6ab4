package upload

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

// chunk writes a chunk of a PNG.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// bigPNG states dimensions, whatever its data.
func bigPNG(width, height uint32, data int, more ...[]byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 6, 0, 0, 0))...)
	for _, m := range more {
		out = append(out, m...)
	}
	out = append(out, chunk("IDAT", []byte(noise(data)))...)
	return append(out, chunk("IEND", nil)...)
}

// movie is a GIF of frames, which may have any size on a screen of any size.
func movie(width, height uint16, frames int) []byte {
	size := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, width), height)
	out := append(append([]byte("GIF89a"), size...), 0x80, 0, 0, 0, 0, 0, 255, 255, 255)
	for range frames {
		out = append(append(out, 0x2c, 0, 0, 0, 0), size...)
		out = append(out, 0, 2, 2, 0x4c, 0x01, 0)
	}
	return append(out, 0x3b)
}

// webp is a picture without loss, in its header.
func webp(width, height int, more string) []byte {
	bits := uint32(width-1) | uint32(height-1)<<14
	data := append(binary.LittleEndian.AppendUint32([]byte{0x2f}, bits), 0, 0, 0)
	body := append(binary.LittleEndian.AppendUint32([]byte("WEBPVP8L"), uint32(len(data))), data...)
	return append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...), more...)
}

func bmp(width, height int32) []byte {
	out := append([]byte("BM\x5a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00"), 40, 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, uint32(width)), uint32(height))
	return append(out, append([]byte{1, 0, 24, 0}, make([]byte, 40)...)...)
}

// tiff has one directory with the dimensions; next is where it says the next is.
func tiff(width, height, next uint32) []byte {
	out := []byte("II*\x00\x08\x00\x00\x00\x02\x00")
	for i, v := range []uint32{width, height} {
		out = binary.LittleEndian.AppendUint32(append(out, byte(i), 1, 4, 0, 1, 0, 0, 0), v)
	}
	return binary.LittleEndian.AppendUint32(out, next)
}

// heic is the boxes that say what it is and how large.
func heic(width, height uint32) []byte {
	out := []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1\x00\x00\x00\x14ispe\x00\x00\x00\x00")
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, width), height)
}

// ole is a compound file with the entries of its directory, and a text.
func ole(text string, streams ...string) []byte {
	out := make([]byte, 512)
	copy(out, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	copy(out[24:], "\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00")
	for _, s := range append([]string{"Root Entry"}, streams...) {
		e := make([]byte, 128)
		for i := range len(s) {
			e[2*i] = s[i]
		}
		binary.LittleEndian.PutUint16(e[64:], uint16(2*len(s)+2))
		e[66] = 2
		out = append(out, e...)
	}
	for i := range len(text) {
		out = append(out, text[i], 0)
	}
	return append(out, make([]byte, 1024)...)
}

// pdfOf is a PDF with an object.
func pdfOf(object string) []byte {
	return []byte("%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n2 0 obj" + object + "endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
}

// packed is a stream of objects.
func packed(head, objects string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(objects))
	_ = z.Close()
	return fmt.Sprintf("<<%s/N 1/First 4/Length %d>>stream\r\n%s\nendstream ", head, b.Len(), b.String())
}

// zipped lays out an archive by hand, from what each part of it says.
func zipped(members ...*member) []byte {
	var out, list []byte
	for _, m := range members {
		at := len(out)
		if m.at > 0 {
			at = int(m.at)
		}
		name := m.otherName // before the data
		if name == "" {
			name = m.name
		}
		data := []byte(strings.Repeat("x", int(m.packed)))
		sum := crc32.ChecksumIEEE(data)
		fields := func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint16(b, uint16(m.flags))
			b = binary.LittleEndian.AppendUint16(b, uint16(m.method))
			b = binary.LittleEndian.AppendUint32(append(b, 0, 0, 0, 0), sum)
			b = binary.LittleEndian.AppendUint32(b, uint32(m.packed))
			return binary.LittleEndian.AppendUint32(b, uint32(m.unpacked))
		}
		out = fields(append(out, "PK\x03\x04\x14\x00"...))
		out = binary.LittleEndian.AppendUint16(out, uint16(len(name)))
		out = append(append(append(out, 0, 0), name...), data...)
		list = fields(append(list, "PK\x01\x02\x14\x03\x14\x00"...))
		list = binary.LittleEndian.AppendUint16(list, uint16(len(m.name)))
		list = append(list, make([]byte, 8)...)
		list = binary.LittleEndian.AppendUint32(list, uint32(m.mode<<16))
		list = append(binary.LittleEndian.AppendUint32(list, uint32(at)), m.name...)
	}
	return ended(out, list, len(members))
}

// ended writes the directory and the record of the end.
func ended(out, list []byte, entries int) []byte {
	at := len(out)
	out = append(append(out, list...), "PK\x05\x06\x00\x00\x00\x00"...)
	out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, uint16(entries)), uint16(entries))
	out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, uint32(len(list))), uint32(at))
	return append(out, 0, 0)
}

// stored is an entry that is not packed, of n bytes.
func stored(name string, n int64) *member { return &member{name: name, packed: n, unpacked: n} }

// far turns an archive into one with 64-bit records, which say other than the
// short ones by the difference given.
func far(data []byte, differ uint64) []byte {
	i := bytes.LastIndex(data, []byte("PK\x05\x06"))
	end := data[i:]
	entries, size, at := uint64(le16(end, 10)), uint64(le32(end, 12)), uint64(le32(end, 16))
	out := bytes.Clone(data[:i])
	out = binary.LittleEndian.AppendUint64(append(out, "PK\x06\x06"...), 44)
	out = append(out, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, n := range []uint64{entries, entries, size, at + differ} {
		out = binary.LittleEndian.AppendUint64(out, n)
	}
	out = binary.LittleEndian.AppendUint64(append(out, "PK\x06\x07\x00\x00\x00\x00"...), uint64(i))
	return append(append(out, 1, 0, 0, 0), end...)
}

// overlapping is an archive whose first entry holds the second as its data: what
// is unpacked is more than what is there.
func overlapping() []byte {
	inner := zipped(stored("b", 100))
	inner = inner[:30+1+100]
	first := stored("a", int64(len(inner)))
	head := zipped(first)[:30+1]
	out := append(head, inner...)
	sum := crc32.ChecksumIEEE(inner)
	binary.LittleEndian.PutUint32(out[14:], sum)
	both := zipped(first, &member{name: "b", packed: 100, unpacked: 100, at: 31})
	list := both[bytes.Index(both, []byte("PK\x01\x02")):bytes.LastIndex(both, []byte("PK\x05\x06"))]
	binary.LittleEndian.PutUint32(list[16:], sum)
	return ended(out, list, 2)
}

// lying is an archive whose entry unpacks to more than it says.
func lying(t testing.TB) []byte {
	data := archive(t, entry{"a", strings.Repeat("\x00", 1<<20)})
	for _, sig := range []string{"PK\x01\x02", "PK\x07\x08"} {
		if i := bytes.LastIndex(data, []byte(sig)); i >= 0 {
			at := i + 24
			if sig == "PK\x07\x08" {
				at = i + 12
			}
			binary.LittleEndian.PutUint32(data[at:], 10)
		}
	}
	return data
}

// bomb is an archive of archives of zeros, with or without a password.
func bomb(t testing.TB, password bool) []byte {
	var inner []entry
	for i := range 16 {
		inner = append(inner, entry{fmt.Sprintf("lib %x.zip", i), string(archive(t, entry{"0.dll", strings.Repeat("\x00", 1<<20)}))})
	}
	data := archive(t, inner...)
	if password {
		data = encrypted(data)
	}
	return data
}

// tiny is an archive of n entries without content.
func tiny(t testing.TB, n int) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// local is an archive of one byte whose header before the data has an extra
// field, sizes and flags of its own.
func local(extra string, size uint32, flags byte) []byte {
	m := stored("a", 1)
	m.flags = int64(flags)
	data := zipped(m)
	out := slices.Concat(data[:31], []byte(extra), data[31:32])
	binary.LittleEndian.PutUint16(out[28:], uint16(len(extra)))
	binary.LittleEndian.PutUint32(out[18:], size)
	binary.LittleEndian.PutUint32(out[22:], size)
	return ended(out, data[32:len(data)-lenEnd], 1)
}

// commented gives an archive a comment.
func commented(data []byte, comment string) []byte {
	out := slices.Concat(data, []byte(comment))
	binary.LittleEndian.PutUint16(out[len(data)-2:], uint16(len(comment)))
	return out
}
