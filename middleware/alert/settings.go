package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Settings are what a [Sender] goes by until it is given others.
type Settings struct {
	Sinks  []*Sink
	Dedup  time.Duration
	Folder string // "" for none: what waits is kept in memory
	Bytes  int64  // that may wait for each sink
	// Tell is how operators learn of trouble with a sink: what is to be said of it,
	// and an error where there is one. It may be called from several goroutines.
	Tell func(sink, what string, err error)
}

// Line writes an event, which is JSON, where an operator reads. It is how this
// package logs.
type Line func(severity Severity, event json.RawMessage) error

// FieldError tells which key under alerts is wrong.
type FieldError struct {
	Path string
	Err  error
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// Compile makes the settings of a configuration. Nothing is connected to, and no
// folder is touched. Without any sink there is one, called log. The error is a
// [FieldError].
func Compile(c *config.Alerts, line Line) (*Settings, error) {
	s := &Settings{Dedup: c.Dedup.D(), Folder: c.Spool.Folder, Bytes: int64(c.Spool.Bytes)}
	m := &maker{version: productVersion(), keep: c.Spool.Keep.D(), settings: s}
	logs := c.Log
	if len(logs)+len(c.Webhook)+len(c.Slack)+len(c.Syslog) == 0 {
		logs = map[string]*config.AlertLog{"log": {Classes: []string{"finding"}}}
	}
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		m.log(name, logs[name], line)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Webhook)) {
		m.webhook(name, c.Webhook[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Slack)) {
		m.slack(name, c.Slack[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Syslog)) {
		m.syslog(name, c.Syslog[name])
	}
	if m.err != nil {
		return nil, m.err
	}
	return s, nil
}

// maker makes the sinks of one configuration.
type maker struct {
	version  string
	keep     time.Duration
	settings *Settings
	err      error // the first
}

func (m *maker) fail(path string, err error) { m.err = cmp.Or[error](m.err, &FieldError{path, err}) }

// add adds a sink. The key says what it was made from, the content of files and
// secrets included: a sink with the same key is the same.
func (m *maker) add(s *Sink, severity string, classes []string, settings any, secrets ...string) {
	s.keep, s.min, s.pause = m.keep, Severity(severity).rank(), firstPause
	for _, c := range classes {
		if c == "authentication" {
			s.classes = append(s.classes, Authentication)
		} else {
			s.classes = append(s.classes, Finding)
		}
	}
	text, err := json.Marshal([]any{s.Kind, settings, m.keep, secrets})
	if err != nil {
		m.fail(s.Kind+"."+s.Name, err)
		return
	}
	sum := sha256.Sum256(text)
	s.key = hex.EncodeToString(sum[:])
	m.settings.Sinks = append(m.settings.Sinks, s)
}

func (m *maker) log(name string, c *config.AlertLog, line Line) {
	m.add(&Sink{Name: name, Kind: "log", write: func(r *record) error {
		text, err := r.encode(m.version)
		if err != nil {
			return err
		}
		return line(r.Severity, text)
	}}, c.MinSeverity, c.Classes, c)
}

// content reads a file that a configuration names; "" is none.
func content(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return b, nil
}

// productVersion is what this binary was built from.
func productVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
