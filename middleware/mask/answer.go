package mask

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Why answers are withheld.
var (
	errStatus    = errors.New("status has no body that could be masked whole")
	errMediaType = errors.New("media type is not JSON in UTF-8")
	errCoding    = errors.New("content coding is not understood")
	errTooLarge  = errors.New("answer is larger than the route masks")
	errExpansion = errors.New("answer expands too much")
	errShort     = errors.New("answer is not as long as it says")
	errNoMemory  = errors.New("the memory for bodies is used up")
)

// answer is a response on its way to being masked, with the memory it holds.
type answer struct {
	res   *http.Response
	x     *middleware.Exchange
	plan  *redact.Plan
	limit int64
	taken int64
}

func (a *answer) take(n int64) error {
	if n <= 0 {
		return nil
	}
	if !a.x.Memory.Take(n) {
		return errNoMemory
	}
	a.taken += n
	return nil
}

func (a *answer) give(n int64) {
	a.x.Memory.Give(n)
	a.taken -= n
}

func (a *answer) release() { a.give(a.taken) }

// mask replaces the body of the answer, or says why it cannot.
func (a *answer) mask() error {
	res := a.res
	switch c := res.StatusCode; {
	case c < 200, c == http.StatusPartialContent, c == http.StatusNotModified, c == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: %d", errStatus, c)
	case c == http.StatusNoContent, c == http.StatusResetContent, a.x.Request.Method == http.MethodHead && len(a.x.Decision.Rows) == 0:
		a.empty()
		return nil
	}
	body, err := a.open()
	if err != nil {
		return err
	}
	if body == nil {
		a.empty()
		return nil
	}
	src, err := a.readAll(body)
	if err != nil {
		return err
	}
	out, report, err := a.rewrite(src)
	if err != nil {
		return err
	}
	a.give(int64(cap(src)))
	middleware.ReplaceBody(res, out)
	if a.x.Request.Method == http.MethodHead {
		res.Body = http.NoBody // what remains is what GET would answer
	}
	protect(res)
	middleware.OnClose(res, func(int64, error) { a.release() })
	a.x.Note("masked", report.Masked)
	a.x.Note("rows_dropped", report.Dropped)
	a.x.Note("hidden", report.Hidden)
	return nil
}

// open gives the body, decoded, or nil where there is none. Whether there is
// one decides the first byte: an answer without a body may be of any type.
func (a *answer) open() (io.Reader, error) {
	first := make([]byte, 1)
	n, err := io.ReadFull(a.res.Body, first)
	if err == io.EOF && a.res.ContentLength <= 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errShort, err)
	}
	if mediaKind(a.res.Header) == notJSON {
		return nil, errMediaType
	}
	body := &counted{r: io.MultiReader(bytes.NewReader(first[:n]), a.res.Body), want: a.res.ContentLength}
	switch coding(a.res.Header) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCoding, err)
		}
		return &inflated{z: z, packed: body}, nil
	}
	return nil, errCoding
}

// readAll reads the body within the limit of the route and the budget.
func (a *answer) readAll(body io.Reader) ([]byte, error) {
	if a.res.ContentLength > a.limit {
		return nil, errTooLarge
	}
	size := min(max(a.res.ContentLength, 4<<10), a.limit) + 1 // one more to see the end
	if err := a.take(size); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > a.limit:
			return nil, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			size := min(2*int64(cap(buf)), a.limit+1)
			if err := a.take(size); err != nil {
				return nil, err
			}
			next := append(make([]byte, 0, size), buf...)
			a.give(int64(cap(buf)))
			buf = next
		}
	}
}

// rewrite applies the plan. The room for the result is taken beforehand as far
// as it can be known: masks make values longer in rare cases only.
func (a *answer) rewrite(src []byte) ([]byte, redact.Report, error) {
	size := int64(len(src))
	if err := a.take(size); err != nil {
		return nil, redact.Report{}, err
	}
	plan := a.plan
	if a.res.StatusCode > 299 {
		// Errors and redirections are not made of rows.
		plan = plan.OptionalRows()
	}
	rewrite := redact.Append
	if mediaKind(a.res.Header) == jsonLines {
		rewrite = redact.AppendLines
	}
	out, report, err := rewrite(make([]byte, 0, size), src, plan, redact.Limits{Pointers: -1})
	if err != nil {
		return nil, report, err
	}
	return out, report, a.take(int64(cap(out)) - size)
}

// empty makes the answer one without a body.
func (a *answer) empty() {
	res := a.res
	_ = res.Body.Close()
	res.Body = http.NoBody
	middleware.DropValidators(res)
	res.TransferEncoding = nil
	if a.x.Request.Method != http.MethodHead {
		res.ContentLength = 0
		if res.StatusCode != http.StatusNoContent {
			res.Header.Set("Content-Length", "0")
		}
	}
	protect(res)
}

// coding gives the content coding in lower case; several are joined, and so
// understood by nobody.
func coding(h http.Header) string {
	return strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ",")))
}

// counted fails where the body is not as long as its header says: not every
// transport does.
type counted struct {
	r    io.Reader
	n    int64
	want int64 // negative: unknown
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err == io.EOF && c.want >= 0 && c.n != c.want {
		return n, errShort
	}
	return n, err
}

// A compressed answer may be maxRatio times as large as what was sent, once it
// is larger than freeExpansion. Data that compresses better is made to.
const (
	maxRatio      = 200
	freeExpansion = 1 << 20
)

// inflated is a compressed body with an eye on its expansion.
type inflated struct {
	z      io.Reader
	packed *counted
	n      int64
}

func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.z.Read(p)
	i.n += int64(n)
	if i.n > freeExpansion && i.n > maxRatio*i.packed.n {
		return n, errExpansion
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errCoding, err)
	}
	return n, err
}
