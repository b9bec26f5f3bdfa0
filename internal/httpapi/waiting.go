package httpapi

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// waiting counts the requests that stay open until something happens, event streams and long polls: each holds a
// connection, and no other limit bounds how many a client may open.
type waiting struct {
	most  int // of all accounts together
	gauge prometheus.Gauge

	mu   sync.Mutex
	all  int
	each map[account.ID]int
}

func newWaiting(most int, gauge prometheus.Gauge) *waiting {
	return &waiting{most: most, gauge: gauge, each: make(map[account.ID]int)}
}

// enter takes a place for a request of the account; leave gives it back. An account gets no more places than are still
// free: alone it can take half of them, and whatever it takes leaves room for others. Fault: Unavailable
// "too_many_streams".
func (w *waiting) enter(id account.ID) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.each[id] >= w.most-w.all {
		return nil, fault.New(fault.Unavailable, "too_many_streams",
			"This server has too many open event streams and waiting requests. Close some, or try again in a few seconds.")
	}
	w.count(id, 1)
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.count(id, -1)
	}), nil
}

func (w *waiting) count(id account.ID, change int) {
	w.all += change
	w.each[id] += change
	if w.each[id] == 0 {
		delete(w.each, id)
	}
	w.gauge.Set(float64(w.all))
}
