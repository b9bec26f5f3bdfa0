package queue_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/queue"
)

// TestCheck goes through what makes a process unfit for work.
func TestCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	q, err := queue.New(b.config(fakeEngine(convertAtOnce)))
	if err != nil {
		t.Fatal(err)
	}
	failsWith := func(want string) {
		t.Helper()
		if err := q.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	failsWith("not started")
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Stop(context.Background()) })
	if err := q.Check(t.Context()); err != nil {
		t.Errorf("started: %v", err)
	}

	// Another session waits for the worker's lock, and so has it as soon as the worker loses it.
	other, err := b.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	const locks = `FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var key int64
	var holder int
	if err := b.pool.QueryRow(t.Context(), `SELECT (classid::int8 << 32) | objid::int8, pid `+locks).Scan(&key, &holder); err != nil {
		t.Fatal(err)
	}
	has := make(chan error, 1)
	go func() {
		_, err := other.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, key)
		has <- err
	}()
	b.awaitSQL(t, "another waits for the lock", `SELECT count(*) = 1 `+locks+` AND NOT granted`)
	if _, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, holder); err != nil {
		t.Fatal(err)
	}
	if err := take(t, has, "another gets the lock"); err != nil {
		t.Fatal(err)
	}
	// The worker has noticed when it waits for the lock in turn.
	b.awaitSQL(t, "the worker waits for its lock", `SELECT count(*) = 1 `+locks+` AND NOT granted`)
	failsWith("without the lock")

	if err := q.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	failsWith("stopped")
}
