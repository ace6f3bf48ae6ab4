package mask

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/coding"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/table"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/tally"
)

// counting is what a stage needs to tell how much answers held when they left: see
// [middleware.Served].
type counting struct {
	sensitive []string     // paths of values that are masked for somebody
	plan      *redact.Plan // that changes nothing and counts those
	levels    int          // of objects around a list, see [tally.Records]
}

// graphqlLevels is how deep lists stand in the answers to GraphQL: data, a field,
// edges.
const graphqlLevels = 3

// Counting makes a stage of [New] tell how much its answers held. Sensitive are the
// paths of values that the policy masks for somebody; one that names nothing, such
// as $..*, says of no value that it is sensitive, and is left out.
func Counting(stage middleware.Stage, sensitive []string) (middleware.Stage, error) {
	s, ok := stage.(*Stage)
	if !ok {
		return stage, nil
	}
	c := &counting{}
	for _, path := range sensitive {
		names, err := redact.PathNames(path)
		if err != nil {
			return nil, fmt.Errorf("sensitive path %q: %w", path, err)
		}
		if len(names) > 0 {
			c.sensitive = append(c.sensitive, path)
		}
	}
	spec := redact.Spec{Sensitive: c.sensitive}
	if s.graphql != nil {
		// The paths are about the schema. What they are about in an answer, the
		// query says, which is read where something is masked.
		spec.Sensitive, c.levels = nil, graphqlLevels
	}
	var err error
	if c.plan, err = redact.Compile(spec, redact.Options{}); err != nil {
		return nil, err
	}
	s.counting = c
	return s, nil
}

// tells reports whether what an answer holds is to be told: of those that succeed
// and have a body that is there whole.
func (s *Stage) tells(r *http.Request, status int) bool {
	switch {
	case s.counting == nil, r.Method == http.MethodHead, status == http.StatusPartialContent:
		return false
	}
	return status >= 200 && status < 300
}

// askWhole asks the upstream for an answer that can be counted, as far as that is
// the client's choice: in a coding that is known, and not in pieces. A piece of what
// cannot be counted stays one, for players and readers ask for those.
func askWhole(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	h := x.Request.Header
	readable(h)
	if h.Get("Range") == "" {
		return next(x)
	}
	whole := func() { h.Del("Range"); h.Del("If-Range") }
	if x.HasBody() || strings.Contains(strings.Join(h["Range"], ","), ",") {
		whole() // it cannot be asked twice; or several pieces have a type of their own
		return next(x)
	}
	res, err := next(x)
	if err != nil || res.StatusCode != http.StatusPartialContent || formatOf(res.Header) == unknown {
		return res, err
	}
	_ = res.Body.Close()
	whole()
	return next(x)
}

// readable takes the codings out of Accept-Encoding (RFC 9110, section 12.5.3) that
// are not known here.
func readable(h http.Header) {
	values := h["Accept-Encoding"]
	if len(values) == 0 {
		return
	}
	var known []string
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip", "br", "zstd", "identity":
			known = append(known, strings.TrimSpace(part))
		}
	}
	if len(known) == 0 {
		known = []string{"identity"}
	}
	h.Set("Accept-Encoding", strings.Join(known, ", "))
}

// served tells what an answer held: rows where there are filters, or else what its
// format calls a record.
func served(f format, filtered bool, m interface{ Report() redact.Report }, list *tally.Records) middleware.Served {
	r := m.Report()
	out := middleware.Served{Records: int64(r.Documents), Sensitive: int64(r.Sensitive)}
	t, isTable := m.(*table.Reader)
	switch {
	case isTable:
		out.Records = int64(t.Kept())
	case filtered:
		out.Records = int64(r.Rows)
	case f == jsonText:
		out.Records = list.Count()
	}
	return out
}

// tell writes down what was served.
func tell(x *middleware.Exchange, s middleware.Served) {
	x.Served = s
	x.Note("records_served", s.Records)
	x.Note("sensitive_served", s.Sensitive)
}

// tallied is the body of an answer that is sent as it is, counted on the side. What
// is read is what was read, no sooner and no later; an answer that turns out not to
// be what it says counts as far as it is.
type tallied struct {
	io.ReadCloser
	x      *middleware.Exchange
	format format
	list   tally.Records
	text   *redact.Counter // nil where the list is all there is to count
	aside  *aside          // for what cannot be counted in pieces; nil otherwise
	memory memory
	closed bool
}

// count has an answer that is not masked counted, if it is of a kind that can be.
func (s *Stage) count(x *middleware.Exchange, res *http.Response) {
	f := formatOf(res.Header)
	if !s.tells(x.Request, res.StatusCode) || res.Body == nil || res.Body == http.NoBody || f == unknown {
		return
	}
	c := &tallied{ReadCloser: res.Body, x: x, format: f, list: tally.Records{Levels: s.counting.levels}}
	c.memory.budget = x.Memory
	inPieces := (f == jsonText || f == jsonLines) && !packed(res.Header)
	need := coding.Memory(codings(res.Header))
	if !inPieces || f == jsonLines || len(s.counting.sensitive) > 0 {
		need += windows
	}
	switch {
	case !c.memory.take(need): // no reason to refuse what is not to be masked
		return
	case !inPieces:
		c.aside = s.begin(f, res.Header, s.counting.levels)
	case f == jsonLines || len(s.counting.sensitive) > 0:
		c.text = redact.NewCounter(s.counting.plan, redact.Limits{Pointers: -1}, f == jsonLines)
	}
	res.Body = c
}

func (c *tallied) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		c.look(p[:n])
	}
	return n, err
}

// look counts what has been read. A fault of the counting is not one of the answer.
func (c *tallied) look(p []byte) {
	done := false
	defer func() {
		if !done && recover() != nil {
			c.format, c.text, c.aside = unknown, nil, nil // an engine that has panicked is not used again
			c.x.Note("served_uncounted", true)
		}
	}()
	switch {
	case c.aside != nil:
		c.aside.write(p)
	case c.format != unknown:
		if c.text != nil {
			c.text.Write(p)
		}
		if c.format == jsonText {
			c.list.Write(p)
		}
	}
	done = true
}

// Close closes the answer's body, and tells what it held.
func (c *tallied) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	defer c.memory.release()
	err := c.ReadCloser.Close()
	switch {
	case c.aside != nil:
		if s, ok := c.aside.end(); ok {
			tell(c.x, s)
		}
	case c.text != nil:
		c.text.Close()
		tell(c.x, served(c.format, false, c.text, &c.list))
	case c.format == jsonText:
		tell(c.x, middleware.Served{Records: c.list.Count()})
	}
	return err
}
