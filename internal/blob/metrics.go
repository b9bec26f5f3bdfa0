package blob

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/tracing"
)

// operation is a label of the metrics.
type operation string

const (
	opPut     operation = "put"
	opGet     operation = "get"   // until the content begins
	opFetch   operation = "fetch" // with its content
	opDelete  operation = "delete"
	opList    operation = "list"
	opPing    operation = "ping"
	opCleanUp operation = "clean_up"
)

// outcomeOK is how operations should end.
const outcomeOK = "ok"

// metrics measures the storage as this process sees it, retries included.
type metrics struct {
	seconds *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ragify_blob_operation_duration_seconds",
		Help:    "Time that an operation of the file storage took, retries included; get: until the content begins.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, []string{"operation", "outcome"})}
	for _, o := range []operation{opPut, opGet, opFetch, opDelete, opList, opPing, opCleanUp} {
		m.seconds.WithLabelValues(string(o), outcomeOK)
	}
	if registry == nil {
		return m, nil
	}
	return m, registry.Register(m.seconds)
}

// begin begins an operation: it measures it and makes it a span. What it gives ends it. Use as
// defer s.metrics.begin(&ctx, opPut, &err)().
func (m *metrics) begin(ctx *context.Context, o operation, err *error) func() {
	began := time.Now()
	inner, span := tracing.Start(*ctx, "blob."+string(o))
	*ctx = inner
	return func() {
		m.seconds.WithLabelValues(string(o), outcomeOf(*err)).Observe(time.Since(began).Seconds())
		tracing.End(span, *err)
	}
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return outcomeOK
	case fault.KindOf(err) == fault.NotFound:
		return "not_found"
	case fault.KindOf(err) == fault.Unavailable:
		return "unavailable"
	}
	return "aborted" // by the caller: its context ended, or its source failed
}
