package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/tracing"
	"github.com/ragify/ragify/internal/webhook"
)

// The queues. Webhooks and maintenance have their own, so that a slow receiver or a long sweep never
// keeps a conversion waiting. Conversions whose workers keep dying move to suspectQueue, which each
// process works off one by one: see sentinel.takeOver.
const (
	convertQueue     = "convert"
	suspectQueue     = "suspect"
	webhookQueue     = "webhook"
	maintenanceQueue = "maintenance"
)

// maxConvertAttempts bounds how often a conversion is tried when it is our fault that it fails; a kill
// of the whole process counts, so that a PDF that kills its workers ends too.
const maxConvertAttempts = 5

// convertArgs is the work of one job.
type convertArgs struct {
	JobID uuid.UUID `json:"job_id"`

	// due is the time that stands for its place in the queue, for place.
	due time.Time
}

// Kind names the work to River.
func (convertArgs) Kind() string { return "convert" }

// InsertOpts says how River treats it.
func (convertArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: convertQueue, MaxAttempts: maxConvertAttempts}
}

// webhookArgs is the delivery of one event.
type webhookArgs struct {
	Event webhook.Event `json:"event"`

	// retryAfter is what the receiver asked for at this attempt, for NextRetry.
	retryAfter time.Duration
}

// Kind names the work to River.
func (webhookArgs) Kind() string { return "webhook" }

// InsertOpts says how River treats it.
func (webhookArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: webhookQueue, MaxAttempts: len(webhookBackoff) + 1}
}

const (
	// fetchCooldown is the least time between two fetches of new work. At River's 100 ms a lone job
	// waits 50 ms on average; at 5 ms about 2.
	fetchCooldown = 5 * time.Millisecond
	// notifyCooldown is the least time between two notifications that there is new work, the least that
	// River allows: the one that is left out makes its job wait for the next poll.
	notifyCooldown = time.Millisecond
)

// Inserter adds work to the queue and takes it back, within the transactions of others. It works
// nothing itself, so any process may have one. Its methods fit postgres.Config.
type Inserter struct {
	client *river.Client[pgx.Tx]
}

// NewInserter makes an inserter on a migrated database. logger nil means slog.Default().
func NewInserter(pool *pgxpool.Pool, logger *slog.Logger) (*Inserter, error) {
	if logger == nil {
		logger = slog.Default()
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: riverLogger(logger), FetchCooldown: notifyCooldown, Hooks: []rivertype.Hook{river.HookInsertBeginFunc(place)},
	})
	if err != nil {
		return nil, err
	}
	return &Inserter{client}, nil
}

// Enqueue adds the conversion of a job and returns the queue's id of it. Workers hear of it once tx
// commits. They begin with the work that has been due the longest; due lies in the past.
func (i *Inserter) Enqueue(ctx context.Context, tx pgx.Tx, jobID uuid.UUID, due time.Time) (riverID int64, err error) {
	res, err := i.client.InsertTx(ctx, tx, convertArgs{JobID: jobID, due: due}, &river.InsertOpts{Metadata: tracing.Metadata(ctx)})
	if err != nil {
		return 0, err
	}
	return res.Job.ID, nil
}

// place gives a conversion its place in the queue as River inserts it. As an option, a time would make it work for later,
// whenever that is, which nobody is told of and which River looks through every five seconds.
func place(_ context.Context, work *rivertype.JobInsertParams) error {
	if args, ok := work.Args.(convertArgs); ok {
		work.ScheduledAt = &args.due
	}
	return nil
}

// Cancel takes work back. Where it is running, its worker is told once tx commits. Work that is unknown
// or finished is left alone.
func (i *Inserter) Cancel(ctx context.Context, tx pgx.Tx, riverID int64) error {
	_, err := i.client.JobCancelTx(ctx, tx, riverID)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

// Ended enqueues the webhook of a job that is done or failed, if it has one: always the same event for the same job.
func (i *Inserter) Ended(ctx context.Context, tx pgx.Tx, j job.Job) (job.Announcement, error) {
	if j.WebhookURL == "" {
		return job.Announcement{}, nil
	}
	e, err := webhook.JobEnded(j)
	if err != nil {
		return job.Announcement{}, err
	}
	res, err := i.client.InsertTx(ctx, tx, webhookArgs{Event: e}, &river.InsertOpts{Metadata: tracing.Metadata(ctx)})
	if err != nil {
		return job.Announcement{}, err
	}
	return job.Announcement{Event: e.ID, Type: e.Type, Work: res.Job.ID}, nil
}
