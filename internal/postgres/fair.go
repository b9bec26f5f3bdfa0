package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// Accounts share the workers by start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): a job's place is the
// virtual time at which its account's turn has come, the later one of now and the end of the account's job before. Virtual
// now is the place of the job begun last. So an account's jobs keep their order, and twenty large jobs of one account wait
// behind the first of every other.

// jobCost is a job's length in virtual time beside its pages: fetching, opening and storing take about as long as converting
// so many pages.
const jobCost = 10

// book counts one more active job and reserves its pages, or refuses, in one statement: on a busy machine every journey to the
// database waits for several processes to get their turn. It gives the job's place in the queue; reserved is false when the
// month lacks the pages. The account's row is locked then.
func book(ctx context.Context, tx pgx.Tx, r reservation, p plan.Plan, now time.Time) (start float64, reserved bool, err error) {
	err = tx.QueryRow(ctx, `
		WITH slot AS (
			UPDATE accounts SET active_jobs = active_jobs + 1, queue_finish = $3 + greatest(
				CASE WHEN active_jobs > 0 THEN queue_finish END, (SELECT virtual_time FROM queue_clock))
			WHERE id = $1 AND deleted_at IS NULL AND ($2::int IS NULL OR active_jobs < $2) RETURNING queue_finish - $3 AS start
		), used AS (
			INSERT INTO page_usage AS u (account_id, period, pages)
			SELECT $1::text, $4::date, $5::int FROM slot WHERE $6::int IS NULL OR $5 <= $6
			ON CONFLICT (account_id, period) DO UPDATE SET pages = u.pages + excluded.pages
			WHERE $6::int IS NULL OR u.pages + excluded.pages <= $6 RETURNING period
		), entry AS (
			INSERT INTO page_ledger (account_id, job_id, kind, pages, period, created_at)
			SELECT $1, $7, $8, $5, period, $9 FROM used
		)
		SELECT start, EXISTS (SELECT FROM used) FROM slot`,
		r.account, p.MaxConcurrentJobs, float64(r.pages+jobCost), r.month, r.pages, p.PagesPerMonth, r.job, account.Reserve, now).
		Scan(&start, &reserved)
	if errors.Is(err, pgx.ErrNoRows) {
		err = whyNoSlot(ctx, tx, r.account, p)
	}
	return start, reserved, err
}

// whyNoSlot tells why an account gets no slot for another job.
func whyNoSlot(ctx context.Context, tx pgx.Tx, id account.ID, p plan.Plan) error {
	var active int
	var deleted bool
	err := tx.QueryRow(ctx, `SELECT active_jobs, deleted_at IS NOT NULL FROM accounts WHERE id = $1`, id).Scan(&active, &deleted)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errAccountNotFound()
	case err != nil:
		return err
	case deleted: // while the file was uploaded
		return errAccountDeleted()
	}
	// A job may have ended since the refusal; the sentence must still make sense.
	limit := *p.MaxConcurrentJobs
	return job.TooManyActive(max(active, limit), limit, p.Tier)
}

// releaseSlot counts one active job less. Only for a transaction that ends or deletes an active job.
func releaseSlot(ctx context.Context, tx pgx.Tx, id account.ID) error {
	_, err := tx.Exec(ctx, `UPDATE accounts SET active_jobs = active_jobs - 1 WHERE id = $1`, id)
	return err
}

// queueEpoch and queueUnit turn virtual time into what River sorts available work by, the time for which it is scheduled.
// It lies long past, so that the work is due at once; a thousand million pages are twelve days. At 1,000 pages
// converted in a second it runs as fast as the clock, and stays so long behind.
const queueUnit = time.Millisecond

func queueEpoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// dueAt is the time that stands for a place in the queue.
func dueAt(start float64) time.Time {
	return queueEpoch().Add(time.Duration(start * float64(queueUnit)))
}

// restorePlaces gives work that is to be tried again its place back: River has scheduled it for the end of its pause, behind
// everything. Not before that.
func (s *Store) restorePlaces(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE river_job q SET scheduled_at = $1::timestamptz + j.queue_start * $2 * interval '1 second'
		FROM jobs j WHERE j.status IN ('pending', 'processing') AND q.id = j.river_job_id
		AND q.state = 'available' AND q.scheduled_at BETWEEN j.created_at AND now()`, queueEpoch(), queueUnit.Seconds())
	return err
}
