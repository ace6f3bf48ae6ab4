package upstream

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Over HTTP/2 net/http hands on whatever stands in the head of an answer.
func TestInspect(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		length int64
		header http.Header
		want   http.Header // nil where there is no answer
	}{
		"plain":                {200, 5, http.Header{"Content-Length": {"5"}, "X": {"a", "b"}}, http.Header{"Content-Length": {"5"}, "X": {"a", "b"}}},
		"zeros":                {200, 5, http.Header{"Content-Length": {"05"}}, http.Header{"Content-Length": {"5"}}},
		"two lengths":          {200, -1, http.Header{"Content-Length": {"5", "6"}}, nil},
		"one length twice":     {200, -1, http.Header{"Content-Length": {"5", "5"}}, nil},
		"no number":            {200, -1, http.Header{"Content-Length": {"five"}}, nil},
		"negative":             {200, -1, http.Header{"Content-Length": {"-1"}}, nil},
		"another length":       {200, 6, http.Header{"Content-Length": {"5"}}, nil},
		"not modified":         {304, 0, http.Header{"Content-Length": {"5"}}, http.Header{"Content-Length": {"5"}}},
		"no content":           {204, 0, http.Header{"Content-Length": {"5"}}, http.Header{}},
		"hop by hop":           {200, -1, http.Header{"Connection": {"X-A, x-b", "close"}, "X-A": {"1"}, "X-B": {"1"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"x"}}, http.Header{}},
		"a line in a value":    {200, -1, http.Header{"X": {"a\r\nb"}}, nil},
		"a line in a name":     {200, -1, http.Header{"X\r\nY": {"a"}}, nil},
		"switching protocols":  {101, -1, http.Header{}, nil},
		"a number, not status": {42, -1, http.Header{}, nil},
		"1,001 fields":         {200, -1, http.Header{"X": make([]string, maxFields+1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := inspect(&http.Response{StatusCode: tt.status, ProtoMajor: 2, ContentLength: tt.length, Header: tt.header}, false)
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(tt.want, tt.header); err == nil && d != "" {
				t.Errorf("headers (-want +got):\n%s", d)
			}
		})
	}
	if inspect(&http.Response{StatusCode: 200, ProtoMajor: 2, ContentLength: -1}, true) == nil {
		t.Error("what was read as HTTP/1.1 may not call itself HTTP/2")
	}
}
