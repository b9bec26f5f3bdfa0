package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	jobChannel = "ragify_job" // what the triggers on jobs notify
	// watchFallback is the tick that reaches a watcher when no notification does: a broken connection
	// may go unnoticed for long.
	watchFallback = 5 * time.Second
	// listenBackoff is the pause after a listener connection failed, doubled up to listenBackoffMax.
	listenBackoff    = 100 * time.Millisecond
	listenBackoffMax = 5 * time.Second
)

// Watch ticks whenever the job's status or progress may have changed, or it was deleted, and every few
// seconds besides; look at the job after each tick. Ticks that are not received merge into one. The
// channel is closed soon after ctx ends. Call Watch before the first look at the job, so that no change
// falls between.
func (s *Store) Watch(ctx context.Context, id uuid.UUID) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.watchers.add(ctx, id), nil
}

// watchers share one listening connection, which exists while there is a watcher.
type watchers struct {
	pool   *pgxpool.Pool
	logger *slog.Logger

	mu    sync.Mutex
	byJob map[uuid.UUID]map[chan struct{}]struct{}
	stop  context.CancelFunc // ends the listener; nil while there is none
}

func newWatchers(pool *pgxpool.Pool, logger *slog.Logger) *watchers {
	return &watchers{pool: pool, logger: logger, byJob: make(map[uuid.UUID]map[chan struct{}]struct{})}
}

func (w *watchers) add(ctx context.Context, id uuid.UUID) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byJob[id] == nil {
		w.byJob[id] = make(map[chan struct{}]struct{})
	}
	w.byJob[id][c] = struct{}{}
	if w.stop == nil {
		listening, stop := context.WithCancel(context.Background())
		w.stop = stop
		go w.listen(listening)
	}
	go w.keep(ctx, id, c)
	return c
}

// keep gives c its fallback ticks until ctx ends, then takes it away.
func (w *watchers) keep(ctx context.Context, id uuid.UUID, c chan struct{}) {
	ticker := time.NewTicker(watchFallback)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			tick(c)
		case <-ctx.Done():
			w.remove(id, c)
			return
		}
	}
}

func (w *watchers) remove(id uuid.UUID, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byJob[id], c)
	close(c) // under the lock: nobody is ticking it
	if len(w.byJob[id]) == 0 {
		delete(w.byJob, id)
	}
	if len(w.byJob) == 0 {
		w.stop()
		w.stop = nil
	}
}

func tick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is already waiting
	}
}

// notify ticks the watchers of one job, or of all for uuid.Nil.
func (w *watchers) notify(id uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != uuid.Nil {
		for c := range w.byJob[id] {
			tick(c)
		}
		return
	}
	for _, watching := range w.byJob {
		for c := range watching {
			tick(c)
		}
	}
}

// listen passes notifications on until ctx ends, over a new connection whenever one fails.
func (w *watchers) listen(ctx context.Context) {
	pause := listenBackoff
	for {
		listened, err := w.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if listened {
			pause = listenBackoff
		}
		w.logger.WarnContext(ctx, "lost the connection that listens for job changes; connecting again", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, listenBackoffMax)
	}
}

// listenOnce passes notifications on until the connection fails or ctx ends. listened reports whether
// it came as far as listening.
func (w *watchers) listenOnce(ctx context.Context) (listened bool, err error) {
	conn, err := dedicated(ctx, w.pool)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+jobChannel); err != nil {
		return false, err
	}
	w.notify(uuid.Nil) // changes before this moment went unheard
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true, err
		}
		if id, err := uuid.Parse(n.Payload); err == nil {
			w.notify(id)
		}
	}
}
