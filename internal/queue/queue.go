// Package queue works off what the service has promised: conversions, webhooks, the deletion of expired
// files. It runs on River, whose jobs live in the same Postgres and the same transactions as ours.
//
// Whatever kills a worker, its work goes on elsewhere: each process holds a session lock that dies with
// it, and the others watch those locks (see sentinel).
package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/webhook"
)

// Store is what the queue needs of the service's memory; package postgres says more of each.
type Store interface {
	// StartJob makes an active job processing; an ended one comes back as it is. NotFound: deleted.
	StartJob(ctx context.Context, id uuid.UUID) (job.Job, error)
	// SetProgress notes the number of pages done. NotFound: the work is in vain.
	SetProgress(ctx context.Context, id uuid.UUID, done int) error
	// FinishJob ends an active job, complete in the same transaction. Not finished: deleted or ended before.
	FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(context.Context, pgx.Tx) error) (finished bool, err error)
	// Job finds a job of the account. NotFound: deleted.
	Job(ctx context.Context, acct account.ID, id uuid.UUID) (job.Job, error)
	// Reconcile ends jobs whose work is lost or given up.
	Reconcile(ctx context.Context) (ended int, err error)
	// ExpiredJobs finds jobs whose files are due for deletion, those of skip left out.
	ExpiredJobs(ctx context.Context, limit int, skip ...uuid.UUID) ([]uuid.UUID, error)
	// MarkExpired notes that a job's files are deleted.
	MarkExpired(ctx context.Context, id uuid.UUID) error
	// Orphans tells which ids own no files any more.
	Orphans(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	// PurgeIdempotencyKeys forgets keys that may be used anew.
	PurgeIdempotencyKeys(ctx context.Context) (purged int64, err error)
	// DeliveryWanted tells whether the work may still deliver the event of a job.
	DeliveryWanted(ctx context.Context, id uuid.UUID, event string, work int64) (wanted bool, err error)
	// LogAttempt notes how an attempt to deliver an event went.
	LogAttempt(ctx context.Context, event string, a job.Attempt) error
	// PurgeDeliveries forgets deliveries that are too old to be shown.
	PurgeDeliveries(ctx context.Context) (purged int64, err error)
	// PurgeProviderEvents forgets events of providers that are not repeated any more.
	PurgeProviderEvents(ctx context.Context) (purged int64, err error)
	// EraseAccount does one step of removing what belongs to a deleted account.
	EraseAccount(ctx context.Context, id account.ID) (done bool, err error)
}

// Engine converts.
type Engine interface {
	// Convert writes the results of r. A fault of kind Invalid is the PDF's fault and final; any other
	// error may go away. progress hears the number of pages done, never after Convert has returned.
	Convert(ctx context.Context, r engine.Request, progress func(done, total int)) (engine.Result, error)
}

// Blobs keeps the files of jobs under job.Prefix.
type Blobs interface {
	// Fetch copies an object to a local file.
	Fetch(ctx context.Context, key, path string) error
	// Put stores an object, replacing one of the same key.
	Put(ctx context.Context, key, mediaType string, r io.Reader) error
	// DeletePrefix removes all objects whose keys start with prefix; none is fine.
	DeletePrefix(ctx context.Context, prefix string) error
	// List calls fn for all objects whose keys start with prefix, a folder's one after the other, until it
	// returns an error.
	List(ctx context.Context, prefix string, fn func(key string, modified time.Time) error) error
	// RemoveUnfinished removes what was begun to be stored under prefix before the given time, and never ended.
	RemoveUnfinished(ctx context.Context, prefix string, before time.Time) (removed int, err error)
}

// Webhooks delivers events; webhook.Sender does.
type Webhooks interface {
	// Send tries once. An error means that nothing was sent, for a reason of ours.
	Send(ctx context.Context, e webhook.Event) (webhook.Result, error)
}

// Config is what a Queue needs. All interfaces and Pool are required unless Workers is 0.
type Config struct {
	Pool     *pgxpool.Pool
	Store    Store
	Engine   Engine
	Blobs    Blobs
	Webhooks Webhooks

	Workers    int           // conversions at once; 0: this process works nothing
	JobTimeout time.Duration // how long one conversion may take; default 10 minutes
	StopGrace  time.Duration // how long running work may go on after Stop; default 20 seconds
	Retention  time.Duration // how long files are kept; expired ones are looked for as often, at least every minute
	TempDir    string        // for the files of running conversions; default os.TempDir()
	// RetryDelay is the pause after the given failed attempt (from 1) of a conversion; default: from a
	// second to two minutes.
	RetryDelay func(attempt int) time.Duration
	// OutagePatience is how long a worker waits for files, database or disk to come back before it puts a
	// conversion back into the queue; default 30 seconds.
	OutagePatience time.Duration
	Now            func() time.Time      // default time.Now; for deciding what an orphan is
	Logger         *slog.Logger          // default slog.Default()
	Registry       prometheus.Registerer // gets the metrics; nil: none
	Tracer         trace.TracerProvider  // gets a span for each conversion; nil: none
}

const (
	defaultJobTimeout = 10 * time.Minute
	defaultStopGrace  = 20 * time.Second
	// defaultOutagePatience covers a restart of what is away. Meanwhile the worker takes nothing else, so
	// the queue keeps its order instead of being tried through in vain.
	defaultOutagePatience = 30 * time.Second
	// transferTime is what a conversion may take beside the engine: fetching the upload, storing results.
	transferTime = 5 * time.Minute
	// rescueMargin is how long after a conversion's last moment River's own rescuer gives it up: the net
	// below the sentinel.
	rescueMargin     = 5 * time.Minute
	webhookWorkers   = 50                     // they wait, mostly: a receiver may take 15 seconds
	convertPoll      = 100 * time.Millisecond // where a notification got lost
	otherPoll        = time.Second
	expiryInterval   = time.Minute   // how late expired files may go; less where RETENTION is shorter
	orphanInterval   = 6 * time.Hour // lists the whole bucket
	stopAfterTimeout = 5 * time.Second
)

// Queue works off the queue in this process. Create one with New.
type Queue struct {
	c        Config
	logger   *slog.Logger
	metrics  *metrics
	client   *river.Client[pgx.Tx] // nil when there is nothing to work
	sentinel *sentinel

	ended  atomic.Pointer[<-chan struct{}] // closed when the client has stopped; nil before Start
	sweeps *sweepMetrics

	expiring  sync.Mutex  // held by a round of expiry
	postponed []uuid.UUID // jobs whose files resisted deletion: the next round goes on behind them

	mu      sync.Mutex
	started bool
	stopped bool
}

// New makes a queue; Start sets it to work.
func New(c Config) (*Queue, error) {
	q := &Queue{c: withDefaults(c)}
	q.logger = q.c.Logger.With("component", "queue")
	var err error
	if q.sweeps, err = newSweepMetrics(c.Registry); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if c.Workers == 0 {
		return q, nil
	}
	if c.Pool == nil || c.Store == nil || c.Engine == nil || c.Blobs == nil || c.Webhooks == nil || c.Workers < 0 {
		return nil, errors.New("queue: Pool, Store, Engine, Blobs, Webhooks and a positive number of Workers are required")
	}
	q.metrics = newMetrics(c.Registry, c.Workers)
	workers := river.NewWorkers()
	for _, err := range []error{
		river.AddWorkerSafely(workers, &converter{q: q}),
		river.AddWorkerSafely(workers, newDeliverer(q)),
		river.AddWorkerSafely(workers, &expirer{q: q}),
		river.AddWorkerSafely(workers, &orphanSweeper{q: q}),
		river.AddWorkerSafely(workers, &eraser{q: q}),
		river.AddWorkerSafely(workers, &fileDeleter{q: q}),
	} {
		if err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	timeout := q.c.JobTimeout + transferTime
	working := newWorkingSet()
	client, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{
		// Ours, not River's default of host name and time: the sentinel's lock hangs on it.
		ID:            "ragify-" + uuid.NewString(),
		Logger:        riverLogger(q.logger),
		Workers:       workers,
		FetchCooldown: fetchCooldown,
		Queues: map[string]river.QueueConfig{
			convertQueue:     {MaxWorkers: q.c.Workers, FetchPollInterval: convertPoll},
			suspectQueue:     {MaxWorkers: 1, FetchPollInterval: otherPoll},
			webhookQueue:     {MaxWorkers: webhookWorkers, FetchPollInterval: otherPoll},
			maintenanceQueue: {MaxWorkers: maintenanceWorkers, FetchPollInterval: otherPoll},
			erasureQueue:     {MaxWorkers: erasureWorkers, FetchPollInterval: otherPoll},
		},
		Middleware:           []rivertype.Middleware{working.middleware(), continued()},
		JobTimeout:           timeout,
		RescueStuckJobsAfter: timeout + rescueMargin,
		SoftStopTimeout:      q.c.StopGrace,
		PeriodicJobs: []*river.PeriodicJob{
			periodically(max(min(q.c.Retention, expiryInterval), time.Second), expireArgs{}),
			periodically(orphanInterval, orphanArgs{}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	q.client = client
	q.sentinel = newSentinel(c.Pool, client.ID(), working, c.Store, q.logger, q.metrics)
	return q, nil
}

func withDefaults(c Config) Config {
	if c.JobTimeout <= 0 {
		c.JobTimeout = defaultJobTimeout
	}
	if c.StopGrace <= 0 {
		c.StopGrace = defaultStopGrace
	}
	if c.Retention <= 0 {
		c.Retention = expiryInterval
	}
	if c.TempDir == "" {
		c.TempDir = os.TempDir()
	}
	if c.OutagePatience <= 0 {
		c.OutagePatience = defaultOutagePatience
	}
	if c.RetryDelay == nil {
		c.RetryDelay = convertBackoff
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// periodically makes args at start and then at every interval, by whichever process River has elected.
func periodically(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{ID: args.Kind(), RunOnStart: true})
}

// Start sets the queue to work until Stop; ctx bounds the start only. It does nothing when it was
// called before, after Stop, or with Workers 0.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.client == nil || q.started || q.stopped {
		return nil
	}
	q.clearTempDir()
	// The lock first: a client that works without it looks dead to the others.
	if err := q.sentinel.start(ctx); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		q.sentinel.stop()
		return fmt.Errorf("queue: %w", err)
	}
	q.started = true
	stopped := q.client.Stopped()
	q.ended.Store(&stopped)
	return nil
}

// Stop takes no new work and waits for the running work, which goes back to the queue when it has not
// finished after StopGrace, or when ctx ends. It may be called early and twice.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	if !q.started {
		return nil
	}
	q.started = false
	defer q.sentinel.stop() // after the work: until then the others must leave it alone
	err := q.client.Stop(ctx)
	if ctx.Err() == nil {
		return err
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopAfterTimeout)
	defer cancel()
	return q.client.StopAndCancel(hard)
}

// tempPattern names the directories of running conversions under TempDir.
const tempPattern = "ragify-job-*"

// clearTempDir removes what conversions of killed processes left behind: directories older than any
// conversion can be.
func (q *Queue) clearTempDir() {
	old, err := filepath.Glob(filepath.Join(q.c.TempDir, tempPattern))
	if err != nil {
		return // only for a malformed pattern
	}
	for _, dir := range old {
		info, err := os.Lstat(dir)
		if err != nil || time.Since(info.ModTime()) < q.c.JobTimeout+transferTime+rescueMargin {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			q.logger.Warn("cannot remove the leftovers of a killed conversion", "dir", dir, "error", err)
		}
	}
}
