package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// exportOf is a table of n records as backends give them.
func exportOf(n int) []byte {
	b := []byte("id,First Name,e-mail,employee.ssn,salary,branch,active,hired,title,address.city,notes,updated\r\n")
	for i := range n {
		b = fmt.Appendf(b, "%d,Ada %d,ada%d@example.com,123-45-%04d,%d.50,b%d,%t,2019-0%d-11,Engineer,London,"+
			"\"a longer text, as people write \"\"them\"\" into such fields\",2025-01-02T03:04:05Z\r\n",
			i, i, i, i%10000, 40000+i%50000, i%3, i%2 == 0, 1+i%9)
	}
	return b
}

// export gives a large one while it is read.
type export struct{ header, records, left []byte }

func newExport(size int) io.Reader {
	header, records, _ := bytes.Cut(exportOf(1000), []byte("\r\n"))
	return io.LimitReader(&export{header: append(header, "\r\n"...), records: records}, int64(size-size%len(records)+len(header)+2))
}

func (e *export) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		e.left, e.header = e.header, nil
		if e.left == nil {
			e.left = e.records
		}
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

func exportSpecs(t testing.TB) map[string]redact.Spec {
	row := []redact.RowFilter{{Path: "$[*]", Where: []redact.Cond{
		{Field: "branch", Op: "in", Value: []any{"b1", "b2"}},
		{Any: []redact.Cond{{Field: "salary", Op: "lt", Value: 80000}, {Field: "active", Op: "eq", Value: true}}},
	}}}
	return map[string]redact.Spec{
		"nothing": {},
		"mask":    {Rules: rules(t, "$..ssn drop", "$..salary redact")},
		"partial": {Rules: rules(t, "$..ssn partial", "$..email partial", "$..notes partial", "$..hired generalize", "$..title null")},
		"rows":    {Rules: rules(t, "$..ssn drop", "$..salary redact"), Rows: row},
		"expose":  {Expose: []string{"$.id", "$.title"}},
		"all":     {Rules: rules(t, "$ drop")},
	}
}

// TestMemory: what a Reader holds does not grow with the text.
func TestMemory(t *testing.T) {
	size := 64 << 20
	if raceEnabled {
		size /= 16
	}
	for name, spec := range exportSpecs(t) {
		t.Run(name, func(t *testing.T) {
			plan := compile(t, spec)
			var start, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&start)
			r := NewReader(plan, newExport(size), redact.Limits{})
			var most, total int64
			buf := make([]byte, 32<<10)
			for i := 0; ; i++ {
				n, err := r.Read(buf)
				total += int64(n)
				if i%500 == 0 || err == io.EOF {
					runtime.GC()
					runtime.ReadMemStats(&now)
					most = max(most, int64(now.HeapAlloc)-int64(start.HeapAlloc))
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if most > 256<<10 {
				t.Errorf("the heap grew by %d bytes for a result of %d", most, total)
			}
		})
	}
}

// TestAllocations: records cost none, so a text of many costs no more than one
// of few.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	few, many := exportOf(1000), exportOf(11000)
	for name, spec := range exportSpecs(t) {
		plan := compile(t, spec)
		cost := func(text []byte) float64 {
			return testing.AllocsPerRun(3, func() {
				r := NewReader(plan, bytes.NewReader(text), redact.Limits{})
				if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := cost(few), cost(many); b > a+2 {
			t.Errorf("%s: %v allocations for 1000 records, %v for 11000", name, a, b)
		}
	}
}

// TestPrefetch: what is given beforehand is what Read gives then.
func TestPrefetch(t *testing.T) {
	plan := compile(t, redact.Spec{Rules: rules(t, "$..ssn drop")})
	text := exportOf(2000)
	want, err := io.ReadAll(NewReader(plan, bytes.NewReader(text), redact.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 100, 64 << 10, len(want) - 1, len(want), 1 << 30} {
		r := NewReader(plan, bytes.NewReader(text), redact.Limits{})
		skip := make([]byte, 77)
		if _, err := io.ReadFull(r, skip); err != nil {
			t.Fatal(err)
		}
		rest := want[len(skip):]
		head, complete, err := r.Prefetch(n)
		if err != nil || len(head) < min(n, len(rest)) || !bytes.HasPrefix(rest, head) || complete && len(head) != len(rest) || n > len(rest) && !complete {
			t.Errorf("%d: %d bytes, %t, %v", n, len(head), complete, err)
		}
		if n == 64<<10 && len(head) > 128<<10 {
			t.Errorf("%d bytes are held", len(head))
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, rest) {
			t.Errorf("%d: %d bytes of %d, %v", n, len(got), len(rest), err)
		}
	}
}

// TestLateError: a text is right up to where it is not.
func TestLateError(t *testing.T) {
	plan := compile(t, redact.Spec{Rules: rules(t, "$..ssn redact")})
	text := exportOf(2000)
	want, err := io.ReadAll(NewReader(plan, bytes.NewReader(text), redact.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"1,2\n", "\"", "x,\xff,,,,,,,,,,\n"} {
		r := NewReader(plan, strings.NewReader(string(text)+bad), redact.Limits{})
		if _, complete, err := r.Prefetch(64 << 10); complete || err != nil {
			t.Fatalf("%t, %v", complete, err)
		}
		got, err := io.ReadAll(r)
		var at *redact.Error
		if !errors.As(err, &at) || at.Offset < len(text) || !bytes.HasPrefix(want, got) || len(got) < 64<<10 {
			t.Errorf("%q: %d bytes, %v", bad, len(got), err)
		}
		if n, again := r.Read(make([]byte, 10)); n != 0 || again != err {
			t.Errorf("%q: then %d, %v", bad, n, again)
		}
	}
	head, complete, err := NewReader(plan, strings.NewReader("a,b\n1\n"), redact.Limits{}).Prefetch(1 << 20)
	if len(head) > 0 || complete || !errors.Is(err, ErrFields) {
		t.Errorf("%q, %t, %v", head, complete, err)
	}
}

// body notes that it has been closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error {
	b.closed++
	return errBody
}

var errBody = errors.New("body")

// TestBody: errors of the body are passed on, and it is closed once.
func TestBody(t *testing.T) {
	plan := compile(t, redact.Spec{})
	b := &body{Reader: io.MultiReader(strings.NewReader("a\n1\n"), iotest.ErrReader(errBody))}
	r := NewReader(plan, b, redact.Limits{})
	if _, err := io.ReadAll(r); err != errBody {
		t.Errorf("read: %v", err)
	}
	if err := r.Close(); err != errBody || b.closed != 1 {
		t.Errorf("close: %v, %d times", err, b.closed)
	}
	if err := r.Close(); err != nil || b.closed != 1 {
		t.Errorf("second close: %v, %d times", err, b.closed)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read after close")
	}
	if _, _, err := r.Prefetch(1); err == nil {
		t.Error("prefetch after close")
	}
	if _, err := io.ReadAll(NewReader(plan, stuck{}, redact.Limits{})); err != io.ErrNoProgress {
		t.Errorf("a body that gives nothing: %v", err)
	}
	data := iotest.DataErrReader(strings.NewReader("a\n1"))
	if got, err := io.ReadAll(NewReader(plan, data, redact.Limits{})); string(got) != "a\n1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestReleasedAtOnce: a record is given away as soon as its line has ended.
func TestReleasedAtOnce(t *testing.T) {
	plan := compile(t, redact.Spec{Rules: rules(t, "$..b drop")})
	in, out := io.Pipe()
	defer out.Close()
	r := NewReader(plan, in, redact.Limits{})
	defer r.Close()
	for _, step := range []struct{ send, want string }{{"a,b\n", "a\n"}, {"1,2\n3", "1\n"}, {",4\r\n", "3\r\n"}} {
		go func() { _, _ = out.Write([]byte(step.send)) }()
		got := make([]byte, len(step.want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != step.want {
			t.Fatalf("%q, %v, want %q", got, err, step.want)
		}
	}
}
