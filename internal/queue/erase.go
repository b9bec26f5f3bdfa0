package queue

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/tracing"
)

// erasureQueue has the removal of what deleted accounts leave behind: it waits for nothing periodic, and
// nothing waits for it. A process that does not know it yet, of an older version, leaves it to others.
const erasureQueue = "erasure"

const (
	// eraseAttempts bounds the repetitions of an erasure, which has to succeed in the end: with
	// erasePauseMax between them about ten days, longer than a bucket or a database is away.
	eraseAttempts  = 250
	erasePauseMax  = time.Hour
	erasureWorkers = 2 // a long erasure does not keep the files of another waiting
)

// eraseArgs is the removal of what belongs to a deleted account.
type eraseArgs struct {
	Account account.ID `json:"account"`
}

// Kind names the work to River.
func (eraseArgs) Kind() string { return "erase_account" }

// InsertOpts says how River treats it.
func (eraseArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: erasureQueue, MaxAttempts: eraseAttempts}
}

// deleteFilesArgs is the removal of the files of jobs that are gone.
type deleteFilesArgs struct {
	Jobs []uuid.UUID `json:"jobs"`
}

// Kind names the work to River.
func (deleteFilesArgs) Kind() string { return "delete_files" }

// InsertOpts says how River treats it.
func (deleteFilesArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: erasureQueue, MaxAttempts: eraseAttempts}
}

// Erase adds the removal of what belongs to a deleted account.
func (i *Inserter) Erase(ctx context.Context, tx pgx.Tx, id account.ID) error {
	_, err := i.client.InsertTx(ctx, tx, eraseArgs{Account: id}, &river.InsertOpts{Metadata: tracing.Metadata(ctx)})
	return err
}

// DeleteFiles adds the removal of the files of jobs that are gone once tx commits.
func (i *Inserter) DeleteFiles(ctx context.Context, tx pgx.Tx, jobs []uuid.UUID) error {
	_, err := i.client.InsertTx(ctx, tx, deleteFilesArgs{Jobs: jobs}, &river.InsertOpts{Metadata: tracing.Metadata(ctx)})
	return err
}

// erasePause is the pause after a failed attempt: it doubles from a second to erasePauseMax.
func erasePause(attempt int) time.Duration {
	const doublings = 12 // 2^12 s are more than an hour
	return min(time.Second<<min(max(attempt-1, 0), doublings), erasePauseMax)
}

// eraser works off eraseArgs.
type eraser struct {
	river.WorkerDefaults[eraseArgs]

	q *Queue
}

// NextRetry follows erasePause.
func (*eraser) NextRetry(work *river.Job[eraseArgs]) time.Time {
	return time.Now().Add(erasePause(work.Attempt))
}

// Work removes what is left, in steps that stay done when it is interrupted.
func (e *eraser) Work(ctx context.Context, work *river.Job[eraseArgs]) error {
	for {
		done, err := e.q.c.Store.EraseAccount(ctx, work.Args.Account)
		if err != nil {
			return err
		}
		if done {
			e.q.logger.InfoContext(ctx, "removed a deleted account", "account", work.Args.Account)
			return nil
		}
	}
}

// fileDeleter works off deleteFilesArgs.
type fileDeleter struct {
	river.WorkerDefaults[deleteFilesArgs]

	q *Queue
}

// NextRetry follows erasePause.
func (*fileDeleter) NextRetry(work *river.Job[deleteFilesArgs]) time.Time {
	return time.Now().Add(erasePause(work.Attempt))
}

// Work deletes the files of all the jobs, as far as it can; files that are gone already are no error.
// What a conversion stores after its job was deleted, it removes itself.
func (d *fileDeleter) Work(ctx context.Context, work *river.Job[deleteFilesArgs]) error {
	var failed []error
	for _, id := range work.Args.Jobs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = append(failed, d.q.c.Blobs.DeletePrefix(ctx, job.Prefix(id)))
	}
	return errors.Join(failed...)
}
