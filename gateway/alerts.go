package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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
		path := "alerts"
		var field *alert.FieldError
		if errors.As(err, &field) {
			path, err = path+"."+field.Path, field.Err
		}
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
