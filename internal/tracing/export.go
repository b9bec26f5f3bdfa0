package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Exporter sends spans to a collector, in batches and in the background: when that is slow or away, spans are dropped.
type Exporter struct{ *trace.TracerProvider }

// Open makes an exporter as the standard variables of OpenTelemetry say, OTLP over HTTP. It is nil unless
// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_TRACES_EXPORTER=otlp asks for it. The library
// reads further OTEL_ variables from the process's environment. An error begins with the variable at fault. logger is
// told, once a minute at most, when spans do not arrive.
func Open(ctx context.Context, vars map[string]string, version string, logger *slog.Logger) (*Exporter, error) {
	if on, err := wanted(vars); err != nil || !on {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx) // connects with the first spans
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	// The variables come last, for they win: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "ragify"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(&complaints{logger: logger}) // the library has no other way
	return &Exporter{trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(described))}, nil
}

// wanted tells whether vars ask for traces, and finds what the library would only grumble about.
func wanted(vars map[string]string) (bool, error) {
	for name, allowed := range map[string][]string{
		"OTEL_TRACES_EXPORTER":               {"", "otlp", "none"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":        {"", "http/protobuf"},
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": {"", "http/protobuf"},
		"OTEL_TRACES_SAMPLER": {
			"", "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
		},
	} {
		if !slices.Contains(allowed, vars[name]) {
			return false, fmt.Errorf("%s: must be one of %s, not %q", name, strings.Join(allowed[1:], ", "), vars[name])
		}
	}
	on := vars["OTEL_TRACES_EXPORTER"] == "otlp"
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if vars[name] == "" {
			continue
		}
		if u, err := url.Parse(vars[name]); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return false, fmt.Errorf("%s: must be a URL of the form http://host:4318", name) // it may hold a password
		}
		on = true
	}
	return on && vars["OTEL_TRACES_EXPORTER"] != "none" && !strings.EqualFold(vars["OTEL_SDK_DISABLED"], "true"), nil
}

// complaints passes the library's errors on to the log.
type complaints struct {
	logger *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	const pause = time.Minute // a collector that is away fails every batch
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.last) >= pause {
		c.last = now
		c.logger.Warn("traces do not arrive", "error", err)
	}
}
