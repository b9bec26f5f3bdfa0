package queue_test

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

func TestConvert(t *testing.T) {
	t.Parallel()

	t.Run("a job becomes done, its results stored, its pages charged", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		j := b.submit(t, nil)
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			result, err := convertAtOnce(ctx, r, progress)
			result.Warnings = []document.Warning{{Code: "no_text", Message: "Page 2 has no text.", Pages: []int{2}}}
			return result, err
		})))
		got := b.await(t, j.ID, ended)
		want := []job.File{{Format: "markdown", Size: int64(len("# %PDF-me")), Type: "text/markdown"}}
		if d := cmp.Diff(want, got.Files, cmpopts.IgnoreFields(job.File{}, "Name")); d != "" || got.Status != job.Done {
			t.Errorf("%s %s, files (-want +got):\n%s", got.Status, got.ErrorMessage, d)
		}
		if got.PagesDone != 3 || got.StartedAt == nil || got.FinishedAt == nil || len(got.Warnings) != 1 {
			t.Errorf("got %+v", got)
		}
		if len(got.Files) == 1 {
			name := got.Files[0].Name
			if content := b.read(t, job.Key(j.ID, name)); path.Base(name) != "result.md" || content != "# %PDF-me" {
				t.Errorf("stored as %s: %q", name, content)
			}
		}
		b.awaitIdle(t)
		b.checkTemp(t)
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("what is wrong with the PDF fails the job at once and gives the pages back", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		start(t, b.config(fakeEngine(func(context.Context, engine.Request, func(int, int)) (engine.Result, error) {
			calls.Add(1)
			return engine.Result{}, fault.New(fault.Invalid, "damaged_pdf", "This PDF is damaged.").Because(errors.New("internals"))
		})))
		got := b.await(t, b.submit(t, nil).ID, ended)
		if got.Status != job.Failed || got.ErrorCode != "damaged_pdf" || got.ErrorMessage != "This PDF is damaged." {
			t.Errorf("got %s %q %q", got.Status, got.ErrorCode, got.ErrorMessage)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("tried %d times", n)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("what is wrong with the service is tried again", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			if calls.Add(1) < 3 {
				return engine.Result{}, errors.New("the engine could not start")
			}
			return convertAtOnce(ctx, r, progress)
		})))
		if got := b.await(t, b.submit(t, nil).ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("but not for ever: then the job fails with a sentence that tells no internals", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		start(t, b.config(fakeEngine(func(context.Context, engine.Request, func(int, int)) (engine.Result, error) {
			calls.Add(1)
			return engine.Result{}, errors.New("/secret/path: permission denied")
		})))
		got := b.await(t, b.submit(t, nil).ID, ended)
		if got.Status != job.Failed || got.ErrorCode != "conversion_failed" || strings.Contains(got.ErrorMessage, "secret") {
			t.Errorf("got %s %q %q", got.Status, got.ErrorCode, got.ErrorMessage)
		}
		if n := calls.Load(); n != 5 {
			t.Errorf("tried %d times, want 5", n)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("a panic is tried again as well", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			if calls.Add(1) == 1 {
				panic("bug")
			}
			return convertAtOnce(ctx, r, progress)
		})))
		if got := b.await(t, b.submit(t, nil).ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
		b.awaitIdle(t)
		b.checkTemp(t)
	})

	t.Run("a conversion past its time limit fails the job", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		c := b.config(until(make(chan string, 1)))
		c.JobTimeout = 50 * time.Millisecond
		start(t, c)
		got := b.await(t, b.submit(t, nil).ID, ended)
		if got.Status != job.Failed || got.ErrorCode != "timed_out" {
			t.Errorf("got %s %q", got.Status, got.ErrorCode)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("an outcome is not lost because Postgres is away for a moment", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		var calls atomic.Int32
		c := b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			calls.Add(1)
			return convertAtOnce(ctx, r, progress)
		}))
		c.Store = &awayOnce{Store: b.Store}
		start(t, c)
		if got := b.await(t, b.submit(t, nil).ID, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("converted %d times", n)
		}
	})

	t.Run("progress is seen while the conversion runs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		release := make(chan struct{})
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			progress(2, 3)
			<-release
			return convertAtOnce(ctx, r, progress)
		})))
		j := b.submit(t, nil)
		b.await(t, j.ID, func(j job.Job) bool { return j.Status == job.Processing && j.PagesDone == 2 })
		close(release)
		b.await(t, j.ID, ended)
	})

	t.Run("a result that is not a plain file in its directory is not stored", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, b.config(fakeEngine(func(_ context.Context, r engine.Request, _ func(int, int)) (engine.Result, error) {
			return engine.Result{Outputs: []engine.Output{{Format: option.Markdown, Name: r.Options.Pages}}},
				errors.Join(os.Symlink(secret, filepath.Join(r.OutDir, "link")), os.Mkdir(filepath.Join(r.OutDir, "sub"), 0o700),
					os.WriteFile(filepath.Join(r.OutDir, "sub", "file"), []byte("x"), 0o600))
		})))
		jobs := make(map[string]uuid.UUID)
		for _, name := range []string{"../source.pdf", secret, "link", "sub/file", "sub", "..", ""} {
			jobs[name] = b.submit(t, func(s *job.Submission) { s.Options.Pages = name }).ID
		}
		for name, id := range jobs {
			if got := b.await(t, id, ended); got.Status != job.Failed || got.ErrorCode != "conversion_failed" {
				t.Errorf("%q: got %s", name, got.Status)
			}
			if keys := b.keys(t, id); !slices.Equal(keys, []string{"source.pdf"}) {
				t.Errorf("%q: stored %v", name, keys)
			}
		}
	})
}

// awayOnce is a store whose database is away when the first outcome is written.
type awayOnce struct {
	queue.Store

	was atomic.Bool
}

func (s *awayOnce) FinishJob(ctx context.Context, id uuid.UUID, o job.Outcome, complete func(context.Context, pgx.Tx) error) (bool, error) {
	if s.was.CompareAndSwap(false, true) {
		return false, fault.New(fault.Unavailable, "database_unavailable", "Away.")
	}
	return s.Store.FinishJob(ctx, id, o, complete)
}

func TestDeleteJob(t *testing.T) {
	t.Parallel()

	t.Run("stops a running conversion and leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started := make(chan string, 1)
		stopped := make(chan struct{})
		run := until(started)
		start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			defer close(stopped)
			return run(ctx, r, progress)
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		began := time.Now()
		if err := b.DeleteJob(t.Context(), b.owner.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		pgtest.CheckBooks(t, b.pool)
		take(t, stopped, "the conversion stops")
		t.Logf("stopped %v after the deletion", time.Since(began))
		b.awaitIdle(t)
		if keys := b.keys(t, j.ID); len(keys) != 0 {
			t.Errorf("files left: %v", keys)
		}
		b.checkTemp(t)
	})

	t.Run("removes what a conversion stores after the deletion", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started, release := make(chan struct{}), make(chan struct{})
		q := start(t, b.config(fakeEngine(func(_ context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
			close(started)
			<-release
			return convertAtOnce(context.Background(), r, progress) // deaf to the cancellation
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		if err := b.DeleteJob(t.Context(), b.owner.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		close(release)
		// The files go after the work is complete in the database: only its worker's end says that they are gone.
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keys := b.keys(t, j.ID); len(keys) != 0 {
			t.Errorf("files left: %v", keys)
		}
		pgtest.CheckBooks(t, b.pool)
	})

	t.Run("reaches a worker that missed the cancellation through its next progress", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		started, stopped := make(chan struct{}), make(chan error, 1)
		start(t, b.config(fakeEngine(func(ctx context.Context, _ engine.Request, progress func(int, int)) (engine.Result, error) {
			progress(1, 3)
			close(started)
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return engine.Result{}, ctx.Err()
		})))
		j := b.submit(t, nil)
		take(t, started, "the conversion runs")
		// The row goes without a word to River.
		if _, err := b.pool.Exec(t.Context(), `DELETE FROM jobs WHERE id = $1`, j.ID); err != nil {
			t.Fatal(err)
		}
		take(t, stopped, "the conversion stops")
		b.awaitIdle(t)
		if keys := b.keys(t, j.ID); len(keys) != 0 {
			t.Errorf("files left: %v", keys)
		}
	})

	t.Run("takes waiting work off the queue", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		j := b.submit(t, nil)
		if err := b.DeleteJob(t.Context(), b.owner.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		b.awaitSQL(t, "the work is cancelled", `SELECT bool_and(state = 'cancelled') FROM river_job`)
		pgtest.CheckBooks(t, b.pool)
	})
}

func TestStaleWorker(t *testing.T) {
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
	// Another worker, which took the work over, is done first.
	files := []job.File{{Format: "markdown", Name: "result.md", Size: 4, Type: "text/markdown"}}
	if err := b.blobs.Put(t.Context(), job.Key(j.ID, "result.md"), "text/markdown", strings.NewReader("else")); err != nil {
		t.Fatal(err)
	}
	if finished, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done, Files: files}, nil); err != nil || !finished {
		t.Fatalf("finished %v, %v", finished, err)
	}
	close(release)
	if err := q.Stop(t.Context()); err != nil { // only the worker's end says that its own files are gone
		t.Fatal(err)
	}
	if keys := b.keys(t, j.ID); !slices.Equal(keys, []string{"result.md", "source.pdf"}) {
		t.Errorf("the stale worker left %v, want the results of the other and the upload", keys)
	}
	if got, err := b.Job(t.Context(), b.owner.ID, j.ID); err != nil || got.Status != job.Done || !cmp.Equal(got.Files, files) {
		t.Errorf("got %+v, %v", got, err)
	}
	pgtest.CheckBooks(t, b.pool)
}

func TestSubmissionsAreWorkedOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	start(t, b.config(fakeEngine(convertAtOnce)))
	start(t, b.config(fakeEngine(convertAtOnce))) // a second process
	var ids []uuid.UUID
	for range 40 {
		ids = append(ids, b.submit(t, func(s *job.Submission) { s.PageCount, s.PagesCharged = 1, 1 }).ID)
	}
	for _, id := range ids {
		if got := b.await(t, id, ended); got.Status != job.Done {
			t.Errorf("got %s %q", got.Status, got.ErrorMessage)
		}
	}
	pgtest.CheckBooks(t, b.pool)
}
