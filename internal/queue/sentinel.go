package queue

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// lockSeed sets our advisory locks apart from others on the same database: "ragify" in ASCII.
	lockSeed int64 = 0x726167696679
	// watchInterval is how often the locks of the others are looked at.
	watchInterval = 500 * time.Millisecond
	// deathGrace is how long a lock must be free before its owner counts as dead. It covers the
	// reconnection of a live process when Postgres restarts or drops a connection, on a busy machine, too.
	deathGrace = 3 * time.Second
	// silenceLimit is how long Postgres hears nothing of a process before it drops the connection with the
	// lock, when the network is gone or the process stalls: nobody tells it. With deathGrace and two looks it stays
	// below 15 s. It is more than watchTimeout: a slow look is no silence.
	silenceLimit = 8 * time.Second
	// lossGrace is how long work may be running in the database that this process does not have in hand:
	// it has to cover the time between taking work and beginning it, and between its end and the report.
	lossGrace = 10 * time.Second
	// suspectAttempts is after how many attempts that ended in a worker's death a conversion is worked
	// off apart from others. The first death says little: machines fail.
	suspectAttempts = 2
	// reconcileInterval is how often jobs are looked for whose work River has lost or given up.
	reconcileInterval = 15 * time.Second
	// watchTimeout bounds one look; past it the connection counts as broken.
	watchTimeout = 5 * time.Second
	// reconnectPause is the pause between attempts to get a broken connection back.
	reconnectPause = 200 * time.Millisecond
)

// sentinel makes this process's death visible and sees that of others.
//
// It holds a session advisory lock, derived from the River client's id, on a connection of its own: the
// lock is gone the moment the process is, and soon after its machine or its network. And it looks for
// running work whose client holds no lock, and puts that back into the queue; work that has had all
// its attempts is given up. Where it errs (a live process that could not reach Postgres for a while),
// work is done twice, but only one of the two may end the job: see converter.writeOutcome.
//
// It also puts back what the database takes to be running in this process, but is not: work whose taking or
// whose end got lost on a connection that broke. River tries to report an end for a few seconds only.
type sentinel struct {
	pool    *pgxpool.Pool
	client  string // River client id of this process
	working *workingSet
	store   Store
	logger  *slog.Logger

	metrics   *metrics
	locked    atomic.Bool          // whether this process shows itself alive
	conn      *pgx.Conn            // nil while it is broken
	missing   map[string]time.Time // client → since when its lock is seen free
	lost      map[int64]time.Time  // work of this process → since when it is seen not in hand
	reconcile time.Time            // when Reconcile is next due

	cancel context.CancelFunc
	done   chan struct{} // closed after the loop has ended
}

func newSentinel(pool *pgxpool.Pool, client string, working *workingSet, store Store, logger *slog.Logger, m *metrics) *sentinel {
	return &sentinel{pool: pool, client: client, working: working, store: store, logger: logger, metrics: m}
}

// start takes the lock and begins to watch. ctx bounds the taking only.
func (s *sentinel) start(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel, s.done = cancel, make(chan struct{})
	go s.run(loop)
	return nil
}

// stop ends the watch and gives up the lock.
func (s *sentinel) stop() {
	s.cancel()
	<-s.done
}

func (s *sentinel) run(ctx context.Context) {
	defer close(s.done)
	defer s.disconnect(ctx)
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.watch(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "lost the connection that shows this worker alive; connecting again", "error", err)
		}
		s.disconnect(ctx)
		if !s.reconnect(ctx) {
			return
		}
	}
}

// connect opens the connection and takes the lock on it.
func (s *sentinel) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	err = endWhenSilent(ctx, conn)
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, $2))`, s.client, lockSeed)
	}
	if err != nil {
		_ = conn.Close(ctx)
		return err
	}
	// What was seen before says nothing: all the locks may have been lost together.
	s.conn, s.missing, s.lost = conn, make(map[string]time.Time), make(map[int64]time.Time)
	s.locked.Store(true)
	return nil
}

// endWhenSilent lets the server end the session when it has not heard of us for silenceLimit. Servers before
// version 14 have to go by the network's own signs of life.
func endWhenSilent(ctx context.Context, conn *pgx.Conn) error {
	limit := silenceLimit.Milliseconds()
	_, err := conn.Exec(ctx, `
		SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
			('idle_session_timeout', $1::text), ('tcp_user_timeout', $1),
			('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3')
		) AS wanted (name, value) USING (name)`, strconv.FormatInt(limit, 10))
	return err
}

// reconnect tries until it has a connection, or until ctx ends: false.
func (s *sentinel) reconnect(ctx context.Context) bool {
	for ctx.Err() == nil {
		if s.connect(ctx) == nil {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectPause):
		}
	}
	return false
}

func (s *sentinel) disconnect(ctx context.Context) {
	s.locked.Store(false)
	if s.conn == nil {
		return
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), watchTimeout)
	defer cancel()
	_ = s.conn.Close(closing) // the server notices either way
	s.conn = nil
}

// watch takes one look. An error means that the connection is of no use any more.
func (s *sentinel) watch(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	free, own, err := s.look(looking)
	if err != nil {
		return err
	}
	gaveUp := 0
	if dead := overdue(s.missing, free, deathGrace); len(dead) > 0 {
		var putBack int
		if putBack, gaveUp, err = s.takeOver(looking, dead); err != nil {
			return err
		}
		s.metrics.takeovers.WithLabelValues("put_back").Add(float64(putBack))
		s.metrics.takeovers.WithLabelValues("given_up").Add(float64(gaveUp))
		s.logger.WarnContext(ctx, "took over the work of dead workers", "workers", dead, "put_back", putBack, "given_up", gaveUp)
	}
	if lost := overdue(s.lost, own, lossGrace); len(lost) > 0 {
		if err := s.putBack(looking, lost); err != nil {
			return err
		}
		s.logger.WarnContext(ctx, "put work back whose taking or end got lost", "work", lost)
	}
	if gaveUp > 0 || time.Now().After(s.reconcile) {
		s.reconcile = time.Now().Add(reconcileInterval)
		s.reconcileJobs(ctx)
	}
	return nil
}

// overdue brings since, the times from which on things are seen, up to date with what is seen now, and
// gives those seen without a break for as long as grace.
func overdue[K comparable](since map[K]time.Time, seen []K, grace time.Duration) (due []K) {
	now := time.Now()
	maps.DeleteFunc(since, func(k K, _ time.Time) bool { return !slices.Contains(seen, k) })
	for _, k := range seen {
		if first, known := since[k]; !known {
			since[k] = now
		} else if now.Sub(first) >= grace {
			due = append(due, k)
		}
	}
	return due
}

// look gives the other clients that have running work and hold no lock, and the work that is running in this
// process but not in hand.
func (s *sentinel) look(ctx context.Context) (free []string, lost []int64, err error) {
	// A bigint key is split over classid (high half) and objid (low half), with objsubid 1.
	rows, err := s.conn.Query(ctx, `
		SELECT r.client, r.ids
		FROM (SELECT attempted_by[array_upper(attempted_by, 1)] AS client, array_agg(id) AS ids
			FROM river_job WHERE state = 'running' GROUP BY 1) r
		WHERE r.client = $1 OR NOT EXISTS (
			SELECT FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(r.client, $2))`, s.client, lockSeed)
	if err != nil {
		return nil, nil, err
	}
	var client string
	var ids []int64
	_, err = pgx.ForEachRow(rows, []any{&client, &ids}, func() error {
		if client != s.client {
			free = append(free, client)
			return nil
		}
		for _, id := range ids {
			if !s.working.has(id) {
				lost = append(lost, id)
			}
		}
		return nil
	})
	return free, lost, err
}

// takeOver puts the running work of dead clients back into the queue, or gives it up when it has had
// all its attempts or was cancelled, and wakes the workers.
//
// A conversion that ends its worker ends those of its neighbours, too, whose attempts then count as well. So
// that they are not given up with it, a conversion that was at work at suspectAttempts deaths goes to a queue
// of which a process works off one at a time: from then on no two of them meet.
func (s *sentinel) takeOver(ctx context.Context, dead []string) (putBack, gaveUp int, err error) {
	err = s.conn.QueryRow(ctx, `
		WITH taken AS (
			UPDATE river_job SET
				state = CASE
					WHEN metadata ? 'cancel_attempted_at' THEN 'cancelled'
					WHEN attempt >= max_attempts THEN 'discarded'
					ELSE 'available' END::river_job_state,
				finalized_at = CASE WHEN metadata ? 'cancel_attempted_at' OR attempt >= max_attempts THEN now() END,
				queue = CASE WHEN queue = $2 AND attempt >= $4 THEN $3 ELSE queue END,
				-- For postgres.Store.Reconcile.
				metadata = CASE WHEN attempt >= max_attempts THEN metadata || '{"crashed": true}' ELSE metadata END,
				errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt, 'error', 'the worker died', 'trace', ''))
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = ANY ($1)
			RETURNING queue, finalized_at IS NULL AS put_back
		), woken AS (
			SELECT pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text)
			FROM (SELECT DISTINCT queue FROM taken WHERE put_back) q
		)
		SELECT count(*) FILTER (WHERE put_back), count(*) FILTER (WHERE NOT put_back), (SELECT count(*) FROM woken)
		FROM taken`, dead, convertQueue, suspectQueue, suspectAttempts).Scan(&putBack, &gaveUp, nil)
	return putBack, gaveUp, err
}

// putBack puts work of this process back into the queue, the attempt not counted: it never began, or had its end. The
// next poll finds it.
func (s *sentinel) putBack(ctx context.Context, lost []int64) error {
	_, err := s.conn.Exec(ctx, `
		UPDATE river_job SET
			state = CASE WHEN metadata ? 'cancel_attempted_at' THEN 'cancelled' ELSE 'available' END::river_job_state,
			finalized_at = CASE WHEN metadata ? 'cancel_attempted_at' THEN now() END,
			attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND id = ANY ($1) AND attempted_by[array_upper(attempted_by, 1)] = $2`, lost, s.client)
	return err
}

// reconcileJobs has a bound: meanwhile nothing goes over the connection that shows this process alive, and after
// silenceLimit Postgres would drop it. What is left then is the next round's.
func (s *sentinel) reconcileJobs(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	ended, err := s.store.Reconcile(looking)
	if err != nil && ctx.Err() == nil {
		s.logger.WarnContext(ctx, "cannot look for lost jobs", "error", err)
	}
	s.metrics.reconciled.Add(float64(ended))
	if ended > 0 {
		s.logger.WarnContext(ctx, "ended jobs whose work was lost or given up", "jobs", ended)
	}
}
