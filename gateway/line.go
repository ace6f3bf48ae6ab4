package gateway

import (
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
)

// fields take what a line tells. zap's encoders are such, and so is [quickLine].
type fields interface {
	AddString(key, value string)
	AddByteString(key string, value []byte)
	AddInt(key string, value int)
	AddInt64(key string, value int64)
	AddDuration(key string, value time.Duration)
	AddBool(key string, value bool)
}

// quickLine writes the line of an exchange as zap's JSON encoder does, byte for byte,
// which for so many fields takes several times as long.
type quickLine struct {
	accessLine
	b []byte
}

// quickLines writes those that need no more than a quickLine knows of. Keys, but for
// those of notes, are constants without anything to escape.
type quickLines struct {
	out  gathered
	errs zapcore.WriteSyncer // is told of lines that cannot be written
	used sync.Pool           // of *quickLine
}

// knows reports whether a record has but what quick lines are made for.
func (l *quickLines) knows(r *audit.Record) bool {
	for i := range r.Notes {
		switch r.Notes[i].Value.(type) {
		case string, int, int64, bool, []string:
		default:
			return false
		}
	}
	return true
}

// write writes a line at a moment. Its output does not keep it.
func (l *quickLines) write(r *audit.Record, trace string, now time.Time) {
	n, ok := l.used.Get().(*quickLine)
	if !ok {
		n = &quickLine{b: make([]byte, 0, 1<<10)}
	}
	n.Record, n.trace = r, trace
	n.b = now.AppendFormat(append(n.b[:0], `{"level":"info","time":"`...), time.RFC3339Nano)
	n.b = append(n.b, `","message":"exchange"`...)
	n.plain(n)
	if len(r.Obligations) > 0 {
		n.key("obligations")
		n.list(r.Obligations)
	}
	for i := range r.Notes {
		n.note(&r.Notes[i])
	}
	n.b = append(n.b, "}\n"...)
	if _, err := l.out.Write(n.b); err != nil {
		_, _ = fmt.Fprintf(l.errs, "%v write error: %v\n", now, err)
	}
	n.accessLine = accessLine{} // the pool holds nothing of an exchange but bytes to be written over
	if cap(n.b) <= gatherSize {
		l.used.Put(n)
	}
}

func (l *quickLine) key(key string) {
	l.b = append(append(append(l.b, `,"`...), key...), `":`...)
}

func (l *quickLine) AddString(key, value string) {
	l.key(key)
	l.b = append(appendText(append(l.b, '"'), value), '"')
}

func (l *quickLine) AddByteString(key string, value []byte) {
	l.key(key)
	l.b = append(appendText(append(l.b, '"'), value), '"')
}

func (l *quickLine) AddInt(key string, value int) { l.AddInt64(key, int64(value)) }

func (l *quickLine) AddInt64(key string, value int64) {
	l.key(key)
	l.b = strconv.AppendInt(l.b, value, 10)
}

func (l *quickLine) AddDuration(key string, value time.Duration) {
	l.key(key)
	l.b = strconv.AppendFloat(l.b, inMilliseconds(value), 'f', -1, 64)
}

func (l *quickLine) AddBool(key string, value bool) {
	l.key(key)
	l.b = strconv.AppendBool(l.b, value)
}

// note writes a finding of a stage, of a kind that is known.
func (l *quickLine) note(n *middleware.Note) {
	l.b = append(appendText(append(l.b, `,"`...), n.Key), `":`...)
	switch v := n.Value.(type) {
	case string:
		l.b = append(appendText(append(l.b, '"'), v), '"')
	case int:
		l.b = strconv.AppendInt(l.b, int64(v), 10)
	case int64:
		l.b = strconv.AppendInt(l.b, v, 10)
	case bool:
		l.b = strconv.AppendBool(l.b, v)
	case []string:
		l.list(v)
	}
}

func (l *quickLine) list(texts []string) {
	l.b = append(l.b, '[')
	for i, s := range texts {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.b = append(appendText(append(l.b, '"'), s), '"')
	}
	l.b = append(l.b, ']')
}

// appendText writes what stands between the quotes of a JSON string: what cannot
// stand there is escaped, and what is no UTF-8 replaced.
func appendText[T string | []byte](b []byte, s T) []byte {
	const hex = "0123456789abcdef"
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)])); r != utf8.RuneError || size != 1 {
				i += size
				continue
			}
		}
		b = append(b, s[from:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = append(b, `\ufffd`...)
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(b, s[from:]...)
}
