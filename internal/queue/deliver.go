package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/trace"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/tracing"
)

// webhookBackoff are the pauses between attempts to deliver an event, as the Standard Webhooks
// specification recommends them: a day and more in all, for receivers that are down overnight.
var webhookBackoff = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour}

const (
	// webhookTimeout bounds one attempt; the sender's own limit is shorter.
	webhookTimeout = 30 * time.Second
	// webhooksPerAccount is how many deliveries of one account are under way at once in this process, of webhookWorkers: a
	// receiver that lets each wait for its time-out must not keep those of others waiting.
	webhooksPerAccount = 4
	// minTurnPause and maxTurnPause bound the pause of a delivery whose account has that many under way. It grows with the
	// delivery's age, so that however many of them there are, looking at them costs little.
	minTurnPause = 5 * time.Second
	maxTurnPause = 5 * time.Minute
)

// deliverer works off webhooks.
type deliverer struct {
	river.WorkerDefaults[webhookArgs]

	store    Store
	webhooks Webhooks
	logger   *slog.Logger
	tracer   trace.TracerProvider // nil: none

	mu       sync.Mutex
	underWay map[account.ID]int // deliveries, at most webhooksPerAccount
}

func newDeliverer(q *Queue) *deliverer {
	return &deliverer{store: q.c.Store, webhooks: q.c.Webhooks, logger: q.logger, tracer: q.c.Tracer, underWay: make(map[account.ID]int)}
}

// Timeout is webhookTimeout.
func (*deliverer) Timeout(*river.Job[webhookArgs]) time.Duration { return webhookTimeout }

// NextRetry follows webhookBackoff, later where the receiver asks for it.
func (*deliverer) NextRetry(work *river.Job[webhookArgs]) time.Time {
	pause := webhookBackoff[min(max(work.Attempt, 1), len(webhookBackoff))-1]
	return time.Now().Add(max(pause, work.Args.retryAfter))
}

// Work tries to deliver an event once.
func (d *deliverer) Work(ctx context.Context, work *river.Job[webhookArgs]) (err error) {
	e := work.Args.Event
	ctx, span := tracing.Work(ctx, d.tracer, "webhook", work.Attempt, time.Since(work.CreatedAt))
	defer func() { tracing.End(span, err) }()
	ctx = tracing.With(tracing.With(ctx, tracing.KeyJob, e.Job()), tracing.KeyAttempt, work.Attempt)
	ctx = tracing.With(ctx, tracing.KeyAccount, e.Account)
	if !d.enter(e.Account) {
		return river.JobSnooze(turnPause(time.Since(work.CreatedAt)))
	}
	defer d.leave(e.Account)
	wanted, err := d.store.DeliveryWanted(ctx, e.Job(), e.ID, work.ID)
	if err != nil {
		return err
	}
	if !wanted {
		return river.JobCancel(errors.New("wanted no more: the job was deleted or the event is redelivered"))
	}
	r, err := d.webhooks.Send(ctx, e)
	if ctx.Err() != nil { // stopping: River hands the work back, the attempt not counted; or a redelivery has begun
		return fmt.Errorf("attempt broken off: %w", ctx.Err())
	}
	if err != nil {
		return err
	}
	d.log(ctx, e.ID, r.Attempt)
	switch r.Outcome {
	case job.AttemptDelivered:
		return nil
	case job.AttemptGone:
		return river.JobCancel(errAttempt(r.Attempt))
	default:
		work.Args.retryAfter = r.RetryAfter
		return errAttempt(r.Attempt)
	}
}

// errAttempt is an attempt without success, for River's own log.
func errAttempt(a job.Attempt) error { return fmt.Errorf("%s (status %d)", a.Outcome, a.HTTPStatus) }

// log notes an attempt. When that fails the log lacks it, and the delivery goes on: a receiver that has
// answered is not to get the event again for that.
func (d *deliverer) log(ctx context.Context, event string, a job.Attempt) {
	d.logger.InfoContext(ctx, "webhook", "event", event, "outcome", a.Outcome, "status", a.HTTPStatus, "took", a.Took)
	if err := d.store.LogAttempt(ctx, event, a); err != nil {
		d.logger.WarnContext(ctx, "cannot log an attempt to deliver a webhook", "event", event, "error", err)
	}
}

// enter takes a place among the account's deliveries, if there is one.
func (d *deliverer) enter(id account.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.underWay[id] >= webhooksPerAccount {
		return false
	}
	d.underWay[id]++
	return true
}

func (d *deliverer) leave(id account.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.underWay[id]--; d.underWay[id] == 0 {
		delete(d.underWay, id)
	}
}

// turnPause is how long a delivery of the given age waits for its turn: half of it by chance, so that those that were refused
// together do not come back together.
func turnPause(age time.Duration) time.Duration {
	pause := min(max(age, minTurnPause), maxTurnPause)
	return pause/2 + rand.N(pause)
}
