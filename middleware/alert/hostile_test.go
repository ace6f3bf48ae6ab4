package alert

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// What a receiver says may hold what it was asked: the URL, which may be a secret.
// None of it is told.
func TestReceiverThatEchoes(t *testing.T) {
	for name, answer := range map[string]string{
		"the request line":          "POST /hook?key=hidden HTTP/1.1\r\n\r\n",
		"a status that is none":     "HTTP/1.1 hidden\r\n\r\n",
		"a header that is none":     "HTTP/1.1 200 OK\r\nhidden\r\n\r\n",
		"a length that is none":     "HTTP/1.1 200 OK\r\nContent-Length: hidden\r\n\r\n",
		"a name that is none":       "HTTP/1.1 200 OK\r\n: hidden\r\n\r\n",
		"a first line that goes on": "HTTP/1.1 200 OK\r\n hidden: x\r\n\r\n",
		"an encoding":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: hidden\r\n\r\n",
		"a place that is no URL":    "HTTP/1.1 302 Found\r\nLocation: http://[/hook?key=hidden\r\nContent-Length: 0\r\n\r\n",
		"a place with a bad escape": "HTTP/1.1 301 Moved\r\nLocation: /%zz?key=hidden\r\nContent-Length: 0\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			var b [4096]byte
			_, _ = c.Read(b[:])
			_, _ = c.Write([]byte(answer))
			_, _ = c.Read(b[:])
		}()
		var b book
		c := config.Alerts{Webhook: map[string]*config.AlertWebhook{"siem": {
			URL: config.Secret("http://" + l.Addr().String() + "/hook?key=hidden"), Secret: testSecret,
			Timeout: config.Duration(10 * time.Second), Classes: []string{"finding"},
		}}}
		sink := settings(t, &b, c).Sinks[0]
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err = sink.deliver(ctx, testEvent())
		cancel()
		sink.close()
		_ = l.Close()
		<-done
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A certificate that is for somebody else, or was good once, is not good enough.
func TestCertificates(t *testing.T) {
	for name, tt := range map[string]struct {
		at   string
		made time.Time
		want string
	}{
		"another address": {"127.0.0.2:0", time.Now(), "127.0.0.2"},
		"expired":         {"127.0.0.1:0", time.Now().AddDate(-3, 0, 0), "expired"},
	} {
		dir := t.TempDir()
		if err := certs.Dev(dir, nil, tt.made); err != nil {
			t.Fatal(err)
		}
		rec := newReceiverAt(t, dir, tt.at)
		var b book
		sink := settings(t, &b, rec.to()).Sinks[0]
		err := sink.deliver(t.Context(), testEvent())
		sink.close()
		if err == nil || !strings.Contains(err.Error(), "x509: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Many events that a receiver does not take, and a new one that it takes: nothing
// keeps that waiting, neither those that came before nor the pause after them.
func TestNewEventsPassRefusedOnes(t *testing.T) {
	for _, code := range []int{http.StatusBadRequest, http.StatusForbidden} {
		synctest.Test(t, func(t *testing.T) {
			var b book
			s := Open(Options{Count: b.count})
			var got []string
			s.Use(Settings{Dedup: time.Minute, Bytes: 64 << 20, Tell: b.tell, Sinks: []*Sink{{
				Name: "siem", Kind: "webhook", key: "siem", min: 1, classes: []Class{Finding}, keep: 72 * time.Hour, timeout: time.Minute, pause: firstPause,
				deliver: func(_ context.Context, r *record) error {
					if r.Tenant == "<script>" {
						return refused(&http.Response{StatusCode: code})
					}
					got = append(got, r.Tenant)
					return nil
				},
				close: func() {},
			}}})
			for i := range 50 {
				e := found(address(i))
				e.Tenant = "<script>"
				s.Raise(e)
			}
			time.Sleep(6 * time.Hour)
			s.Raise(found("203.0.113.9"))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if len(got) != 1 {
				t.Errorf("%d: the new one waits behind %d", code, b.of("siem failed"))
			}
			time.Sleep(6 * time.Hour)
			if n := b.of("siem failed"); n > 50*30 {
				t.Errorf("%d attempts in half a day", n)
			}
			_ = s.Close(t.Context())
		})
	}
}

// Events of every login do not keep findings from being looked at.
func TestLoginsDoNotCrowdOutFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := Open(Options{Count: b.count})
		writes, findings := make(chan struct{}), 0
		s.Use(Settings{Dedup: time.Minute, Tell: b.tell, Sinks: []*Sink{{
			Name: "log", Kind: "log", key: "log", min: 1, classes: []Class{Finding, Authentication},
			write: func(r *record) error {
				<-writes
				if r.Class == Finding {
					findings++
				}
				return nil
			},
		}}})
		for range 2 * queueSize {
			s.Raise(Event{Class: Authentication, Severity: Informational, Failed: true})
		}
		s.Raise(found("203.0.113.9"))
		close(writes)
		synctest.Wait()
		if findings != 1 {
			t.Errorf("%d findings", findings)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Where all that is tried in vain goes, operators are told of it once.
func TestFullSpoolIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		s := Open(Options{Count: b.count})
		slow, release := stuck("slow")
		s.Use(Settings{Sinks: []*Sink{slow}, Dedup: time.Minute, Bytes: 4 << 10, Tell: b.tell})
		for i := range 1000 {
			s.Raise(found(address(i)))
		}
		synctest.Wait()
		if len(b.told) != 1 {
			t.Errorf("told %d times, such as %q", len(b.told), b.told[0])
		}
		close(release)
		synctest.Wait()
		_ = s.Close(t.Context())
	})
}

// What stands in the folder and is no file of ours keeps nobody waiting.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "00000000000000000001-0.event"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "00000000000000000002-0.event")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "00000000000000000003-0.event"), 0o700); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "00000000000000000004-0.event")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil { // it takes no room on disk
		t.Fatal(err)
	}
	s, err := openSpool(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.put(&record{Event: found("203.0.113.9"), Finding: "f"}); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for {
		r, _, ok, err := s.next()
		if err != nil {
			damaged++
			continue
		}
		if !ok || r.Finding != "f" {
			t.Errorf("%+v", r)
		}
		break
	}
	if damaged > 1 {
		t.Errorf("%d are taken for events", damaged)
	}
	if n, size, _ := s.waiting(); n != 1 || size > 1<<20 {
		t.Errorf("%d wait, of %d bytes", n, size)
	}
}
