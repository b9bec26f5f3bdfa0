package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// queued are the names of the work that is due, in the order in which River takes it.
func (b *bench) queued(t *testing.T, names map[uuid.UUID]string) (order []string) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT args->>'job_id' FROM river_job WHERE state = 'available' AND scheduled_at <= now() ORDER BY priority, scheduled_at, id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		order = append(order, names[uuid.MustParse(id)])
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return order
}

func (b *bench) wantQueue(t *testing.T, names map[uuid.UUID]string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, b.queued(t, names)); diff != "" {
		t.Errorf("the queue (-want +got):\n%s", diff)
	}
}

func TestFairQueue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	names := make(map[uuid.UUID]string)
	ana, ben, cat := b.account(t, plan.Pro), b.account(t, plan.Pro), b.account(t, plan.Pro)
	a1, a2, a3 := submission(ana, 200), submission(ana, 200), submission(ana, 1)
	for name, sub := range map[string]job.Submission{"a1": a1, "a2": a2, "a3": a3} {
		names[sub.ID] = name
	}
	b.submit(t, a1)
	b.submit(t, a2)
	b.submit(t, a3)
	b1 := submission(ben, 50)
	names[b1.ID] = "b1"
	b.submit(t, b1)
	b.wantQueue(t, names, "a1", "b1", "a2", "a3") // an account's own jobs keep their order, whatever their length

	run := func(sub job.Submission) {
		t.Helper()
		if _, err := b.StartJob(t.Context(), sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.FinishJob(t.Context(), sub.ID, job.Outcome{Status: job.Done}, b.complete(sub.ID)); err != nil {
			t.Fatal(err)
		}
	}
	run(a1)
	run(b1)
	run(a2) // virtual time is where a2's turn was
	c1, b2 := submission(cat, 1), submission(ben, 1)
	names[c1.ID], names[b2.ID] = "c1", "b2"
	b.submit(t, c1)
	b.submit(t, b2)
	b.wantQueue(t, names, "c1", "b2", "a3") // what others had before does not count against a3, nor against c1 what it left unused

	// The last one failed for reasons of ours and is due again.
	if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET scheduled_at = now(), attempt = 1 WHERE args->>'job_id' = $1`, c1.ID.String()); err != nil {
		t.Fatal(err)
	}
	b.wantQueue(t, names, "b2", "a3", "c1")
	if _, err := b.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantQueue(t, names, "c1", "b2", "a3")
	b.checkBooks(t)
}
