package queue_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

// BenchmarkPickUp measures how long a lone job waits from before its submission until its engine runs.
func BenchmarkPickUp(b *testing.B) {
	pool := pgtest.New(b)
	store := newStore(b, pool)
	owner, err := store.CreateAccount(b.Context(), "owner@example.com", plan.Pro)
	if err != nil {
		b.Fatal(err)
	}
	running, over := make(chan time.Time), make(chan struct{})
	q, err := queue.New(queue.Config{
		Pool: pool, Store: tellingStore{store, over}, Blobs: noBlobs{}, Webhooks: noWebhooks{}, Workers: 4, Logger: slog.New(slog.DiscardHandler), TempDir: b.TempDir(),
		Engine: fakeEngine(func(context.Context, engine.Request, func(int, int)) (engine.Result, error) {
			running <- time.Now()
			return engine.Result{}, nil
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := q.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	p := plan.Default()[plan.Pro]
	p.MaxConcurrentJobs, p.PagesPerMonth = nil, nil
	var waits []time.Duration
	for b.Loop() {
		began := time.Now()
		sub := job.Submission{ID: uuid.New(), Account: owner.ID, Options: option.Default(), PageCount: 1, PagesCharged: 1}
		if _, _, err := store.Submit(b.Context(), sub, p); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, (<-running).Sub(began))
		<-over
	}
	if err := q.Stop(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1e3, "ms-p50")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1e3, "ms-p99")
}

// tellingStore sends on over after each outcome.
type tellingStore struct {
	queue.Store

	over chan<- struct{}
}

func (s tellingStore) FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(context.Context, pgx.Tx) error) (bool, error) {
	finished, err := s.Store.FinishJob(ctx, id, o, complete)
	s.over <- struct{}{}
	return finished, err
}
