package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/job"
)

const (
	// orphanAge is how old an object without a job must be to be taken for an orphan: an upload is
	// stored before its job is written.
	orphanAge = time.Hour
	// sweepBatch is how many jobs are asked about at once.
	sweepBatch = 500
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

// Expire deletes the files of jobs whose retention is over and forgets idempotency keys that may be
// used anew. One elected process does this by itself every ten minutes.
func (q *Queue) Expire(ctx context.Context) error {
	if _, err := q.c.Store.PurgeIdempotencyKeys(ctx); err != nil {
		return err
	}
	if _, err := q.c.Store.PurgeDeliveries(ctx); err != nil {
		return err
	}
	if _, err := q.c.Store.PurgeProviderEvents(ctx); err != nil {
		return err
	}
	for {
		ids, err := q.c.Store.ExpiredJobs(ctx, sweepBatch)
		if err != nil {
			return err
		}
		var failed []error
		for _, id := range ids {
			// Files first: a round that dies in between is repeated by the next.
			err := q.c.Blobs.DeletePrefix(ctx, job.Prefix(id))
			if err == nil {
				err = q.c.Store.MarkExpired(ctx, id)
			}
			failed = append(failed, err)
		}
		if err := errors.Join(failed...); err != nil || len(ids) < sweepBatch {
			return err
		}
	}
}

// orphanArgs is one round of looking for files without a job.
type orphanArgs struct{}

// Kind names the work to River.
func (orphanArgs) Kind() string { return "sweep_orphans" }

// InsertOpts says how River treats it.
func (orphanArgs) InsertOpts() river.InsertOpts { return maintenance() }

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
// had its files deleted: refused uploads whose removal failed, results stored after a deletion. One
// elected process does this by itself every six hours.
func (q *Queue) SweepOrphans(ctx context.Context) error {
	candidates, err := q.oldPrefixes(ctx)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(candidates, sweepBatch) {
		orphans, err := q.c.Store.Orphans(ctx, batch)
		if err != nil {
			return err
		}
		for _, id := range orphans {
			if err := q.c.Blobs.DeletePrefix(ctx, job.Prefix(id)); err != nil {
				return err
			}
			q.logger.InfoContext(ctx, "removed files without a job", "job", id)
		}
	}
	return nil
}

// oldPrefixes lists the jobs that have files, all of them older than orphanAge.
func (q *Queue) oldPrefixes(ctx context.Context) (old []uuid.UUID, err error) {
	cutoff := q.c.Now().Add(-orphanAge)
	onlyOld := make(map[uuid.UUID]bool)
	root, _, _ := strings.Cut(job.Prefix(uuid.Nil), uuid.Nil.String())
	err = q.c.Blobs.List(ctx, root, func(key string, modified time.Time) error {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, root), "/")
		id, err := uuid.Parse(name)
		if err != nil || !strings.HasPrefix(key, job.Prefix(id)) {
			return nil // not ours
		}
		was, seen := onlyOld[id]
		onlyOld[id] = modified.Before(cutoff) && (was || !seen)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	for id, isOld := range onlyOld {
		if isOld {
			old = append(old, id)
		}
	}
	return old, nil
}
