package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/job"
)

const (
	// orphanAge is how old an object without a job must be to be taken for an orphan: an upload is stored
	// before its job is written. It is more than the API allows for both (httpapi, storeTimeout), counted
	// from the upload's beginning, which is what S3 dates an object of several parts by.
	orphanAge = time.Hour
	// unfinishedAge is how old a half-stored object must be to be taken for a killed process's.
	unfinishedAge = 24 * time.Hour
	// sweepBatch is how many jobs are asked about at once.
	sweepBatch = 500
	// sweepFailures is how many jobs in a row may resist before a round is given up: the storage is away.
	sweepFailures = 10
	// maxPostponed bounds the jobs that a process remembers as resisting, 16 bytes each.
	maxPostponed = 10_000
	// orphanUnique keeps processes that start one after the other from listing the bucket again and again.
	orphanUnique = time.Hour
	// maintenanceWorkers is as many as there are kinds of periodic work, of each of which one runs at most:
	// a long listing must not keep expired files from going.
	maintenanceWorkers = 2
)

// maintenance is how River treats periodic work: never two of a kind at once, and no retries, for the
// next period comes anyway.
func maintenance() river.InsertOpts {
	return river.InsertOpts{
		Queue: maintenanceQueue, MaxAttempts: 1,
		UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
}

// The sweeps, and how their rounds end: labels of the metrics.
const (
	sweepExpire  = "expire"
	sweepOrphans = "orphans"
	roundOK      = "ok"
	roundFailed  = "failed"
)

// The steps of sweeps.
const (
	stepIdempotencyKeys = "idempotency_keys"
	stepDeliveries      = "deliveries"
	stepProviderEvents  = "provider_events"
	stepExpiredJobs     = "expired_jobs"
	stepOrphanedJobs    = "orphaned_jobs"
	stepUnfinished      = "unfinished_objects"
)

// sweepMetrics shows that the periodic work is done, and what it did. Any process may do a round, so the
// last success of all is the maximum over them.
type sweepMetrics struct {
	seconds *prometheus.HistogramVec
	success *prometheus.GaugeVec
	removed *prometheus.CounterVec
}

func newSweepMetrics(registry prometheus.Registerer) (*sweepMetrics, error) {
	m := &sweepMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ragify_queue_sweep_duration_seconds", Help: "Time that a round of periodic clean-up took.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600, 3600, 21600},
		}, []string{"sweep", "outcome"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ragify_queue_sweep_last_success_timestamp_seconds",
			Help: "When this process last did a round of periodic clean-up without a failure; 0: not since its start.",
		}, []string{"sweep"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_queue_sweep_removed_total", Help: "What periodic clean-up removed: the files of so many jobs, or records.",
		}, []string{"what"}),
	}
	for sweep, steps := range map[string][]string{
		sweepExpire:  {stepIdempotencyKeys, stepDeliveries, stepProviderEvents, stepExpiredJobs},
		sweepOrphans: {stepOrphanedJobs, stepUnfinished},
	} {
		m.success.WithLabelValues(sweep) // zero is what alerts have to see
		for _, outcome := range []string{roundOK, roundFailed} {
			m.seconds.WithLabelValues(sweep, outcome)
		}
		for _, what := range steps {
			m.removed.WithLabelValues(what)
		}
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.seconds, m.success, m.removed} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// step is a part of a round. It goes on where an earlier round broke off, does no harm when two do it at
// once, and says how much it removed also when it failed.
type step struct {
	what string // label of the metrics, name in the log
	do   func(context.Context) (removed int, err error)
}

// round does all steps of a sweep, whatever becomes of the others, and says in one line what it removed.
// Failures are returned: River's error handler logs them.
func (q *Queue) round(ctx context.Context, sweep string, steps ...step) error {
	began := time.Now()
	var failures []error
	var removed []any
	for _, s := range steps {
		n, err := s.do(ctx)
		q.sweeps.removed.WithLabelValues(s.what).Add(float64(n))
		if n > 0 {
			removed = append(removed, s.what, n)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.what, err))
		}
	}
	took := time.Since(began)
	if len(removed) > 0 {
		q.logger.InfoContext(ctx, "cleaned up", append(removed, "sweep", sweep, "took", took)...)
	}
	outcome := roundOK
	if len(failures) > 0 {
		outcome = roundFailed
	} else {
		q.sweeps.success.WithLabelValues(sweep).SetToCurrentTime()
	}
	q.sweeps.seconds.WithLabelValues(sweep, outcome).Observe(took.Seconds())
	return errors.Join(failures...)
}

// expireArgs is one round of forgetting what has expired.
type expireArgs struct{}

// Kind names the work to River.
func (expireArgs) Kind() string { return "expire" }

// InsertOpts says how River treats it.
func (expireArgs) InsertOpts() river.InsertOpts { return maintenance() }

type expirer struct {
	river.WorkerDefaults[expireArgs]

	q *Queue
}

// Work does one round.
func (e *expirer) Work(ctx context.Context, _ *river.Job[expireArgs]) error { return e.q.Expire(ctx) }

// Expire deletes the files of jobs whose retention is over and forgets what else is too old: idempotency
// keys, deliveries of webhooks, events of providers. One elected process has this done every minute, or as
// often as RETENTION if that is less.
func (q *Queue) Expire(ctx context.Context) error {
	return q.round(ctx, sweepExpire,
		step{stepIdempotencyKeys, records(q.c.Store.PurgeIdempotencyKeys)},
		step{stepDeliveries, records(q.c.Store.PurgeDeliveries)},
		step{stepProviderEvents, records(q.c.Store.PurgeProviderEvents)},
		step{stepExpiredJobs, q.expireFiles})
}

// records fits a purge of records into a step.
func records(purge func(context.Context) (int64, error)) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		n, err := purge(ctx)
		return int(n), err
	}
}

// expireFiles deletes the files of all jobs that are due, longest overdue first. One that resists does not
// hold up the others: it is left for another round. Where sweepFailures in a row resist, the round ends,
// and the next one begins behind them.
func (q *Queue) expireFiles(ctx context.Context) (removed int, err error) {
	q.expiring.Lock() // of rounds in this process; those of others do no harm
	defer q.expiring.Unlock()
	var failures []error
	for inARow := 0; ; {
		ids, err := q.c.Store.ExpiredJobs(ctx, sweepBatch, q.postponed...)
		if err != nil {
			return removed, errors.Join(append(failures, err)...)
		}
		for _, id := range ids {
			// Files first: a round that dies in between is repeated by the next.
			err := q.c.Blobs.DeletePrefix(ctx, job.Prefix(id))
			if err == nil {
				err = q.c.Store.MarkExpired(ctx, id)
			}
			if err == nil {
				removed++
				inARow = 0
				continue
			}
			failures = append(failures, fmt.Errorf("job %s: %w", id, err))
			if q.postponed = append(q.postponed, id); len(q.postponed) > maxPostponed {
				q.postponed = nil
			}
			if inARow++; inARow == sweepFailures || ctx.Err() != nil {
				return removed, errors.Join(failures...)
			}
		}
		if len(ids) < sweepBatch {
			q.postponed = nil // all have had their turn
			return removed, errors.Join(failures...)
		}
	}
}

// orphanArgs is one round of looking for files without a job.
type orphanArgs struct{}

// Kind names the work to River.
func (orphanArgs) Kind() string { return "sweep_orphans" }

// InsertOpts says how River treats it.
func (orphanArgs) InsertOpts() river.InsertOpts {
	o := maintenance()
	o.UniqueOpts.ByPeriod = orphanUnique
	o.UniqueOpts.ByState = append(o.UniqueOpts.ByState, rivertype.JobStateCompleted)
	return o
}

type orphanSweeper struct {
	river.WorkerDefaults[orphanArgs]

	q *Queue
}

// Timeout lifts River's limit: listing a large bucket takes its time.
func (*orphanSweeper) Timeout(*river.Job[orphanArgs]) time.Duration { return orphanInterval }

// Work does one round.
func (o *orphanSweeper) Work(ctx context.Context, _ *river.Job[orphanArgs]) error {
	return o.q.SweepOrphans(ctx)
}

// SweepOrphans deletes files under jobs/ that are older than an hour and whose job is unknown, or has
// had its files deleted: refused uploads whose removal failed, results stored after a deletion. It also
// removes what has been half-stored for a day. One elected process has this done every six hours.
//
// No file of a living job goes. A job's id is made anew for each upload, whose file is younger than
// orphanAge until the job's row is committed; from then on, until its files are noted as deleted, the row
// keeps whatever is stored under its prefix, and nothing undeletes a row or un-notes that.
func (q *Queue) SweepOrphans(ctx context.Context) error {
	root, _, _ := strings.Cut(job.Prefix(uuid.Nil), uuid.Nil.String())
	return q.round(ctx, sweepOrphans,
		step{stepOrphanedJobs, func(ctx context.Context) (int, error) { return q.sweepPrefixes(ctx, root) }},
		step{stepUnfinished, func(ctx context.Context) (int, error) {
			return q.c.Blobs.RemoveUnfinished(ctx, root, q.c.Now().Add(-unfinishedAge))
		}})
}

// sweepPrefixes goes once through everything stored under root. Files of a job come one after the other,
// so that no more than one batch of jobs is remembered, however many there are.
func (q *Queue) sweepPrefixes(ctx context.Context, root string) (removed int, err error) {
	cutoff := q.c.Now().Add(-orphanAge)
	var (
		batch    []uuid.UUID // jobs whose files are all old
		current  uuid.UUID
		isOld    bool // all files of current seen so far
		failures []error
	)
	leave := func() {
		if isOld {
			batch = append(batch, current)
		}
		isOld = false
	}
	flush := func() error {
		n, err := q.removeOrphans(ctx, batch)
		removed += n
		batch = batch[:0]
		if err != nil {
			failures = append(failures, err)
		}
		if len(failures) == sweepFailures {
			return errors.New("given up")
		}
		return ctx.Err()
	}
	err = q.c.Blobs.List(ctx, root, func(key string, modified time.Time) error {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, root), "/")
		id, err := uuid.Parse(name)
		if err != nil || !strings.HasPrefix(key, job.Prefix(id)) {
			return nil // not ours
		}
		if id != current {
			leave()
			current, isOld = id, true
		}
		isOld = isOld && modified.Before(cutoff)
		if len(batch) < sweepBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return removed, errors.Join(append(failures, fmt.Errorf("list the files: %w", err))...)
	}
	leave()
	if len(batch) > 0 {
		_ = flush() // among failures
	}
	return removed, errors.Join(failures...)
}

// removeOrphans removes the files of those of ids that own none any more.
func (q *Queue) removeOrphans(ctx context.Context, ids []uuid.UUID) (removed int, err error) {
	orphans, err := q.c.Store.Orphans(ctx, ids)
	if err != nil {
		return 0, err
	}
	var failures []error
	for _, id := range orphans {
		if err := q.c.Blobs.DeletePrefix(ctx, job.Prefix(id)); err != nil {
			failures = append(failures, fmt.Errorf("job %s: %w", id, err))
			if len(failures) == sweepFailures {
				break
			}
			continue
		}
		removed++
		q.logger.InfoContext(ctx, "removed files without a job", "job", id)
	}
	return removed, errors.Join(failures...)
}
