package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
)

// Usage is what the account has used of the current month's pages.
func (s *Store) Usage(ctx context.Context, id account.ID) (u account.Usage, err error) {
	defer s.op(&ctx, &err, "postgres.Usage(%s)", id)()
	u.Period = account.PeriodOf(s.now())
	u.PagesUsed, err = pagesUsed(ctx, s.pool, id, u.Period.Start)
	return u, err
}

// UsageHistory is the account's usage of every month that has one, newest first.
func (s *Store) UsageHistory(ctx context.Context, id account.ID) (_ []account.Usage, err error) {
	defer s.op(&ctx, &err, "postgres.UsageHistory(%s)", id)()
	rows, err := s.pool.Query(ctx, `SELECT period, pages FROM page_usage WHERE account_id = $1 ORDER BY period DESC`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (u account.Usage, err error) {
		var start time.Time
		err = row.Scan(&start, &u.PagesUsed)
		u.Period = account.PeriodOf(start)
		return u, err
	})
}

// Ledger lists the account's page entries, newest first: page page (from 1) of size entries, and how
// many there are in all.
func (s *Store) Ledger(ctx context.Context, id account.ID, page, size int) (entries []account.Entry, total int, err error) {
	defer s.op(&ctx, &err, "postgres.Ledger(%s)", id)()
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM page_ledger WHERE account_id = $1`, id).Scan(&total); err != nil {
		return nil, 0, err
	}
	skip, ok := rowsBefore(page, size, total)
	if !ok {
		return []account.Entry{}, total, nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT id, kind, job_id, pages, created_at FROM page_ledger
		WHERE account_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3`, id, size, skip)
	if err != nil {
		return nil, 0, err
	}
	entries, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e account.Entry, err error) {
		err = row.Scan(&e.ID, &e.Kind, &e.Job, &e.Pages, &e.At)
		e.At = e.At.UTC()
		return e, err
	})
	return entries, total, err
}

// rowsBefore is the number of rows before page page (from 1) of size rows; !ok when that page is empty.
func rowsBefore(page, size, total int) (_ int, ok bool) {
	if page < 1 || size < 1 || page-1 > (total-1)/size || total == 0 {
		return 0, false
	}
	return (page - 1) * size, true
}

// queryer is what the pool and a transaction have in common.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func pagesUsed(ctx context.Context, q queryer, id account.ID, month time.Time) (pages int, err error) {
	err = q.QueryRow(ctx, `SELECT pages FROM page_usage WHERE account_id = $1 AND period = $2`, id, month).Scan(&pages)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil // nothing used yet
	}
	return pages, err
}

// reservation is the pages that one job holds of one month.
type reservation struct {
	account account.ID
	job     uuid.UUID
	month   time.Time // first day, UTC
	pages   int
}

// charge makes the reservation final.
func (r reservation) charge(ctx context.Context, tx pgx.Tx, now time.Time) error {
	return r.enter(ctx, tx, account.Charge, now)
}

// refund gives the pages back to the month that they were taken from.
func (r reservation) refund(ctx context.Context, tx pgx.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE page_usage SET pages = pages - $3 WHERE account_id = $1 AND period = $2`, r.account, r.month, r.pages); err != nil {
		return err
	}
	return r.enter(ctx, tx, account.Refund, now)
}

func (r reservation) enter(ctx context.Context, tx pgx.Tx, kind account.EntryKind, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO page_ledger (account_id, job_id, kind, pages, period, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.account, r.job, kind, r.pages, r.month, now)
	return err
}
