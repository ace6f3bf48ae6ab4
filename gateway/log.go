package gateway

import (
	"io"
	"log"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
)

// Log is an open log: the operator's messages and one line per exchange.
type Log struct {
	*zap.Logger
	file *logFile
}

// OpenLog opens the log that a configuration asks for. The output is a file
// that is appended to, stdout or stderr.
func OpenLog(c config.Log, stdout, stderr io.Writer) (*Log, error) {
	l := &Log{}
	var out zapcore.WriteSyncer
	switch c.Output {
	case "", "stdout":
		out = zapcore.Lock(zapcore.AddSync(stdout))
	case "stderr":
		out = zapcore.Lock(zapcore.AddSync(stderr))
	default:
		l.file = &logFile{name: c.Output}
		if err := l.file.reopen(); err != nil {
			return nil, err
		}
		out = l.file
	}
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		level = zapcore.InfoLevel
	}
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey, enc.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	enc.MessageKey, enc.EncodeDuration = "message", milliseconds
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Format == "console" {
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	l.Logger = zap.New(zapcore.NewCore(encoder, out, level))
	return l, nil
}

// milliseconds writes a duration to the microsecond: most exchanges take less
// than a millisecond.
func milliseconds(d time.Duration, out zapcore.PrimitiveArrayEncoder) {
	out.AppendFloat64(float64(d.Microseconds()) / 1000)
}

// Close closes the file, where there is one.
func (l *Log) Close() error {
	_ = l.Sync() // terminals and pipes refuse it
	if l.file == nil {
		return nil
	}
	return l.file.close()
}

// Reopen opens the file anew where another or none stands under its name by
// now, as after a rotation. Without a file it does nothing.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// std is the log for the parts of the standard library that want one. What
// they say is about single connections, so it is at the debug level.
func (l *Log) std() *log.Logger {
	std, err := zap.NewStdLogAt(l.Logger, zapcore.DebugLevel)
	if err != nil {
		return log.New(io.Discard, "", 0)
	}
	return std
}

// ErrorLog is for the HTTP servers, which outlive plans: it writes to the log of
// the plan that is current then.
func (g *Gateway) ErrorLog() *log.Logger { return log.New(complaints{g}, "", 0) }

type complaints struct{ g *Gateway }

func (c complaints) Write(p []byte) (int, error) { return c.g.Plan().errorLog.Writer().Write(p) }

// access writes the one line of an exchange. The trace is what joins it to the
// records of backends, which get the same id.
func (l *Log) access(r *audit.Record, trace string) {
	f := make([]zap.Field, 0, 28)
	f = append(f,
		zap.String("request_id", r.ID), zap.String("client", clientText(r.Client)), zap.String("listener", r.Listener),
		zap.String("tls", r.TLS), zap.String("method", r.Method), zap.String("host", r.Host), zap.String("path", r.Path),
		zap.String("route", r.Route), zap.Int("status", r.Status), zap.Int64("bytes", r.Bytes), zap.Duration("duration_ms", r.Duration),
	)
	for _, s := range []struct{ key, value string }{
		{"trace_id", trace},
		{"forward_path", r.Forward},
		{"upstream", r.Upstream},
		{"refused_by", r.Stage},
		{"code", r.Code},
		{"cause", r.Cause},
		{"policy_revision", r.Revision},
	} {
		if s.value != "" {
			f = append(f, zap.String(s.key, s.value))
		}
	}
	if r.Level != "none" && r.Subject != "" {
		f = append(f, zap.String("subject", r.Subject), zap.String("tenant", r.Tenant), zap.String("role", r.Role))
	}
	if r.Aborted {
		f = append(f, zap.Bool("aborted", true))
	}
	if len(r.Obligations) > 0 {
		f = append(f, zap.Strings("obligations", r.Obligations))
	}
	for _, n := range r.Notes {
		f = append(f, zap.Any(n.Key, n.Value))
	}
	l.Info("exchange", f...)
}

// record logs an exchange and counts it.
func (b *builder) record(x *middleware.Exchange, r *audit.Record) {
	b.plan.log.access(r, telemetry.TraceID(x.Request.Context()))
	b.deps.Metrics.Exchange(x, r.Status, r.Bytes, r.Duration)
}

// panicked tells of a panic in a stage, with its stack.
func (b *builder) panicked(x *middleware.Exchange, value any, stack []byte) {
	b.deps.Metrics.Panic()
	b.plan.log.panicked(x.ID, value, stack)
}

func (l *Log) panicked(id string, value any, stack []byte) {
	l.Error("panic", zap.String("request_id", id), zap.Any("value", value), zap.ByteString("stack", stack))
}

// clientText is empty where nobody knows who the client was.
func clientText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
