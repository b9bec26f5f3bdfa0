package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
)

// jobColumns are what scanRecord reads of a job j, its position among the account's waiting ones counted.
const jobColumns = jobFields + `, CASE j.status WHEN 'pending' THEN 1 + (
	SELECT count(*) FROM jobs w WHERE w.account_id = j.account_id AND w.status = 'pending' AND w.queue_start < j.queue_start) ELSE 0 END`

const jobFields = `j.id, j.account_id, j.status, j.options, j.file_name, j.file_size, j.page_count, j.pages_charged,
	j.pages_done, j.error_code, j.error_message, j.warnings, j.files, j.webhook_url,
	j.created_at, j.updated_at, j.started_at, j.finished_at, j.expires_at, j.period, j.river_job_id, j.queue_start`

// record is a row of jobs: the job, and what only this package needs to know of it.
type record struct {
	job.Job
	month   time.Time // whose pages it holds: first day, UTC
	riverID int64
}

// reservation is the pages that the job holds.
func (r record) reservation() reservation {
	return reservation{account: r.Account, job: r.ID, month: r.month, pages: r.PagesCharged}
}

func errJobNotFound() error {
	return fault.New(fault.NotFound, "job_not_found", "There is no such job.")
}

// scanRecord reads jobColumns. A job whose files have expired shows none, whether or not the sweep has
// been there.
func (s *Store) scanRecord(row pgx.Row) (r record, err error) {
	var options, warnings, files []byte
	err = row.Scan(&r.ID, &r.Account, &r.Status, &options, &r.FileName, &r.FileSize, &r.PageCount, &r.PagesCharged,
		&r.PagesDone, &r.ErrorCode, &r.ErrorMessage, &warnings, &files, &r.WebhookURL,
		&r.CreatedAt, &r.UpdatedAt, &r.StartedAt, &r.FinishedAt, &r.ExpiresAt, &r.month, &r.riverID, &r.Place, &r.Position)
	if errors.Is(err, pgx.ErrNoRows) {
		return record{}, errJobNotFound()
	}
	if err != nil {
		return record{}, err
	}
	r.Options = option.Default() // for options that are younger than the row
	for what, part := range map[string]struct {
		data []byte
		into any
	}{"options": {options, &r.Options}, "warnings": {warnings, &r.Warnings}, "files": {files, &r.Files}} {
		if err := json.Unmarshal(part.data, part.into); err != nil {
			return record{}, fmt.Errorf("job %s: %s: %w", r.ID, what, err)
		}
	}
	r.CreatedAt, r.UpdatedAt, r.ExpiresAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC(), r.ExpiresAt.UTC()
	r.StartedAt, r.FinishedAt = utc(r.StartedAt), utc(r.FinishedAt)
	if !s.now().Before(r.ExpiresAt) {
		r.Files = nil
	}
	return r, nil
}

// Job finds a job of the account. Fault: NotFound "job_not_found", also for another account's job.
func (s *Store) Job(ctx context.Context, acct account.ID, id uuid.UUID) (_ job.Job, err error) {
	defer s.op(&ctx, &err, "postgres.Job(%s)", id)()
	r, err := s.scanRecord(s.pool.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = $1 AND account_id = $2`, id, acct))
	return r.Job, err
}

// Jobs lists the account's jobs, newest first: page page (from 1) of size jobs, and how many there are
// in all. A status other than "" counts and lists only jobs in that state.
func (s *Store) Jobs(ctx context.Context, acct account.ID, status job.Status, page, size int) (jobs []job.Job, total int, err error) {
	defer s.op(&ctx, &err, "postgres.Jobs(%s)", acct)()
	where, args := `account_id = $1`, []any{acct}
	if status != "" {
		where, args = `account_id = $1 AND status = $2`, append(args, status)
	}
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM jobs WHERE `+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	skip, ok := rowsBefore(page, size, total)
	if !ok {
		return []job.Job{}, total, nil
	}
	// Positions are counted once, not by jobColumns for every row.
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
		WITH waiting AS (
			SELECT id, row_number() OVER (ORDER BY queue_start) AS position FROM jobs WHERE account_id = $1 AND status = 'pending'
		), listed AS (
			SELECT * FROM jobs WHERE %s ORDER BY created_at DESC, id DESC LIMIT %d OFFSET %d
		)
		SELECT %s, coalesce(w.position, 0) FROM listed j LEFT JOIN waiting w USING (id) ORDER BY j.created_at DESC, j.id DESC`,
		where, size, skip, jobFields), args...)
	if err != nil {
		return nil, 0, err
	}
	jobs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (job.Job, error) {
		r, err := s.scanRecord(row)
		return r.Job, err
	})
	return jobs, total, err
}

// DeleteJob removes a job's record. An active job is cancelled: its work is taken off the queue, its
// slot and its pages are given back. An ended one's webhook leaves the queue. The caller removes the files under job.Prefix(id). Fault:
// NotFound "job_not_found".
func (s *Store) DeleteJob(ctx context.Context, acct account.ID, id uuid.UUID) (err error) {
	defer s.op(&ctx, &err, "postgres.DeleteJob(%s)", id)()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		r, err := s.scanRecord(tx.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = $1 AND account_id = $2 FOR UPDATE`, id, acct))
		if err != nil {
			return err
		}
		// Before the account's row is locked, as in Submit: the other order could deadlock.
		if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE job_id = $1`, id); err != nil {
			return err
		}
		if r.Status.Active() {
			if err := s.takeBack(ctx, tx, r); err != nil {
				return err
			}
		} else if r.WebhookURL != "" {
			if _, err := withdrawDeliveries(ctx, tx, map[string]any{"body": map[string]any{"data": map[string]any{"id": id}}}); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `DELETE FROM jobs WHERE id = $1`, id)
		return err
	})
}

// takeBack gives the slot and the pages of an active job that is being deleted back, and takes its work off the queue.
func (s *Store) takeBack(ctx context.Context, tx pgx.Tx, r record) error {
	if err := releaseSlot(ctx, tx, r.Account); err != nil {
		return err
	}
	if err := r.reservation().refund(ctx, tx, s.now()); err != nil {
		return err
	}
	return s.cancel(ctx, tx, r.riverID)
}

// ExpiredJobs finds up to limit ended jobs whose files are due for deletion, longest overdue first, those
// of skip left out.
func (s *Store) ExpiredJobs(ctx context.Context, limit int, skip ...uuid.UUID) (_ []uuid.UUID, err error) {
	defer s.op(&ctx, &err, "postgres.ExpiredJobs")()
	rows, err := s.pool.Query(ctx, `
		SELECT id FROM jobs
		WHERE files_deleted_at IS NULL AND status IN ('done', 'failed') AND expires_at <= $1 AND id <> ALL (coalesce($3::uuid[], '{}'))
		ORDER BY expires_at LIMIT $2`, s.now(), limit, skip)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// MarkExpired notes that the files of an ended job are deleted. The record stays.
func (s *Store) MarkExpired(ctx context.Context, id uuid.UUID) (err error) {
	defer s.op(&ctx, &err, "postgres.MarkExpired(%s)", id)()
	_, err = s.pool.Exec(ctx, `
		UPDATE jobs SET files = '[]', files_deleted_at = $2
		WHERE id = $1 AND files_deleted_at IS NULL AND status IN ('done', 'failed')`, id, s.now())
	return err
}

// Orphans tells which of ids own no files any more: the job is unknown, or its files are noted as
// deleted.
func (s *Store) Orphans(ctx context.Context, ids []uuid.UUID) (_ []uuid.UUID, err error) {
	defer s.op(&ctx, &err, "postgres.Orphans(%d)", len(ids))()
	rows, err := s.pool.Query(ctx, `
		SELECT i.id FROM unnest($1::uuid[]) AS i (id)
		WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = i.id AND j.files_deleted_at IS NULL)`, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// purgeBatch is how many records are deleted at once, so that no transaction holds its locks for long.
const purgeBatch = 5000

// PurgeIdempotencyKeys forgets the keys that may be used anew, and returns their number.
func (s *Store) PurgeIdempotencyKeys(ctx context.Context) (purged int64, err error) {
	defer s.op(&ctx, &err, "postgres.PurgeIdempotencyKeys")()
	for {
		// A key that is taken anew meanwhile is locked, and stays.
		tag, err := s.pool.Exec(ctx, `
			DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
				SELECT ctid FROM idempotency_keys WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, s.now(), purgeBatch)
		purged += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < purgeBatch {
			return purged, err
		}
	}
}
