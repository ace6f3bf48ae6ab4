package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// pieces gives a body in pieces of changing size.
type pieces struct {
	body  []byte
	sizes []byte
	at    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.body) == 0 {
		return 0, io.EOF
	}
	n := len(p.body)
	if len(p.sizes) > 0 {
		n = int(p.sizes[p.at%len(p.sizes)])
		p.at++
	}
	n = copy(b[:min(n, len(b))], p.body)
	p.body = p.body[n:]
	return n, nil
}

// FuzzRoundTrip: a text comes out as it went in, however it was flushed and
// arrives.
func FuzzRoundTrip(f *testing.F) {
	f.Add(text, uint(10), []byte{1})
	f.Add("", uint(0), []byte{})
	f.Add(strings.Repeat(text, 100), uint(3000), []byte{0, 200, 3})
	f.Fuzz(func(t *testing.T, text string, cut uint, sizes []byte) {
		cut %= uint(len(text) + 1)
		if len(bytes.Trim(sizes, "\x00")) == 0 {
			sizes = nil // such a body gives nothing
		}
		for _, coding := range codings {
			body := pack(t, coding, text[:cut], text[cut:])
			got, err := unpack(t, coding, &pieces{body: body, sizes: sizes})
			if err != nil || got != text {
				t.Errorf("%s: %q, %v", coding, got, err)
			}
		}
	})
}

// FuzzChanged: of a body in which one byte was changed, or that was cut or has
// something behind it, only the text or an error becomes. That is what
// checksums are for, so no byte of br is changed: there only the end is
// certain. Nor is the byte of zstd that says whether there is a checksum.
func FuzzChanged(f *testing.F) {
	f.Add(text, uint(0), byte(1), uint(0), []byte(nil))
	f.Add(text, uint(4), byte(4), uint(0), []byte(nil))
	f.Add(text, uint(20), byte(255), uint(0), []byte(nil))
	f.Add(text, uint(0), byte(0), uint(3), []byte(nil))
	f.Add(text, uint(0), byte(0), uint(0), []byte{0})
	f.Add("", uint(0), byte(0), uint(0), []byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, text string, at uint, mask byte, cut uint, more []byte) {
		more = more[:min(len(more), 3)] // too short for another member or frame
		for _, coding := range codings {
			whole := pack(t, coding, text)
			body := bytes.Clone(whole)
			if at := at % uint(len(body)); coding == "gzip" || coding == "zstd" && at != 4 {
				body[at] ^= mask
			}
			body = append(body[:len(body)-int(cut%uint(len(body)))], more...)
			got, err := unpack(t, coding, bytes.NewReader(body))
			switch {
			case err == nil && got != text:
				t.Errorf("%s: %q is %q", coding, text, got)
			case err == nil && bytes.HasPrefix(whole, body) && len(body) < len(whole):
				t.Errorf("%s: %d of %d bytes are whole", coding, len(body), len(whole))
			case err == nil && bytes.HasPrefix(body, whole) && len(body) > len(whole):
				t.Errorf("%s: %d bytes behind the end", coding, len(body)-len(whole))
			case err != nil && !errors.Is(err, ErrCoding):
				t.Errorf("%s: %v", coding, err)
			}
		}
	})
}

// FuzzBodies: no body makes a decoder give more than it may, or panic, and what
// it says does not depend on how the body arrives.
func FuzzBodies(f *testing.F) {
	for _, coding := range codings {
		f.Add(pack(f, coding, text), []byte{1, 5})
		f.Add(pack(f, coding, string(make([]byte, 2<<20))), []byte{100})
	}
	f.Add([]byte("\x50\x2a\x4d\x18\xff\xff\xff\xff"), []byte{1})
	f.Fuzz(func(t *testing.T, body, sizes []byte) {
		if len(bytes.Trim(sizes, "\x00")) == 0 {
			sizes = nil
		}
		for _, coding := range codings {
			got, err := unpack(t, coding, bytes.NewReader(body))
			if n := int64(len(got)); n > 1<<20 && n > 200*int64(len(body)) {
				t.Errorf("%s: %d bytes of %d", coding, n, len(body))
			}
			if err != nil && err != ErrExpansion && !errors.Is(err, ErrCoding) {
				t.Errorf("%s: %v", coding, err)
			}
			// How much is given before an error depends on it, and where the
			// expansion is noticed.
			again, err2 := unpack(t, coding, &pieces{body: body, sizes: sizes})
			if err == ErrExpansion || err2 == ErrExpansion {
				continue
			}
			if (err == nil) != (err2 == nil) || err == nil && got != again {
				t.Errorf("%s: %d bytes, %v; in pieces %d bytes, %v", coding, len(got), err, len(again), err2)
			}
		}
	})
}
