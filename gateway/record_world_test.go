package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// log gives the lines that the gateway has logged, by message.
func (w *world) log(message string) []map[string]any {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []map[string]any
	for line := range bytes.Lines(b) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			w.t.Fatalf("a line of the log is not JSON: %q", line)
		}
		if m["message"] == message {
			out = append(out, m)
		}
	}
	return out
}

// exchanges waits until n exchanges are on record: an answer is read by the
// client a moment before it is recorded.
func (w *world) exchanges(n int) []map[string]any {
	w.t.Helper()
	var out []map[string]any
	eventually(w.t, fmt.Sprintf("%d exchanges on record", n), func() bool {
		out = w.log("exchange")
		return len(out) >= n
	})
	if len(out) != n {
		w.t.Errorf("%d exchanges are on record, want %d: %v", len(out), n, out)
	}
	return out
}

// exchange waits for the record of one exchange.
func (w *world) exchange(id string) (found map[string]any) {
	w.t.Helper()
	eventually(w.t, "the exchange is on record", func() bool {
		for _, e := range w.log("exchange") {
			if e["request_id"] == id {
				found = e
			}
		}
		return found != nil
	})
	return found
}

// eventually waits for what other goroutines are about to do.
var eventually = middlewaretest.Eventually
