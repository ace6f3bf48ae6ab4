package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// childFolder makes the test binary one that raises events until it is killed.
const childFolder = "GATEHOUSE_TEST_ALERTS_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		child(folder)
	}
	middlewaretest.Main(m)
}

// book counts outcomes and keeps what was told.
type book struct {
	mu     sync.Mutex
	counts map[string]int
	told   []string
	lines  []json.RawMessage
}

func (b *book) count(sink, outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = map[string]int{}
	}
	b.counts[sink+" "+outcome]++
}

func (b *book) of(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[key]
}

func (b *book) tell(sink, what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, fmt.Sprintf("%s %s: %v", sink, what, err))
}

func (b *book) says(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.told, "\n"), text)
}

func (b *book) line(_ Severity, event json.RawMessage) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, event)
	return nil
}

// events are those that the log has got.
func (b *book) events(t *testing.T) (out []ocsfEvent) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lines {
		out = append(out, read(t, l))
	}
	return out
}

func read(t *testing.T, text []byte) (e ocsfEvent) {
	t.Helper()
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

// settings are those of a configuration, as they would be after it was loaded.
func settings(t *testing.T, b *book, c config.Alerts) *Settings {
	t.Helper()
	if c.Dedup == 0 {
		c.Dedup = config.Duration(15 * time.Minute)
	}
	if c.Spool.Bytes == 0 {
		c.Spool.Bytes = 1 << 20
	}
	if c.Spool.Keep == 0 {
		c.Spool.Keep = config.Duration(72 * time.Hour)
	}
	s, err := Compile(&c, b.line)
	if err != nil {
		t.Fatal(err)
	}
	s.Tell = b.tell
	return s
}

// sending gives a sender at work. It ends with the test.
func sending(t *testing.T, b *book, c config.Alerts) *Sender {
	t.Helper()
	s := Open(Options{Count: b.count})
	s.Use(*settings(t, b, c))
	t.Cleanup(func() { shut(t, s) })
	return s
}

// shut closes a sender, and does not wait for sinks.
func shut(t *testing.T, s *Sender) {
	t.Helper()
	_ = s.Close(over(t))
}

// found is a finding about an address.
func found(address string) Event {
	a := netip.MustParseAddr(address)
	return Event{
		Class: Finding, Detector: "auth_failures", Severity: High, Enforced: true, Action: "block_address",
		Client: a, Address: netip.PrefixFrom(a, a.BitLen()), User: "0123456789abcdef0123456789abcdef", Route: "login", RequestID: "a1b2",
		Count: 5, Threshold: 5, Window: 15 * time.Minute, Block: "b1",
	}
}

// until waits for what other goroutines do.
var until = middlewaretest.Eventually

var errTest = errors.New("no")
