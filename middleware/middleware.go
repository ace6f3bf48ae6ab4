// Package middleware is the contract between the gateway and its stages.
//
// One idea carries the project: a request goes down one list of stages and the
// response comes back up the same list, as values. A [Stage] is handed an
// [Exchange] and the rest of the list, and returns the response; nothing wraps
// an http.ResponseWriter. The innermost [Handler] is the upstream. The order of
// the list is the security model: it stands in gateway/pipeline.go.
//
// # Rules for a stage
//
//   - An Exchange belongs to one goroutine. A stage keeps nothing of it after
//     Handle returns, except in [OnClose] of the response body.
//   - A stage that drops a response closes its body.
//   - A stage that replaces a response body fixes Content-Length and drops
//     ETag, digests and trailers ([ReplaceBody], [DropValidators]).
//   - A refusal is an error ([Refusal]); one stage renders them all.
//   - A stage does not log. What is worth knowing goes into the record with
//     [Exchange.Note].
//   - A stage does not recover panics, and whoever does re-panics
//     http.ErrAbortHandler.
package middleware

import "net/http"

// A Handler answers an exchange. The response is never nil where the error is.
type Handler func(x *Exchange) (*http.Response, error)

// A Stage is one named step, on the way in and on the way out.
type Stage interface {
	// Name of the stage in metrics, traces, records and docs.
	Name() string
	// Handle answers the exchange itself or asks next to.
	Handle(x *Exchange, next Handler) (*http.Response, error)
}

// Describer is implemented by stages that can say how they are set, for
// `gatehouse explain`: one short line, such as "100/1m by client.address".
type Describer interface {
	Describe() string
}

// Inward is implemented by stages that have done all they do when they ask what is
// inside of them: its answer is theirs. Whoever times them need not look at the clock
// on the way out.
type Inward interface{ Inward() }

// Chain makes one handler of stages and what is behind them. The first stage
// is outermost. Nil stages are left out, so that a constructor may return nil
// for a route that does not configure its stage.
func Chain(last Handler, stages ...Stage) Handler {
	h := last
	for i := len(stages) - 1; i >= 0; i-- {
		s, next := stages[i], h
		if s == nil {
			continue
		}
		h = func(x *Exchange) (*http.Response, error) { return s.Handle(x, next) }
	}
	return h
}
