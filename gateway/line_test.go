package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
)

// twoWays writes the line of a record in the quick way and in zap's, at one moment.
func twoWays(t *testing.T, r *audit.Record, trace string) (quick, zaps string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for i, to := range []*string{&quick, &zaps} {
			var out bytes.Buffer
			l, err := OpenLog(config.Log{Level: "info"}, &out, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if l.plain == nil {
				t.Fatal("lines are not written in the quick way")
			}
			if i == 1 {
				l.plain = nil
			}
			l.access(r, trace)
			*to = out.String()
		}
	})
	return quick, zaps
}

// The quick way writes what zap writes, whatever the values are.
func TestLineIsZaps(t *testing.T) {
	full := audit.Record{
		ID: "1", Duration: 1234567 * time.Nanosecond, Listener: "public", TLS: "1.3", Client: netip.MustParseAddr("2001:db8::1%eth0"),
		Method: "GET", Host: "h", Path: "/a", Forward: "/b", Route: "r", Upstream: "u", Status: 200, Bytes: 1 << 40, Aborted: true,
		Level: "metadata", Subject: "s", Tenant: "t", Role: "o", Stage: "authz", Code: "forbidden", Cause: "why", Revision: "v",
	}
	records := map[string]audit.Record{"nothing": {}, "everything": full}
	for name, text := range map[string]string{
		"quotes": `a"b\c/`, "controls": "\x00\x01\b\t\n\v\f\r\x1b\x1f\x7f", "markup": "<a>&'", "beyond ASCII": "é世🙂\u2028\ufffd",
		"no UTF-8": "a\xff\xc3(\xed\xa0\x80\xf0\x9f\x99", "cut at the end": "é\xc3", "long": strings.Repeat("a\n", 40<<10),
	} {
		r := full
		r.Path, r.Subject, r.Host, r.Method = text, text, text+text, text
		records[name] = r
	}
	for name, d := range map[string]time.Duration{"no time": 0, "less than none": -time.Hour, "nanoseconds": 999, "days": 100 * time.Hour} {
		r := full
		r.Duration, r.Level, r.Bytes = d, "none", -1
		records[name] = r
	}
	for name, v := range map[string]any{
		"text": "a\"\n\xff", "no text": "", "int": -7, "int64": int64(1) << 60, "true": true, "false": false,
		"texts": []string{"$.a=1", "<b>\\", "\xff"}, "one text": []string{""}, "no texts": []string{}, "nil": []string(nil),
		"of another kind": []int{1}, "an instant": time.Unix(1, 0), "nothing at all": nil,
	} {
		records["a note: "+name] = audit.Record{Notes: []middleware.Note{{Key: "first", Value: 1}, {Key: "k\"\xff", Value: v}, {Key: "last", Value: "z"}}}
	}
	demanded := full
	demanded.Obligations, demanded.Notes = []string{"mask $.a", "\"b\""}, []middleware.Note{{Key: "hidden", Value: 2}}
	records["obligations"] = demanded
	for name, r := range records {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second in what the first has left
				if quick, zaps := twoWays(t, &r, "0af7"); quick != zaps || quick == "" {
					t.Errorf("got  %.2000s\nwant %.2000s", quick, zaps)
				}
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("/a\"\\\n\xff", []byte("é\x00"), int64(1500))
	f.Add("masked", []byte("$.pay"), int64(0))
	f.Fuzz(func(t *testing.T, path string, subject []byte, d int64) {
		r := audit.Record{Path: path, Subject: string(subject), Duration: time.Duration(d), Bytes: d, Obligations: []string{path, string(subject)}}
		r.Notes = []middleware.Note{{Key: path, Value: d}, {Key: string(subject), Value: path}, {Key: "texts", Value: r.Obligations}}
		if quick, zaps := twoWays(t, &r, path); quick != zaps {
			t.Errorf("got  %s\nwant %s", quick, zaps)
		}
	})
}

// What a line has that is not but one value is written nevertheless, and nothing
// is where lines are not wanted.
func TestLineWithMore(t *testing.T) {
	for name, tt := range map[string]struct {
		record audit.Record
		level  string
		want   string
	}{
		"a note":        {audit.Record{Notes: []middleware.Note{{Key: "hidden", Value: 7}}}, "info", `"hidden":7`},
		"an obligation": {audit.Record{Obligations: []string{"mask $.a"}}, "info", `"obligations":["mask $.a"]`},
		"no lines":      {audit.Record{}, "warn", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			l, err := OpenLog(config.Log{Level: tt.level}, &out, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			l.access(&tt.record, "")
			if got := out.String(); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// A line that cannot be written is told of, and leaves nothing in the next one.
func TestLineFails(t *testing.T) {
	out, errs := &writes{err: errors.New("full")}, &bytes.Buffer{}
	l := &quickLines{out: gathered{&gatherer{out: out}}, errs: zapcore.AddSync(errs)}
	l.write(&audit.Record{Path: strings.Repeat("a", 100)}, "", time.Now())
	if !strings.Contains(errs.String(), "write error: full") {
		t.Errorf("told: %s", errs)
	}
	out.err = nil
	l.write(&audit.Record{}, "", time.Now())
	if strings.Contains(out.got[1], "a/") || strings.Contains(out.got[1], "aa") {
		t.Errorf("got %s", out.got[1])
	}
}

func BenchmarkAccessLine(b *testing.B) {
	r := &audit.Record{
		ID: "0123456789abcdef0123456789abcdef", Duration: 123456, Listener: "public", TLS: "1.3", Client: netip.MustParseAddr("192.0.2.7"),
		Method: "GET", Host: "hr.example", Path: "/api/employees/7", Forward: "/employees/7", Route: "employees", Upstream: "http://10.0.0.1:8080",
		Status: 200, Bytes: 1024, Level: "metadata", Subject: "e2", Tenant: "acme", Role: "staff", Revision: "0123456789abcdef",
		Notes: []middleware.Note{
			{Key: "masked", Value: 3},
			{Key: "masked_paths", Value: []string{"$.personal.ssn=1", "$.pay=1", "$.health=1"}},
			{Key: "rows_dropped", Value: 0},
			{Key: "hidden", Value: 0},
			{Key: "records_served", Value: int64(1)},
			{Key: "sensitive_served", Value: int64(0)},
		},
	}
	l, err := OpenLog(config.Log{Level: "info"}, io.Discard, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	for name, plain := range map[string]*quickLines{"zap": nil, "quick": l.plain} {
		b.Run(name, func(b *testing.B) {
			l.plain = plain
			b.ReportAllocs()
			for b.Loop() {
				l.access(r, "0af7651916cd43dd8448eb211c80319c")
			}
		})
	}
}
