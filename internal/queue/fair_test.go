package queue_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/engine"
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

// after converts at once, when it may: each conversion takes one release, or all go when it is closed.
func after(release <-chan struct{}) fakeEngine {
	return func(ctx context.Context, r engine.Request, progress func(done, total int)) (engine.Result, error) {
		select {
		case <-release:
		case <-ctx.Done():
			return engine.Result{}, context.Cause(ctx)
		}
		return convertAtOnce(ctx, r, progress)
	}
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

// A worker that becomes free takes the other account's job, however many of the first one's wait.
func TestAccountsTakeTurnsAmongSeveralWorkers(t *testing.T) {
	t.Parallel()
	const workers, large = 3, 20
	b := newBench(t)
	other, err := b.CreateAccount(t.Context(), "other@example.com", plan.Business)
	if err != nil {
		t.Fatal(err)
	}
	for range large {
		b.submit(t, func(s *job.Submission) { s.PageCount, s.PagesCharged = 90, 90 })
	}
	begun, release := make(chan uuid.UUID, large+1), make(chan struct{})
	c := b.config(after(release))
	c.Workers, c.Store = workers, begunStore{b.Store, begun}
	start(t, c)
	for range workers {
		take(t, begun, "the start of a large job")
	}
	small := b.submit(t, func(s *job.Submission) { s.Account = other.ID }).ID
	release <- struct{}{} // of one worker
	if next := take(t, begun, "the start of the next job"); next != small {
		t.Errorf("a large job began before the other account's small one")
	}
	close(release)
	b.awaitIdle(t)
}

// What a dead worker had begun comes before what its account has submitted later.
func TestOrderOutlastsTakeover(t *testing.T) {
	t.Parallel()
	const jobs, theirs = 8, 4 // of which the victim begins the first four
	b := newBench(t)
	places := make(map[uuid.UUID]int)
	for i := range jobs {
		places[b.submit(t, nil).ID] = i + 1
	}
	cmd, lines := b.startVictim(t)
	for range theirs {
		if !lines.Scan() {
			t.Fatal("the victim ended")
		}
	}
	begun, release := make(chan uuid.UUID, jobs), make(chan struct{})
	c := b.config(after(release))
	c.Workers, c.Store = 1, begunStore{b.Store, begun}
	start(t, c)
	order := []int{places[take(t, begun, "the start of a job")]}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.awaitSQL(t, "the dead worker's jobs to be taken over",
		`SELECT count(*) = $1 FROM river_job WHERE kind = 'convert' AND state = 'available' AND attempt > 0`, theirs)
	if _, err := b.Reconcile(t.Context()); err != nil { // as every 15 s
		t.Fatal(err)
	}
	close(release)
	for range jobs - 1 {
		order = append(order, places[take(t, begun, "the start of a job")])
	}
	if diff := cmp.Diff([]int{5, 1, 2, 3, 4, 6, 7, 8}, order); diff != "" {
		t.Errorf("the order of jobs (-want +got):\n%s", diff)
	}
	b.awaitIdle(t)
}
