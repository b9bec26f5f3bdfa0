// Package tracing ties together what one request causes, over rooms and processes: the ids in log lines, and the spans
// of OpenTelemetry traces. Without a provider there are no spans, and asking for one costs nothing.
package tracing

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/ragify/ragify/internal/fault"
)

// scope is the name under which all spans are recorded.
const scope = "github.com/ragify/ragify"

// Names of attributes. There are ids among them, never names of files, content, addresses or secrets.
const (
	KeyRequest = "request_id"
	KeyAccount = "account"
	KeyJob     = "job"
	KeyAttempt = "attempt"
)

// Start begins a span below the one of ctx, when that is recorded. End it with End.
func Start(ctx context.Context, name string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noop.Span{}
	}
	return parent.TracerProvider().Tracer(scope).Start(ctx, name)
}

// End ends a span. Of an error it tells the stable code, for what an error says may name files.
func End(span trace.Span, err error) {
	if !span.IsRecording() {
		return
	}
	if err != nil {
		code := fault.From(err).Code
		span.SetAttributes(attribute.String("error.type", code))
		span.SetStatus(codes.Error, code)
	}
	span.End()
}

// Page records the span of a page that took so long from began on.
func Page(ctx context.Context, number int, ocr bool, began time.Time, took time.Duration) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	_, span := parent.TracerProvider().Tracer(scope).Start(ctx, "page", trace.WithTimestamp(began),
		trace.WithAttributes(attribute.Int("ragify.page", number), attribute.Bool("ragify.ocr", ocr)))
	span.End(trace.WithTimestamp(began.Add(took)))
}

// Serve begins the span of an HTTP request, below that of its traceparent header. provider may be nil.
func Serve(ctx context.Context, provider trace.TracerProvider, r *http.Request) (context.Context, trace.Span) {
	if provider == nil {
		return ctx, noop.Span{}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	return provider.Tracer(scope).Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
}

// Answered ends a span of Serve.
func Answered(span trace.Span, method, route string, status int) {
	if !span.IsRecording() {
		return
	}
	span.SetName(method + " " + route)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Work begins the span of work that was taken from the queue after wait, below that of ctx, as Continue gave it. provider may be nil.
func Work(ctx context.Context, provider trace.TracerProvider, name string, attempt int, wait time.Duration) (context.Context, trace.Span) {
	if provider == nil {
		return ctx, noop.Span{}
	}
	return provider.Tracer(scope).Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Int("ragify.attempt", attempt), attribute.Float64("ragify.wait_seconds", wait.Seconds())))
}

// baggage is what travels with work through the queue.
type baggage struct {
	RequestID   string `json:"request_id,omitempty"`
	Traceparent string `json:"traceparent,omitempty"`
	Tracestate  string `json:"tracestate,omitempty"`
}

// Metadata is ctx's request id and span as a JSON object, for Continue on the other side of a queue.
func Metadata(ctx context.Context) []byte {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	b, err := json.Marshal(baggage{RequestID(ctx), carrier["traceparent"], carrier["tracestate"]})
	if err != nil {
		panic(err) // strings
	}
	return b
}

// Continue gives ctx what Metadata took along. Metadata that is none is left aside.
func Continue(ctx context.Context, metadata []byte) context.Context {
	var b baggage
	if json.Unmarshal(metadata, &b) != nil {
		return ctx
	}
	if b.RequestID != "" {
		ctx = With(ctx, KeyRequest, b.RequestID)
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": b.Traceparent, "tracestate": b.Tracestate})
}
