package orders

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is read can be written, and is the same when it is read again; whatever is
// there, nothing panics and a view can hold it.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		order1, header, `{"lift":{"id":"A","at":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}}`,
		`{"order":{"id":"B","kind":"revocation","issuer":"a","sid":"s","at":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00+23:59"}}`,
		`{"order":{"id":"C","kind":"revocation","issued_before":"0001-01-01T00:00:01Z","at":"9999-12-31T23:59:59Z","until":"9999-12-31T23:59:59-23:59"}}`,
	} {
		f.Add([]byte(s))
	}
	for _, s := range blockRecords {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decode(line)
		if err != nil {
			return
		}
		once, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(once, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", once)
		}
		back, err := decode(once)
		if err != nil {
			t.Fatalf("%v: %s", err, once)
		}
		if twice, err := back.encode(); err != nil || !bytes.Equal(once, twice) {
			t.Fatal(err, cmp.Diff(string(once), string(twice)))
		}
		if r.Order == nil {
			return
		}
		v := newView()
		e := v.edit()
		e.add(r.Order)
		e.add(back.Order) // the same
		if got := held(e.view); got != 1 {
			t.Fatalf("%d", got)
		}
		e.remove(back.Order)
		if held(e.view) != 0 || held(v) != 0 || e.count != v.count || len(slices.Concat(e.lengths[:]...)) != 0 {
			t.Fatalf("%d are left: %v %v", held(e.view), e.count, e.lengths)
		}
	})
}

// held counts the orders that an index has.
func held(v *view) (n int) {
	for i := range buckets {
		for _, list := range v.orders[i] {
			n += len(list)
		}
		for _, list := range v.networks[i] {
			n += len(list)
		}
	}
	return n
}
