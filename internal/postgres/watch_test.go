package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 20 * time.Second

// watch begins to watch a job or fails the test.
func (b *bench) watch(ctx context.Context, t *testing.T, owner account.ID, id uuid.UUID) (job.Job, <-chan job.Job) {
	t.Helper()
	j, changes, err := b.Watch(ctx, owner, id)
	if err != nil {
		t.Fatal(err)
	}
	return j, changes
}

// next waits for a change, or for the end: false.
func next(t *testing.T, changes <-chan job.Job, what string) (job.Job, bool) {
	t.Helper()
	select {
	case j, exists := <-changes:
		return j, exists
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
		return job.Job{}, false
	}
}

// listening waits until there are that many listening connections.
func (b *bench) listening(t *testing.T, want int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var n int
		if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ragify' AND pid <> ALL ($1)`,
			b.pooled(t)).Scan(&n); err != nil {
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

// pooled are the server's processes behind the pool's connections.
func (b *bench) pooled(t *testing.T) (pids []int32) {
	t.Helper()
	for _, c := range b.pool.AcquireAllIdle(t.Context()) {
		pids = append(pids, int32(c.Conn().PgConn().PID()))
		c.Release()
	}
	return pids
}

// breakListeners ends the listening connections, as a restart of Postgres does.
func (b *bench) breakListeners(t *testing.T) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL ($1)`,
		b.pooled(t)); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()

	t.Run("gives the job, and every visible change of it until the deletion", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j, other := b.submit(t, submission(a, 5)), b.submit(t, submission(a, 5))
		first, changes := b.watch(t.Context(), t, a.ID, j.ID)
		if first.ID != j.ID || first.Status != job.Pending || first.PagesCharged != 5 {
			t.Errorf("%+v", first)
		}
		if _, err := b.StartJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if got, _ := next(t, changes, "start"); got.Status != job.Processing {
			t.Errorf("%+v", got)
		}
		if err := b.SetProgress(t.Context(), j.ID, 3); err != nil {
			t.Fatal(err)
		}
		if got, _ := next(t, changes, "progress"); got.PagesDone != 3 {
			t.Errorf("%+v", got)
		}
		if _, err := b.StartJob(t.Context(), j.ID); err != nil { // another worker takes over
			t.Fatal(err)
		}
		if got, _ := next(t, changes, "another start"); got.PagesDone != 0 {
			t.Errorf("%+v", got)
		}
		if _, err := b.StartJob(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := next(t, changes, "end"); got.ID != j.ID || got.Status != job.Done { // and nothing of the other job
			t.Errorf("%+v", got)
		}
		if err := b.DeleteJob(t.Context(), a.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		if got, exists := next(t, changes, "deletion"); exists {
			t.Errorf("%+v", got)
		}
	})

	t.Run("keeps the newest state for who is slow", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		_, slow := b.watch(t.Context(), t, a.ID, j.ID)
		_, quick := b.watch(t.Context(), t, a.ID, j.ID)
		if _, err := b.StartJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		for done := range 4 {
			if err := b.SetProgress(t.Context(), j.ID, done+1); err != nil {
				t.Fatal(err)
			}
		}
		for got := (job.Job{}); got.PagesDone < 4; {
			got, _ = next(t, quick, "progress")
		}
		for got := (job.Job{}); got.PagesDone < 4; {
			before := got.PagesDone
			if got, _ = next(t, slow, "progress"); got.PagesDone < before {
				t.Fatalf("from %d back to %d pages", before, got.PagesDone)
			}
		}
	})

	t.Run("finds no job of others and none that is not there", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		_, changes := b.watch(t.Context(), t, a.ID, j.ID)
		_, _, err := b.Watch(t.Context(), b.account(t, plan.Pro).ID, j.ID)
		wantFault(t, err, fault.NotFound, "job_not_found")
		_, _, err = b.Watch(t.Context(), a.ID, uuid.New())
		wantFault(t, err, fault.NotFound, "job_not_found")
		if _, err := b.StartJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		next(t, changes, "start, all the same")
	})

	t.Run("costs one connection, which goes with the last watcher", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		ctx, cancel := context.WithCancel(t.Context())
		for range 10 {
			b.watch(ctx, t, a.ID, j.ID)
		}
		b.listening(t, 1)
		cancel()
		b.listening(t, 0)
		if _, _, err := b.Watch(ctx, a.ID, j.ID); err == nil {
			t.Error("watches in a context that has ended")
		}
		b.listening(t, 0)
		b.watch(t.Context(), t, a.ID, j.ID)
	})

	t.Run("goes on over a new connection when one breaks", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 5))
		_, changes := b.watch(t.Context(), t, a.ID, j.ID)
		b.breakListeners(t)
		if _, err := b.StartJob(t.Context(), j.ID); err != nil { // heard or not
			t.Fatal(err)
		}
		if got, _ := next(t, changes, "start"); got.Status != job.Processing {
			t.Errorf("%+v", got)
		}
		b.listening(t, 1)
		if err := b.SetProgress(t.Context(), j.ID, 1); err != nil {
			t.Fatal(err)
		}
		next(t, changes, "progress")
	})

	t.Run("says that the database is away", func(t *testing.T) {
		t.Parallel()
		away, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=5")
		if err != nil {
			t.Fatal(err)
		}
		defer away.Close()
		_, _, err = postgres.New(postgres.Config{Pool: away}).Watch(t.Context(), "usr_0", uuid.New())
		wantFault(t, err, fault.Unavailable, "database_unavailable")
	})
}

// counter counts the statements of connections.
type counter struct{ reads, others atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "FROM jobs j WHERE id = ANY") {
		c.reads.Add(1)
	} else {
		c.others.Add(1)
	}
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// watchBench is a bench whose store watches over counted connections and compares that often.
func watchBench(t testing.TB, recheck time.Duration) (*bench, *counter) {
	t.Helper()
	b, c := newBench(t), new(counter)
	config, err := pgxpool.ParseConfig(b.pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = c
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b.watching = postgres.New(postgres.Config{Pool: pool, Now: b.clock.Now, Recheck: recheck})
	return b, c
}

func TestWatch_reads_a_change_once_for_all(t *testing.T) {
	t.Parallel()
	b, statements := watchBench(t, time.Hour)
	a := b.account(t, plan.Pro)
	j := b.submit(t, submission(a, 5))
	var all []<-chan job.Job
	for range 10 {
		_, changes, err := b.watching.Watch(t.Context(), a.ID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, changes)
	}
	before := statements.reads.Load()
	if _, err := b.StartJob(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	for _, changes := range all {
		if got, _ := next(t, changes, "start"); got.Status != job.Processing {
			t.Errorf("%+v", got)
		}
	}
	if n := statements.reads.Load() - before; n != 1 {
		t.Errorf("10 watchers cost %d reads, want 1", n)
	}
	if n := statements.others.Load(); n != 1 { // LISTEN
		t.Errorf("%d other statements, want 1", n)
	}
}

func TestWatch_finds_what_no_notification_told(t *testing.T) {
	t.Parallel()
	b, _ := watchBench(t, 10*time.Millisecond)
	a := b.account(t, plan.Pro)
	j, doomed := b.submit(t, submission(a, 5)), b.submit(t, submission(a, 5))
	_, changes, err := b.watching.Watch(t.Context(), a.ID, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, end, err := b.watching.Watch(t.Context(), a.ID, doomed.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `ALTER TABLE jobs DISABLE TRIGGER USER`); err != nil {
		t.Fatal(err)
	}
	b.clock.Add(time.Second)
	if _, err := b.StartJob(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if got, _ := next(t, changes, "start"); got.Status != job.Processing {
		t.Errorf("%+v", got)
	}
	if err := b.DeleteJob(t.Context(), a.ID, doomed.ID); err != nil {
		t.Fatal(err)
	}
	if got, exists := next(t, end, "deletion"); exists {
		t.Errorf("%+v", got)
	}
}
