package redact

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// parts is a text that arrives in parts, each when it is let.
type parts struct {
	t    *testing.T
	list [][]byte
	let  int // of the list
	err  error
}

func (p *parts) arrived() bool { return p.let > 0 || len(p.list) == 0 }

func (p *parts) Read(b []byte) (int, error) {
	if len(p.list) == 0 {
		return 0, p.err
	}
	if p.let == 0 {
		p.t.Fatal("it waits")
	}
	n := copy(b, p.list[0])
	if p.list[0] = p.list[0][n:]; len(p.list[0]) == 0 {
		p.list = p.list[1:]
		p.let--
	}
	return n, nil
}

// TestGather: what is gathered and taken is what is read otherwise, nothing is
// waited for, and all that can be given of what has come is given.
func TestGather(t *testing.T) {
	text := benchList(300)
	plan := compile(t, Spec{Rules: rules(t, "$..ssn drop", "$..email redact")})
	want, _, err := Append(nil, text, plan, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{100, 3000, 16 << 10, 50_000, len(text)} {
		for _, most := range []int{1, 20_000, 1 << 20} {
			src := &parts{t: t, list: slices.Collect(slices.Chunk(text, size)), err: io.EOF}
			r := NewReader(plan, src, Limits{})
			var got []byte
			for end := false; !end; {
				src.let = min(2, len(src.list))
				for src.let > 0 || len(src.list) == 0 {
					r.Gather(most, src.arrived)
					p, last := r.Take()
					got, end = append(got, p...), last
					if len(src.list) == 0 {
						break
					}
				}
				if sent := len(text); len(src.list) > 0 {
					for _, p := range src.list {
						sent -= len(p)
					}
					if len(got) < sent*7/10-300 {
						t.Fatalf("by %d: %d bytes were given when %d had come", size, len(got), sent)
					}
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("by %d, gathering %d: the result differs", size, most)
			}
			if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				t.Errorf("behind the end: %d, %v", n, err)
			}
			_ = r.Close()
			if p, end := r.Take(); p != nil || end {
				t.Errorf("after close: %q, %t", p, end)
			}
		}
	}
}

// TestGatherFails: a fault takes nothing back that was good, and is told by what
// comes next.
func TestGatherFails(t *testing.T) {
	plan := compile(t, Spec{Rules: rules(t, "$..ssn drop")})
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		last string
		err  error
	}{
		"source": {`,{"ssn":1`, broken},
		"text":   {`,{"ssn":NaN}]`, io.EOF},
	} {
		src := &parts{t: t, list: [][]byte{[]byte(`[{"ssn":1,"a":2},{"b":3}`), []byte(tt.last)}, let: 2, err: tt.err}
		r := NewReader(plan, src, Limits{})
		r.Gather(1<<20, src.arrived)
		p, end := r.Take()
		if !bytes.HasPrefix([]byte(`[{"a":2},{"b":3},{`), p) || len(p) < len(`[{"a":2}`) || end {
			t.Errorf("%s: %q, %t", name, p, end)
		}
		_, err := r.Read(make([]byte, 10))
		var fault *Error
		if tt.err == broken && !errors.Is(err, broken) || tt.err == io.EOF && !errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
		}
		_ = r.Close()
	}
}
