package queue

import (
	"context"
	"log/slog"
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
	// reconnection of a live process when Postgres restarts or drops a connection.
	deathGrace = time.Second
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
// lock is gone the moment the process or its machine is, however that came about. And it looks for
// running work whose client holds no lock, and puts that back into the queue; work that has had all
// its attempts is given up. Where it errs (a live process that could not reach Postgres for a second),
// work is done twice, but ends once: see Store.FinishJob.
type sentinel struct {
	pool   *pgxpool.Pool
	client string // River client id of this process
	store  Store
	logger *slog.Logger

	locked    atomic.Bool          // whether this process shows itself alive
	conn      *pgx.Conn            // nil while it is broken
	missing   map[string]time.Time // client → since when its lock is seen free
	reconcile time.Time            // when Reconcile is next due

	cancel context.CancelFunc
	done   chan struct{} // closed after the loop has ended
}

func newSentinel(pool *pgxpool.Pool, client string, store Store, logger *slog.Logger) *sentinel {
	return &sentinel{pool: pool, client: client, store: store, logger: logger}
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
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, $2))`, s.client, lockSeed); err != nil {
		_ = conn.Close(ctx)
		return err
	}
	// What was seen before says nothing: all the locks may have been lost together.
	s.conn, s.missing = conn, make(map[string]time.Time)
	s.locked.Store(true)
	return nil
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
	free, err := s.freeLocks(looking)
	if err != nil {
		return err
	}
	now := time.Now()
	for client := range s.missing {
		if _, still := free[client]; !still {
			delete(s.missing, client)
		}
	}
	var dead []string
	for client := range free {
		if since, known := s.missing[client]; !known {
			s.missing[client] = now
		} else if now.Sub(since) >= deathGrace {
			dead = append(dead, client)
		}
	}
	gaveUp := 0
	if len(dead) > 0 {
		var putBack int
		if putBack, gaveUp, err = s.takeOver(looking, dead); err != nil {
			return err
		}
		s.logger.WarnContext(ctx, "took over the work of dead workers", "workers", dead, "put_back", putBack, "given_up", gaveUp)
	}
	if gaveUp > 0 || now.After(s.reconcile) {
		s.reconcile = now.Add(reconcileInterval)
		s.reconcileJobs(ctx)
	}
	return nil
}

// freeLocks are the clients with running work that hold no lock, this process left out.
func (s *sentinel) freeLocks(ctx context.Context) (map[string]struct{}, error) {
	// A bigint key is split over classid (high half) and objid (low half), with objsubid 1.
	rows, err := s.conn.Query(ctx, `
		SELECT DISTINCT r.client
		FROM (SELECT attempted_by[array_upper(attempted_by, 1)] AS client FROM river_job WHERE state = 'running') r
		WHERE r.client <> $1 AND NOT EXISTS (
			SELECT FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(r.client, $2))`, s.client, lockSeed)
	if err != nil {
		return nil, err
	}
	clients, err := pgx.CollectRows(rows, pgx.RowTo[string])
	free := make(map[string]struct{}, len(clients))
	for _, client := range clients {
		free[client] = struct{}{}
	}
	return free, err
}

// takeOver puts the running work of dead clients back into the queue, or gives it up when it has had
// all its attempts or was cancelled, and wakes the workers.
func (s *sentinel) takeOver(ctx context.Context, dead []string) (putBack, gaveUp int, err error) {
	err = s.conn.QueryRow(ctx, `
		WITH taken AS (
			UPDATE river_job SET
				state = CASE
					WHEN metadata ? 'cancel_attempted_at' THEN 'cancelled'
					WHEN attempt >= max_attempts THEN 'discarded'
					ELSE 'available' END::river_job_state,
				finalized_at = CASE WHEN metadata ? 'cancel_attempted_at' OR attempt >= max_attempts THEN now() END,
				errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt, 'error', 'the worker died', 'trace', ''))
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = ANY ($1)
			RETURNING queue, finalized_at IS NULL AS put_back
		), woken AS (
			SELECT pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text)
			FROM (SELECT DISTINCT queue FROM taken WHERE put_back) q
		)
		SELECT count(*) FILTER (WHERE put_back), count(*) FILTER (WHERE NOT put_back), (SELECT count(*) FROM woken)
		FROM taken`, dead).Scan(&putBack, &gaveUp, nil)
	return putBack, gaveUp, err
}

func (s *sentinel) reconcileJobs(ctx context.Context) {
	ended, err := s.store.Reconcile(ctx)
	if err != nil && ctx.Err() == nil {
		s.logger.WarnContext(ctx, "cannot look for lost jobs", "error", err)
	}
	if ended > 0 {
		s.logger.WarnContext(ctx, "ended jobs whose work was lost or given up", "jobs", ended)
	}
}
