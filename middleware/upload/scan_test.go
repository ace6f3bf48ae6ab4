package upload_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/upload"
)

// scanner says one thing to whoever asks, in the words of clamd.
func scanner(t *testing.T, answer string) config.Scanner {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, c, int64(len("zINSTREAM\x00")+4+len("a text")+4))
			_, _ = io.WriteString(c, answer)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return config.Scanner{Clamd: l.Addr().String(), Timeout: config.Duration(20 * time.Second), Max: 1 << 20}
}

func TestScanned(t *testing.T) {
	const body = "--b\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a.txt\"\r\n\r\na text\r\n--b--\r\n"
	for name, tt := range map[string]struct{ answer, code, detail string }{
		"clean": {"stream: OK\x00", "", ""},
		"found": {"stream: Win.Test-1 FOUND\x00", "upload_rejected", "file 1 (field doc) is not accepted: the scanner knows it as malware"},
		"down":  {"", "scanner_unavailable", "files cannot be scanned for viruses now"},
	} {
		s, err := upload.New(&config.Upload{Extensions: []string{"txt"}, Scan: true}, upload.Clamd(scanner(t, tt.answer)))
		if err != nil {
			t.Fatal(err)
		}
		x := middlewaretest.Exchange(t, "POST", "http://api.example.com/x", strings.NewReader(body),
			middlewaretest.Header("Content-Type", "multipart/form-data; boundary=b"), func(x *middleware.Exchange) { x.Route.Upload = &config.Upload{Extensions: []string{"txt"}} })
		up := middlewaretest.NewUpstream(t, 200, "", "")
		_, _, err = middlewaretest.Run(t, s, x, up.Handle)
		var refusal *middleware.Refusal
		if middlewaretest.Code(err) != tt.code || errors.As(err, &refusal) && refusal.Detail != tt.detail {
			t.Errorf("%s: %v", name, err)
		}
		if up.Calls.Load() != 0 && tt.code != "" || up.Calls.Load() != 1 && tt.code == "" {
			t.Errorf("%s: the backend was asked %d times", name, up.Calls.Load())
		}
		if notes := fmt.Sprint(x.Notes()); name == "found" && !strings.Contains(notes, "{upload_malware [file 1 (field doc): Win.Test-1]}") {
			t.Errorf("notes: %s", notes)
		}
	}
	if _, err := upload.New(&config.Upload{Extensions: []string{"txt"}, Scan: true}, upload.Clamd(config.Scanner{})); err == nil {
		t.Error("files that should be scanned pass without a scanner")
	}
}
