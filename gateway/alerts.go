package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
)

// alertsDrain is how long sinks get for what still waits when the gateway ends.
const alertsDrain = 5 * time.Second

// alerts is the sender of alerts, which all plans share: what was told already
// and what waits must not be forgotten by a reload.
type alerts struct{ *alert.Sender }

// Close hands out what was raised.
func (a *alerts) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), alertsDrain)
	defer cancel()
	return a.Sender.Close(ctx)
}

// openAlerts makes the sinks. Nothing is sent to them before the plan begins to
// serve.
func (b *builder) openAlerts() {
	s, err := alert.Compile(&b.config.Alerts, b.plan.log.alert)
	if err != nil {
		path, err := alertsField(err)
		b.mistake(path, err)
		return
	}
	if s.Folder == "" && b.config.Store.Folder != "" {
		s.Folder = filepath.Join(b.config.Store.Folder, "alerts")
	}
	s.Tell = b.plan.log.sink
	b.plan.alerts, err = hold(b.plan.lease, "alerts", nil, func() (*alerts, error) {
		return &alerts{alert.Open(alert.Options{Count: b.deps.Metrics.Alert})}, nil
	})
	if err != nil {
		b.mistake("alerts", err)
		return
	}
	b.plan.sinks = s
}

// alertsField tells which key an error of alert.Compile is about.
func alertsField(err error) (string, error) {
	var field *alert.FieldError
	if errors.As(err, &field) {
		return "alerts." + field.Path, field.Err
	}
	return "alerts", err
}

// ErrNoSink is the error of a name that no sink has.
var ErrNoSink = errors.New("there is no such sink")

// TryAlerts sends an event that is marked as a test to every sink of a
// configuration, or to the one with a name, and tells how that ended. It is done
// from here; no gateway needs to run. What goes to the log goes to its file, and
// otherwise to out.
func TryAlerts(ctx context.Context, c *config.Config, name string, out io.Writer) ([]alert.Outcome, error) {
	var line alert.Line = func(alert.Severity, json.RawMessage) error {
		return errors.New("the log's file is not there yet; whoever serves makes it")
	}
	if !absent(c.Log.Output) {
		l, err := OpenLog(c.Log, out, out)
		if err != nil {
			return nil, c.Mistake("log.output", "%v", err)
		}
		defer l.Close()
		line = l.alert
	}
	s, err := alert.Compile(&c.Alerts, line)
	if err != nil {
		path, err := alertsField(err)
		return nil, c.Mistake(path, "%v", err)
	}
	sinks := s.Sinks
	if name != "" {
		i := slices.IndexFunc(sinks, func(s *alert.Sink) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrNoSink, name)
		}
		sinks = sinks[i : i+1]
	}
	return alert.Try(ctx, sinks), nil
}

// alert writes an event whatever the level of the log is: who asked for it there
// wants to have it.
func (l *Log) alert(severity alert.Severity, event json.RawMessage) error {
	level := zapcore.InfoLevel
	switch severity {
	case alert.Medium:
		level = zapcore.WarnLevel
	case alert.High, alert.Critical:
		level = zapcore.ErrorLevel
	}
	return l.Core().Write(zapcore.Entry{Level: level, Time: time.Now(), Message: "alert"}, []zapcore.Field{zap.Reflect("event", event)})
}

// sink tells of trouble with a sink, or of its end.
func (l *Log) sink(name, what string, err error) {
	if err != nil {
		l.Warn("alert sink "+what, zap.String("sink", name), zap.Error(err))
		return
	}
	l.Warn("alert sink "+what, zap.String("sink", name))
}

// alerting tells which sinks do not get what they should. Requests do not depend on
// that.
func (p *Plan) alerting() Condition {
	c := Condition{Name: "alerts", OK: true}
	p.alerts.Waiting(func(w alert.Waiting) {
		if w.Err != nil {
			if c.Detail != "" {
				c.Detail += "; "
			}
			c.Detail += fmt.Sprintf("sink %s fails, and %d events wait for it: %v", w.Sink, w.Events, w.Err)
		}
	})
	return c
}
