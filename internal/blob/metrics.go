package blob

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/fault"
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
	if registry == nil {
		return m, nil
	}
	return m, registry.Register(m.seconds)
}

// measure notes an operation that began at the given time, for use with defer.
func (m *metrics) measure(o operation, began time.Time, err *error) {
	outcome := "aborted" // by the caller: its context ended, or its source failed
	switch {
	case *err == nil:
		outcome = "ok"
	case fault.KindOf(*err) == fault.NotFound:
		outcome = "not_found"
	case fault.KindOf(*err) == fault.Unavailable:
		outcome = "unavailable"
	}
	m.seconds.WithLabelValues(string(o), outcome).Observe(time.Since(began).Seconds())
}
