package postgres

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
)

const (
	jobChannel = "ragify_job" // what the triggers on jobs notify
	// DefaultRecheck is how often watched jobs are compared with the table, whatever was notified, when Config.Recheck is
	// zero: the longest that a change can go unnoticed where a connection broke silently or a pooler in front of Postgres
	// swallows notifications.
	DefaultRecheck = 5 * time.Second
	// readTimeout is when a connection that does not answer counts as broken.
	readTimeout = 5 * time.Second
	// readJobs bounds the jobs that one statement reads.
	readJobs = 1000
	// listenBackoff is the pause after the connection failed, doubled up to listenBackoffMax.
	listenBackoff    = 100 * time.Millisecond
	listenBackoffMax = 2 * time.Second
)

// Watch gives a job of the account as it is, and then, over the channel, as it is after changes that a client can see.
// States that nobody received are replaced by the next one: the channel always has the newest. It is closed when the job
// is deleted. Nothing comes after ctx has ended. While the database is away nothing comes either; what was missed follows
// when it is back. Fault: NotFound "job_not_found", also for another account's job.
//
// All watchers of a store share one connection and one goroutine: a change costs one statement, however many watch the
// job, and waiting costs one statement each Config.Recheck, however many jobs are watched.
func (s *Store) Watch(ctx context.Context, acct account.ID, id uuid.UUID) (_ job.Job, changes <-chan job.Job, err error) {
	defer s.op(&ctx, &err, "postgres.Watch(%s)", id)()
	w := s.watchers.add(ctx, id)
	select {
	case first, ok := <-w.changes:
		if !ok {
			return job.Job{}, nil, w.err
		}
		if first.Account != acct {
			s.watchers.remove(id, w)
			return job.Job{}, nil, errJobNotFound()
		}
		return first, w.changes, nil
	case <-ctx.Done():
		return job.Job{}, nil, ctx.Err()
	}
}

// watchers are all who watch jobs through one store.
type watchers struct {
	store   *Store
	logger  *slog.Logger
	recheck time.Duration

	mu      sync.Mutex
	byJob   map[uuid.UUID]*watched
	unread  map[uuid.UUID]struct{} // jobs that may be different from what their watchers know
	running bool                   // there is a goroutine in listen: as long as there is a watcher
	wake    context.CancelFunc     // ends its wait for a notification

	listening atomic.Bool // its connection hears notifications
}

// watched is a job that somebody watches.
type watched struct {
	last job.Job // as last read; zero before
	by   map[*watcher]struct{}
}

// watcher is one who watches.
type watcher struct {
	changes chan job.Job // holds the newest state; written under watchers.mu
	told    bool         // has got the job once
	err     error        // why changes was closed, set before; not for a job that was deleted later
}

func newWatchers(store *Store, recheck time.Duration, logger *slog.Logger) *watchers {
	return &watchers{
		store: store, logger: logger, recheck: recheck, wake: func() {},
		byJob: make(map[uuid.UUID]*watched), unread: make(map[uuid.UUID]struct{}),
	}
}

func (w *watchers) add(ctx context.Context, id uuid.UUID) *watcher {
	one := &watcher{changes: make(chan job.Job, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byJob[id] == nil {
		w.byJob[id] = &watched{by: make(map[*watcher]struct{}, 1)}
	}
	w.byJob[id].by[one] = struct{}{}
	w.unread[id] = struct{}{}
	if !w.running {
		w.running = true
		go w.listen()
	}
	w.wake()
	context.AfterFunc(ctx, func() { w.remove(id, one) })
	return one
}

func (w *watchers) remove(id uuid.UUID, one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j := w.byJob[id]; j != nil {
		delete(j.by, one)
		w.forgetUnwatched(id)
	}
}

// forgetUnwatched forgets a job that nobody watches any more.
func (w *watchers) forgetUnwatched(id uuid.UUID) {
	if len(w.byJob[id].by) > 0 {
		return
	}
	delete(w.byJob, id)
	delete(w.unread, id)
	if len(w.byJob) == 0 {
		w.wake()
	}
}

// listen keeps the watchers informed until there are none, over a new connection whenever one fails.
func (w *watchers) listen() {
	ctx := context.Background()
	pause := listenBackoff
	for w.wanted() {
		listened, err := w.listenOnce(ctx)
		if err == nil {
			continue
		}
		w.failNew(err)
		if listened {
			pause = listenBackoff
		}
		w.logger.WarnContext(ctx, "lost the connection that listens for job changes; connecting again", "error", err, "pause", pause)
		time.Sleep(pause)
		pause = min(2*pause, listenBackoffMax)
	}
}

// wanted tells whether anybody watches. If not, the caller must end.
func (w *watchers) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.byJob) > 0
	return w.running
}

// listenOnce keeps the watchers informed until the connection fails, or until there are none: no error. listened reports
// whether it came as far as listening.
func (w *watchers) listenOnce(ctx context.Context) (listened bool, err error) {
	config := w.store.pool.Config().ConnConfig.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if id, err := uuid.Parse(n.Payload); err == nil {
			w.changed(id)
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if err := bounded(ctx, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+jobChannel)
		return err
	}); err != nil {
		return false, err
	}
	w.listening.Store(true)
	defer w.listening.Store(false)
	w.changed(uuid.Nil) // whatever was before went unheard
	for recheck := time.Now().Add(w.recheck); ; {
		ids, wanted := w.nextRead()
		switch {
		case !wanted:
			return true, nil
		case len(ids) > 0:
			err = bounded(ctx, func(ctx context.Context) error { return w.read(ctx, conn, ids) })
		case time.Now().Before(recheck):
			err = w.await(ctx, conn, recheck)
		default:
			err = bounded(ctx, func(ctx context.Context) error { return w.compare(ctx, conn) })
			recheck = time.Now().Add(w.recheck)
		}
		if err != nil {
			return true, err
		}
	}
}

// bounded runs do with the time that a living connection needs at most.
func bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return do(ctx)
}

// changed notes that a watched job has to be read, or all of them for uuid.Nil.
func (w *watchers) changed(id uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.byJob[id]; ok {
		w.unread[id] = struct{}{}
	}
	if id == uuid.Nil {
		for id := range w.byJob {
			w.unread[id] = struct{}{}
		}
	}
}

// nextRead takes the jobs to read next. Not wanted: nobody watches any more.
func (w *watchers) nextRead() (ids []uuid.UUID, wanted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.unread {
		if len(ids) == readJobs {
			break
		}
		ids = append(ids, id)
		delete(w.unread, id)
	}
	return ids, len(w.byJob) > 0
}

// await returns at a notification, at the time given, or when there is a new watcher or none any more.
func (w *watchers) await(ctx context.Context, conn *pgx.Conn, until time.Time) error {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	w.mu.Lock()
	if len(w.unread) > 0 || len(w.byJob) == 0 { // since nextRead
		w.mu.Unlock()
		return nil
	}
	w.wake = cancel
	w.mu.Unlock()
	err := conn.PgConn().WaitForNotification(waiting)
	if waiting.Err() != nil && !conn.IsClosed() {
		return nil // nothing was lost: pgx goes on where it stopped reading
	}
	return err
}

// read reads jobs and tells those who watch them.
func (w *watchers) read(ctx context.Context, conn *pgx.Conn, ids []uuid.UUID) error {
	rows, err := conn.Query(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = ANY ($1)`, ids)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (record, error) { return w.store.scanRecord(row) })
	if err != nil {
		return err
	}
	exists := make(map[uuid.UUID]bool, len(found))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range found {
		w.tell(r.Job)
		exists[r.ID] = true
	}
	for _, id := range ids {
		if !exists[id] {
			w.tellDeleted(id)
		}
	}
	return nil
}

// compare looks for watched jobs that are no longer what was read, and notes them.
func (w *watchers) compare(ctx context.Context, conn *pgx.Conn) error {
	w.mu.Lock()
	ids, updated := make([]uuid.UUID, 0, len(w.byJob)), make([]time.Time, 0, len(w.byJob))
	for id, j := range w.byJob {
		ids, updated = append(ids, id), append(updated, j.last.UpdatedAt)
	}
	w.mu.Unlock()
	rows, err := conn.Query(ctx, `
		SELECT k.id FROM unnest($1::uuid[], $2::timestamptz[]) AS k (id, updated_at) LEFT JOIN jobs j ON j.id = k.id
		WHERE j.updated_at IS DISTINCT FROM k.updated_at`, ids, updated)
	if err != nil {
		return err
	}
	stale, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	for _, id := range stale {
		w.changed(id)
	}
	return err
}

// tell gives a job as it was just read to those who do not know that yet.
func (w *watchers) tell(j job.Job) {
	known := w.byJob[j.ID]
	if known == nil {
		return // the last watcher left while it was read
	}
	same := j.Status == known.last.Status && j.PagesDone == known.last.PagesDone && j.UpdatedAt.Equal(known.last.UpdatedAt)
	known.last = j
	for one := range known.by {
		if same && one.told {
			continue
		}
		one.told = true
		select {
		case <-one.changes: // outdated
		default:
		}
		one.changes <- j
	}
}

// tellDeleted ends the watch over a job that does not exist.
func (w *watchers) tellDeleted(id uuid.UUID) {
	if w.byJob[id] != nil {
		w.end(id, func(one *watcher) bool {
			if !one.told {
				one.err = errJobNotFound()
			}
			return true
		})
	}
}

// failNew tells those who have not seen their job yet that it cannot be read.
func (w *watchers) failNew(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.byJob {
		w.end(id, func(one *watcher) bool {
			one.err = err
			return !one.told
		})
	}
}

// end ends the watch of those whom over picks.
func (w *watchers) end(id uuid.UUID, over func(*watcher) bool) {
	for one := range w.byJob[id].by {
		if over(one) {
			delete(w.byJob[id].by, one)
			close(one.changes)
		}
	}
	w.forgetUnwatched(id)
}
