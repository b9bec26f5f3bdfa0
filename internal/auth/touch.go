package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

// touchAccuracy is how far last_used_at may lag behind: within it, further uses of a key write nothing.
const touchAccuracy = time.Minute

// touchTimeout bounds one write of uses.
const touchTimeout = 10 * time.Second

// toucher collects uses of keys and writes them together, off the requests' path: a busy key costs one
// write a minute.
type toucher struct {
	store interface {
		TouchKeys(ctx context.Context, used map[uuid.UUID]time.Time) error
	}
	interval time.Duration
	now      func() time.Time
	logger   *slog.Logger

	mu      sync.Mutex
	pending map[uuid.UUID]time.Time // to be written
	written map[uuid.UUID]time.Time // of the last touchAccuracy
	quit    chan struct{}           // closed to end the loop; nil before start
	done    chan struct{}           // closed by the loop at its end
	stopped bool
}

func newToucher(store Store, interval time.Duration, now func() time.Time, logger *slog.Logger) *toucher {
	return &toucher{
		store: store, interval: interval, now: now, logger: logger,
		pending: make(map[uuid.UUID]time.Time), written: make(map[uuid.UUID]time.Time),
	}
}

// touch notes a use of a key. It does not block.
func (t *toucher) touch(key uuid.UUID) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.written[key]) >= touchAccuracy {
		t.pending[key] = now
	}
}

func (t *toucher) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quit != nil || t.stopped {
		return
	}
	t.quit, t.done = make(chan struct{}), make(chan struct{})
	go t.loop(t.quit, t.done)
}

func (t *toucher) stop(ctx context.Context) {
	t.mu.Lock()
	first := !t.stopped
	t.stopped = true
	quit, done := t.quit, t.done
	t.mu.Unlock()
	if !first || quit == nil {
		return
	}
	close(quit)
	select {
	case <-done:
		t.flush(ctx)
	case <-ctx.Done():
	}
}

func (t *toucher) loop(quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	ticker := time.NewTicker(t.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.flush(context.Background())
		case <-quit:
			return
		}
	}
}

// flush writes what is pending. What cannot be written stays for the next time.
func (t *toucher) flush(ctx context.Context) {
	t.mu.Lock()
	batch := t.pending
	t.pending = make(map[uuid.UUID]time.Time)
	now := t.now()
	for key, at := range t.written {
		if now.Sub(at) >= touchAccuracy {
			delete(t.written, key)
		}
	}
	t.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	err := t.store.TouchKeys(ctx, batch)
	if err != nil {
		t.logger.Warn("uses of API keys are not written yet", "keys", len(batch), "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, at := range batch {
		if err == nil {
			t.written[key] = at
		} else if t.pending[key].Before(at) {
			t.pending[key] = at
		}
	}
}
