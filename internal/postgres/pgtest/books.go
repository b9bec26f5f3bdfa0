package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// books are queries that count violations of what must hold between any two transactions.
var books = map[string]string{
	"an account's counter is the number of its active jobs": `
		SELECT count(*) FROM accounts a WHERE active_jobs <> (
			SELECT count(*) FROM jobs WHERE account_id = a.id AND status IN ('pending', 'processing'))`,
	"a month's pages are the reserved less the refunded": `
		SELECT count(*) FROM (SELECT account_id, period FROM page_usage UNION SELECT account_id, period FROM page_ledger) m
		LEFT JOIN page_usage u USING (account_id, period)
		WHERE coalesce(u.pages, 0) <> (
			SELECT coalesce(sum(CASE kind WHEN 'reserve' THEN pages WHEN 'refund' THEN -pages ELSE 0 END), 0)
			FROM page_ledger l WHERE l.account_id = m.account_id AND l.period = m.period)`,
	"every job has reserved its pages": `
		SELECT count(*) FROM jobs j WHERE NOT EXISTS (
			SELECT FROM page_ledger WHERE job_id = j.id AND kind = 'reserve' AND pages = j.pages_charged AND period = j.period)`,
	"pages stay unsettled exactly while the job is active": `
		SELECT count(*) FROM page_ledger r WHERE kind = 'reserve' AND
			EXISTS (SELECT FROM jobs WHERE id = r.job_id AND status IN ('pending', 'processing')) =
			EXISTS (SELECT FROM page_ledger WHERE job_id = r.job_id AND kind <> 'reserve')`,
	"done is charged, failed is refunded": `
		SELECT count(*) FROM jobs j WHERE status IN ('done', 'failed') AND NOT EXISTS (
			SELECT FROM page_ledger WHERE job_id = j.id AND kind = CASE status WHEN 'done' THEN 'charge' ELSE 'refund' END)`,
	"every active job has work in the queue": `
		SELECT count(*) FROM jobs j WHERE status IN ('pending', 'processing') AND NOT EXISTS (
			SELECT FROM river_job WHERE id = j.river_job_id AND finalized_at IS NULL)`,
	"work in the queue that is not cancelled has its job": `
		SELECT count(*) FROM river_job q WHERE kind = 'convert' AND finalized_at IS NULL AND NOT metadata ? 'cancel_attempted_at'
		AND NOT EXISTS (SELECT FROM jobs WHERE river_job_id = q.id)`,
}

// CheckBooks fails t where the database breaks a rule of the books: slots, pages and queued work must
// agree with the jobs at any moment, whatever ran in parallel, failed or was killed.
func CheckBooks(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	for rule, sql := range books {
		var broken int
		if err := pool.QueryRow(t.Context(), sql).Scan(&broken); err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if broken != 0 {
			t.Errorf("%s: broken %d times", rule, broken)
		}
	}
}
