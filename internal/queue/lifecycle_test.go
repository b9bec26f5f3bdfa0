package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

// The variables that make this test binary a victim: a process with a worker, to be killed.
const (
	victimURL   = "QUEUE_TEST_DATABASE"
	victimFiles = "QUEUE_TEST_FILES"
)

// victim works off the queue with an engine that never comes to an end, and prints a line for each
// conversion that it begins. It ends by being killed, or with its standard input.
func victim(url, files string) int {
	err := func() error {
		ctx := context.Background()
		pool, err := postgres.Open(ctx, url, postgres.PoolOptions{})
		if err != nil {
			return err
		}
		blobs, err := blob.Open(ctx, "file://"+files, blob.Options{})
		if err != nil {
			return err
		}
		quiet := slog.New(slog.DiscardHandler)
		q, err := queue.New(queue.Config{
			Pool: pool, Store: postgres.New(postgres.Config{Pool: pool, Logger: quiet}), Blobs: blobs, Webhooks: noWebhooks{},
			Workers: 4, Logger: quiet,
			Engine: fakeEngine(func(ctx context.Context, _ engine.Request, progress func(int, int)) (engine.Result, error) {
				progress(1, 3)
				fmt.Println("converting")
				<-ctx.Done()
				return engine.Result{}, ctx.Err()
			}),
		})
		if err != nil {
			return err
		}
		if err := q.Start(ctx); err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, os.Stdin) // until the test goes away
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// startVictim runs a victim on b's database and files.
func (b *bench) startVictim(t *testing.T) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimURL+"="+b.pool.Config().ConnString(), victimFiles+"="+b.files)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func TestKilledWorker(t *testing.T) {
	t.Parallel()

	t.Run("its jobs are finished by another within seconds", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		cmd, lines := b.startVictim(t)
		var ids []uuid.UUID
		for range 8 { // four run, four wait
			ids = append(ids, b.submit(t, nil).ID)
		}
		for range 4 {
			if !lines.Scan() {
				t.Fatal("the victim ended")
			}
		}
		start(t, func() queue.Config {
			c := b.config(fakeEngine(convertAtOnce))
			c.Workers = 1
			return c
		}())
		killed := time.Now()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if got := b.await(t, id, ended); got.Status != job.Done {
				t.Errorf("got %s %q", got.Status, got.ErrorMessage)
			}
		}
		took := time.Since(killed)
		t.Logf("all jobs done %v after the kill", took)
		if took > 10*time.Second {
			t.Error("that is not within seconds")
		}
		pgtest.CheckBooks(t, b.pool)
		if a, err := b.Account(t.Context(), b.owner.ID); err != nil || a.ActiveJobs != 0 {
			t.Errorf("%d slots are still taken, %v", a.ActiveJobs, err)
		}
	})

	t.Run("its jobs are finished by another also when it only stalls, as when its network is gone", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		cmd, lines := b.startVictim(t)
		j := b.submit(t, nil)
		if !lines.Scan() {
			t.Fatal("the victim ended")
		}
		start(t, b.config(fakeEngine(convertAtOnce)))
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil { // its connections stay open
			t.Fatal(err)
		}
		if got := b.await(t, j.ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("work that keeps killing its workers is given up, slot and pages come back", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		cmd, lines := b.startVictim(t)
		j := b.submit(t, nil)
		if !lines.Scan() {
			t.Fatal("the victim ended")
		}
		if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET max_attempts = attempt WHERE kind = 'convert'`); err != nil {
			t.Fatal(err)
		}
		start(t, b.config(fakeEngine(convertAtOnce)))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if got := b.await(t, j.ID, ended); got.Status != job.Failed || got.ErrorCode != "conversion_crashed" {
			t.Errorf("got %s %q", got.Status, got.ErrorCode)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("a job that it was about to stop stays deleted", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		cmd, lines := b.startVictim(t)
		j := b.submit(t, nil)
		if !lines.Scan() {
			t.Fatal("the victim ended")
		}
		if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET metadata = metadata || '{"cancel_attempted_at": "2026-11-23T12:00:00Z"}' WHERE kind = 'convert'`); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		start(t, b.config(fakeEngine(convertAtOnce)))
		b.awaitSQL(t, "the work is cancelled", `SELECT state = 'cancelled' FROM river_job WHERE kind = 'convert'`)
		if got := b.await(t, j.ID, ended); got.Status != job.Failed { // its row was still there: Reconcile
			t.Errorf("got %s", got.Status)
		}
	})
}

func TestLivingWorker(t *testing.T) {
	t.Parallel()

	t.Run("keeps its work when Postgres drops the connection that shows it alive", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started, release := make(chan struct{}), make(chan struct{})
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			close(started)
			<-release
			return convertAtOnce(ctx, r, progress)
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		var takenOver atomic.Bool
		start(t, b.config(fakeEngine(func(context.Context, engine.Request, func(int, int)) (engine.Result, error) {
			takenOver.Store(true)
			return engine.Result{}, errors.New("taken over")
		})))
		const holders = `FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND a.datname = current_database()`
		for range 3 {
			b.awaitSQL(t, "both workers hold their locks", `SELECT count(*) >= 2 `+holders)
			if _, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) `+holders); err != nil {
				t.Fatal(err)
			}
		}
		b.awaitSQL(t, "both workers hold their locks", `SELECT count(*) >= 2 `+holders)
		close(release)
		if got := b.await(t, j.ID, ended); got.Status != job.Done {
			t.Errorf("got %s", got.Status)
		}
		if takenOver.Load() {
			t.Error("the work was taken from a living worker")
		}
	})
}

// slowReconcile is a store whose look for lost jobs takes as long as it may.
type slowReconcile struct {
	queue.Store

	limits chan time.Duration
}

func (s slowReconcile) Reconcile(ctx context.Context) (int, error) {
	deadline, limited := ctx.Deadline()
	if !limited {
		deadline = time.Now().Add(time.Hour)
	}
	select {
	case s.limits <- time.Until(deadline):
	default:
	}
	return 0, ctx.Err()
}

func TestLookForLostJobsIsShorterThanTheSilenceThatCountsAsDeath(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.config(fakeEngine(convertAtOnce))
	limits := make(chan time.Duration, 1)
	c.Store = slowReconcile{b.Store, limits}
	start(t, c)
	const silence = 8 * time.Second // after which Postgres drops the connection that shows a worker alive
	if limit := take(t, limits, "jobs are looked for"); limit >= silence {
		t.Errorf("it may take %v", limit)
	}
}

func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	started, release := make(chan string, 4), make(chan struct{})
	var calls atomic.Int32
	start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
		calls.Add(1)
		started <- r.Source
		<-release
		return convertAtOnce(ctx, r, progress)
	})))
	jobs := []job.Job{b.submit(t, nil), b.submit(t, nil)}
	for range jobs {
		take(t, started, "the conversion runs")
	}
	// As when Postgres restarts, or a proxy in between.
	if _, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	close(release)
	for _, j := range jobs {
		b.awaitSQL(t, "the job is done", `SELECT status = 'done' FROM jobs WHERE id = $1`, j.ID)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d conversions of 2 jobs", n)
	}
	pgtest.CheckBooks(t, b.pool)
}

func TestStop(t *testing.T) {
	t.Parallel()

	t.Run("lets running work finish within the grace", func(t *testing.T) {
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
		stopped := make(chan error, 1)
		go func() { stopped <- q.Stop(context.Background()) }()
		close(release)
		if err := take(t, stopped, "the queue stops"); err != nil {
			t.Error(err)
		}
		if got := b.await(t, j.ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
	})

	for name, ctx := range map[string]func() (context.Context, context.CancelFunc){
		"hands work back after the grace": func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
		"hands work back when its context ends": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 30*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			started := make(chan string, 1)
			c := b.config(until(started))
			if name == "hands work back after the grace" {
				c.StopGrace = 30 * time.Millisecond
			}
			q := start(t, c)
			j := b.submit(t, nil)
			take(t, started, "the conversion runs")
			stopping, cancel := ctx()
			defer cancel()
			if err := q.Stop(stopping); err != nil {
				t.Error(err)
			}
			b.awaitSQL(t, "the work is back, the attempt not counted", `SELECT state = 'available' AND attempt = 0 FROM river_job WHERE kind = 'convert'`)
			b.checkTemp(t)
			start(t, b.config(fakeEngine(convertAtOnce)))
			if got := b.await(t, j.ID, ended); got.Status != job.Done {
				t.Errorf("got %s %q", got.Status, got.ErrorMessage)
			}
			pgtest.CheckBooks(t, b.pool)
		})
	}

	t.Run("may come early, twice, and after a failed start", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		q, err := queue.New(b.config(fakeEngine(convertAtOnce)))
		if err != nil {
			t.Fatal(err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Start(cancelled); err == nil {
			t.Error("started in a context that had ended")
		}
		for range 2 {
			if err := q.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := q.Start(t.Context()); err != nil {
			t.Errorf("a start after the stop: %v", err)
		}
	})
}

func TestWithoutWorkers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	q, err := queue.New(queue.Config{Pool: b.pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := b.submit(t, nil)
	// Another process works it off: this one only inserts.
	start(t, b.config(fakeEngine(convertAtOnce)))
	if got := b.await(t, j.ID, ended); got.Status != job.Done {
		t.Errorf("got %s", got.Status)
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestNoLeak runs alone: other tests' goroutines would be found as well.
func TestNoLeak(t *testing.T) {
	b := newBench(t)
	before := goleak.IgnoreCurrent()
	q, err := queue.New(b.config(fakeEngine(convertAtOnce)))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.await(t, b.submit(t, nil).ID, ended)
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Connections of the pool keep a goroutine each while they are idle; the pool is the test's.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
}

// TestBooksUnderFire lets everything happen at once: conversions that succeed, fail or stumble, jobs that
// are deleted at any moment, and two processes killed in the middle of their work.
func TestBooksUnderFire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, firstLines := b.startVictim(t)
	second, secondLines := b.startVictim(t)
	var jobs []job.Job
	for range 60 {
		jobs = append(jobs, b.submit(t, nil))
	}
	for range 4 { // each has its four workers busy
		if !firstLines.Scan() || !secondLines.Scan() {
			t.Fatal("a victim ended")
		}
	}
	for range 2 {
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			progress(rand.IntN(4), 3)
			switch rand.IntN(4) {
			case 0:
				return engine.Result{}, fault.New(fault.Invalid, "damaged_pdf", "This PDF is damaged.")
			case 1:
				return engine.Result{}, errors.New("stumbled")
			}
			return convertAtOnce(ctx, r, progress)
		})))
	}
	var deleting sync.WaitGroup
	for i := range 20 {
		deleting.Go(func() {
			if err := b.DeleteJob(t.Context(), b.owner.ID, jobs[3*i].ID); err != nil {
				t.Error(err)
			}
		})
	}
	if err := errors.Join(first.Process.Kill(), second.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	deleting.Wait()
	for i, j := range jobs {
		if i%3 != 0 {
			b.await(t, j.ID, ended)
		}
	}
	b.awaitIdle(t)
	pgtest.CheckBooks(t, b.pool)
	if a, err := b.Account(t.Context(), b.owner.ID); err != nil || a.ActiveJobs != 0 {
		t.Errorf("%d slots are still taken, %v", a.ActiveJobs, err)
	}
}
