// Command upstream is the backend of the measurements: a goroutine for each
// connection, answers that were made before, and an HTTP/1.1 loop that does no
// more than the proxies need, so that it costs little on the processor it shares
// with the load generator. It listens on loopback and prints its address.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	answers := prepared()
	for {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(c, answers)
	}
}

// prepared are the whole answers, head and body, by path.
func prepared() map[string][]byte {
	out := map[string][]byte{"/limited/1k": whole("200 OK", "text/plain", fixture.Plain(1<<10))}
	for name, size := range map[string]int{"1k": 1 << 10, "16k": 16 << 10, "256k": 256 << 10} {
		out["/"+name] = whole("200 OK", "text/plain", fixture.Plain(size))
	}
	for i := range fixture.Records {
		out["/employees/"+fixture.ID(i)] = whole("200 OK", "application/json", fixture.JSON(fixture.Record(i)))
	}
	out["/employees/wide"] = whole("200 OK", "application/json", fixture.JSON(fixture.Wide()))
	out["/employees/"] = whole("200 OK", "application/json", fixture.JSON(fixture.List()))
	return out
}

func whole(status, kind string, body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", status, kind, len(body))
	return append([]byte(head), body...)
}

// serve answers one connection until the other side closes it or breaks the
// rules. What it cannot read in one way only, it closes.
func serve(c net.Conn, answers map[string][]byte) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 32<<10)
	for {
		path, length, chunked, err := readHead(in)
		if err != nil {
			return
		}
		var answer []byte
		switch body := io.Reader(io.LimitReader(in, length)); {
		case chunked:
			answer, err = sink(&chunks{in: in})
		case length > 0:
			answer, err = sink(body)
		default:
			answer = answers[path]
		}
		if err != nil {
			return
		}
		if answer == nil {
			answer = whole("404 Not Found", "text/plain", []byte("no such thing here\n"))
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// sink reads a body and answers with its receipt. It fails where the body ends
// early.
func sink(body io.Reader) ([]byte, error) {
	sum := crc32.NewIEEE()
	want := int64(-1)
	if l, ok := body.(*io.LimitedReader); ok {
		want = l.N
	}
	n, err := io.Copy(sum, body)
	if err != nil {
		return nil, err
	}
	if want >= 0 && n != want {
		return nil, io.ErrUnexpectedEOF
	}
	return whole("200 OK", "application/json", fixture.Receipt(int(n), sum.Sum32())), nil
}

// readHead reads the head of a request: its path, and how its body is framed.
func readHead(in *bufio.Reader) (path string, length int64, chunked bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", 0, false, err
	}
	parts := bytes.Fields(line)
	if len(parts) != 3 {
		return "", 0, false, fmt.Errorf("no request line: %q", line)
	}
	path = string(parts[1])
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return "", 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return path, length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return "", 0, false, fmt.Errorf("content-length %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		}
	}
}

// chunks reads a chunked body (RFC 9112, section 7.1) and its empty trailer.
type chunks struct {
	in   *bufio.Reader
	left int64 // bytes of this chunk that are still to come
	done bool
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if c.left, err = strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64); err != nil {
			return 0, err
		}
		if c.left == 0 {
			c.done = true
			if _, err := c.in.ReadSlice('\n'); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left == 0 && err == nil {
		_, err = c.in.Discard(2)
	}
	return n, err
}
