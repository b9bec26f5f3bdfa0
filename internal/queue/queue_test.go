package queue_test

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(victimURL); url != "" {
		os.Exit(victim(url, os.Getenv(victimFiles)))
	}
	os.Exit(pgtest.Run(m))
}

// patience is how long a test waits for what must happen before it fails.
const patience = 20 * time.Second

// fakeEngine converts as its function says.
type fakeEngine func(ctx context.Context, r engine.Request, progress func(done, total int)) (engine.Result, error)

func (f fakeEngine) Convert(ctx context.Context, r engine.Request, progress func(done, total int)) (engine.Result, error) {
	return f(ctx, r, progress)
}

// convertAtOnce writes the upload back as Markdown.
func convertAtOnce(_ context.Context, r engine.Request, progress func(done, total int)) (engine.Result, error) {
	source, err := os.ReadFile(r.Source)
	if err != nil {
		return engine.Result{}, err
	}
	name := r.Stem + ".md"
	if err := os.WriteFile(filepath.Join(r.OutDir, name), append([]byte("# "), source...), 0o600); err != nil {
		return engine.Result{}, err
	}
	progress(1, 1)
	return engine.Result{Pages: 1, Outputs: []engine.Output{{Format: option.Markdown, Name: name, Type: "text/markdown"}}}, nil
}

// until runs until ctx ends, as a conversion in a child process does; it sends on started first.
func until(started chan<- string) fakeEngine {
	return func(ctx context.Context, r engine.Request, _ func(done, total int)) (engine.Result, error) {
		started <- r.Source
		<-ctx.Done()
		return engine.Result{}, context.Cause(ctx)
	}
}

// bench is a service without HTTP: database, files, and queues that the test starts.
type bench struct {
	*postgres.Store
	pool  *pgxpool.Pool
	blobs *blob.Store
	files string // directory of blobs
	temp  string
	owner account.Account
	// webhooks reach receivers of tests.
	webhooks *webhook.Sender
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{pool: pgtest.New(t), files: t.TempDir(), temp: t.TempDir(), webhooks: newWebhooks(t)}
	var err error
	if b.blobs, err = blob.Open(t.Context(), "file://"+b.files, blob.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.blobs.Close() })
	b.Store = newStore(t, b.pool)
	if b.owner, err = b.CreateAccount(t.Context(), "owner@example.com", plan.Pro); err != nil {
		t.Fatal(err)
	}
	return b
}

func newStore(t testing.TB, pool *pgxpool.Pool) *postgres.Store {
	t.Helper()
	inserter, err := queue.NewInserter(pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return postgres.New(postgres.Config{Pool: pool, Enqueue: inserter.Enqueue, Cancel: inserter.Cancel, Ended: inserter.Ended, Erase: inserter.Erase, DeleteFiles: inserter.DeleteFiles, Logger: slog.New(slog.DiscardHandler)})
}

// config is a queue's configuration around e.
func (b *bench) config(e queue.Engine) queue.Config {
	return queue.Config{
		Pool: b.pool, Store: b.Store, Engine: e, Blobs: b.blobs, Workers: 4, TempDir: b.temp,
		Webhooks:   b.webhooks,
		RetryDelay: func(int) time.Duration { return 20 * time.Millisecond },
		Logger:     slog.New(slog.DiscardHandler),
	}
}

var signingKey = []byte("0123456789abcdef0123456789abcdef")

// start sets a queue to work until the test ends.
func start(t *testing.T, c queue.Config) *queue.Queue {
	t.Helper()
	q, err := queue.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return q
}

// submit stores an upload and makes its job; change may alter the submission.
func (b *bench) submit(t *testing.T, change func(*job.Submission)) job.Job {
	t.Helper()
	return b.submitWithin(t, t.Context(), change)
}

// submitWithin is submit with a context for the making of the job.
func (b *bench) submitWithin(t *testing.T, ctx context.Context, change func(*job.Submission)) job.Job { //revive:disable-line:context-as-argument t comes first
	t.Helper()
	sub := job.Submission{
		ID: uuid.New(), Account: b.owner.ID, Options: option.Default(), FileName: "report.pdf", FileSize: 7, PageCount: 3, PagesCharged: 3,
	}
	if change != nil {
		change(&sub)
	}
	if err := b.blobs.Put(t.Context(), job.SourceKey(sub.ID), "application/pdf", strings.NewReader("%PDF-me")); err != nil {
		t.Fatal(err)
	}
	p := plan.Default()[plan.Pro]
	p.MaxConcurrentJobs = nil
	j, _, err := b.Submit(ctx, sub, p)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// await waits until the job is as ok says, looking whenever it changes.
func (b *bench) await(t *testing.T, id uuid.UUID, ok func(job.Job) bool) job.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	j, changes, err := b.Watch(ctx, b.owner.ID, id)
	for err == nil {
		if ok(j) {
			return j
		}
		var exists bool
		select {
		case j, exists = <-changes:
			if !exists {
				t.Fatal("the job was deleted")
			}
		case <-ctx.Done():
			t.Fatalf("the job is still %s, %d pages done, %q", j.Status, j.PagesDone, j.ErrorMessage)
		}
	}
	t.Fatal(err)
	return j
}

func ended(j job.Job) bool { return !j.Status.Active() }

// awaitSQL waits until the query's single boolean is true; for what nothing announces. Connections may
// break meanwhile.
func (b *bench) awaitSQL(t *testing.T, what, sql string, args ...any) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var ok bool
		err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&ok)
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never came about: %s (%v)", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitIdle waits until River has nothing running.
func (b *bench) awaitIdle(t *testing.T) {
	t.Helper()
	b.awaitSQL(t, "no conversion is running", `SELECT NOT EXISTS (SELECT FROM river_job WHERE state = 'running' AND kind = 'convert')`)
}

// keys lists what is stored of a job, in order.
func (b *bench) keys(t *testing.T, id uuid.UUID) (keys []string) {
	t.Helper()
	err := b.blobs.List(t.Context(), job.Prefix(id), func(key string, _ time.Time) error {
		keys = append(keys, strings.TrimPrefix(key, job.Prefix(id)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// read is the content of a stored file.
func (b *bench) read(t *testing.T, key string) string {
	t.Helper()
	r, _, err := b.blobs.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// checkTemp fails t when a conversion left files behind.
func (b *bench) checkTemp(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(b.temp, func(path string, _ fs.DirEntry, err error) error {
		if path != b.temp && err == nil {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// take receives from c or fails t.
func take[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("never came about: %s", what)
		panic("unreachable")
	}
}

// noBlobs takes everything and has nothing.
type noBlobs struct{}

func (noBlobs) Fetch(context.Context, string, string) error { return nil }

func (noBlobs) Put(context.Context, string, string, io.Reader) error { return nil }

func (noBlobs) DeletePrefix(context.Context, string) error { return nil }

func (noBlobs) RemoveUnfinished(context.Context, string, time.Time) (int, error) { return 0, nil }

func (noBlobs) List(context.Context, string, func(key string, mod time.Time) error) error { return nil }

// noWebhooks delivers nothing.
type noWebhooks struct{}

func (noWebhooks) Send(context.Context, webhook.Event) (webhook.Result, error) {
	return webhook.Result{Attempt: job.Attempt{Outcome: job.AttemptDelivered}}, nil
}

// newWebhooks makes a sender that reaches receivers of tests.
func newWebhooks(t testing.TB) *webhook.Sender {
	t.Helper()
	s, err := webhook.New(webhook.Config{SigningKeys: [][]byte{signingKey}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
