package clamd

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// daemon is a real clamd with one signature, of our own.
type daemon struct {
	address string
	cmd     *exec.Cmd
	done    chan struct{}
}

const virus = "gatehouse-test-virus-0123456789"

func start(t *testing.T, settings string) *daemon {
	t.Helper()
	const binary = "/usr/sbin/clamd" // where Debian's package has it
	if _, err := os.Stat(binary); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("clamd is not installed")
		}
		t.Skip("SKIPPED: clamd is not installed, so no real scanner was asked")
	}
	dir, err := os.MkdirTemp("", "clamd") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	for name, text := range map[string]string{
		"test.ndb":   "Gatehouse.Test.Virus:0:*:" + hex.EncodeToString([]byte(virus)) + "\n",
		"clamd.conf": fmt.Sprintf("Foreground yes\nDatabaseDirectory %s\nTemporaryDirectory %s\nLocalSocket %s\nMaxThreads 4\n%s", dir, dir, socket, settings),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{address: "unix:" + socket, cmd: exec.Command(binary, "-c", filepath.Join(dir, "clamd.conf")), done: make(chan struct{})}
	var out bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &out, &out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.cmd.Wait(); close(d.done) }()
	t.Cleanup(d.kill)
	for range 6000 {
		select {
		case <-d.done:
			t.Fatalf("clamd has ended: %s", &out)
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return d
		}
	}
	t.Fatal("clamd does not listen")
	return nil
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

func scan(c *Client, content string) (string, error) {
	return c.Scan(context.Background(), strings.NewReader(content), int64(len(content)))
}

func TestScan(t *testing.T) {
	d := start(t, "StreamMaxLength 1M\nAlertExceedsMax yes\n")
	c := New(d.address, 20*time.Second, 10<<20)
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.Create("inside.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(f, strings.Repeat("x", 1000)+virus)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("some text ", 50_000)
	for name, tt := range map[string]struct{ content, want string }{
		"clean":         {"a text", ""},
		"long":          {long, ""},
		"empty":         {"", ""},
		"found":         {"x " + virus + " x", "Gatehouse.Test.Virus.UNOFFICIAL"},
		"at the end":    {long + virus, "Gatehouse.Test.Virus.UNOFFICIAL"},
		"inside a zip":  {archive.String(), "Gatehouse.Test.Virus.UNOFFICIAL"},
		"between sends": {strings.Repeat("x", chunk-10) + virus, "Gatehouse.Test.Virus.UNOFFICIAL"},
	} {
		if found, err := scan(c, tt.content); found != tt.want || err != nil {
			t.Errorf("%s: %q %v, want %q", name, found, err, tt.want)
		}
	}
	for name, content := range map[string]string{"beyond its limit": strings.Repeat(long, 4), "beyond ours": strings.Repeat(long, 22)} {
		if found, err := scan(c, content); found != "" || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %q %v", name, found, err)
		}
	}
	if _, err := c.Scan(t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF), 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that breaks off: %v", err)
	}
	d.kill()
	if found, err := scan(c, "a text"); err == nil {
		t.Errorf("nobody is there: %q", found)
	}
}

// A daemon that dies while it is shown something has not said that it is clean.
func TestKilledInMidScan(t *testing.T) {
	d := start(t, "")
	content := io.MultiReader(strings.NewReader(strings.Repeat("x", 3*chunk)), readerFunc(func(p []byte) (int, error) {
		d.kill()
		return copy(p, "the rest"), nil
	}))
	if found, err := New(d.address, 20*time.Second, 1<<20).Scan(t.Context(), content, 5*chunk); err == nil {
		t.Errorf("%q", found)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Whatever else may answer at the address, or not answer: nothing is clean that
// nobody has called so.
func TestNoAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   string // an error, or "" where found or clean
	}{
		"clean":           {"stream: OK\x00", ""},
		"found":           {"stream: Win.Test-1 FOUND\x00", ""},
		"nothing":         {"", "broke off"},
		"cut":             {"stream: OK", "broke off"},
		"two answers":     {"stream: OK\x00stream: X FOUND\x00", "not understood"},
		"another command": {"PONG\x00", "not understood"},
		"unknown":         {"UNKNOWN COMMAND\x00", "not understood"},
		"error":           {"stream: Can't allocate memory ERROR\x00", "not understood"},
		"no name":         {"stream:  FOUND\x00", "not understood"},
		"odd name":        {"stream: a\nb FOUND\x00", "not understood"},
		"HTTP":            {"HTTP/1.1 400 Bad Request\r\n\r\n", "broke off"},
		"too large":       {"INSTREAM size limit exceeded. ERROR\x00", ErrTooLarge.Error()},
		"endless":         {strings.Repeat("stream: OK\x00", 10_000), "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			address := listen(t, func(c net.Conn) {
				_, _ = io.CopyN(io.Discard, c, 10+4+6+4)
				_, _ = io.WriteString(c, tt.answer)
			})
			found, err := scan(New(address, 20*time.Second, 100), "a text")
			if tt.want == "" && (err != nil || (found != "") != (name == "found")) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%q %v, want %s", found, err, tt.want)
			}
		})
	}
	t.Run("slow", func(t *testing.T) {
		address := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		if _, err := scan(New(address, 50*time.Millisecond, 100), "a text"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := New(address, 20*time.Second, 100).Scan(ctx, strings.NewReader("x"), 1); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// listen answers one connection.
func listen(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			answer(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
