package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// outlookAge is how old exported numbers about the queue may be: many scrapers cost one look.
	outlookAge = 5 * time.Second
	// outlookTimeout bounds a look; a scrape must not wait for a database that is away.
	outlookTimeout = 2 * time.Second
)

// outlook exports what the whole service has to do. It is the same on every node: take the maximum, not the sum.
type outlook struct {
	pool   *pgxpool.Pool
	logger *slog.Logger

	mu      sync.Mutex
	seen    time.Time // zero: the last look failed
	metrics []prometheus.Metric
}

func describeGlobal(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help+" The same on every node: use max, not sum.", labels, nil)
}

// outlookDescs are the metrics of an outlook.
type outlookDescs struct{ work, jobs, oldest, version *prometheus.Desc }

func describe() outlookDescs {
	return outlookDescs{
		work:    describeGlobal("ragify_queue_work", "Work of a queue that is not finished, by its state: available, running, or scheduled and retryable for later.", "queue", "state"),
		jobs:    describeGlobal("ragify_queue_jobs", "Jobs that are pending or processing. Each takes a slot of its account.", "status"),
		oldest:  describeGlobal("ragify_queue_oldest_wait_seconds", "How long the oldest job that no worker has begun has waited; 0 when none waits."),
		version: describeGlobal("ragify_postgres_schema_version", "Number of the newest migration of the database."),
	}
}

// Describe implements prometheus.Collector.
func (*outlook) Describe(out chan<- *prometheus.Desc) {
	d := describe()
	for _, desc := range []*prometheus.Desc{d.work, d.jobs, d.oldest, d.version} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. While the database is away it gives nothing: what is not known is not zero.
func (o *outlook) Collect(out chan<- prometheus.Metric) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen.IsZero() || time.Since(o.seen) > outlookAge {
		o.look()
	}
	for _, m := range o.metrics {
		out <- m
	}
}

func (o *outlook) look() {
	ctx, cancel := context.WithTimeout(context.Background(), outlookTimeout)
	defer cancel()
	metrics, err := o.read(ctx)
	if err != nil {
		o.seen, o.metrics = time.Time{}, nil
		o.logger.Debug("numbers about the queue cannot be exported", "error", err)
		return
	}
	o.seen, o.metrics = time.Now(), metrics
}

func (o *outlook) read(ctx context.Context) (metrics []prometheus.Metric, err error) {
	d := describe()
	add := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics = append(metrics, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...))
	}
	// The queues and states without work are there as well, as 0. The condition makes River's index on state serve.
	rows, err := o.pool.Query(ctx, `
		SELECT q, s, coalesce(n, 0) FROM unnest(ARRAY['convert', 'suspect', 'webhook', 'maintenance', 'erasure']) q
		CROSS JOIN unnest(ARRAY['available', 'running', 'scheduled', 'retryable']) s
		LEFT JOIN (
			SELECT queue, state::text AS state, count(*) AS n FROM river_job
			WHERE state IN ('available', 'running', 'scheduled', 'retryable') GROUP BY queue, state
		) w ON w.queue = q AND w.state = s`)
	if err != nil {
		return nil, err
	}
	var queue, state string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&queue, &state, &n}, func() error {
		add(d.work, float64(n), queue, state)
		return nil
	}); err != nil {
		return nil, err
	}
	var pending, processing, version int64
	var oldest float64
	err = o.pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
			coalesce(greatest(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'pending')), 0), 0)::float8,
			coalesce((SELECT max(version) FROM schema_migrations), 0)
		FROM jobs WHERE status IN ('pending', 'processing')`).Scan(&pending, &processing, &oldest, &version)
	add(d.jobs, float64(pending), "pending")
	add(d.jobs, float64(processing), "processing")
	add(d.oldest, oldest)
	add(d.version, float64(version))
	return metrics, err
}
