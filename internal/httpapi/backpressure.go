package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/ragify/ragify/internal/fault"
)

const (
	// queueGaugeAge is how old the known number of waiting jobs may be: so many submissions at once cost one query.
	queueGaugeAge = time.Second
	// queueFullRetry is what a refused client is told to wait. A queue that an operator calls full takes minutes to empty.
	queueFullRetry = 30 * time.Second
)

// A queueGauge knows how many jobs wait for a worker.
type queueGauge struct {
	jobs Jobs
	now  func() time.Time

	mu      sync.Mutex
	read    time.Time
	waiting int
}

// level is the number of waiting jobs, as of at most queueGaugeAge ago.
func (g *queueGauge) level(ctx context.Context) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if age := now.Sub(g.read); age >= 0 && age < queueGaugeAge {
		return g.waiting, nil
	}
	waiting, err := g.jobs.Waiting(ctx)
	if err == nil {
		g.read, g.waiting = now, waiting
	}
	return waiting, err
}

// checkQueue refuses a submission while as many jobs wait as the operator allows, before its upload is read.
func (s *server) checkQueue(ctx context.Context) error {
	if s.MaxQueuedJobs <= 0 {
		return nil
	}
	waiting, err := s.queue.level(ctx)
	if err != nil {
		return err
	}
	if waiting >= s.MaxQueuedJobs {
		return fault.New(fault.Unavailable, "queue_full", "The service has more work than it can take at the moment. Try again in half a minute.").
			After(queueFullRetry)
	}
	return nil
}
