package postgres

import (
	"context"

	"github.com/ragify/ragify/internal/job"
)

const (
	// backlogParts is how many stretches the queue is told in: with 10,000 jobs, each is one of 150.
	backlogParts = 64
	// speedSample is how many of the last conversions, at most an hour old, tell the workers' speed.
	speedSample = 100
)

// Backlog looks at all work that is not done: one scan of the active jobs, milliseconds for 10,000. It is meant to be
// shared by everybody who asks within a second.
func (s *Store) Backlog(ctx context.Context) (b job.Backlog, err error) {
	defer s.op(&ctx, &err, "postgres.Backlog")()
	var first, last, work []float64
	// The ledger knows the pages of jobs that were deleted since.
	err = s.pool.QueryRow(ctx, `
		WITH active AS MATERIALIZED (
			SELECT status, queue_start, pages_charged + $1::float8 AS work, pages_done FROM jobs WHERE status IN ('pending', 'processing')
		), parts AS (
			SELECT min(queue_start) AS first, max(queue_start) AS last, sum(work) AS work
			FROM (SELECT queue_start, work, ntile($2) OVER (ORDER BY queue_start) AS part FROM active WHERE status = 'pending') w
			GROUP BY part
		), sample AS (
			SELECT (args->>'job_id')::uuid AS job_id, extract(epoch FROM finalized_at - attempted_at)::float8 AS seconds FROM river_job
			WHERE state = 'completed' AND kind = 'convert' AND finalized_at > now() - interval '1 hour'
			ORDER BY finalized_at DESC LIMIT $3
		)
		SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
			coalesce(sum(work - pages_done) FILTER (WHERE status = 'processing'), 0),
			(SELECT coalesce(array_agg(first ORDER BY first), '{}') FROM parts),
			(SELECT coalesce(array_agg(last ORDER BY first), '{}') FROM parts),
			(SELECT coalesce(array_agg(work ORDER BY first), '{}') FROM parts),
			(SELECT coalesce(sum(l.pages + $1) / nullif(sum(seconds), 0), 0) FROM sample s JOIN page_ledger l ON l.job_id = s.job_id AND l.kind = 'charge')
		FROM active`, float64(jobCost), backlogParts, speedSample).
		Scan(&b.Waiting, &b.Running, &b.Rest, &first, &last, &work, &b.Speed)
	for i := range first {
		b.Queue = append(b.Queue, job.BacklogPart{First: first[i], Last: last[i], Work: work[i]})
	}
	return b, err
}
