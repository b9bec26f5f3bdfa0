package queue_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

// flakyBlobs fails the first calls.
type flakyBlobs struct {
	queue.Blobs

	fetches, puts atomic.Int32 // how many are yet to fail
}

func away(left *atomic.Int32) error {
	if left.Add(-1) >= 0 {
		return fault.New(fault.Unavailable, "storage_unavailable", "Away.")
	}
	return nil
}

func (b *flakyBlobs) Fetch(ctx context.Context, key, path string) error {
	if err := away(&b.fetches); err != nil {
		return err
	}
	return b.Blobs.Fetch(ctx, key, path)
}

func (b *flakyBlobs) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if err := away(&b.puts); err != nil {
		return err
	}
	return b.Blobs.Put(ctx, key, mediaType, r)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	const more = 8 // outages than attempts

	t.Run("of the files costs no attempt", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		blobs := &flakyBlobs{Blobs: b.blobs}
		blobs.fetches.Store(more)
		blobs.puts.Store(more)
		c := b.config(fakeEngine(convertAtOnce))
		c.Blobs, c.OutagePatience = blobs, time.Nanosecond
		q := start(t, c)
		j := b.await(t, b.submit(t, nil).ID, ended)
		if j.Status != job.Done {
			t.Fatalf("got %s %q", j.Status, j.ErrorCode)
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keys := b.keys(t, j.ID); len(keys) != 2 {
			t.Errorf("stored %v, want the upload and one result", keys)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("that is short is waited for: the conversion is not repeated", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		blobs := &flakyBlobs{Blobs: b.blobs}
		blobs.puts.Store(1)
		var calls atomic.Int32
		c := b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			calls.Add(1)
			return convertAtOnce(ctx, r, progress)
		}))
		c.Blobs = blobs
		start(t, c)
		if j := b.await(t, b.submit(t, nil).ID, ended); j.Status != job.Done || calls.Load() != 1 {
			t.Errorf("got %s after %d conversions", j.Status, calls.Load())
		}
	})

	t.Run("of the disk costs no attempt", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			if calls.Add(1) <= more {
				return engine.Result{}, fault.New(fault.Unavailable, "storage_unavailable", "No room.").Because(syscall.ENOSPC)
			}
			return convertAtOnce(ctx, r, progress)
		})))
		if j := b.await(t, b.submit(t, nil).ID, ended); j.Status != job.Done {
			t.Errorf("got %s %q", j.Status, j.ErrorCode)
		}
	})

	t.Run("is not waited for for ever", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		blobs := &flakyBlobs{Blobs: b.blobs}
		blobs.fetches.Store(1 << 20)
		c := b.config(fakeEngine(convertAtOnce))
		c.Blobs, c.OutagePatience = blobs, time.Nanosecond
		c.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
		start(t, c)
		if j := b.await(t, b.submit(t, nil).ID, ended); j.Status != job.Failed || j.ErrorCode != "conversion_failed" {
			t.Errorf("got %s %q", j.Status, j.ErrorCode)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("of a missing upload is none", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		j := b.submit(t, nil)
		if err := b.blobs.Delete(t.Context(), job.SourceKey(j.ID)); err != nil {
			t.Fatal(err)
		}
		start(t, b.config(fakeEngine(convertAtOnce)))
		if j := b.await(t, j.ID, ended); j.Status != job.Failed {
			t.Errorf("got %s", j.Status)
		}
	})
}

// forgetfulOnce is a store that commits the first outcome and tells of a broken connection.
type forgetfulOnce struct {
	queue.Store

	was atomic.Bool
}

func (s *forgetfulOnce) FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(context.Context, pgx.Tx) error) (bool, error) {
	finished, err := s.Store.FinishJob(ctx, id, o, complete)
	if err == nil && s.was.CompareAndSwap(false, true) {
		return false, fault.New(fault.Unavailable, "database_unavailable", "Away.")
	}
	return finished, err
}

func TestConnectionBreaksWhileTheOutcomeIsCommitted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.config(fakeEngine(convertAtOnce))
	c.Store = &forgetfulOnce{Store: b.Store}
	q := start(t, c)
	j := b.await(t, b.submit(t, nil).ID, ended)
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if j.Status != job.Done || len(j.Files) != 1 {
		t.Fatalf("got %s with %v", j.Status, j.Files)
	}
	if content := b.read(t, job.Key(j.ID, j.Files[0].Name)); content != "# %PDF-me" {
		t.Errorf("stored %q", content)
	}
	pgtest.CheckBooks(t, b.pool)
}

func TestWorkerThatWasTakenForDead(t *testing.T) {
	t.Parallel()
	// takenOver is what the others do to the running work of a dead client.
	const takenOver = `UPDATE river_job SET attempt = attempt + 1, attempted_by = array_append(attempted_by, 'ragify-other') WHERE state = 'running' AND kind = 'convert'`

	t.Run("does not fail the job that another converts", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started, release := make(chan struct{}, 9), make(chan error, 9)
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			started <- struct{}{}
			if err := <-release; err != nil {
				return engine.Result{}, err
			}
			return convertAtOnce(ctx, r, progress)
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		if _, err := b.pool.Exec(t.Context(), takenOver); err != nil {
			t.Fatal(err)
		}
		release <- fault.New(fault.Invalid, "timed_out", "This PDF took too long to convert.")
		take(t, started, "it is tried again")
		if got, err := b.Job(t.Context(), b.owner.ID, j.ID); err != nil || !got.Status.Active() {
			t.Errorf("got %s %q, %v", got.Status, got.ErrorCode, err)
		}
		release <- nil
		if got := b.await(t, j.ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorCode)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("may end it with what it has made, and the other's results go", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started, release := make(chan struct{}), make(chan struct{})
		q := start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			close(started)
			<-release
			return convertAtOnce(ctx, r, progress)
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		if _, err := b.pool.Exec(t.Context(), takenOver); err != nil {
			t.Fatal(err)
		}
		if err := b.blobs.Put(t.Context(), job.Key(j.ID, "other/result.md"), "text/markdown", strings.NewReader("else")); err != nil {
			t.Fatal(err)
		}
		close(release)
		got := b.await(t, j.ID, ended)
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got.Status != job.Done || len(got.Files) != 1 || b.read(t, job.Key(j.ID, got.Files[0].Name)) != "# %PDF-me" {
			t.Errorf("got %s with %v", got.Status, got.Files)
		}
		pgtest.CheckBooks(t, b.pool)
	})
}

func TestAttemptAfterADeathClearsWhatTheDeadLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(t, nil)
	if err := b.blobs.Put(t.Context(), job.Key(j.ID, "dead/result.md"), "text/markdown", strings.NewReader("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET attempt = 1, attempted_by = '{ragify-dead}'`); err != nil {
		t.Fatal(err)
	}
	q := start(t, b.config(fakeEngine(convertAtOnce)))
	got := b.await(t, j.ID, ended)
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := b.keys(t, j.ID); got.Status != job.Done || !slices.Equal(keys, slices.Sorted(slices.Values([]string{got.Files[0].Name, "source.pdf"}))) {
		t.Errorf("got %s with %v", got.Status, keys)
	}
}

func TestWorkWhoseTakingGotLostIsDone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	started, release := make(chan string, 1), make(chan struct{})
	c := b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
		started <- r.Source
		<-release
		return convertAtOnce(ctx, r, progress)
	}))
	c.Workers = 1
	start(t, c)
	b.submit(t, nil)
	take(t, started, "the first conversion runs")
	// As when the connection breaks after the database has handed out the work, and before we hear of it.
	lost := b.submit(t, nil)
	_, err := b.pool.Exec(t.Context(), `
		UPDATE river_job w SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = r.attempted_by
		FROM river_job r WHERE w.kind = 'convert' AND w.state = 'available' AND r.kind = 'convert' AND r.state = 'running'`)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := b.await(t, lost.ID, ended); got.Status != job.Done {
		t.Errorf("got %s %q", got.Status, got.ErrorCode)
	}
	pgtest.CheckBooks(t, b.pool)
}

func TestSuspectsAreWorkedOffOneByOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// Four conversions were at work at two deaths of workers. Now they keep apart.
	cmd, lines := b.startVictim(t)
	var ids []uuid.UUID
	for range 4 {
		ids = append(ids, b.submit(t, nil).ID)
	}
	for range ids {
		if !lines.Scan() {
			t.Fatal("the victim ended")
		}
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET attempt = 2 WHERE kind = 'convert'`); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var atWork, most atomic.Int32
	start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
		n := atWork.Add(1)
		defer atWork.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		return convertAtOnce(ctx, r, progress)
	})))
	for _, id := range ids {
		if got := b.await(t, id, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorCode)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d conversions at once that were each at work when their worker died twice", most.Load())
	}
	pgtest.CheckBooks(t, b.pool)
}
