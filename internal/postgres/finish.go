package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

// StartJob makes an active job processing, its progress zero, and returns it. A job that has already
// ended is returned as it is: look at its Status. Fault: NotFound "job_not_found" when it was deleted.
func (s *Store) StartJob(ctx context.Context, id uuid.UUID) (_ job.Job, err error) {
	defer s.op(&ctx, &err, "postgres.StartJob(%s)", id)()
	r, err := s.scanRecord(s.pool.QueryRow(ctx, `
		WITH begun AS (
			UPDATE jobs SET status = 'processing', pages_done = 0, started_at = coalesce(started_at, $2), updated_at = $2
			WHERE id = $1 AND status IN ('pending', 'processing') RETURNING *
		), turned AS (
			UPDATE queue_clock SET virtual_time = b.queue_start FROM begun b WHERE virtual_time < b.queue_start
		)
		SELECT `+jobColumns+` FROM begun j`, id, s.now()))
	if fault.KindOf(err) == fault.NotFound {
		r, err = s.scanRecord(s.pool.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = $1`, id))
	}
	return r.Job, err
}

// SetProgress notes that done of the selected pages are converted; a number out of range is brought
// into it. Fault: NotFound "job_not_found" when the job is deleted or has ended: the work is in vain.
func (s *Store) SetProgress(ctx context.Context, id uuid.UUID, done int) (err error) {
	defer s.op(&ctx, &err, "postgres.SetProgress(%s)", id)()
	tag, err := s.pool.Exec(ctx, `
		UPDATE jobs SET pages_done = least(greatest($2::int, 0), pages_charged), updated_at = $3
		WHERE id = $1 AND status = 'processing'`, id, done, s.now())
	if err == nil && tag.RowsAffected() == 0 {
		err = errJobNotFound()
	}
	return err
}

// FinishJob ends an active job. In one transaction it writes the outcome, gives the slot back, and
// charges (done) or refunds (failed) the pages. complete, when not nil, runs in the same transaction,
// also when nothing was left to finish: then the job was deleted or had ended before, and finished is
// false.
func (s *Store) FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(ctx context.Context, tx pgx.Tx) error) (finished bool, err error) {
	defer s.op(&ctx, &err, "postgres.FinishJob(%s, %s)", id, o.Status)()
	if o.Status != job.Done && o.Status != job.Failed {
		return false, fmt.Errorf("a job cannot end as %q", o.Status)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		r, err := s.writeOutcome(ctx, tx, id, o)
		finished = err == nil
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if finished {
			if err := s.settle(ctx, tx, r); err != nil {
				return err
			}
		}
		if complete == nil {
			return nil
		}
		return complete(ctx, tx)
	})
	return finished && err == nil, err
}

// writeOutcome changes the state of an active job and returns it as it then is, locked. Fault: NotFound
// when there is no such active job.
func (s *Store) writeOutcome(ctx context.Context, tx pgx.Tx, id uuid.UUID, o job.Outcome) (record, error) {
	if o.Files == nil {
		o.Files = []job.File{}
	}
	warnings, err := encodeWarnings(o.Warnings)
	if err != nil {
		return record{}, err
	}
	files, err := json.Marshal(o.Files)
	if err != nil {
		return record{}, err
	}
	now := s.now()
	return s.scanRecord(tx.QueryRow(ctx, `
		UPDATE jobs j SET status = $2, error_code = $3, error_message = $4, warnings = $5, files = $6,
			pages_done = CASE WHEN $2 = 'done' THEN pages_charged ELSE pages_done END,
			finished_at = $7, updated_at = $7, expires_at = $8
		WHERE id = $1 AND status IN ('pending', 'processing') RETURNING `+jobColumns,
		id, o.Status, o.ErrorCode, cleanText(o.ErrorMessage), warnings, files, now, now.Add(s.retention)))
}

// encodeWarnings is what the column holds: an array, always.
func encodeWarnings(w []document.Warning) ([]byte, error) {
	if w == nil {
		w = []document.Warning{}
	}
	return json.Marshal(w)
}

// settle does what follows from the end of r: slot, pages, and whoever wants to know.
func (s *Store) settle(ctx context.Context, tx pgx.Tx, r record) error {
	if err := releaseSlot(ctx, tx, r.Account); err != nil {
		return err
	}
	settlePages := r.reservation().charge
	if r.Status == job.Failed {
		settlePages = r.reservation().refund
	}
	if err := settlePages(ctx, tx, *r.FinishedAt); err != nil {
		return err
	}
	return s.announce(ctx, tx, r.Job)
}

// Reconcile ends as failed every active job whose work the queue has given up or lost, so that its slot
// and pages come back, and brings work that is to be repeated back to its place. It returns the number of
// jobs ended, also with an error. A job that cannot be ended does not hold up the others. Any number of
// processes may do this at once.
func (s *Store) Reconcile(ctx context.Context) (ended int, err error) {
	defer s.op(&ctx, &err, "postgres.Reconcile")()
	ended, err = s.endLost(ctx)
	return ended, errors.Join(err, s.restorePlaces(ctx))
}

func (s *Store) endLost(ctx context.Context) (ended int, err error) {
	// Row and queue job are written in the same transactions, so one snapshot shows both in step. The queue notes
	// in the metadata of its work that a worker died over it.
	rows, err := s.pool.Query(ctx, `
		SELECT id, EXISTS (SELECT FROM river_job q WHERE q.id = j.river_job_id AND q.state = 'discarded' AND q.metadata ? 'crashed')
		FROM jobs j WHERE status IN ('pending', 'processing')
		AND NOT EXISTS (SELECT FROM river_job q WHERE q.id = j.river_job_id AND q.finalized_at IS NULL)`)
	if err != nil {
		return 0, err
	}
	type loss struct {
		id      uuid.UUID
		crashed bool
	}
	lost, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l loss, err error) {
		err = row.Scan(&l.id, &l.crashed)
		return l, err
	})
	if err != nil {
		return 0, err
	}
	var failures []error
	for _, l := range lost {
		outcome := job.Abandoned()
		if l.crashed {
			outcome = job.Crashed()
		}
		finished, err := s.FinishJob(ctx, l.id, outcome, nil)
		if finished {
			ended++
		}
		if err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
			break
		}
	}
	return ended, errors.Join(failures...)
}
