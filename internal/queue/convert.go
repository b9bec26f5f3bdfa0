package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/tracing"
)

const (
	// settleTime is what the last steps of a conversion may take when its own time is over: writing the
	// outcome, removing files.
	settleTime = 30 * time.Second
	// finishPause is the pause between attempts to write an outcome while Postgres is away.
	finishPause = 500 * time.Millisecond
	// progressInterval is the least time between two progress writes of a job.
	progressInterval = 250 * time.Millisecond
	// outagePause is the pause between attempts to reach files or disk that are away.
	outagePause = time.Second
	// outageLimit is how old work may get that outages put off. Nobody waits for it any more then.
	outageLimit = 24 * time.Hour
	// resultStem names the results: "result.md" and so on.
	resultStem = "result"
)

var (
	// errDeleted is why a conversion stops whose job was deleted.
	errDeleted = errors.New("the job was deleted")
	// errTakenOver is why an outcome counts for nothing: the others took this worker for dead.
	errTakenOver = errors.New("another worker has taken the conversion over")
	// errOutage is around errors of files, database and disk: they say nothing about the PDF.
	errOutage = errors.New("what conversions need is away")
)

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
func (c *converter) Work(ctx context.Context, work *river.Job[convertArgs]) (err error) {
	id, m := work.Args.JobID, c.q.metrics
	m.busy.Add(1)
	defer m.busy.Add(-1)
	began := time.Now()
	ctx, span := tracing.Work(ctx, c.q.c.Tracer, "convert", work.Attempt, began.Sub(work.CreatedAt))
	defer func() { tracing.End(span, err) }()
	ctx = tracing.With(tracing.With(ctx, tracing.KeyJob, id), tracing.KeyAttempt, work.Attempt)
	logger := c.q.logger
	j, err := c.q.c.Store.StartJob(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		m.attempts.WithLabelValues(attemptInVain).Inc()
		c.discard(ctx, job.Prefix(id))
		return nil
	}
	if err != nil {
		m.attempts.WithLabelValues(attemptRetry).Inc()
		return c.putOff(ctx, err)
	}
	ctx = tracing.With(ctx, tracing.KeyAccount, j.Account)
	if !j.Status.Active() {
		m.attempts.WithLabelValues(attemptInVain).Inc()
		return nil // ended by another worker that this one took over from
	}
	if work.Attempt == 1 {
		m.wait.Observe(began.Sub(j.CreatedAt).Seconds())
	}
	attempt := attemptName()
	outcome, err := c.convert(ctx, j, attempt)
	if err != nil {
		switch {
		case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely) || errors.Is(err, errDeleted):
			m.attempts.WithLabelValues(attemptInVain).Inc()
			logger.InfoContext(ctx, "job deleted while it was converted")
			c.discard(ctx, job.Prefix(id))
			return err
		case errors.Is(ctx.Err(), context.Canceled): // stopping: River hands the work back, the attempt not counted
			m.attempts.WithLabelValues(attemptReturned).Inc()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case isOutage(err) && c.q.c.Now().Sub(work.CreatedAt) < outageLimit:
			m.attempts.WithLabelValues(attemptRetry).Inc()
			logger.WarnContext(ctx, "conversion put off: what it needs is away", "error", err)
			return c.putOff(ctx, err)
		case work.Attempt < work.MaxAttempts:
			m.attempts.WithLabelValues(attemptRetry).Inc()
			logger.WarnContext(ctx, "conversion failed for reasons of ours; trying again", "error", err)
			return err
		}
		logger.ErrorContext(ctx, "conversion given up", "error", err)
		outcome = job.Abandoned()
	}
	if err := c.finish(ctx, work, j, attempt, outcome); err != nil {
		return c.putOff(ctx, err)
	}
	m.attempts.WithLabelValues(attemptEnded).Inc()
	m.end(outcome, j.PagesCharged, time.Since(began))
	logger.InfoContext(ctx, "job ended", "status", outcome.Status, "code", outcome.ErrorCode, "pages", j.PagesCharged, "took", time.Since(began))
	return nil
}

// putOff gives work back to the queue for which err leaves no other choice. An outage does not count as an
// attempt, however long it lasts: a bucket that is away for an hour must not fail all jobs of that hour.
func (c *converter) putOff(ctx context.Context, err error) error {
	if ctx.Err() != nil || !isOutage(err) {
		return err
	}
	const asAfter = 2 // attempts: some seconds
	return river.JobSnooze(c.q.c.RetryDelay(asAfter))
}

// isOutage tells what is missing from what is broken.
func isOutage(err error) bool {
	return errors.Is(err, errOutage) || fault.KindOf(err) == fault.Unavailable
}

// attemptName names the folder of an attempt's results. No two attempts share one: what a job's end has
// promised is never touched again by an attempt that did not know of it.
func attemptName() string { return strings.ReplaceAll(uuid.NewString(), "-", "")[:12] }

// persevere does what needs files or disk until it works, for as long as the outage patience. What goes on
// failing is an outage, unless the file is not there.
func (c *converter) persevere(ctx context.Context, do func() error) error {
	patience, cancel := context.WithTimeout(ctx, c.q.c.OutagePatience)
	defer cancel()
	for {
		err := do()
		if err == nil || ctx.Err() != nil || fault.KindOf(err) == fault.NotFound {
			return err
		}
		select {
		case <-patience.Done():
			return fmt.Errorf("%w: %w", errOutage, err)
		case <-time.After(outagePause):
		}
	}
}

// convert makes and stores the results, in the folder attempt. Where the PDF is at fault the outcome says
// so; an error means that nothing is decided.
func (c *converter) convert(ctx context.Context, j job.Job, attempt string) (_ job.Outcome, err error) {
	dir, err := os.MkdirTemp(c.q.c.TempDir, tempPattern)
	if err != nil {
		return job.Outcome{}, fmt.Errorf("%w: %w", errOutage, err)
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); removeErr != nil {
			c.q.logger.WarnContext(ctx, "cannot remove a conversion's files", "dir", dir, "error", removeErr)
		}
	}()
	source, out := filepath.Join(dir, "source.pdf"), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		return job.Outcome{}, fmt.Errorf("%w: %w", errOutage, err)
	}
	err = c.persevere(ctx, func() error { return c.q.c.Blobs.Fetch(ctx, job.SourceKey(j.ID), source) })
	if err != nil {
		return job.Outcome{}, fmt.Errorf("fetch the upload: %w", err)
	}
	result, err := c.runEngine(ctx, j, engine.Request{Source: source, OutDir: out, Stem: resultStem, Options: j.Options, Warnings: j.Warnings})
	if err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Invalid && ctx.Err() == nil {
			return job.Outcome{Status: job.Failed, ErrorCode: f.Code, ErrorMessage: f.Message, Warnings: j.Warnings}, nil
		}
		return job.Outcome{}, err
	}
	files, err := c.store(ctx, j.ID, attempt, out, result.Outputs)
	if err != nil {
		c.discard(ctx, job.Key(j.ID, attempt)+"/")
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

// store puts the results into the folder attempt of the job's files. It trusts the engine's child process for
// nothing but the bytes: a name that leads out of dir, or to something else than a file, is an error.
func (c *converter) store(ctx context.Context, id uuid.UUID, attempt, dir string, outputs []engine.Output) ([]job.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	files := make([]job.File, 0, len(outputs))
	for _, o := range outputs {
		name := path.Join(attempt, o.Name)
		size, err := c.storeOne(ctx, root, job.Key(id, name), o)
		if err != nil {
			return nil, fmt.Errorf("store the result %q: %w", o.Name, err)
		}
		files = append(files, job.File{Format: string(o.Format), Name: name, Size: size, Type: o.Type})
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
	return info.Size(), c.persevere(ctx, func() error {
		f, err := root.Open(o.Name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return c.q.c.Blobs.Put(ctx, key, o.Type, f)
	})
}

// finish writes the outcome and completes River's job in one transaction. It does so even when this
// process is stopping or the job's time is over: the work is done.
func (c *converter) finish(ctx context.Context, work *river.Job[convertArgs], j job.Job, attempt string, o job.Outcome) error {
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
	switch {
	case err != nil:
		return err
	case !finished:
		return c.yield(settling, j, attempt)
	case len(work.AttemptedBy) > 1:
		c.clearAttempts(settling, j.ID, attempt)
	}
	return nil
}

// writeOutcome tries once to end the job together with River's. A finished conversion counts whoever has
// the work by now. A failure counts only while the work is ours: the reason may be that we were cut off.
func (c *converter) writeOutcome(ctx context.Context, work *river.Job[convertArgs], o job.Outcome) (finished bool, err error) {
	return c.q.c.Store.FinishJob(ctx, work.Args.JobID, o, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = $1 AND finalized_at IS NULL
			AND ($2 OR (state = 'running' AND attempt = $3 AND attempted_by[array_upper(attempted_by, 1)] = $4))`,
			work.ID, o.Status == job.Done, work.Attempt, work.AttemptedBy[len(work.AttemptedBy)-1])
		if err == nil && tag.RowsAffected() == 0 && o.Status != job.Done {
			return errTakenOver
		}
		return err
	})
}

// yield removes what an attempt has stored that did not end the job: it was deleted, or ended before.
func (c *converter) yield(ctx context.Context, j job.Job, attempt string) error {
	ended, err := c.q.c.Store.Job(ctx, j.Account, j.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		c.discard(ctx, job.Prefix(j.ID))
		return nil
	case err != nil:
		return err
	}
	for _, f := range ended.Files {
		if path.Dir(f.Name) == attempt {
			return nil // it was us: the connection broke while the database committed
		}
	}
	c.discard(ctx, job.Key(j.ID, attempt)+"/")
	return nil
}

// clearAttempts removes what earlier attempts, cut off by their worker's death, have left of a job that
// has ended with attempt. What stays goes with the job's other files.
func (c *converter) clearAttempts(ctx context.Context, id uuid.UUID, attempt string) {
	others := make(map[string]bool)
	err := c.q.c.Blobs.List(ctx, job.Prefix(id), func(key string, _ time.Time) error {
		if folder, _, ok := strings.Cut(strings.TrimPrefix(key, job.Prefix(id)), "/"); ok && folder != attempt {
			others[folder] = true
		}
		return nil
	})
	if err != nil {
		c.q.logger.WarnContext(ctx, "cannot look for files of earlier attempts", "job", id, "error", err)
	}
	for folder := range others {
		c.discard(ctx, job.Key(id, folder)+"/")
	}
}

// discard removes files that belong to no result, below prefix: all those of a deleted job, or those of one
// attempt.
func (c *converter) discard(ctx context.Context, prefix string) {
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := c.q.c.Blobs.DeletePrefix(settling, prefix); err != nil {
		// The orphan sweep finds a deleted job's later; an attempt's go with the job's.
		c.q.logger.WarnContext(ctx, "cannot remove files that belong to no result", "prefix", prefix, "error", err)
	}
}
