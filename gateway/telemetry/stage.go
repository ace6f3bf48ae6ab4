package telemetry

import (
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Stage times a stage, without what is inside of it, and gives it a span where
// the exchange is traced. The result describes itself if s does; a nil stage
// stays nil. Work that a stage leaves to the reading of a body is not its own
// time.
func (m *Metrics) Stage(s middleware.Stage) middleware.Stage {
	if s == nil {
		return nil
	}
	_, inward := s.(middleware.Inward)
	t := &timed{s, s.Name(), "stage " + s.Name(), inward, m.stageSeconds.of(s.Name()), m.made}
	if d, ok := s.(middleware.Describer); ok {
		return struct {
			*timed
			middleware.Describer
		}{t, d}
	}
	return t
}

type timed struct {
	middleware.Stage
	name, span string
	inward     bool
	seconds    *duration
	made       time.Time // instants are counted from here: cheaper than time.Now
}

// Handle times the stage. The clock is read once on the way in and once on the way
// out: what the stage outside has spent until then stands in the exchange
// meanwhile. On the way out of a stage that does nothing there the clock says what it
// said when the one inside was over.
func (s *timed) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	end := span(x, s.span, s.name, trace.SpanKindInternal)
	begin := time.Since(s.made)
	outside := enter(x, begin)
	res, err := s.Stage.Handle(x, next)
	now := x.Clock.Since
	if !s.inward || now == begin { // nobody inside of it has looked at the clock
		now = time.Since(s.made)
	}
	// A panic that passed stages by leaves what they have spent to who stopped it.
	took := x.Clock.Spent + now - x.Clock.Since
	s.seconds.observe(took)
	x.Clock = middleware.Clock{Spent: outside, Since: now}
	end(res, err)
	return res, err
}

// enter begins to count for whoever is asked next, and gives what was spent
// outside of it.
func enter(x *middleware.Exchange, now time.Duration) (outside time.Duration) {
	outside = x.Clock.Spent + now - x.Clock.Since
	x.Clock = middleware.Clock{Since: now}
	return outside
}

// Upstream times the innermost handler, until the head of the answer, and
// gives it a span where the exchange is traced. That span is then the parent
// that the upstream is told of (see [Tracing.Inject]).
func (m *Metrics) Upstream(name string, h middleware.Handler) middleware.Handler {
	seconds := m.upstreamSeconds.WithLabelValues(name)
	title := "upstream " + name
	return func(x *middleware.Exchange) (*http.Response, error) {
		end := span(x, title, "upstream", trace.SpanKindClient)
		begin := time.Since(m.made)
		outside := enter(x, begin)
		res, err := h(x)
		now := time.Since(m.made)
		seconds.Observe((now - begin).Seconds())
		x.Clock = middleware.Clock{Spent: outside, Since: now}
		end(res, err)
		return res, err
	}
}

// span starts a span below that of the exchange, if that is recorded. Spans of
// stages stand side by side, each with its whole time: to nest them the
// exchange's request would have to be replaced at every step. A refusal marks
// the span of the stage it comes from, origin.
func span(x *middleware.Exchange, name, origin string, kind trace.SpanKind) (end func(*http.Response, error)) {
	if x.Untraced {
		return untraced
	}
	ctx := x.Request.Context()
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return untraced
	}
	ctx, s := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind))
	if kind == trace.SpanKindClient {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(x.Request.Header))
	}
	return func(res *http.Response, err error) {
		var r *middleware.Refusal
		switch {
		case errors.As(err, &r):
			if r.Stage != origin {
				break // it only passed through
			}
			s.SetAttributes(attribute.String("gatehouse.code", r.Code))
			s.SetStatus(codes.Error, r.Code)
		case err != nil:
			s.SetStatus(codes.Error, string(middleware.InternalError))
		case kind == trace.SpanKindClient:
			s.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
		}
		s.End()
	}
}

func untraced(*http.Response, error) {}
