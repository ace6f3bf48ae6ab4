package eventstream

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// The model reads the whole of a stream at once, as section 9.2.5 has its
// grammar, and shares no code with the Reader.

var (
	modelToken = regexp.MustCompile(`^[A-Za-z0-9._:-]{0,64}$`)
	modelRetry = regexp.MustCompile(`^[0-9]{1,9}$`)
)

// model gives what is to be sent of a stream, whether it ends with an error,
// and how many events were dropped.
func model(stream string, plan *redact.Plan, limit int) (out string, failed bool, dropped int) {
	stream = strings.TrimPrefix(stream, "\ufeff")
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	stream = strings.ReplaceAll(stream, "\r", "\n")
	lines := strings.Split(stream, "\n")
	var fields [][2]string
	size := 0
	for i, line := range lines {
		cut := i == len(lines)-1
		if strings.HasPrefix(line, ":") {
			if !cut {
				out += ":\n"
			}
			continue
		}
		if size += len(line); size > limit {
			return out, true, dropped
		}
		if cut {
			break
		}
		if line == "" {
			sent, err := modelEvent(fields, plan)
			switch {
			case errors.Is(err, redact.ErrRowDenied):
				dropped++
			case err != nil:
				return out, true, dropped
			}
			out += sent
			fields, size = nil, 0
			continue
		}
		if !utf8.ValidString(line) {
			return out, true, dropped
		}
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, [2]string{name, strings.TrimPrefix(value, " ")})
	}
	return out, false, dropped
}

func modelEvent(fields [][2]string, plan *redact.Plan) (string, error) {
	var data []string
	last := map[string][]string{}
	for _, f := range fields {
		if f[0] == "data" {
			data = append(data, f[1])
		}
		last[f[0]] = []string{f[1]}
	}
	var out string
	for _, v := range last["id"] {
		if modelToken.MatchString(v) {
			out += "id: " + v + "\n"
		}
	}
	for _, v := range last["retry"] {
		if modelRetry.MatchString(v) {
			out += "retry: " + v + "\n"
		}
	}
	if data == nil {
		if out != "" {
			out += "\n"
		}
		return out, nil
	}
	for _, v := range last["event"] {
		if v != "" && modelToken.MatchString(v) {
			out += "event: " + v + "\n"
		}
	}
	text := strings.Join(data, "\n")
	if text != "[DONE]" {
		masked, _, err := redact.Append(nil, []byte(text), plan, redact.Limits{})
		if err != nil {
			return "", err
		}
		text = string(masked)
	}
	return out + "data: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n", nil
}

// pieces gives a body in pieces of changing size.
type pieces struct {
	body  string
	sizes []byte
	at    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.body == "" {
		return 0, io.EOF
	}
	n := len(p.body)
	if len(p.sizes) > 0 {
		n = int(p.sizes[p.at%len(p.sizes)])
		p.at++
	}
	n = copy(b[:min(n, len(b))], p.body)
	p.body = p.body[n:]
	return n, nil
}

// FuzzStream compares the Reader with the model, however the stream arrives.
func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"\ufeffdata: {\"tenant\":\"t1\",\r\ndata: \"ssn\":1}\r\nid: 1\r\r:x\r\n\n",
		"data: {\"tenant\":\"t2\"}\nevent: x\n\nretry: 7\n\ndata: [DONE]\n\n",
		"id:\ndata:{\"tenant\":\"t1\"}\n\r\n\rdata: x\n\n",
		"data: {\"items\":[{\"tenant\":\"t1\"},{\"tenant\":1}]}\n\n",
		"event: " + strings.Repeat("x", 65) + "\ndata:\xff\n\n",
		"id: 1\ndata\n\ndata: {}",
		"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n",
		"data: {\"tenant\":\"t1\",\"ssn\":\"" + strings.Repeat("x", 100) + "\"}\n\n",
	} {
		f.Add(s, []byte{1}, uint8(200))
		f.Add(s, []byte{7, 0, 2}, uint8(60))
	}
	plans := []*redact.Plan{noSSN(f), ofTenant(f), rowsOfTenant(f), rowsOfTenant(f).OptionalRows()}
	f.Fuzz(func(t *testing.T, stream string, sizes []byte, limit uint8) {
		if len(bytes.Trim(sizes, "\x00")) == 0 {
			sizes = nil // such a body gives nothing
		}
		most := int(limit) + 1
		for i, p := range plans {
			r := NewReader(p, &pieces{body: stream, sizes: sizes}, redact.Limits{Element: most})
			got, err := io.ReadAll(r)
			want, failed, dropped := model(stream, p, most)
			if string(got) != want || (err != nil) != failed {
				t.Errorf("plan %d: %q, %v\nwant %q, failed %v", i, got, err, want, failed)
			}
			if i == 1 && r.Report().Dropped != dropped {
				t.Errorf("%d events dropped, want %d", r.Report().Dropped, dropped)
			}
			// What was written is in the form that is written.
			again, _, _ := model(string(got), plan(t, redact.Spec{}), MaxEvent)
			if again != string(got) {
				t.Errorf("plan %d: %q is read as %q", i, got, again)
			}
		}
	})
}
