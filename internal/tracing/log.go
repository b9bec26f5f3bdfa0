package tracing

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

type contextKey struct{}

// With gives every log line that is written with the context the attribute, and its span: the value is an id.
func With(ctx context.Context, key string, value any) context.Context {
	attrs, _ := ctx.Value(contextKey{}).([]slog.Attr)
	if span := trace.SpanFromContext(ctx); span.IsRecording() && key != KeyAttempt {
		span.SetAttributes(attribute.String("ragify."+key, slog.AnyValue(value).String()))
	}
	return context.WithValue(ctx, contextKey{}, append(slices.Clip(attrs), slog.Any(key, value)))
}

// RequestID is the id of the request that caused what goes on, "" where none did.
func RequestID(ctx context.Context) string {
	attrs, _ := ctx.Value(contextKey{}).([]slog.Attr)
	for _, a := range attrs {
		if a.Key == KeyRequest {
			return a.Value.String()
		}
	}
	return ""
}

// NewHandler makes a log handler that adds to each line what its context has: the ids of With and, when there is a
// span, trace_id. What the line has itself is not repeated.
func NewHandler(h slog.Handler) slog.Handler { return handler{h} }

type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	attrs, _ := ctx.Value(contextKey{}).([]slog.Attr)
	span := trace.SpanContextFromContext(ctx)
	if len(attrs) == 0 && !span.HasTraceID() {
		return h.Handler.Handle(ctx, r)
	}
	r = r.Clone()
	for i, a := range attrs {
		later := slices.ContainsFunc(attrs[i+1:], func(b slog.Attr) bool { return a.Key == b.Key })
		if !later && !has(r, a.Key) {
			r.AddAttrs(a)
		}
	}
	if span.HasTraceID() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// has reports whether a line says key itself.
func has(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
