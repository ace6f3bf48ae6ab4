package eventstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// TestAsItArrives: what can be sent is there before the body gives more. Where
// it is not, the test hangs.
func TestAsItArrives(t *testing.T) {
	in, out := io.Pipe()
	r := NewReader(noSSN(t), in, redact.Limits{})
	next := make(chan string, 2)
	go func() {
		for s := range next {
			_, _ = io.WriteString(out, s)
		}
		_ = out.Close()
	}()
	for _, step := range []struct{ send, want string }{
		{"data: {\"ssn\":1}\n\n", "data: {\"ssn\":\"***\"}\n\n"},
		{"data: 1\r\n\r", "data: 1\n\n"}, // its LF has not arrived
		{"\ndata: 2\r\n\r\n", "data: 2\n\n"},
		{"data: 3\r\r", "data: 3\n\n"},
		{"\n:\n", ":\n"}, // the blank line is that of the CR
		{":x\r", ":\n"},
		{"data: [", ""},
		{"1]\n: still here\n", ":\n"},
		{"\ndata: 4", "data: [1]\n\n"},
		{"\n\ndata: 5\n\n", "data: 4\n\ndata: 5\n\n"},
	} {
		if next <- step.send; step.want == "" {
			continue // it is read together with the next
		}
		got := make([]byte, len(step.want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != step.want {
			t.Fatalf("%q: %q, %v", step.send, got, err)
		}
		if r.ready() != 0 {
			t.Errorf("%q: %q is there too", step.send, r.out[r.given:])
		}
	}
	close(next)
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestSize: events up to the limit pass, larger ones do not, be it by one long
// line, by many, or by what would be left out.
func TestSize(t *testing.T) {
	data := func(n int) string { return "data: \"" + strings.Repeat("x", n-8) + "\"\n" }
	lines := func(n int) string { // of 10 bytes
		return "data:    [\n" + strings.Repeat("data:  1, \n", n/10-2) + "data:   1]\n"
	}
	for _, tt := range []struct {
		name string
		in   string
		max  int
		err  error
	}{
		{"one line", data(MaxEvent) + "\n", 0, nil},
		{"one line too long", data(MaxEvent+1) + "\n", 0, ErrTooLarge},
		{"that has not ended", data(MaxEvent + 1)[:MaxEvent+1], 0, ErrTooLarge},
		{"lines", lines(MaxEvent-MaxEvent%10) + "\n", 0, nil},
		{"lines too many", lines(MaxEvent-MaxEvent%10+10) + "\n", 0, ErrTooLarge},
		{"fields count", "id: 1\n" + data(MaxEvent-4) + "\n", 0, ErrTooLarge},
		{"unknown fields count", "x: " + strings.Repeat("x", MaxEvent) + "\n", 0, ErrTooLarge},
		{"comments do not", ":" + strings.Repeat("x", MaxEvent) + "\n" + data(MaxEvent) + ":x\n\n", 0, nil},
		{"nor the mark", "\ufeff" + data(MaxEvent) + "\n", 0, nil},
		{"nor line ends", strings.ReplaceAll(data(MaxEvent), "\n", "\r\n") + "\n", 0, nil},
		{"nor other events", strings.Repeat(data(MaxEvent/2)+"\n", 4), 0, nil},
		{"smaller limit", data(100) + "\n", 100, nil},
		{"above the smaller limit", data(101) + "\n", 100, ErrTooLarge},
		{"larger limit", data(MaxEvent+1) + "\n", MaxEvent * 2, ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(noSSN(t), strings.NewReader(tt.in), redact.Limits{Element: tt.max})
			got, err := io.ReadAll(r)
			if !errors.Is(err, tt.err) || err == nil && !bytes.Contains(got, []byte("data")) {
				t.Errorf("%d bytes, %v, want %v", len(got), err, tt.err)
			}
			if err != nil && len(got) > 0 {
				t.Errorf("%.50q came before %v", got, err)
			}
		})
	}
}

// TestErrors: an error tells the event and nothing of it.
func TestErrors(t *testing.T) {
	for in, want := range map[string]string{
		"data: 1\n\nid: 1\n\n\n:\ndata: {\"ssn\":secret}\n\n": "event 3: byte 7: not valid JSON",
		"secret\xff\n": "event 1: not valid UTF-8",
		strings.Repeat("data: secret\n", 100_000): "event 1: event too large",
	} {
		_, err := io.ReadAll(NewReader(noSSN(t), strings.NewReader(in), redact.Limits{}))
		if e := (*Error)(nil); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestErrorOfBody: events that were there before the body broke are sent, the
// rest is not, and the error is that of the body.
func TestErrorOfBody(t *testing.T) {
	const event = "data: 1\n\n"
	for _, want := range []error{io.ErrUnexpectedEOF, errors.New("reset by peer")} {
		for _, rest := range []string{"", "data: {\"ssn\":1}", "data: {\"ssn\":1}\n"} {
			body := io.MultiReader(strings.NewReader(event+rest), iotest.ErrReader(want))
			got, err := io.ReadAll(NewReader(noSSN(t), body, redact.Limits{}))
			if string(got) != event || err != want {
				t.Errorf("%q: %q, %v", rest, got, err)
			}
		}
	}
	r := NewReader(noSSN(t), iotest.DataErrReader(strings.NewReader(event)), redact.Limits{})
	if got, err := io.ReadAll(r); string(got) != event || err != nil {
		t.Errorf("last read with its end: %q, %v", got, err)
	}
	r = NewReader(noSSN(t), stuck{}, redact.Limits{})
	if _, err := r.Read(make([]byte, 1)); err != io.ErrNoProgress {
		t.Errorf("body that gives nothing: %v", err)
	}
}

// stuck is a body that gives nothing, ever.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestReport: counts and places are those of all events that were sent.
func TestReport(t *testing.T) {
	p := plan(t, redact.Spec{
		Rules:  []redact.Rule{{Path: "$..ssn", Action: redact.Redact}},
		Expose: []string{"$.ssn", "$.tenant"},
		Rows:   []redact.RowFilter{{Path: "$", Where: []redact.Cond{{Field: "tenant", Op: "eq", Value: "t1"}}}},
	})
	mine := "data: {\"tenant\":\"t1\",\"ssn\":1,\"x\":1}\n\n"
	theirs := "data: {\"tenant\":\"t2\",\"ssn\":1,\"x\":1}\n\n"
	for _, tt := range []struct {
		pointers int
		want     redact.Report
	}{
		{-1, redact.Report{}},
		{1, redact.Report{Pointers: []string{"/ssn"}}},
		{3, redact.Report{Pointers: []string{"/ssn", "/x", "/ssn"}}},
		{0, redact.Report{Pointers: []string{"/ssn", "/x", "/ssn", "/x", "/ssn", "/x"}}},
	} {
		in := mine + theirs + mine + theirs + mine + "data: {\"tenant\":\"t1\",\"ssn\":1}}\n\n"
		r := NewReader(p, strings.NewReader(in), redact.Limits{Pointers: tt.pointers})
		if _, err := io.ReadAll(r); !errors.Is(err, redact.ErrSyntax) {
			t.Fatal(err)
		}
		tt.want.Masked, tt.want.Hidden, tt.want.Dropped, tt.want.Rules = 3, 3, 2, []int{3}
		tt.want.Rows, tt.want.Documents = 3, 3
		before := r.Report()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]redact.Report{tt.want, tt.want}, []redact.Report{before, r.Report()}); diff != "" {
			t.Errorf("%d pointers (-want +got)\n%s", tt.pointers, diff)
		}
	}
	r := NewReader(p, strings.NewReader(strings.Repeat(mine, 100)), redact.Limits{})
	if _, err := io.ReadAll(r); err != nil || len(r.Report().Pointers) != maxPointers || r.Report().Masked != 100 {
		t.Errorf("many events: %v, %v", r.Report(), err)
	}
}

func TestPrefetch(t *testing.T) {
	const event = "data: 1\n\n"
	for _, tt := range []struct {
		name     string
		in       string
		n        int
		head     string
		complete bool
		err      error
	}{
		{name: "none asked for", in: event},
		{name: "first", in: event + event + event, n: 1, head: event},
		{name: "two", in: event + event + event, n: len(event) + 1, head: event + event},
		{name: "all", in: event + event, n: 1000, head: event + event, complete: true},
		{name: "exactly all", in: event, n: len(event), head: event}, // the end has not been read
		{name: "nothing there", in: "x: 1\n\n", n: 1, complete: true},
		{name: "error", in: event + "data: x\n\n", n: 1000, head: event, err: redact.ErrSyntax},
		{name: "error behind", in: event + "data: x\n\n", n: 1, head: event},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(noSSN(t), strings.NewReader(tt.in), redact.Limits{})
			head, complete, err := r.Prefetch(tt.n)
			if string(head) != tt.head || complete != tt.complete || !errors.Is(err, tt.err) {
				t.Errorf("%q, %v, %v", head, complete, err)
			}
			want, wantErr := io.ReadAll(NewReader(noSSN(t), strings.NewReader(tt.in), redact.Limits{}))
			got, err := io.ReadAll(r)
			if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("then %q, %v, want %q, %v", got, err, want, wantErr)
			}
		})
	}
}

// body is one that knows whether it was closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error {
	b.closed++
	return os.ErrClosed
}

func TestClose(t *testing.T) {
	b := &body{Reader: strings.NewReader("data: 1\n\n")}
	r := NewReader(noSSN(t), b, redact.Limits{})
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != os.ErrClosed || b.closed != 1 {
		t.Errorf("%v, closed %d times", err, b.closed)
	}
	if err := r.Close(); err != nil || b.closed != 1 {
		t.Errorf("again: %v, closed %d times", err, b.closed)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read %d bytes after close, %v", n, err)
	}
	if head, complete, err := r.Prefetch(1); len(head) != 0 || complete || err == nil {
		t.Errorf("prefetched %q after close, %v, %v", head, complete, err)
	}
}

// TestFindingsAddUp: what looks like personal data is told of the stream.
func TestFindingsAddUp(t *testing.T) {
	p, err := redact.Compile(redact.Spec{}, redact.Options{Detect: func(text []byte, isString bool) string {
		if isString && strings.Contains(string(text), "@") {
			return "email"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(p, strings.NewReader("data: {\"a\":\"x@y\"}\n\ndata: {\"a\":\"x@y\",\"b\":[\"x@y\"]}\n\n"), redact.Limits{})
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	want := []redact.Finding{{Path: "$.a", Class: "email", Count: 2}, {Path: "$.b[*]", Class: "email", Count: 1}}
	if diff := cmp.Diff(want, r.Report().Found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
