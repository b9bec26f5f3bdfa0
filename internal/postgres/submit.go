package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// idempotencyWindow is how long an Idempotency-Key gives the first answer again.
const idempotencyWindow = 24 * time.Hour

// Submit makes a job of sub within the limits of p: in one transaction it takes a job slot, reserves
// the pages, enqueues the work and writes the job. However many submissions run in parallel, the limits
// hold, and a refusal leaves nothing behind. With an Idempotency-Key that was used for the same request
// in the last 24 hours it takes nothing and returns that job, replayed.
//
// Faults: TooManyActive and QuotaExceeded as job.TooManyActive and job.QuotaExceeded make them; Invalid
// "idempotency_key_reused" when the key belongs to another file or other options; NotFound
// "account_not_found".
func (s *Store) Submit(ctx context.Context, sub job.Submission, p plan.Plan) (j job.Job, replayed bool, err error) {
	defer s.op(&ctx, &err, "postgres.Submit(%s)", sub.ID)()
	options, err := json.Marshal(sub.Options)
	if err != nil {
		return job.Job{}, false, err
	}
	warnings, err := encodeWarnings(sub.Warnings)
	if err != nil {
		return job.Job{}, false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now := s.now()
		// The key comes first: a parallel repetition waits here, holding neither slot nor lock.
		prior, err := s.claimKey(ctx, tx, sub, now)
		if err != nil {
			return err
		}
		if replayed = prior != nil; replayed {
			j = *prior
			return nil
		}
		// The account's row is the one that parallel submissions of an account queue up at.
		held := reservation{account: sub.Account, job: sub.ID, month: account.PeriodOf(now).Start, pages: sub.PagesCharged}
		start, reserved, err := book(ctx, tx, held, p, now)
		if err != nil {
			return err
		}
		if !reserved {
			used, err := pagesUsed(ctx, tx, sub.Account, held.month)
			if err != nil {
				return err
			}
			return job.QuotaExceeded(sub.PageCount, sub.PagesCharged, used, *p.PagesPerMonth, p.Tier)
		}
		riverID, err := s.enqueue(ctx, tx, sub.ID, dueAt(start))
		if err != nil {
			return err
		}
		r, err := s.scanRecord(tx.QueryRow(ctx, `
			INSERT INTO jobs AS j (id, account_id, status, options, file_name, file_size, page_count, pages_charged,
				warnings, period, webhook_url, river_job_id, created_at, updated_at, expires_at, queue_start)
			VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14)
			RETURNING `+jobColumns,
			sub.ID, sub.Account, options, cleanText(sub.FileName), sub.FileSize, sub.PageCount, sub.PagesCharged,
			warnings, held.month, sub.WebhookURL, riverID, now, now.Add(s.retention), start))
		j = r.Job
		return err
	})
	if err != nil {
		return job.Job{}, false, err
	}
	return j, replayed, nil
}

// claimKey takes the submission's idempotency key for it, or returns the job that has it. A parallel
// transaction with the same key is waited for. The row stays locked until tx ends, so the returned job
// cannot be deleted meanwhile.
func (s *Store) claimKey(ctx context.Context, tx pgx.Tx, sub job.Submission, now time.Time) (prior *job.Job, err error) {
	if sub.IdempotencyKey == "" {
		return nil, nil
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO idempotency_keys AS k (account_id, key, job_id, file_sha256, options_hash, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account_id, key) DO UPDATE
		SET job_id = excluded.job_id, file_sha256 = excluded.file_sha256, options_hash = excluded.options_hash, expires_at = excluded.expires_at
		WHERE k.expires_at <= $7`,
		sub.Account, sub.IdempotencyKey, sub.ID, sub.FileSHA256[:], sub.OptionsHash[:], now.Add(idempotencyWindow), now)
	if err != nil || tag.RowsAffected() == 1 {
		return nil, err
	}
	first, _, err := keyOwner(ctx, tx, sub.Account, sub.IdempotencyKey, now)
	if err != nil {
		return nil, err
	}
	if !sub.Repeats(first) {
		return nil, job.KeyReused()
	}
	r, err := s.scanRecord(tx.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = $1`, first.ID))
	return &r.Job, err
}

// IdempotentJob finds the submission that used the key in the last 24 hours: its ID, Account,
// IdempotencyKey, FileSHA256 and OptionsHash.
func (s *Store) IdempotentJob(ctx context.Context, id account.ID, key string) (sub job.Submission, found bool, err error) {
	defer s.op(&ctx, &err, "postgres.IdempotentJob(%s)", id)()
	return keyOwner(ctx, s.pool, id, key, s.now())
}

func keyOwner(ctx context.Context, q queryer, id account.ID, key string, now time.Time) (sub job.Submission, found bool, err error) {
	var jobID uuid.UUID
	var file, options []byte
	err = q.QueryRow(ctx, `
		SELECT job_id, file_sha256, options_hash FROM idempotency_keys
		WHERE account_id = $1 AND key = $2 AND expires_at > $3`, id, key, now).Scan(&jobID, &file, &options)
	if errors.Is(err, pgx.ErrNoRows) {
		return job.Submission{}, false, nil
	}
	if err != nil {
		return job.Submission{}, false, err
	}
	return job.Submission{
		ID: jobID, Account: id, IdempotencyKey: key,
		FileSHA256: [32]byte(file), OptionsHash: [32]byte(options), // lengths: a CHECK of the table
	}, true, nil
}

// cleanText makes s acceptable to Postgres, which takes neither NUL nor invalid UTF-8 in a text.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
