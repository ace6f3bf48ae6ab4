package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// chunks reads a body in chunks, and tells what is left behind it.
func chunks(r io.Reader, each int) (body []byte, trailer http.Header, rest string, err error) {
	br := bufio.NewReaderSize(r, 1<<10)
	c := &Chunked{}
	c.Reset(br)
	p := make([]byte, each)
	for err == nil {
		var n int
		n, err = c.Read(p)
		body = append(body, p[:n]...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
		left, _ := io.ReadAll(br)
		rest = string(left)
	}
	return body, c.Trailer(), rest, err
}

func TestChunked(t *testing.T) {
	many := func(n int, chunk string) string { return strings.Repeat(chunk, n) + "0\r\n\r\n" }
	for name, tt := range map[string]struct {
		in   string
		want string // the body, a bar, and what is left; "" for an error
		err  error
	}{
		"plain":                {in: "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\nnext", want: "abcde|next"},
		"empty":                {in: "0\r\n\r\n", want: "|"},
		"capitals":             {in: "A\r\n0123456789\r\n0\r\n\r\n", want: "0123456789|"},
		"zeros":                {in: "0001\r\nx\r\n000\r\n\r\n", want: "x|"},
		"16 digits":            {in: "0000000000000001\r\nx\r\n0\r\n\r\n", want: "x|"},
		"17 digits":            {in: "00000000000000001\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"too large for int64":  {in: "8000000000000000\r\nx", err: ErrChunk},
		"as large as can be":   {in: "7fffffffffffffff\r\nx", err: io.ErrUnexpectedEOF},
		"overflow":             {in: "10000000000000001\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"extension":            {in: "1;a=\"b;c\"\r\nx\r\n0;d\r\n\r\n", want: "x|"},
		"blank behind":         {in: "1 \t\r\nx\r\n0 ;a\r\n\r\n", want: "x|"},
		"blank ahead":          {in: " 1\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"blank between":        {in: "1 1\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"sign":                 {in: "+1\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"prefix":               {in: "0x1\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"no size":              {in: "\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"an extension alone":   {in: ";a\r\n\r\n", err: ErrChunk},
		"bare LF":              {in: "1\nx\r\n0\r\n\r\n", err: ErrChunk},
		"bare LF alone":        {in: "\n", err: ErrChunk},
		"bare CR":              {in: "1\rx\r\n0\r\n\r\n", err: ErrChunk},
		"LF in an extension":   {in: "1;a\nb\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"CR in an extension":   {in: "1;a\rb\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"NUL in an extension":  {in: "1;\x00\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"bare LF behind":       {in: "1\r\nx\n0\r\n\r\n", err: ErrChunk},
		"CR and no LF behind":  {in: "1\r\nx\r0\r\n\r\n", err: ErrChunk},
		"more than said":       {in: "1\r\nxy\r\n0\r\n\r\n", err: ErrChunk},
		"less than said":       {in: "3\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"last in a bare LF":    {in: "1\r\nx\r\n0\n\r\n", err: ErrChunk},
		"ends in content":      {in: "5\r\nx", err: io.ErrUnexpectedEOF},
		"ends in a size":       {in: "5", err: io.ErrUnexpectedEOF},
		"ends behind content":  {in: "1\r\nx", err: io.ErrUnexpectedEOF},
		"ends behind CR":       {in: "1\r\nx\r", err: io.ErrUnexpectedEOF},
		"ends before last":     {in: "1\r\nx\r\n", err: io.ErrUnexpectedEOF},
		"ends before its end":  {in: "1\r\nx\r\n0\r\n", err: io.ErrUnexpectedEOF},
		"ends in trailers":     {in: "0\r\nA: b\r\n", err: io.ErrUnexpectedEOF},
		"nothing":              {in: "", err: io.ErrUnexpectedEOF},
		"long extension":       {in: "1;" + strings.Repeat("a", 2000) + "\r\nx\r\n0\r\n\r\n", err: ErrChunk},
		"many extensions":      {in: many(100, "1;"+strings.Repeat("a", 500)+"\r\nx\r\n"), err: ErrChunkWaste},
		"many chunks of one":   {in: many(20000, "1\r\nx\r\n"), want: strings.Repeat("x", 20000) + "|"},
		"waste after a lot":    {in: "100000\r\n" + strings.Repeat("y", 1<<20) + "\r\n" + many(100, "1;"+strings.Repeat("a", 500)+"\r\nx\r\n"), err: ErrChunkWaste},
		"trailers bare LF":     {in: "0\r\nA: b\n\r\n", err: ErrLine},
		"trailers end bare LF": {in: "0\r\nA: b\r\n\n", err: ErrLine},
		"trailers folded":      {in: "0\r\nA: b\r\n c\r\n\r\n", err: ErrFold},
		"trailers, a space":    {in: "0\r\nA : b\r\n\r\n", err: ErrName},
		"trailers, bare CR":    {in: "0\r\nA: b\rc\r\n\r\n", err: ErrValue},
		"101 trailers":         {in: "0\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", err: ErrTooMany},
		"long trailers":        {in: "0\r\nA: " + strings.Repeat("b", 17<<10) + "\r\n\r\n", err: ErrTrailerBytes},
		"endless trailers":     {in: "0\r\n" + strings.Repeat("A: b\r\n", 5000), err: ErrTrailerBytes},
	} {
		for way, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader,
		} {
			for _, each := range []int{1, 7, 4096} {
				body, _, rest, err := chunks(wrap(strings.NewReader(tt.in)), each)
				got := string(body) + "|" + rest
				if !errors.Is(err, tt.err) || err == nil && got != tt.want {
					t.Errorf("%s, %s by %d: %.80q %v, want %.80q %v", name, way, each, got, err, tt.want, tt.err)
				}
			}
		}
	}
}

func TestTrailers(t *testing.T) {
	long := strings.Repeat("b", 5000) // longer than the buffer
	_, got, rest, err := chunks(strings.NewReader("0\r\nx-sum: 7\r\nA: 1\r\nA: 2\r\nContent-Length: 9\r\ntransfer-encoding: x\r\nLong: "+long+"\r\n\r\nnext"), 10)
	want := http.Header{"X-Sum": {"7"}, "A": {"1", "2"}, "Long": {long}}
	if d := cmp.Diff(want, got); d != "" || err != nil || rest != "next" {
		t.Errorf("%v, left %q, (-want +got):\n%s", err, rest, d)
	}
	if _, got, _, err := chunks(strings.NewReader("0\r\nContent-Length: 9\r\n\r\n"), 10); got != nil || err != nil {
		t.Errorf("got %v %v", got, err)
	}
}

// Content that is there is not kept waiting for more.
func TestChunkedDoesNotWait(t *testing.T) {
	for _, sent := range []string{"2\r\nab", "2\r\nab\r", "2\r\nab\r\n", "2\r\nab\r\n5", "1\r\na\r\n1\r\nb", "2\r\nab\r\n0\r\n", "2\r\nab\r\n0\r\nA: b\r\n"} {
		waits := errors.New("it waits")
		c := &Chunked{}
		c.Reset(bufio.NewReader(io.MultiReader(strings.NewReader(sent), iotest.ErrReader(waits))))
		p := make([]byte, 10)
		if n, err := c.Read(p); string(p[:n]) != "ab" || err != nil {
			t.Errorf("%q: got %q %v", sent, p[:n], err)
		}
	}
}

// An error stays, and a reader that is used anew knows nothing of it.
func TestChunkedIsUsedAnew(t *testing.T) {
	c := &Chunked{}
	for range 2 {
		c.Reset(bufio.NewReader(strings.NewReader("1\r\nx\r\n0\r\nA: b\r\n\r\n")))
		if b, err := io.ReadAll(c); string(b) != "x" || err != nil || c.Trailer().Get("A") != "b" {
			t.Errorf("got %q %v", b, err)
		}
		c.Reset(bufio.NewReader(strings.NewReader("g\r\n0\r\n\r\n")))
		for range 2 {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrChunk) || c.Trailer() != nil {
				t.Errorf("got %v, trailer %v", err, c.Trailer())
			}
		}
	}
}

func TestChunkWriters(t *testing.T) {
	var out []byte
	for _, n := range []int{1, 15, 16, 255, 4096} {
		content := bytes.Repeat([]byte{'y'}, n)
		b := make([]byte, ChunkRoom+n, ChunkRoom+n+2)
		copy(b[ChunkRoom:], content)
		chunk := Chunk(b, n)
		if want := fmt.Sprintf("%x\r\n%s\r\n", n, content); string(chunk) != want {
			t.Errorf("%d: %.40q", n, chunk)
		}
		out = append(out, chunk...)
		out = AppendChunk(out, content)
		out = AppendChunk(out, nil)
	}
	out = AppendLastChunk(out, http.Header{"X-Sum": {"7\r\nA: b"}, "Content-Length": {"9"}, "transfer-encoding": {"x"}, "a b": {"c"}})
	body, trailer, rest, err := chunks(bytes.NewReader(out), 512)
	if d := cmp.Diff(http.Header{"X-Sum": {"7  A: b"}}, trailer); err != nil || rest != "" || len(body) != 2*(1+15+16+255+4096) || d != "" {
		t.Errorf("%d bytes, %v, left %q, trailer (-want +got):\n%s", len(body), err, rest, d)
	}
}

// FuzzChunked holds the reader against that of net/http: nothing is accepted
// that is malformed there, and what both take is the same.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"2\r\nab\r\n0\r\n\r\nnext", "1;a=b\r\nx\r\n0\r\nA: b\r\n\r\n", "1\nx\n0\n\n", "ffffffffffffffff\r\n", "1 \r\nx\r\n000\r\n\r\n",
		"0\r\nA: b\r\n c\r\n\r\n", "1\r\nxy\r\n0\r\n\r\n", "8000000000000000\r\nx",
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, each uint8) {
		body, _, rest, err := chunks(bytes.NewReader(in), int(each)+1)
		if err != nil {
			return
		}
		theirs := bufio.NewReader(bytes.NewReader(in))
		want, err := io.ReadAll(httputil.NewChunkedReader(theirs))
		if err != nil || !bytes.Equal(want, body) {
			t.Fatalf("%q: read as %q, by net/http as %q %v", in, body, want, err)
		}
		left, _ := io.ReadAll(theirs) // with the trailers, which it leaves to others
		if !strings.HasSuffix(string(left), "\r\n"+rest) {
			t.Fatalf("%q: left %q, by net/http %q", in, rest, left)
		}
	})
}

// brink gives what has come, and fails the test where more is asked for.
type brink struct {
	t    *testing.T
	come []byte
	over bool
}

func (b *brink) Read(p []byte) (int, error) {
	if len(b.come) == 0 && b.over {
		return 0, io.EOF
	}
	if len(b.come) == 0 {
		b.t.Fatal("it waits")
	}
	n := copy(p, b.come)
	b.come = b.come[n:]
	return n, nil
}

// TestChunkedReady: where it says that there is something to read, reading does not
// wait, wherever what has come ends; and nothing is left unread but parts of lines.
func TestChunkedReady(t *testing.T) {
	long := strings.Repeat("z", 2500)
	text := "3\r\nabc\r\n0002;ext\r\nde\r\n9c4\r\n" + long + "\r\n1\r\nf\r\n0\r\nA: b\r\n\r\n"
	want := "abcde" + long + "f"
	for _, each := range []int{1, 2, 3, 5, 17, 1000, 1100, len(text)} {
		b := &brink{t: t}
		c := &Chunked{}
		c.Reset(bufio.NewReaderSize(b, 1<<10))
		arrived := func() bool { return len(b.come) > 0 || b.over }
		var got []byte
		var err error
		p := make([]byte, 700)
		for rest := text; rest != "" || !b.over; {
			b.come = append(b.come, rest[:min(each, len(rest))]...)
			rest = rest[min(each, len(rest)):]
			b.over = rest == ""
			for err == nil && c.Ready(arrived) {
				var n int
				n, err = c.Read(p)
				got = append(got, p[:n]...)
				if b.over && err == nil && n == 0 {
					t.Fatalf("by %d: nothing was read", each)
				}
			}
			if at := len(text) - len(rest); each == 1 && at == 6 && string(got) != "abc" {
				t.Errorf("of %q: %q", text[:at], got)
			}
		}
		if string(got) != want || err != io.EOF || !c.Ready(arrived) {
			t.Errorf("by %d: %d bytes, %v", each, len(got), err)
		}
	}
}
