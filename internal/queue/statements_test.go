package queue_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

type operationKey struct{}

// within marks what is sent on ctx as part of an operation.
func within(ctx context.Context, operation string) context.Context {
	return context.WithValue(ctx, operationKey{}, operation)
}

// statements counts what is sent to Postgres, BEGIN and COMMIT included, by the operation that within has named.
type statements struct {
	mu   sync.Mutex
	sent map[string][]string
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if operation, ok := ctx.Value(operationKey{}).(string); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent[operation] = append(s.sent[operation], d.SQL)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// markingStore names the operations of a worker.
type markingStore struct{ queue.Store }

// StartJob implements queue.Store.
func (s markingStore) StartJob(ctx context.Context, id uuid.UUID) (job.Job, error) {
	return s.Store.StartJob(within(ctx, "start"), id)
}

// FinishJob implements queue.Store.
func (s markingStore) FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(context.Context, pgx.Tx) error) (bool, error) {
	return s.Store.FinishJob(within(ctx, "finish"), id, o, complete)
}

// The life of a job has few statements, and they stay few: all nodes together may send 25 a job. What is not counted here is
// one for the credentials, one for the month's pages, and one by which a worker takes the job; progress is written of long
// conversions only.
func TestJobsCostFewStatements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	counter := &statements{sent: make(map[string][]string)}
	c, err := pgxpool.ParseConfig(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	c.ConnConfig.Tracer = counter
	if b.pool, err = pgxpool.NewWithConfig(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.pool.Close)
	b.Store = newStore(t, b.pool)
	if b.owner, err = b.CreateAccount(t.Context(), "owner@example.com", b.owner.Tier); err != nil {
		t.Fatal(err)
	}
	config := b.config(fakeEngine(convertAtOnce))
	config.Store = markingStore{b.Store}
	start(t, config)
	j := b.submitWithin(t, within(t.Context(), "submit"), nil)
	b.await(t, j.ID, ended)
	b.awaitIdle(t)
	counter.mu.Lock()
	defer counter.mu.Unlock()
	for operation, most := range map[string]int{"submit": 7, "start": 1, "finish": 6} {
		// The first submission of a process has one more, by which River looks at the version of Postgres.
		if sent := counter.sent[operation]; len(sent) == 0 || len(sent) > most {
			t.Errorf("%s: %d statements, want at most %d: %q", operation, len(sent), most, sent)
		}
	}
}
