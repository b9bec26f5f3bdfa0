package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
)

// DefaultRetention is how long a job's files are kept when Config.Retention is zero.
const DefaultRetention = 720 * time.Hour

// Config is what a Store needs. Pool is required; Enqueue and Cancel are as soon as jobs are submitted
// or deleted, Erase and DeleteFiles as soon as accounts are deleted.
type Config struct {
	Pool *pgxpool.Pool
	// Enqueue adds the work of a job to the queue within tx and returns the queue's id of it. Work is begun in the order of
	// due, which lies in the past.
	Enqueue func(ctx context.Context, tx pgx.Tx, jobID uuid.UUID, due time.Time) (riverID int64, err error)
	// Cancel takes the work back within tx; a running worker is told once tx commits.
	Cancel func(ctx context.Context, tx pgx.Tx, riverID int64) error
	// Erase adds the removal of what belongs to a deleted account to the queue within tx: EraseAccount until it is done.
	Erase func(ctx context.Context, tx pgx.Tx, id account.ID) error
	// DeleteFiles adds the removal of the files of jobs, which are gone once tx commits.
	DeleteFiles func(ctx context.Context, tx pgx.Tx, jobs []uuid.UUID) error
	// Ended, when set, runs in every transaction that makes a job done or failed. It adds the job's webhook to the queue, if
	// it has one, and tells what it added. A redelivery calls it again.
	Ended     func(ctx context.Context, tx pgx.Tx, j job.Job) (job.Announcement, error)
	Now       func() time.Time      // default time.Now
	Retention time.Duration         // how long files are kept after the job's end; default DefaultRetention
	Recheck   time.Duration         // how often watched jobs are compared with the table; default DefaultRecheck
	Logger    *slog.Logger          // default slog.Default()
	Registry  prometheus.Registerer // gets metrics of the operations and the queue; nil: none
}

// Store is the service's memory. Safe for concurrent use.
type Store struct {
	pool        *pgxpool.Pool
	enqueue     func(ctx context.Context, tx pgx.Tx, jobID uuid.UUID, due time.Time) (int64, error)
	cancel      func(ctx context.Context, tx pgx.Tx, riverID int64) error
	erase       func(ctx context.Context, tx pgx.Tx, id account.ID) error
	deleteFiles func(ctx context.Context, tx pgx.Tx, jobs []uuid.UUID) error
	ended       func(ctx context.Context, tx pgx.Tx, j job.Job) (job.Announcement, error)
	clock       func() time.Time
	retention   time.Duration
	watchers    *watchers

	operations *prometheus.HistogramVec
}

// New makes a store on a migrated database.
func New(c Config) *Store {
	s := &Store{
		pool: c.Pool, enqueue: c.Enqueue, cancel: c.Cancel, erase: c.Erase, deleteFiles: c.DeleteFiles, ended: c.Ended,
		clock: c.Now, retention: c.Retention,
	}
	if s.enqueue == nil {
		s.enqueue = func(context.Context, pgx.Tx, uuid.UUID, time.Time) (int64, error) { return 0, errNoQueue }
	}
	if s.cancel == nil {
		s.cancel = func(context.Context, pgx.Tx, int64) error { return errNoQueue }
	}
	if s.erase == nil {
		s.erase = func(context.Context, pgx.Tx, account.ID) error { return errNoQueue }
	}
	if s.deleteFiles == nil {
		s.deleteFiles = func(context.Context, pgx.Tx, []uuid.UUID) error { return errNoQueue }
	}
	if s.ended == nil {
		s.ended = func(context.Context, pgx.Tx, job.Job) (job.Announcement, error) { return job.Announcement{}, nil }
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.retention <= 0 {
		s.retention = DefaultRetention
	}
	logger := c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	recheck := c.Recheck
	if recheck <= 0 {
		recheck = DefaultRecheck
	}
	s.watchers = newWatchers(s, recheck, logger)
	s.operations = newOperations(c.Registry)
	if c.Registry != nil {
		c.Registry.MustRegister(&outlook{pool: c.Pool, logger: logger})
		registerWatchers(c.Registry, s.watchers)
	}
	return s
}

var errNoQueue = errors.New("this store was made without a queue")

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) (err error) {
	defer s.op(&ctx, &err, "postgres.Ping")()
	return s.pool.Ping(ctx)
}

// now is the store's time in UTC, in the microseconds that Postgres keeps.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// txAttempts bounds the repetitions of a transaction that lost against another one.
const txAttempts = 5

// inTx runs fn in a transaction, again when Postgres broke it off to resolve a conflict; fn must
// therefore set its results anew each time.
func (s *Store) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, s.pool, fn)
		pg, ok := errors.AsType[*pgconn.PgError](err)
		conflict := ok && (pg.Code == "40001" || pg.Code == "40P01") // serialization failure, deadlock
		if !conflict || attempt == txAttempts {
			return err
		}
	}
}
