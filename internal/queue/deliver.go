package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/ragify/ragify/internal/webhook"
)

// webhookBackoff are the pauses between attempts to deliver an event, as the Standard Webhooks
// specification recommends them: a day and more in all, for receivers that are down overnight.
var webhookBackoff = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour}

// webhookTimeout bounds one attempt; the sender's own limit is shorter.
const webhookTimeout = 30 * time.Second

// deliverer works off webhooks.
type deliverer struct {
	river.WorkerDefaults[webhookArgs]

	webhooks Webhooks
	logger   *slog.Logger
}

// Timeout is webhookTimeout.
func (*deliverer) Timeout(*river.Job[webhookArgs]) time.Duration { return webhookTimeout }

// NextRetry follows webhookBackoff.
func (*deliverer) NextRetry(work *river.Job[webhookArgs]) time.Time {
	return time.Now().Add(webhookBackoff[min(max(work.Attempt, 1), len(webhookBackoff))-1])
}

// Work tries to deliver an event once.
func (d *deliverer) Work(ctx context.Context, work *river.Job[webhookArgs]) error {
	err := d.webhooks.Send(ctx, work.Args.Event)
	if errors.Is(err, webhook.ErrGone) {
		d.logger.InfoContext(ctx, "webhook wanted no more", "event", work.Args.Event.ID)
		return river.JobCancel(err)
	}
	return err
}
