package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/job"
)

// outcomeOfStatus is how an attempt went that was answered.
func outcomeOfStatus(status int) job.AttemptOutcome {
	switch {
	case status >= 200 && status < 300:
		return job.AttemptDelivered
	case status == http.StatusGone:
		return job.AttemptGone
	default:
		return job.AttemptRefused
	}
}

// outcomeOf is how an attempt went that got no answer.
func outcomeOf(err error) job.AttemptOutcome {
	var network net.Error
	switch _, noName := errors.AsType[*net.DNSError](err); {
	// A name without address and one whose addresses are refused look alike, or clients could list the names of our network.
	case noName, errors.Is(err, errAddress):
		return job.AttemptNoAddress
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return job.AttemptTimedOut
	case insecure(err):
		return job.AttemptInsecure
	default:
		return job.AttemptUnreachable
	}
}

// insecure tells whether TLS is what failed.
func insecure(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		host        x509.HostnameError
	)
	// net/http says the last one in words only: TLS was spoken to a server that answers HTTP.
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &host) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// metrics counts attempts.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_webhook_attempts_total", Help: "Attempts to deliver webhooks, by how they went.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ragify_webhook_attempt_duration_seconds", Help: "Time from the start of an attempt to deliver a webhook to the end of the answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
	}
	for _, outcome := range []job.AttemptOutcome{
		job.AttemptDelivered, job.AttemptRefused, job.AttemptGone, job.AttemptTimedOut, job.AttemptUnreachable, job.AttemptInsecure, job.AttemptNoAddress,
	} {
		m.attempts.WithLabelValues(string(outcome)) // zero is worth knowing
	}
	if registry == nil {
		return m, nil
	}
	return m, errors.Join(registry.Register(m.attempts), registry.Register(m.seconds))
}

func (m metrics) count(a job.Attempt) {
	m.attempts.WithLabelValues(string(a.Outcome)).Inc()
	m.seconds.Observe(a.Took.Seconds())
}
