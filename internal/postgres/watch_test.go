package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 20 * time.Second

// wantTick waits for a tick that comes sooner than the fallback would.
func wantTick(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case _, open := <-c:
		if !open {
			t.Fatalf("%s: the channel is closed", what)
		}
	case <-time.After(4 * time.Second): // the fallback ticks after five
		t.Fatalf("%s: no tick", what)
	}
}

func drain(c <-chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

// listening waits until the store's listener is there.
func (b *bench) listening(t *testing.T, want int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var n int
		if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d listening connections, want %d", n, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()

	t.Run("ticks for every visible change of its job, until the deletion", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j, other := b.submit(t, submission(a, 5)), b.submit(t, submission(a, 5))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, err := b.Watch(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantTick(t, c, "the listener is ready")
		for _, step := range []struct {
			what string
			do   func() error
		}{
			{"start", func() error { _, err := b.StartJob(t.Context(), j.ID); return err }},
			{"progress", func() error { return b.SetProgress(t.Context(), j.ID, 1) }},
			{"end", func() error {
				_, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, nil)
				return err
			}},
			{"deletion", func() error { return b.DeleteJob(t.Context(), a.ID, j.ID) }},
		} {
			drain(c)
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			wantTick(t, c, step.what)
		}
		drain(c)
		if _, err := b.StartJob(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		own, err := b.Watch(ctx, other.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.SetProgress(t.Context(), other.ID, 1); err != nil {
			t.Fatal(err)
		}
		wantTick(t, own, "the other job's progress")
		select {
		case <-c:
			t.Error("ticked for another job")
		default:
		}
	})

	t.Run("all watchers share one connection, which goes with the last", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var watching []<-chan struct{}
		for range 10 {
			c, err := b.Watch(ctx, j.ID)
			if err != nil {
				t.Fatal(err)
			}
			watching = append(watching, c)
		}
		wantTick(t, watching[0], "the listener is ready")
		b.listening(t, 1)
		for _, c := range watching {
			drain(c)
		}
		if _, err := b.StartJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		for _, c := range watching {
			wantTick(t, c, "start")
		}
		cancel()
		for _, c := range watching {
			for range c { // until it is closed
			}
		}
		b.listening(t, 0)
		if _, err := b.Watch(ctx, j.ID); err == nil {
			t.Error("watches in a context that has ended")
		}
	})

	t.Run("goes on over a new connection when one breaks", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		c, err := b.Watch(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantTick(t, c, "the listener is ready")
		if _, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`); err != nil {
			t.Fatal(err)
		}
		wantTick(t, c, "the listener is back: something may have been missed")
		if _, err := b.StartJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		wantTick(t, c, "start")
	})
}
