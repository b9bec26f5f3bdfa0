package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ragify/ragify/internal/tracing"
)

// fastTimes are the buckets of statements and operations, in seconds.
var fastTimes = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}

// statements measures everything that goes over the pool's connections, the queue's own statements included.
type statements struct {
	seconds prometheus.Histogram
	failed  prometheus.Counter
}

func newStatements(registry prometheus.Registerer) *statements {
	f := promauto.With(registry)
	return &statements{
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ragify_postgres_statement_duration_seconds", Help: "Time of the statements sent to Postgres, those of the queue included.", Buckets: fastTimes,
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "ragify_postgres_statements_failed_total", Help: "Statements that Postgres refused or did not answer, and those that were cancelled.",
		}),
	}
}

type sentKey struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (*statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, sentKey{}, time.Now())
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s *statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if sent, ok := ctx.Value(sentKey{}).(time.Time); ok {
		s.seconds.Observe(time.Since(sent).Seconds())
	}
	if data.Err != nil {
		s.failed.Inc()
	}
}

// registerPool exports the state of a pool.
func registerPool(registry prometheus.Registerer, pool *pgxpool.Pool) {
	f := promauto.With(registry)
	gauge := func(name, help string, value func(*pgxpool.Stat) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(pool.Stat()) })
	}
	counter := func(name, help string, value func(*pgxpool.Stat) float64) {
		f.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return value(pool.Stat()) })
	}
	gauge("ragify_postgres_connections_max", "Connections that this process's pool may have.", func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) })
	gauge("ragify_postgres_connections_in_use", "Connections of the pool at work.", func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) })
	gauge("ragify_postgres_connections_idle", "Connections of the pool without work.", func(s *pgxpool.Stat) float64 { return float64(s.IdleConns()) })
	counter("ragify_postgres_acquires_total", "Connections taken from the pool.", func(s *pgxpool.Stat) float64 { return float64(s.AcquireCount()) })
	counter("ragify_postgres_acquires_waited_total", "Connections that had to be waited for, because the pool had none idle.",
		func(s *pgxpool.Stat) float64 { return float64(s.EmptyAcquireCount()) })
	counter("ragify_postgres_acquires_canceled_total", "Connections that were waited for in vain.", func(s *pgxpool.Stat) float64 { return float64(s.CanceledAcquireCount()) })
	counter("ragify_postgres_acquire_wait_seconds_total", "Time spent on waiting for connections.", func(s *pgxpool.Stat) float64 { return s.EmptyAcquireWaitTime().Seconds() })
}

// registerWatchers exports who waits for changes of jobs, and whether this process hears of them.
func registerWatchers(registry prometheus.Registerer, w *watchers) {
	f := promauto.With(registry)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_postgres_watched_jobs", Help: "Jobs whose changes somebody waits for, on event streams or otherwise.",
	}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		return float64(len(w.byJob))
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_postgres_listening", Help: "1 while this process hears of changes of jobs over a connection of its own, else 0; it has one while it watches jobs.",
	}, func() float64 {
		if w.listening.Load() {
			return 1
		}
		return 0
	})
}

func newOperations(registry prometheus.Registerer) *prometheus.HistogramVec {
	return promauto.With(registry).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ragify_postgres_operation_duration_seconds",
		Help:    "Time of the service's operations on its database: several statements often, and the wait for a connection.",
		Buckets: fastTimes,
	}, []string{"operation"})
}

// op begins an exported operation, named "postgres.Name(arguments)": it measures it and makes it a span. What it gives
// ends it as the function op does. Use as defer s.op(&ctx, &err, "postgres.Submit(%s)", id)().
func (s *Store) op(ctx *context.Context, err *error, format string, args ...any) func() {
	name, _, _ := strings.Cut(format, "(")
	began := time.Now()
	inner, span := tracing.Start(*ctx, name)
	*ctx = inner
	return func() {
		s.operations.WithLabelValues(strings.TrimPrefix(name, "postgres.")).Observe(time.Since(began).Seconds())
		op(err, format, args...)
		tracing.End(span, *err)
	}
}
