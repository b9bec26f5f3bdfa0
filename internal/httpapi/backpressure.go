package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

const (
	// queueGaugeAge is how old may be what is known of the queue: so many requests at once cost one query. With other nodes
	// before the same queue, it is by what they take in that time that the queue may grow beyond its bound.
	queueGaugeAge = time.Second
	// queueFullRetry is what a refused client is told to wait. A queue that an operator calls full takes minutes to empty.
	queueFullRetry = 30 * time.Second
)

// A queueGauge knows what waits for a worker.
type queueGauge struct {
	jobs Jobs
	now  func() time.Time

	mu      sync.Mutex
	read    time.Time
	backlog job.Backlog
}

// look is the backlog as of at most queueGaugeAge ago. Its Waiting has also what this node has taken since.
func (g *queueGauge) look(ctx context.Context) (job.Backlog, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if age := now.Sub(g.read); age >= 0 && age < queueGaugeAge {
		return g.backlog, nil
	}
	backlog, err := g.jobs.Backlog(ctx)
	if err == nil {
		g.read, g.backlog = now, backlog
	}
	return backlog, err
}

// grew notes that this node has taken one more job.
func (g *queueGauge) grew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.backlog.Waiting++
}

// checkQueue refuses a submission while as many jobs wait as the operator allows, before its upload is read.
func (s *server) checkQueue(ctx context.Context) error {
	if s.MaxQueuedJobs <= 0 {
		return nil
	}
	backlog, err := s.queue.look(ctx)
	if err != nil {
		return err
	}
	if backlog.Waiting >= s.MaxQueuedJobs {
		return fault.New(fault.Unavailable, "queue_full", "The service has more work than it can take at the moment. Try again in half a minute.").
			After(queueFullRetry)
	}
	return nil
}

// queueOf tells how long a job may wait, nil when it does not.
func (s *server) queueOf(ctx context.Context, j job.Job) *api.QueuePlace {
	if j.Status != job.Pending {
		return nil
	}
	place := &api.QueuePlace{Position: j.Position}
	backlog, err := s.queue.look(ctx)
	if err != nil {
		// The job is what was asked for, and may be just made: it is told without.
		s.Logger.DebugContext(ctx, "no estimate of a job's wait", "job", j.ID, "error", err)
		return place
	}
	if wait, known := backlog.Wait(j.Place); known {
		place.EstimatedWaitSeconds = new(int(wait.Seconds()))
	}
	return place
}
