package queue

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ragify/ragify/internal/job"
)

// metrics counts what this process does for the queue.
type metrics struct {
	busy       atomic.Int64 // conversions at work
	ended      *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	wait       prometheus.Histogram
	took       prometheus.Histogram
	pages      prometheus.Counter
	takeovers  *prometheus.CounterVec
	reconciled prometheus.Counter
}

// How attempts to convert end.
const (
	attemptEnded    = "ended"    // the job is done or failed
	attemptRetry    = "retry"    // it is tried again, for the failure is ours
	attemptReturned = "returned" // this process stops: the work went back
	attemptInVain   = "in_vain"  // the job was deleted, or another worker had ended it
)

// longTimes are the buckets of waiting and converting, in seconds.
var longTimes = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

func newMetrics(registry prometheus.Registerer, workers int) *metrics {
	f := promauto.With(registry)
	m := &metrics{
		ended: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_queue_jobs_ended_total", Help: "Jobs that this process ended, by status and, of failed ones, the error code.",
		}, []string{"status", "code"}),
		attempts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_queue_attempts_total",
			Help: "Attempts to convert a job, by how they ended: ended (done or failed), retry (a failure of ours), returned (this process stops), in_vain (deleted).",
		}, []string{"result"}),
		wait: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ragify_queue_wait_duration_seconds", Help: "Time from a job's submission to its first attempt.", Buckets: longTimes,
		}),
		took: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ragify_queue_conversion_duration_seconds", Help: "Time of the attempts that ended a job, fetching and storing files included.", Buckets: longTimes,
		}),
		pages: f.NewCounter(prometheus.CounterOpts{
			Name: "ragify_queue_pages_charged_total", Help: "Pages of jobs that are done, which their accounts are charged for.",
		}),
		takeovers: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_queue_takeovers_total",
			Help: "Work of dead workers that this process took over, by what it did with it: put_back into the queue, or given_up after the last attempt.",
		}, []string{"result"}),
		reconciled: f.NewCounter(prometheus.CounterOpts{
			Name: "ragify_queue_jobs_reconciled_total", Help: "Jobs that this process ended because their work was lost or given up.",
		}),
	}
	f.NewGauge(prometheus.GaugeOpts{
		Name: "ragify_queue_workers", Help: "Conversions that this process may do at the same time.",
	}).Set(float64(workers))
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_queue_workers_busy", Help: "Conversions that this process is doing.",
	}, func() float64 { return float64(m.busy.Load()) })
	for _, result := range []string{attemptEnded, attemptRetry, attemptReturned, attemptInVain} {
		m.attempts.WithLabelValues(result)
	}
	m.takeovers.WithLabelValues("put_back")
	m.takeovers.WithLabelValues("given_up")
	m.ended.WithLabelValues(string(job.Done), "")
	for _, code := range failures() {
		m.ended.WithLabelValues(string(job.Failed), code)
	}
	return m
}

// end counts a job that has ended.
func (m *metrics) end(o job.Outcome, pages int, took time.Duration) {
	m.ended.WithLabelValues(string(o.Status), boundedCode(o.ErrorCode)).Inc()
	m.took.Observe(took.Seconds())
	if o.Status == job.Done {
		m.pages.Add(float64(pages))
	}
}

// otherFailure stands for error codes that are none of failures.
const otherFailure = "other"

// failures are the error codes of failed jobs that metrics tell apart.
func failures() []string {
	return []string{
		job.Abandoned().ErrorCode, "not_a_pdf", "damaged_pdf", "password_required", "wrong_password", "unsupported_encryption",
		"too_complex", "timed_out", "invalid_page_range", "invalid_options", "result_too_large", otherFailure,
	}
}

// boundedCode keeps the label's values few: codes come from the engine's child, which has seen hostile bytes.
func boundedCode(code string) string {
	if code == "" || slices.Contains(failures(), code) {
		return code
	}
	return otherFailure
}
