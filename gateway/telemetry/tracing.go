package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// scope names the source of the spans.
const scope = "github.com/gatehouse-dev/gatehouse"

// Tracing gives every exchange a place in a trace (W3C Trace Context). A
// client's valid traceparent is continued, with its decision whether the trace
// is sampled; of the traces that begin here, the configured share is.
//
// Without a collector nothing is recorded, but upstreams get a traceparent all
// the same, so that their records can be joined with ours.
type Tracing struct {
	provider   *sdk.TracerProvider
	tracer     trace.Tracer
	propagator propagation.TraceContext
	lost       *losses
}

// End ends the span of an exchange: with what is known of it by then, and the
// status that was sent.
type End func(x *middleware.Exchange, status int)

// OpenTracing makes the tracing of its settings. A collector's URL without a
// path gets the standard one, /v1/traces. Whether the collector is there is
// found out by the first spans, and matters to nothing but [Tracing.Lost]. The
// standard OTEL_EXPORTER_OTLP_HEADERS, for a collector that wants a token, is
// read from the environment.
func OpenTracing(ctx context.Context, c config.Tracing) (*Tracing, error) {
	t := &Tracing{lost: &losses{}}
	options := []sdk.TracerProviderOption{
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "gatehouse"))),
		sdk.WithSampler(sdk.ParentBased(sdk.NeverSample())),
	}
	if c.OTLP != "" {
		target, err := collector(c.OTLP)
		if err != nil {
			return nil, err
		}
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target))
		if err != nil {
			return nil, err
		}
		t.lost.SpanExporter = exporter
		options = append(options,
			sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Sample))), sdk.WithBatcher(t.lost))
	}
	t.provider = sdk.NewTracerProvider(options...)
	t.tracer = t.provider.Tracer(scope)
	return t, nil
}

// collector completes the URL of a collector.
func collector(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("%q is not the http or https URL of a collector", text)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Begins reports whether all there is to do for an exchange with this header is to
// give its trace a name: nothing is recorded, and there is none to be continued.
func (t *Tracing) Begins(header http.Header) bool {
	return t.lost.SpanExporter == nil && len(header["Traceparent"]) != 1
}

// Recorded reports whether the span of ctx is recorded.
func Recorded(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// Start begins the span of an exchange. The header is the client's request's;
// name is for the time until the route is known. The context is that of
// whatever is done for the exchange.
func (t *Tracing) Start(ctx context.Context, header http.Header, name string) (context.Context, End) {
	if len(header.Values("Traceparent")) == 1 { // two are as good as none
		ctx = t.propagator.Extract(ctx, propagation.HeaderCarrier(header))
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
	if !s.IsRecording() {
		return ctx, unrecorded
	}
	return ctx, func(x *middleware.Exchange, status int) { finish(s, x, status) }
}

func unrecorded(*middleware.Exchange, int) {}

// finish writes down what is safe to: no path, query, address or subject.
func finish(s trace.Span, x *middleware.Exchange, status int) {
	verb, route := method(x.Request), "none"
	if x.Route != nil {
		route = x.Route.Name
	}
	s.SetName(verb + " " + route)
	s.SetAttributes(
		attribute.String("http.request.method", verb),
		attribute.Int("http.response.status_code", status),
		attribute.String("gatehouse.route", route),
		attribute.String("gatehouse.request_id", x.ID),
	)
	if x.Refusal != nil {
		s.SetAttributes(attribute.String("gatehouse.code", x.Refusal.Code))
	}
	if status >= http.StatusInternalServerError {
		s.SetStatus(codes.Error, "")
	}
	s.End()
}

// Inject writes the traceparent and tracestate of ctx, in place of whatever the
// header held.
func (t *Tracing) Inject(ctx context.Context, header http.Header) {
	header.Del("Traceparent")
	header.Del("Tracestate") // one without the traceparent it came with means nothing
	t.propagator.Inject(ctx, propagation.HeaderCarrier(header))
}

// TraceID gives the id of the trace that ctx is in, for logs and records; ""
// where it is in none.
func TraceID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

// Lost tells how many spans the collector did not take, and why the last of
// them were not.
func (t *Tracing) Lost() (spans int64, last error) {
	if err := t.lost.last.Load(); err != nil {
		last = *err
	}
	return t.lost.spans.Load(), last
}

// closing is how long the last spans may take to be delivered.
const closing = 5 * time.Second

// Close is [Tracing.Shutdown] with a time bound of its own.
func (t *Tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	return t.Shutdown(ctx)
}

// Shutdown delivers the spans that are still waiting, until ctx ends.
func (t *Tracing) Shutdown(ctx context.Context) error {
	lost, _ := t.Lost()
	err := t.provider.Shutdown(ctx)
	if now, last := t.Lost(); now > lost {
		err = errors.Join(err, last)
	}
	return err
}

// losses keeps the errors of an exporter to itself: the SDK would hand them to
// a global error handler.
type losses struct {
	sdk.SpanExporter
	spans atomic.Int64
	last  atomic.Pointer[error]
}

// ExportSpans delivers spans or counts them as lost.
func (l *losses) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := l.SpanExporter.ExportSpans(ctx, spans); err != nil {
		l.last.Store(&err)
		l.spans.Add(int64(len(spans)))
	}
	return nil
}
