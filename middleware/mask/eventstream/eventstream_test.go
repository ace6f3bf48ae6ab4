package eventstream

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

func plan(t testing.TB, spec redact.Spec) *redact.Plan {
	t.Helper()
	p, err := redact.Compile(spec, redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// noSSN masks $..ssn and removes $..pin.
func noSSN(t testing.TB) *redact.Plan {
	return plan(t, redact.Spec{Rules: []redact.Rule{
		{Path: "$..ssn", Action: redact.Redact}, {Path: "$..pin", Action: redact.Drop},
	}})
}

// ofTenant lets events of tenant t1 pass, and masks $..ssn.
func ofTenant(t testing.TB) *redact.Plan {
	return plan(t, redact.Spec{
		Rules: []redact.Rule{{Path: "$..ssn", Action: redact.Redact}},
		Rows:  []redact.RowFilter{{Path: "$", Where: []redact.Cond{{Field: "tenant", Op: "eq", Value: "t1"}}}},
	})
}

// rowsOfTenant filters the elements of $.items.
func rowsOfTenant(t testing.TB) *redact.Plan {
	return plan(t, redact.Spec{
		Rows: []redact.RowFilter{{Path: "$.items[*]", Where: []redact.Cond{{Field: "tenant", Op: "eq", Value: "t1"}}}},
	})
}

// TestStreams has a line for each thing that may stand in a stream.
func TestStreams(t *testing.T) {
	const (
		mine   = "data: {\"tenant\":\"t1\"}\n"
		theirs = "data: {\"tenant\":\"t2\",\"ssn\":1}\n"
	)
	long := strings.Repeat("x", maxToken)
	tests := []struct {
		name string
		plan func(testing.TB) *redact.Plan // noSSN where there is none
		in   string
		want string
		err  error
	}{
		{name: "nothing"},
		{name: "blank lines", in: "\n\r\n\r\n\n"},
		{name: "event", in: "data: {\"ssn\":1,\"n\":1.0}\n\n", want: "data: {\"ssn\":\"***\",\"n\":1.0}\n\n"},
		{name: "two events", in: "data:1\n\ndata:2\n\n", want: "data: 1\n\ndata: 2\n\n"},
		{name: "scalar", in: "data: \"x\"\n\n", want: "data: \"x\"\n\n"},
		{name: "crlf", in: "data: 1\r\n\r\ndata: 2\r\n\r\n", want: "data: 1\n\ndata: 2\n\n"},
		{name: "cr", in: "data: 1\r\rdata: 2\r\r", want: "data: 1\n\ndata: 2\n\n"},
		{name: "mixed ends", in: "data: [\rdata: 1\r\ndata: ]\n\rdata: 2\r\r\n", want: "data: [\ndata: 1\ndata: ]\n\ndata: 2\n\n"},
		{name: "lf then cr are two ends", in: "data: 1\n\rdata: 2\n\r", want: "data: 1\n\ndata: 2\n\n"},
		{name: "lines", in: "data: {\ndata:  \"ssn\":\ndata: \"1\"}\n\n", want: "data: {\ndata:  \"ssn\":\ndata: \"***\"}\n\n"},
		{name: "value over lines", in: "data: {\"ssn\":[\ndata: 1\ndata: ]}\n\n", want: "data: {\"ssn\":\"***\"}\n\n"},
		{name: "name over lines", in: "data: {\"s\ndata: sn\":1}\n\n", err: redact.ErrSyntax},
		{name: "no space", in: "data:[1]\n\n", want: "data: [1]\n\n"},
		{name: "two spaces", in: "data:  [1]\n\n", want: "data:  [1]\n\n"},
		{name: "tab", in: "data:\t[1]\n\n", want: "data: \t[1]\n\n"},
		{name: "byte order mark", in: "\ufeffdata: 1\n\n", want: "data: 1\n\n"},
		{name: "mark before a comment", in: "\ufeff:x\n", want: ":\n"},
		{name: "mark before a blank line", in: "\ufeff\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "two marks", in: "\ufeff\ufeffdata: {\"ssn\":1}\n\n"},
		{name: "mark of the second line", in: "\n\ufeffdata: 1\n\n"},

		{name: "names of fields are exact", in: "Data: 1\nDATA: 2\n data: 3\ndata : 4\ndata\x00: 5\n\n"},
		{name: "unknown fields", in: "ssn: 1\ndata: 1\nx\n\n", want: "data: 1\n\n"},
		{name: "comments", in: ": ssn 1\n:\n::\ndata: 1\n\n", want: ":\n:\n:\ndata: 1\n\n"},
		{name: "comment within", in: "data: [\n: ssn 1\ndata: ]\n\n", want: ":\ndata: [\ndata: ]\n\n"},
		{name: "comment not in UTF-8", in: ":\xff\n", want: ":\n"},

		{name: "fields", in: "event: add\ndata: 1\nid: 7\nretry: 10\n\n", want: "id: 7\nretry: 10\nevent: add\ndata: 1\n\n"},
		{name: "id of all kinds", in: "id: aZ09._:-\ndata: 1\n\n", want: "id: aZ09._:-\ndata: 1\n\n"},
		{name: "id without a space", in: "id:7\ndata: 1\n\n", want: "id: 7\ndata: 1\n\n"},
		{name: "empty id", in: "id\ndata: 1\n\n", want: "id: \ndata: 1\n\n"},
		{name: "long id", in: "id: " + long + "\ndata: 1\n\n", want: "id: " + long + "\ndata: 1\n\n"},
		{name: "too long id", in: "id: " + long + "x\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "id with a space", in: "id: 123 45\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "id with an @", in: "id: a@b\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "id with NUL", in: "id: a\x00\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "id that is not ASCII", in: "id: é\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "last id", in: "id: 1\nid: 2\ndata: 1\n\n", want: "id: 2\ndata: 1\n\n"},
		{name: "last id is bad", in: "id: 1\nid: a b\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "bad id first", in: "id: a b\nid: 1\ndata: 1\n\n", want: "id: 1\ndata: 1\n\n"},
		{name: "id of the event before", in: "id: 1\ndata: 1\n\ndata: 2\n\n", want: "id: 1\ndata: 1\n\ndata: 2\n\n"},
		{name: "event", in: "event: a b\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "empty event", in: "event: a\nevent\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "retry", in: "retry: 123456789\ndata: 1\n\n", want: "retry: 123456789\ndata: 1\n\n"},
		{name: "long retry", in: "retry: 1234567890\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "retry of letters", in: "retry: 1e3\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "negative retry", in: "retry: -1\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "empty retry", in: "retry\ndata: 1\n\n", want: "data: 1\n\n"},
		{name: "no data", in: "id: 7\n\nretry: 5\n\nevent: x\n\nssn: 1\n\n", want: "id: 7\n\nretry: 5\n\n"},
		{name: "field not in UTF-8", in: "x: \xff\ndata: 1\n\n", err: ErrUTF8},

		{name: "done", in: "id: 1\ndata: [DONE]\n\n", want: "id: 1\ndata: [DONE]\n\n"},
		{name: "almost done", in: "data: [DONE] \n\n", err: redact.ErrSyntax},
		{name: "done in small letters", in: "data: [done]\n\n", err: redact.ErrSyntax},
		{name: "done over lines", in: "data: [DONE]\ndata:\n\n", err: redact.ErrSyntax},
		{name: "not json", in: "data: 1\n\ndata: ssn 1\n\ndata: 2\n\n", want: "data: 1\n\n", err: redact.ErrSyntax},
		{name: "two texts", in: "data: {\"ssn\":1}{}\n\n", err: redact.ErrSyntax},
		{name: "one text per line", in: "data: {}\ndata: {}\n\n", err: redact.ErrSyntax},
		{name: "empty data", in: "data\n\n", err: redact.ErrSyntax},
		{name: "data not in UTF-8", in: "data: \"\xff\"\n\n", err: ErrUTF8},
		{name: "control byte", in: "data: \"\x00\"\n\n", err: redact.ErrSyntax},

		{name: "cut in a line", in: "data: 1\n\ndata: {\"ssn\":1}", want: "data: 1\n\n"},
		{name: "cut before the blank line", in: "data: {\"ssn\":1}\n"},
		{name: "cut comment", in: ":x"},
		{name: "cut mark", in: "\xef\xbb"},
		{name: "end with cr", in: "data: 1\r\r", want: "data: 1\n\n"},

		{name: "dropped by a mask", in: "data: [{\"pin\":1}]\n\n", want: "data: [{}]\n\n"},
		{name: "row", plan: ofTenant, in: mine + "\n", want: mine + "\n"},
		{name: "denied", plan: ofTenant, in: "id: 1\nevent: e\nretry: 1\n" + theirs + "\n" + mine + "\n", want: mine + "\n"},
		{name: "done under rows", plan: ofTenant, in: "data: [DONE]\n\n", want: "data: [DONE]\n\n"},
		{name: "rows", plan: rowsOfTenant, in: "data: {\"items\":[{\"tenant\":\"t1\"},{\"tenant\":\"t2\"}]}\n\n", want: "data: {\"items\":[{\"tenant\":\"t1\"}]}\n\n"},
		{name: "rows absent", plan: rowsOfTenant, in: "data: {}\n\n", err: redact.ErrRowsAbsent},
		{name: "rows are optional", plan: func(t testing.TB) *redact.Plan { return rowsOfTenant(t).OptionalRows() }, in: "data: {}\n\n", want: "data: {}\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.plan == nil {
				tt.plan = noSSN
			}
			r := NewReader(tt.plan(t), strings.NewReader(tt.in), redact.Limits{})
			got, err := io.ReadAll(r)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if _, again := r.Read(make([]byte, 1)); tt.err != nil && again != err {
				t.Errorf("after the error: %v", again)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
