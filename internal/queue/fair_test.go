package queue_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/queue"
)

// begunStore tells which jobs are begun.
type begunStore struct {
	queue.Store

	begun chan<- uuid.UUID
}

// StartJob implements queue.Store.
func (s begunStore) StartJob(ctx context.Context, id uuid.UUID) (job.Job, error) {
	s.begun <- id
	return s.Store.StartJob(ctx, id)
}

func TestAccountsTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other, err := b.CreateAccount(t.Context(), "other@example.com", plan.Pro)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[uuid.UUID]string)
	for _, name := range []string{"large 1", "large 2", "large 3", "large 4"} {
		names[b.submit(t, func(s *job.Submission) { s.PageCount, s.PagesCharged = 300, 300 }).ID] = name
	}
	for _, name := range []string{"small 1", "small 2"} {
		names[b.submit(t, func(s *job.Submission) { s.Account = other.ID }).ID] = name
	}
	begun := make(chan uuid.UUID, len(names))
	one := b.config(fakeEngine(convertAtOnce))
	one.Workers, one.Store = 1, begunStore{b.Store, begun}
	start(t, one)
	var order []string
	for range names {
		order = append(order, names[take(t, begun, "the start of a job")])
	}
	want := []string{"large 1", "small 1", "small 2", "large 2", "large 3", "large 4"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("the order of jobs (-want +got):\n%s", diff)
	}
	b.awaitIdle(t)
}

// A place in the queue is a time long past, not a time to wait for.
func TestSubmissionsAreDueAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.submit(t, nil)
	var due bool
	err := b.pool.QueryRow(t.Context(), `SELECT state = 'available' AND scheduled_at <= now() FROM river_job WHERE kind = 'convert'`).Scan(&due)
	if err != nil || !due {
		t.Errorf("due %v, %v", due, err)
	}
}
