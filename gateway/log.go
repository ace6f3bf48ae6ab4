package gateway

import (
	"io"
	"log"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
)

// Log is an open log: the operator's messages and one line per exchange.
type Log struct {
	*zap.Logger
	lines  *zap.Logger // those of exchanges
	plain  *quickLines // the same for most of them, quicker; nil where they are not JSON, or not wanted
	gather *gatherer
	file   *logFile
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
	l.gather = &gatherer{out: out}
	l.Logger = zap.New(zapcore.NewCore(encoder, l.gather, level))
	errs := zapcore.Lock(os.Stderr)
	l.lines = zap.New(zapcore.NewCore(encoder, gathered{l.gather}, level), zap.ErrorOutput(errs))
	if c.Format != "console" && level.Enabled(zap.InfoLevel) {
		l.plain = &quickLines{out: gathered{l.gather}, errs: errs}
	}
	return l, nil
}

// milliseconds writes a duration to the microsecond: most exchanges take less
// than a millisecond.
func milliseconds(d time.Duration, out zapcore.PrimitiveArrayEncoder) {
	out.AppendFloat64(inMilliseconds(d))
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
	l.gather.flush() // they belong to the one before
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

// accessLine is what the log says of an exchange. The trace is what joins it to the
// records of backends, which get the same id.
type accessLine struct {
	*audit.Record
	trace  string
	client [46]byte // room for its text
	field  [1]zap.Field
}

// enter counts an exchange that begins. Each is followed by one leave.
func (l *Log) enter() { l.gather.running.Add(1) }

func (l *Log) leave() { l.gather.running.Add(-1) }

// access writes the one line of an exchange.
func (l *Log) access(r *audit.Record, trace string) {
	if l.plain != nil && l.plain.knows(r) {
		l.plain.write(r, trace, time.Now())
		return
	}
	if e := l.lines.Check(zap.InfoLevel, "exchange"); e != nil {
		a := &accessLine{Record: r, trace: trace}
		a.field[0] = zap.Inline(a)
		e.Write(a.field[:]...)
	}
}

// MarshalLogObject writes the fields.
func (r *accessLine) MarshalLogObject(out zapcore.ObjectEncoder) error {
	r.plain(out)
	if len(r.Obligations) > 0 {
		zap.Strings("obligations", r.Obligations).AddTo(out)
	}
	for _, n := range r.Notes {
		zap.Any(n.Key, n.Value).AddTo(out)
	}
	return nil
}

// plain writes those that are but one value.
func (r *accessLine) plain(out fields) {
	out.AddString("request_id", r.ID)
	text := r.client[:0]
	if r.Client.IsValid() { // else nobody knows who the client was
		text = r.Client.AppendTo(text)
	}
	out.AddByteString("client", text)
	out.AddString("listener", r.Listener)
	out.AddString("tls", r.TLS)
	out.AddString("method", r.Method)
	out.AddString("host", r.Host)
	out.AddString("path", r.Path)
	out.AddString("route", r.Route)
	out.AddInt("status", r.Status)
	out.AddInt64("bytes", r.Bytes)
	out.AddDuration("duration_ms", r.Duration)
	for _, s := range [...]struct{ key, value string }{
		{"trace_id", r.trace},
		{"forward_path", r.Forward},
		{"upstream", r.Upstream},
		{"refused_by", r.Stage},
		{"code", r.Code},
		{"cause", r.Cause},
		{"policy_revision", r.Revision},
	} {
		if s.value != "" {
			out.AddString(s.key, s.value)
		}
	}
	if r.Level != "none" && r.Subject != "" {
		out.AddString("subject", r.Subject)
		out.AddString("tenant", r.Tenant)
		out.AddString("role", r.Role)
	}
	if r.Aborted {
		out.AddBool("aborted", true)
	}
}

// record counts an exchange and logs it: what is in the log is counted.
func (b *builder) record(x *middleware.Exchange, r *audit.Record) {
	b.deps.Metrics.Exchange(x, r.Status, r.Bytes, r.Duration)
	b.plan.log.access(r, x.Trace)
}

// panicked tells of a panic in a stage, with its stack.
func (b *builder) panicked(x *middleware.Exchange, value any, stack []byte) {
	b.deps.Metrics.Panic()
	b.plan.log.panicked(x.ID, value, stack)
}

func (l *Log) panicked(id string, value any, stack []byte) {
	l.Error("panic", zap.String("request_id", id), zap.Any("value", value), zap.ByteString("stack", stack))
}
