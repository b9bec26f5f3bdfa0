package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

const (
	// settleTime is what the last steps of a conversion may take when its own time is over: writing the
	// outcome, removing files.
	settleTime = 30 * time.Second
	// finishPause is the pause between attempts to write an outcome while Postgres is away.
	finishPause = 500 * time.Millisecond
	// progressInterval is the least time between two progress writes of a job.
	progressInterval = 250 * time.Millisecond
	// resultStem names the results: "result.md" and so on.
	resultStem = "result"
)

// errDeleted is why a conversion stops whose job was deleted.
var errDeleted = errors.New("the job was deleted")

// convertBackoff is the default Config.RetryDelay.
func convertBackoff(attempt int) time.Duration {
	delays := [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}
	return delays[min(max(attempt, 1), len(delays))-1]
}

// converter works off conversions.
type converter struct {
	river.WorkerDefaults[convertArgs]

	q *Queue
}

// NextRetry is when a conversion that failed for our own reasons is tried again.
func (c *converter) NextRetry(work *river.Job[convertArgs]) time.Time {
	return time.Now().Add(c.q.c.RetryDelay(work.Attempt))
}

// Work converts one job's PDF. An error returned means: again later, or back to the queue when this
// process is stopping. What is final, good or bad, is written to the job.
func (c *converter) Work(ctx context.Context, work *river.Job[convertArgs]) error {
	id := work.Args.JobID
	logger := c.q.logger.With("job", id, "attempt", work.Attempt)
	j, err := c.q.c.Store.StartJob(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return c.discard(ctx, id)
	}
	if err != nil {
		return err
	}
	if !j.Status.Active() {
		return nil // ended by another worker that this one took over from
	}
	began := time.Now()
	outcome, err := c.convert(ctx, j)
	if err != nil {
		switch {
		case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely) || errors.Is(err, errDeleted):
			logger.InfoContext(ctx, "job deleted while it was converted")
			return errors.Join(err, c.discard(ctx, id))
		case errors.Is(ctx.Err(), context.Canceled): // stopping: River hands the work back, the attempt not counted
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case work.Attempt < work.MaxAttempts:
			logger.WarnContext(ctx, "conversion failed for reasons of ours; trying again", "error", err)
			return err
		}
		logger.ErrorContext(ctx, "conversion given up", "error", err)
		outcome = job.Abandoned()
	}
	if err := c.finish(ctx, work, outcome); err != nil {
		return err
	}
	logger.InfoContext(ctx, "job ended", "status", outcome.Status, "code", outcome.ErrorCode, "pages", j.PagesCharged, "took", time.Since(began))
	return nil
}

// convert makes and stores the results. Where the PDF is at fault the outcome says so; an error means
// that nothing is decided.
func (c *converter) convert(ctx context.Context, j job.Job) (_ job.Outcome, err error) {
	dir, err := os.MkdirTemp(c.q.c.TempDir, tempPattern)
	if err != nil {
		return job.Outcome{}, err
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			c.q.logger.WarnContext(ctx, "cannot remove a conversion's files", "dir", dir, "error", removeErr)
		}
	}()
	source, out := filepath.Join(dir, "source.pdf"), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		return job.Outcome{}, err
	}
	if err := c.q.c.Blobs.Fetch(ctx, job.SourceKey(j.ID), source); err != nil {
		return job.Outcome{}, fmt.Errorf("fetch the upload: %w", err)
	}
	result, err := c.runEngine(ctx, j, engine.Request{Source: source, OutDir: out, Stem: resultStem, Options: j.Options, Warnings: j.Warnings})
	if err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Invalid && ctx.Err() == nil {
			return job.Outcome{Status: job.Failed, ErrorCode: f.Code, ErrorMessage: f.Message, Warnings: j.Warnings}, nil
		}
		return job.Outcome{}, err
	}
	files, err := c.store(ctx, j.ID, out, result.Outputs)
	if err != nil {
		return job.Outcome{}, err
	}
	return job.Outcome{Status: job.Done, Files: files, Warnings: result.Warnings}, nil
}

// runEngine converts within the time limit and keeps the job's progress up to date meanwhile.
func (c *converter) runEngine(ctx context.Context, j job.Job, r engine.Request) (engine.Result, error) {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	limited, cancel := context.WithTimeout(working, c.q.c.JobTimeout)
	defer cancel()

	var done atomic.Int64
	finished := make(chan struct{})
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		c.report(working, j.ID, &done, finished, stop)
	}()
	result, err := c.q.c.Engine.Convert(limited, r, func(pages, _ int) { done.Store(int64(pages)) })
	close(finished)
	<-reported
	switch {
	case err == nil:
		return result, nil
	case errors.Is(context.Cause(working), errDeleted):
		return engine.Result{}, errDeleted
	case working.Err() == nil && limited.Err() != nil && fault.KindOf(err) != fault.Invalid:
		return engine.Result{}, fault.New(fault.Invalid, "timed_out", "This PDF took too long to convert.").Because(err)
	}
	return engine.Result{}, err
}

// report writes changes of done until finished, at most one in progressInterval, and the last one unless
// the conversion was too short for any: the outcome follows at once. When it learns that the job was
// deleted, it stops the conversion. Other failures are passed over: progress is a courtesy.
func (c *converter) report(ctx context.Context, id uuid.UUID, done *atomic.Int64, finished <-chan struct{}, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	written := int64(0)
	for last := false; !last; {
		select {
		case <-ticker.C:
		case <-finished:
			last = true
		}
		pages := done.Load()
		if pages == written || ctx.Err() != nil || (last && written == 0) {
			continue
		}
		err := c.q.c.Store.SetProgress(ctx, id, int(pages))
		switch {
		case err == nil:
			written = pages
		case fault.KindOf(err) == fault.NotFound:
			stop(errDeleted)
		default:
			c.q.logger.DebugContext(ctx, "progress not written", "job", id, "error", err)
		}
	}
}

// store puts the results into the job's files. It trusts the engine's child process for nothing but the
// bytes: a name that leads out of dir, or to something else than a file, is an error.
func (c *converter) store(ctx context.Context, id uuid.UUID, dir string, outputs []engine.Output) ([]job.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	files := make([]job.File, 0, len(outputs))
	for _, o := range outputs {
		size, err := c.storeOne(ctx, root, job.Key(id, o.Name), o)
		if err != nil {
			return nil, fmt.Errorf("store the result %q: %w", o.Name, err)
		}
		files = append(files, job.File{Format: string(o.Format), Name: o.Name, Size: size, Type: o.Type})
	}
	return files, nil
}

func (c *converter) storeOne(ctx context.Context, root *os.Root, key string, o engine.Output) (size int64, err error) {
	if o.Name != filepath.Base(o.Name) || !filepath.IsLocal(o.Name) {
		return 0, errors.New("not a plain file name")
	}
	info, err := root.Lstat(o.Name)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	f, err := root.Open(o.Name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return info.Size(), c.q.c.Blobs.Put(ctx, key, o.Type, f)
}

// finish writes the outcome and completes River's job in one transaction. It does so even when this
// process is stopping or the job's time is over: the work is done.
func (c *converter) finish(ctx context.Context, work *river.Job[convertArgs], o job.Outcome) error {
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	finished, err := c.writeOutcome(settling, work, o)
	for fault.KindOf(err) == fault.Unavailable && settling.Err() == nil {
		// Postgres restarts, say: to wait a little is cheaper than to convert again.
		select {
		case <-time.After(finishPause):
		case <-settling.Done():
		}
		finished, err = c.writeOutcome(settling, work, o)
	}
	if err != nil {
		return err
	}
	if finished {
		return nil
	}
	// Deleted, or ended by another worker, whose files must stay.
	ownerless, err := c.q.c.Store.Orphans(settling, []uuid.UUID{work.Args.JobID})
	if err != nil || len(ownerless) == 0 {
		return err
	}
	return c.discard(ctx, work.Args.JobID)
}

// writeOutcome tries once to end the job together with River's.
func (c *converter) writeOutcome(ctx context.Context, work *river.Job[convertArgs], o job.Outcome) (finished bool, err error) {
	return c.q.c.Store.FinishJob(ctx, work.Args.JobID, o, func(ctx context.Context, tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, work)
		if errors.Is(err, rivertype.ErrNotFound) {
			return nil // someone deleted it; the outcome counts all the same
		}
		return err
	})
}

// discard removes all files of a deleted job: those that this worker stored after the deletion, too.
func (c *converter) discard(ctx context.Context, id uuid.UUID) error {
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := c.q.c.Blobs.DeletePrefix(settling, job.Prefix(id)); err != nil {
		// The orphan sweep finds them later.
		c.q.logger.WarnContext(ctx, "cannot remove the files of a deleted job", "job", id, "error", err)
	}
	return nil
}
