package upload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// heavy are files of about n bytes, and what a hostile one of their kind costs
// most with.
func heavy(t testing.TB, n int) map[string][]byte {
	chunks := make([][]byte, n/12)
	for i := range chunks {
		chunks[i] = chunk("tEXt", nil)
	}
	gif := movie(1, 1, 1)
	gif = slices.Concat(gif[:len(gif)-1], []byte("\x21\xfe"), bytes.Repeat([]byte{1, 'x'}, n/2), []byte{0, 0x3b})
	jpg := picture(t, "jpeg")
	scan := slices.Concat(jpg[:len(jpg)-2], []byte(strings.ReplaceAll(noise(n), "\xff", "\xff\x00")), jpg[len(jpg)-2:])
	many := slices.Concat(jpg[:2], bytes.Repeat([]byte{0xff, 0xfe, 0, 2}, n/4), jpg[2:])
	stream := packed("/Type/ObjStm/Filter/FlateDecode", "5 0 x")
	empty := "<</Type/ObjStm/Filter/FlateDecode>>stream\nx\x9c"
	var text strings.Builder
	for i := 0; text.Len() < n; i++ {
		fmt.Fprintf(&text, "%d;O'Brien <a%d@example.com>;x < y, R&D\n", i, i)
	}
	loop := append(tiff(0, 0, 8), make([]byte, n)...) // a directory that is followed by itself
	loop[8], loop[9] = 0xff, byte(n/12>>8-1)
	binary.LittleEndian.PutUint32(loop[10+12*int(binary.LittleEndian.Uint16(loop[8:])):], 8)
	return map[string][]byte{
		"loop.tiff":       loop,
		"text.txt":        []byte(text.String()),
		"brackets.txt":    bytes.Repeat([]byte("<a <"), n/4),
		"table.csv":       []byte(text.String()),
		"deep.json":       []byte("[" + strings.TrimSuffix(strings.Repeat(strings.Repeat("[", 999)+strings.Repeat("]", 999)+",", n/2000), ",") + "]"),
		"noise.png":       bigPNG(1000, 1000, n),
		"chunks.png":      bigPNG(1000, 1000, 8000, chunks...),
		"blocks.gif":      gif,
		"scan.jpg":        scan,
		"segments.jpg":    many,
		"brackets.jpg":    slices.Concat(jpg[:len(jpg)-2], bytes.Repeat([]byte("<s"), n/2), jpg[len(jpg)-2:]),
		"noise.pdf":       pdfOf("<<>>stream\n" + noise(n) + "\nendstream"),
		"names.pdf":       pdfOf(strings.Repeat("/", n)),
		"long_name.pdf":   pdfOf("/" + strings.Repeat("#41", n/3)),
		"streams.pdf":     pdfOf(strings.Repeat(stream, n/len(stream))),
		"overlapping.pdf": pdfOf(strings.Repeat(empty+strings.Repeat("\x00\x00\x00\xff\xff", 50), n/(len(empty)+250))),
		"noise.zip":       archive(t, entry{"a", noise(n)}),
		"dense.zip":       archive(t, entry{"a", strings.Repeat("Ẹ káàárọ̀ ", 100_000)}, entry{"b", noise(n / 4)}),
		"entries.zip":     tiny(t, maxEntries),
		"late.docx":       docx(t, entry{"word/media/a.png", noise(n)}),
		"noise.doc":       ole(noise(n/2), "WordDocument"),
		"names.svg":       []byte(`<svg xmlns="http://www.w3.org/2000/svg">` + strings.Repeat(`<g style="fill:url(#a)"/>`, n/60) + `</svg>`),
	}
}

// BenchmarkKinds prints how fast files of each kind are judged, in bytes of the
// file.
func BenchmarkKinds(b *testing.B) {
	files := heavy(b, 4<<20)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range files {
			if !yield(n) {
				return
			}
		}
	}) {
		data := files[name]
		r, err := newRule([]string{name[strings.LastIndex(name, ".")+1:]})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				v := viewOf(data)
				v.pixels = defaultPixels
				_, _ = r.judge(claim{name: name, hasName: true}, v)
			}
		})
	}
}

// counted counts what is read.
type counted struct {
	*bytes.Reader
	read int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.read += int64(n)
	return n, err
}

// TestHostileFilesCostNoMore holds what is read of a file to a few times its
// size, whatever it says, and what is held to windows.
func TestHostileFilesCostNoMore(t *testing.T) {
	for name, data := range heavy(t, 1<<19) {
		r, err := newRule([]string{name[strings.LastIndex(name, ".")+1:]})
		if err != nil {
			t.Fatal(err)
		}
		c := &counted{Reader: bytes.NewReader(data)}
		v := newView(t.Context(), c, int64(len(data)))
		v.pixels = defaultPixels
		_, reason := r.judge(claim{name: name, hasName: true}, v)
		if most := 8*int64(len(data)) + 1<<20; c.read > most {
			t.Errorf("%s: %d of %d bytes were read (%s)", name, c.read, len(data), reason)
		}
		if reason != "" && name != "brackets.txt" && name != "loop.tiff" {
			t.Errorf("%s: %s", name, reason)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.png", "a.php%00.png", "..∕a.png", "con.x.png", "a\u202e.png"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ext, reason := checkName(name)
		if reason != "" {
			return
		}
		for _, s := range []string{name, unescaped(name), unescaped(unescaped(name))} {
			if strings.ContainsAny(s, "/\\\x00\r\n") || strings.Contains(s, "\u202e") {
				t.Errorf("%q passed with %q", name, s)
			}
		}
		if !strings.HasSuffix(strings.ToLower(name), "."+ext) || ext == "" {
			t.Errorf("%q: extension %q", name, ext)
		}
	})
}

// FuzzContent holds that no content of any kind makes a check panic, read
// without end, or give a reason that is not one line.
func FuzzContent(f *testing.F) {
	for _, name := range []string{"png", "jpeg", "gif"} {
		f.Add(picture(f, name))
	}
	for _, data := range [][]byte{
		docx(f), odt(f), far(archive(f, entry{"a", "x"}), 0), overlapping(), lying(f), pdfOf(packed("/Type/ObjStm/Filter/FlateDecode", "5 0 x")), webp(2, 2, ""), bmp(2, 2), tiff(3, 3, 8), heic(2, 2),
		ole("", "WordDocument"), []byte(`<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>`), []byte(`{"a":[1,"b"]}`), []byte("a <b c=d>"),
	} {
		f.Add(data)
	}
	table := kinds()
	f.Fuzz(func(t *testing.T, data []byte) {
		for ext, k := range table {
			if k.check == nil {
				continue
			}
			c := &counted{Reader: bytes.NewReader(data)}
			v := newView(t.Context(), c, int64(len(data)))
			v.pixels = defaultPixels
			if reason := k.check(v); strings.Contains(reason, "\n") || v.err != nil {
				t.Errorf("%s: %q %v", ext, reason, v.err)
			}
			if c.read > 40*int64(len(data))+4<<20 {
				t.Errorf("%s: %d of %d bytes were read", ext, c.read, len(data))
			}
		}
	})
}
