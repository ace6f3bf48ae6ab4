package gateway

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the HTTP server of the listeners tells of goes to the log as it is
// configured then.
func TestErrorLogFollowsReloads(t *testing.T) {
	w := open(t)
	w.accepting(``)
	text, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	w.write("gatehouse.yaml", strings.Replace(string(text), "log: {output: access.log", "log: {level: debug, output: other.log", 1))
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told in the new log", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "\x16\x03\x01\x00\x05hello")
		_, _ = io.Copy(io.Discard, c)
		data, _ := os.ReadFile(filepath.Join(w.dir, "other.log"))
		return strings.Contains(string(data), "TLS handshake error")
	})
}
