package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

// announcing is a bench whose store enqueues webhooks.
func announcing(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.Store = postgres.New(postgres.Config{
		Pool: b.pool, Now: b.clock.Now, Retention: time.Hour,
		Enqueue: func(ctx context.Context, tx pgx.Tx, id uuid.UUID, due time.Time) (riverID int64, err error) {
			err = tx.QueryRow(ctx, `INSERT INTO river_job (kind, args, max_attempts, scheduled_at) VALUES ('convert', jsonb_build_object('job_id', $1::text), 5, $2) RETURNING id`, id.String(), due).Scan(&riverID)
			return riverID, err
		},
		Cancel: func(ctx context.Context, tx pgx.Tx, riverID int64) error {
			_, err := tx.Exec(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1`, riverID)
			return err
		},
		Ended: func(ctx context.Context, tx pgx.Tx, j job.Job) (a job.Announcement, err error) {
			if j.WebhookURL == "" {
				return a, nil
			}
			a = job.Announcement{Event: "msg_" + j.ID.String(), Type: "job." + string(j.Status)}
			err = tx.QueryRow(ctx, `INSERT INTO river_job (kind, args, max_attempts) VALUES ('webhook', '{}', 8) RETURNING id`).Scan(&a.Work)
			return a, err
		},
	})
	return b
}

// hooked is an ended job with a webhook, and its event.
func (b *bench) hooked(t *testing.T) (j job.Job, event string) {
	t.Helper()
	sub := submission(b.account(t, plan.Pro), 3)
	sub.WebhookURL = "https://example.com/hook"
	j = b.submit(t, sub)
	if finished, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, b.complete(j.ID)); err != nil || !finished {
		t.Fatalf("%v, %v", finished, err)
	}
	return j, "msg_" + j.ID.String()
}

// delivery is the only one of a job.
func (b *bench) delivery(t *testing.T, j job.Job) job.Delivery {
	t.Helper()
	list, err := b.Deliveries(t.Context(), j.Account, j.ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list[0]
}

func (b *bench) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func TestDeliveries(t *testing.T) {
	b := announcing(t)
	wanted := func(t *testing.T, j job.Job, event string, work int64) bool {
		t.Helper()
		ok, err := b.DeliveryWanted(t.Context(), j.ID, event, work)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	work := func(t *testing.T, event string) (id int64) {
		t.Helper()
		if err := b.pool.QueryRow(t.Context(), `SELECT river_job_id FROM webhook_events WHERE id = $1`, event).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}

	t.Run("an event waits from the job's end on; what the queue gave up or forgot has failed, what it completed is delivered", func(t *testing.T) {
		j, event := b.hooked(t)
		if d := b.delivery(t, j); d.Event != event || d.Status != job.DeliveryPending || d.NextAttemptAt == nil || d.Attempts == nil {
			t.Errorf("%+v", d)
		}
		for change, want := range map[string]job.DeliveryStatus{
			`UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE id = $1`: job.DeliveryFailed,
			`UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = $1`: job.Delivered,
			`UPDATE river_job SET state = 'running', finalized_at = NULL WHERE id = $1`:    job.DeliveryPending,
		} {
			b.exec(t, change, work(t, event))
			if d := b.delivery(t, j); d.Status != want || d.NextAttemptAt != nil {
				t.Errorf("%s: %+v", change, d)
			}
		}
		b.exec(t, `DELETE FROM river_job WHERE id = $1`, work(t, event))
		if d := b.delivery(t, j); d.Status != job.DeliveryFailed {
			t.Errorf("%+v", d)
		}
		if d, err := b.Redeliver(t.Context(), j.Account, j.ID, event); err != nil || d.Status != job.DeliveryPending {
			t.Errorf("%+v, %v", d, err)
		}
	})

	t.Run("the log keeps the newest hundred attempts", func(t *testing.T) {
		j, event := b.hooked(t)
		for i := range job.MaxAttemptsLogged + 5 {
			a := job.Attempt{At: b.clock.Now(), Took: time.Second, Outcome: job.AttemptRefused, HTTPStatus: 400 + i}
			if err := b.LogAttempt(t.Context(), event, a); err != nil {
				t.Fatal(err)
			}
		}
		d := b.delivery(t, j)
		if n := len(d.Attempts); n != job.MaxAttemptsLogged || d.Attempts[0].HTTPStatus != 504 || d.Attempts[n-1].HTTPStatus != 405 || d.Attempts[0].Took != time.Second {
			t.Errorf("%d attempts, from %+v to %+v", n, d.Attempts[n-1], d.Attempts[0])
		}
	})

	t.Run("an event that the log does not have is delivered and not logged", func(t *testing.T) {
		j, event := b.hooked(t)
		id := work(t, event)
		b.exec(t, `DELETE FROM webhook_events WHERE id = $1`, event)
		if !wanted(t, j, event, id) {
			t.Error("it is not wanted")
		}
		if err := b.LogAttempt(t.Context(), event, job.Attempt{Outcome: job.AttemptDelivered}); err != nil {
			t.Error(err)
		}
	})

	t.Run("only the newest series delivers, and none once the job is deleted", func(t *testing.T) {
		j, event := b.hooked(t)
		first := work(t, event)
		if !wanted(t, j, event, first) {
			t.Error("the first series is not wanted")
		}
		if _, err := b.Redeliver(t.Context(), j.Account, j.ID, event); err != nil {
			t.Fatal(err)
		}
		second := work(t, event)
		if first == second || wanted(t, j, event, first) || !wanted(t, j, event, second) {
			t.Errorf("after a redelivery: first %v, second %v", wanted(t, j, event, first), wanted(t, j, event, second))
		}
		if err := b.DeleteJob(t.Context(), j.Account, j.ID); err != nil {
			t.Fatal(err)
		}
		if wanted(t, j, event, second) {
			t.Error("wanted after the deletion")
		}
		_, err := b.Redeliver(t.Context(), j.Account, j.ID, event)
		wantFault(t, err, fault.NotFound, "job_not_found")
	})

	t.Run("any number of redeliveries at once leave one series, and nothing of the others", func(t *testing.T) {
		j, event := b.hooked(t)
		first := work(t, event)
		errs := make(chan error)
		for range 10 {
			go func() {
				_, err := b.Redeliver(t.Context(), j.Account, j.ID, event)
				errs <- err
			}()
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		var left []int64
		err := b.pool.QueryRow(t.Context(), `SELECT array_agg(id) FROM river_job WHERE kind = 'webhook' AND id >= $1`, first).Scan(&left)
		if err != nil || fmt.Sprint(left) != fmt.Sprint([]int64{work(t, event)}) {
			t.Errorf("%v, %v", left, err)
		}
	})

	t.Run("a redelivery leaves work alone that a worker takes at the same moment", func(t *testing.T) {
		j, event := b.hooked(t)
		first := work(t, event)
		taking, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = taking.Rollback(context.WithoutCancel(t.Context())) }()
		if _, err := taking.Exec(t.Context(), `UPDATE river_job SET state = 'running' WHERE id = $1`, first); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := b.Redeliver(t.Context(), j.Account, j.ID, event)
			done <- err
		}()
		for waiting, end := false, time.Now().Add(20*time.Second); !waiting; {
			err := b.pool.QueryRow(t.Context(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
			if err != nil || time.Now().After(end) {
				t.Fatalf("the redelivery does not wait for the worker: %v", err)
			}
		}
		if err := taking.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if now := work(t, event); now != first || !wanted(t, j, event, first) {
			t.Errorf("work %d was replaced by %d", first, now)
		}
	})

	t.Run("deliveries are forgotten after the retention, but not within three days", func(t *testing.T) {
		j, _ := b.hooked(t)
		b.clock.Add(71 * time.Hour)
		if _, err := b.PurgeDeliveries(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.delivery(t, j)
		b.clock.Add(2 * time.Hour)
		if n, err := b.PurgeDeliveries(t.Context()); err != nil || n == 0 {
			t.Errorf("%d forgotten, %v", n, err)
		}
		if list, err := b.Deliveries(t.Context(), j.Account, j.ID); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}
