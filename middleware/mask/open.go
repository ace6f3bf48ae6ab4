package mask

import (
	"io"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/coding"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/eventstream"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/table"
)

// open gives the body as the plan lets it pass. Closing that closes the body.
func (a *answer) open(f format, body io.ReadCloser) (masker, error) {
	text := body
	if coded := codings(a.res.Header); coded != "" {
		var err error
		if text, err = coding.Open(coded, body, coding.Options{}); err != nil {
			return nil, err
		}
	}
	plan := a.plan
	if a.res.StatusCode > 299 {
		// Errors and redirections are not made of rows.
		plan = plan.OptionalRows()
	}
	limits := redact.Limits{Pointers: -1, Rules: a.byRule[:0]}
	switch f {
	case jsonLines:
		return redact.NewLineReader(plan, text, limits), nil
	case events:
		p := &payer{ReadCloser: text, memory: &a.rest}
		p.events = eventstream.NewReader(plan, p, limits)
		return p.events, nil
	case csv:
		return table.NewReader(plan, text, limits), nil
	}
	a.reader.Reset(plan, text, limits)
	return &a.reader, nil
}
