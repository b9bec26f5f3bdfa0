package postgres_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// clock is a time that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clock) Add(d time.Duration) { c.Set(c.Now().Add(d)) }

// bench is a store on a fresh database, with a queue that only keeps rows: enough to see that row and
// work are written together.
type bench struct {
	*postgres.Store
	pool  *pgxpool.Pool
	clock *clock
	ended atomic.Int64 // calls of Config.Ended

	watching *postgres.Store // of watchBench: another node
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{pool: pgtest.New(t), clock: newClock()}
	b.Store = postgres.New(postgres.Config{
		Pool: b.pool, Now: b.clock.Now,
		Enqueue: func(ctx context.Context, tx pgx.Tx, id uuid.UUID, due time.Time) (riverID int64, err error) {
			err = tx.QueryRow(ctx, `INSERT INTO river_job (kind, args, max_attempts, scheduled_at) VALUES ('convert', jsonb_build_object('job_id', $1::text), 5, $2) RETURNING id`, id.String(), due).Scan(&riverID)
			return riverID, err
		},
		Cancel: func(ctx context.Context, tx pgx.Tx, riverID int64) error {
			_, err := tx.Exec(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1`, riverID)
			return err
		},
		Ended: func(context.Context, pgx.Tx, job.Job) (job.Announcement, error) {
			b.ended.Add(1)
			return job.Announcement{}, nil
		},
	})
	return b
}

// complete finalizes the work of a job, as River's JobCompleteTx does.
func (b *bench) complete(id uuid.UUID) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE args->>'job_id' = $1 AND finalized_at IS NULL`, id.String())
		return err
	}
}

// account makes an account.
func (b *bench) account(t testing.TB, tier plan.Tier) account.Account {
	t.Helper()
	a, err := b.CreateAccount(t.Context(), uuid.NewString()+"@example.com", tier)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// submission is a request of a for a PDF with pages pages, all selected.
func submission(a account.Account, pages int) job.Submission {
	return job.Submission{
		ID: uuid.New(), Account: a.ID, Options: option.Default(), FileName: "report.pdf", FileSize: 1234,
		PageCount: pages, PagesCharged: pages, FileSHA256: [32]byte{1}, OptionsHash: [32]byte{2},
	}
}

func proPlan() plan.Plan { return plan.Default()[plan.Pro] }

// submit makes a job or fails the test.
func (b *bench) submit(t testing.TB, sub job.Submission) job.Job {
	t.Helper()
	j, _, err := b.Submit(t.Context(), sub, proPlan())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// wantFault checks kind and code of err and returns what it says.
func wantFault(t testing.TB, err error, kind fault.Kind, code string) fault.Fault {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Fatalf("got error %v, want kind %d code %q", err, kind, code)
	}
	return *f
}

// checkBooks checks the invariants that must hold between any two transactions.
func (b *bench) checkBooks(t testing.TB) {
	t.Helper()
	pgtest.CheckBooks(t, b.pool)
}
