package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// eraseBatch is how many jobs one step of an erasure takes: a transaction of some ten milliseconds, and
// one piece of work for the deletion of their files.
const eraseBatch = 500

func errAccountDeleted() error {
	return fault.New(fault.Unauthenticated, "account_deleted", "This account was deleted.")
}

// DeleteAccount ends an account: from the next request on, on every node, its keys and its user's
// session tokens are refused, and its address is free again. What belongs to it is removed by the queue
// soon after. Fault: NotFound "account_not_found".
func (s *Store) DeleteAccount(ctx context.Context, id account.ID) (err error) {
	defer s.op(&ctx, &err, "postgres.DeleteAccount(%s)", id)()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var user string
		err := tx.QueryRow(ctx, `SELECT coalesce(clerk_user, '') FROM accounts WHERE id = $1 AND deleted_at IS NULL`, id).Scan(&user)
		if errors.Is(err, pgx.ErrNoRows) {
			return errAccountNotFound()
		}
		if err != nil {
			return err
		}
		if user != "" { // before the account's row is locked, as where accounts are made
			if err := buryClerkUser(ctx, tx, user, s.now()); err != nil {
				return err
			}
		}
		return s.closeAccount(ctx, tx, id)
	})
}

// closeAccount takes an account's access and its user's data away and enqueues the rest of its deletion.
// An account that is closed already stays as it is. The account's row is locked then: a submission or a
// new key comes before, and is removed with the rest, or finds the account deleted.
func (s *Store) closeAccount(ctx context.Context, tx pgx.Tx, id account.ID) error {
	now := s.now()
	// The id stands in for the address, which may be taken anew while the row is still there.
	var user string
	err := tx.QueryRow(ctx, `
		UPDATE accounts a SET deleted_at = $2, email = a.id, clerk_user = NULL, tier = 'free', webhook_url = ''
		FROM (SELECT id, clerk_user FROM accounts WHERE id = $1 FOR UPDATE) old
		WHERE a.id = old.id AND a.deleted_at IS NULL RETURNING coalesce(old.clerk_user, '')`, id, now).Scan(&user)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE api_keys SET is_active = false, revoked_at = $2 WHERE account_id = $1 AND is_active`, id, now); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM subscriptions WHERE account_ref = $1 OR account_ref = nullif($2, '')`, id, user); err != nil {
		return err
	}
	return s.erase(ctx, tx, id)
}

// EraseAccount does one step of removing what belongs to a deleted account; call it until it is done.
// Jobs go first, the active ones before the others, then their webhooks, the ledger, and the account itself. Each step
// is one short transaction that leaves the books right, so it may be interrupted and repeated by anyone.
func (s *Store) EraseAccount(ctx context.Context, id account.ID) (done bool, err error) {
	defer s.op(&ctx, &err, "postgres.EraseAccount(%s)", id)()
	var deleted bool
	err = s.pool.QueryRow(ctx, `SELECT deleted_at IS NOT NULL FROM accounts WHERE id = $1`, id).Scan(&deleted)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !deleted {
		return false, errors.New("the account is not deleted")
	}
	for _, step := range []func(context.Context, pgx.Tx, account.ID) (more bool, err error){
		s.eraseActiveJobs, s.eraseEndedJobs, eraseDeliveries, eraseLedger, eraseRest,
	} {
		var more bool
		err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
			more, err = step(ctx, tx, id)
			return err
		})
		if err != nil || more {
			return false, err
		}
	}
	return true, nil
}

// eraseActiveJobs removes active jobs as DeleteJob does.
func (s *Store) eraseActiveJobs(ctx context.Context, tx pgx.Tx, id account.ID) (more bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT `+jobColumns+` FROM jobs j WHERE account_id = $1 AND status IN ('pending', 'processing')
		ORDER BY id LIMIT $2 FOR UPDATE`, id, eraseBatch)
	if err != nil {
		return false, err
	}
	active, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (record, error) { return s.scanRecord(row) })
	if err != nil || len(active) == 0 {
		return false, err
	}
	ids := make([]uuid.UUID, len(active))
	for i, r := range active {
		ids[i] = r.ID
	}
	if err := s.eraseJobs(ctx, tx, ids); err != nil {
		return false, err
	}
	for _, r := range active {
		if err := s.takeBack(ctx, tx, r); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *Store) eraseEndedJobs(ctx context.Context, tx pgx.Tx, id account.ID) (more bool, err error) {
	// In the order of an index of the account's own jobs: in that of their ids each step would pass by those of all others.
	rows, err := tx.Query(ctx, `
		SELECT id FROM jobs WHERE account_id = $1 AND status IN ('done', 'failed')
		ORDER BY created_at DESC, id DESC LIMIT $2 FOR UPDATE`, id, eraseBatch)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return false, err
	}
	return true, s.eraseJobs(ctx, tx, ids)
}

// eraseJobs removes the records of jobs, and enqueues the removal of their files.
func (s *Store) eraseJobs(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	for _, sql := range []string{`DELETE FROM idempotency_keys WHERE job_id = ANY ($1)`, `DELETE FROM jobs WHERE id = ANY ($1)`} {
		if _, err := tx.Exec(ctx, sql, ids); err != nil {
			return err
		}
	}
	return s.deleteFiles(ctx, tx, ids)
}

// eraseDeliveries removes what the queue keeps of an account's webhooks, those sent as well as those to come: URLs and names
// of files. After the jobs: without one of them nothing new comes.
func eraseDeliveries(ctx context.Context, tx pgx.Tx, id account.ID) (more bool, err error) {
	return withdrawDeliveries(ctx, tx, map[string]any{"account": id})
}

// eraseLedger removes all entries of some jobs, and their pages from the months. The entries are found
// through the two indexes that make them unique.
func eraseLedger(ctx context.Context, tx pgx.Tx, id account.ID) (more bool, err error) {
	err = tx.QueryRow(ctx, `
		WITH batch AS (SELECT id, job_id FROM page_ledger WHERE account_id = $1 AND kind = 'reserve' LIMIT $2),
		reserved AS (DELETE FROM page_ledger l USING batch WHERE l.id = batch.id RETURNING l.period, l.pages),
		settled AS (
			DELETE FROM page_ledger l USING batch WHERE l.kind IN ('charge', 'refund') AND l.job_id = batch.job_id
			RETURNING l.period, CASE l.kind WHEN 'refund' THEN -l.pages ELSE 0 END AS pages
		), months AS (
			SELECT period, sum(pages) AS pages FROM (SELECT * FROM reserved UNION ALL SELECT * FROM settled) gone GROUP BY period
		), used AS (
			UPDATE page_usage u SET pages = u.pages - m.pages FROM months m WHERE u.account_id = $1 AND u.period = m.period
		)
		SELECT EXISTS (SELECT FROM reserved)`, id, eraseBatch).Scan(&more)
	return more, err
}

// eraseRest removes what is left of an account: keys, months and idempotency keys are few.
func eraseRest(ctx context.Context, tx pgx.Tx, id account.ID) (more bool, err error) {
	for _, sql := range []string{`DELETE FROM page_usage WHERE account_id = $1`, `DELETE FROM accounts WHERE id = $1`} {
		if _, err := tx.Exec(ctx, sql, id); err != nil {
			return false, err
		}
	}
	return false, nil
}
