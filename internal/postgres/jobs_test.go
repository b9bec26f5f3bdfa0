package postgres_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a, other := b.account(t, plan.Pro), b.account(t, plan.Pro)
	var newestFirst []uuid.UUID
	for range 5 {
		b.clock.Add(time.Second)
		newestFirst = append([]uuid.UUID{b.submit(t, submission(a, 1)).ID}, newestFirst...)
	}
	b.submit(t, submission(other, 1))
	if _, err := b.FinishJob(t.Context(), newestFirst[1], job.Outcome{Status: job.Done}, nil); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		status     job.Status
		page, size int
		want       []uuid.UUID
		total      int
	}{
		"newest first":               {"", 1, 20, newestFirst, 5},
		"the first page":             {"", 1, 2, newestFirst[:2], 5},
		"the last page may be short": {"", 3, 2, newestFirst[4:], 5},
		"past the end is empty":      {"", 4, 2, nil, 5},
		"far past the end is empty":  {"", math.MaxInt, 100, nil, 5},
		"by status":                  {job.Done, 1, 20, newestFirst[1:2], 1},
		"a status that no job has":   {job.Failed, 1, 20, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, total, err := b.Jobs(t.Context(), a.ID, c.status, c.page, c.size)
			if err != nil {
				t.Fatal(err)
			}
			var got []uuid.UUID
			for _, j := range jobs {
				got = append(got, j.ID)
			}
			if d := cmp.Diff(c.want, got); d != "" || total != c.total || jobs == nil {
				t.Errorf("total %d, want %d; (-want +got):\n%s", total, c.total, d)
			}
		})
	}

	t.Run("another account's job is not found, nor deleted", func(t *testing.T) {
		_, err := b.Job(t.Context(), other.ID, newestFirst[0])
		wantFault(t, err, fault.NotFound, "job_not_found")
		wantFault(t, b.DeleteJob(t.Context(), other.ID, newestFirst[0]), fault.NotFound, "job_not_found")
		if _, err := b.Job(t.Context(), a.ID, newestFirst[0]); err != nil {
			t.Error(err)
		}
	})
}

func TestFinishJob(t *testing.T) {
	t.Parallel()
	files := []job.File{{Format: "markdown", Name: "result.md", Size: 12, Type: "text/markdown"}}
	warnings := []document.Warning{{Code: "no_text", Message: "Page 2 has no text.\x00", Pages: []int{2}}}

	t.Run("done keeps the pages and gives the slot back", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 7))
		b.clock.Add(time.Minute)
		started, err := b.StartJob(t.Context(), j.ID)
		if err != nil || started.Status != job.Processing || !started.StartedAt.Equal(b.clock.Now()) {
			t.Fatalf("started: %+v, %v", started, err)
		}
		if err := b.SetProgress(t.Context(), j.ID, 4); err != nil {
			t.Fatal(err)
		}
		if j, err := b.Job(t.Context(), a.ID, j.ID); err != nil || j.PagesDone != 4 {
			t.Errorf("progress %d, %v", j.PagesDone, err)
		}
		if err := b.SetProgress(t.Context(), j.ID, 99); err != nil {
			t.Errorf("progress past the end: %v", err)
		}
		b.clock.Add(time.Minute)
		finished, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done, Files: files, Warnings: warnings}, b.complete(j.ID))
		if err != nil || !finished {
			t.Fatalf("finished %v, %v", finished, err)
		}
		got, err := b.Job(t.Context(), a.ID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := started
		want.Status, want.PagesDone, want.Files, want.Warnings = job.Done, 7, files, warnings
		want.UpdatedAt, want.FinishedAt, want.ExpiresAt = b.clock.Now(), new(b.clock.Now()), b.clock.Now().Add(720*time.Hour)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if a, err := b.Account(t.Context(), a.ID); err != nil || a.ActiveJobs != 0 {
			t.Errorf("%d active, %v", a.ActiveJobs, err)
		}
		if u, err := b.Usage(t.Context(), a.ID); err != nil || u.PagesUsed != 7 {
			t.Errorf("%d pages used, %v", u.PagesUsed, err)
		}
		b.checkBooks(t)
	})

	t.Run("failed gives pages and slot back and says why", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 7))
		if finished, err := b.FinishJob(t.Context(), j.ID, failure(), b.complete(j.ID)); err != nil || !finished {
			t.Fatalf("finished %v, %v", finished, err)
		}
		if got, err := b.Job(t.Context(), a.ID, j.ID); err != nil || got.Status != job.Failed || got.ErrorCode != "damaged_pdf" || got.ErrorMessage != "This PDF is damaged." {
			t.Errorf("got %+v, %v", got, err)
		}
		if u, err := b.Usage(t.Context(), a.ID); err != nil || u.PagesUsed != 0 {
			t.Errorf("%d pages used, %v", u.PagesUsed, err)
		}
		b.checkBooks(t)
	})

	t.Run("a job ends once, however many try", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 7))
		finished, completed := make([]bool, 10), make([]bool, 10)
		errs := parallel(10, func(i int) (err error) {
			outcome := job.Outcome{Status: job.Done}
			if i%2 == 0 {
				outcome = failure()
			}
			finished[i], err = b.FinishJob(t.Context(), j.ID, outcome, func(ctx context.Context, tx pgx.Tx) error {
				completed[i] = true
				return b.complete(j.ID)(ctx, tx)
			})
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range finished {
			if finished[i] {
				n++
			}
			if !completed[i] {
				t.Errorf("call %d did not complete its work", i)
			}
		}
		if n != 1 || b.ended.Load() != 1 {
			t.Errorf("%d calls ended the job, told %d times; want 1, 1", n, b.ended.Load())
		}
		b.checkBooks(t)
	})

	t.Run("nothing is written when the completion fails", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		j := b.submit(t, submission(a, 7))
		broken := errors.New("broken")
		finished, err := b.FinishJob(t.Context(), j.ID, failure(), func(context.Context, pgx.Tx) error { return broken })
		if !errors.Is(err, broken) || finished {
			t.Errorf("finished %v, %v", finished, err)
		}
		if got, err := b.Job(t.Context(), a.ID, j.ID); err != nil || got.Status != job.Pending {
			t.Errorf("got %s, %v", got.Status, err)
		}
		b.checkBooks(t)
	})

	t.Run("a deleted or ended job takes no progress and does not start", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		done, gone := b.submit(t, submission(a, 1)), b.submit(t, submission(a, 1))
		if _, err := b.FinishJob(t.Context(), done.ID, job.Outcome{Status: job.Done, Files: files}, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteJob(t.Context(), a.ID, gone.ID); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uuid.UUID{done.ID, gone.ID} {
			wantFault(t, b.SetProgress(t.Context(), id, 1), fault.NotFound, "job_not_found")
		}
		if j, err := b.StartJob(t.Context(), done.ID); err != nil || j.Status != job.Done {
			t.Errorf("got %s, %v", j.Status, err)
		}
		_, err := b.StartJob(t.Context(), gone.ID)
		wantFault(t, err, fault.NotFound, "job_not_found")
	})

	t.Run("a job cannot end as active", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		if _, err := b.FinishJob(t.Context(), uuid.New(), job.Outcome{Status: job.Pending}, nil); err == nil {
			t.Error("no error")
		}
	})
}

func TestDeleteJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.account(t, plan.Pro)

	t.Run("an active job gives slot and pages back, and its work is cancelled", func(t *testing.T) {
		j := b.submit(t, submission(a, 9))
		if err := b.DeleteJob(t.Context(), a.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		if u, err := b.Usage(t.Context(), a.ID); err != nil || u.PagesUsed != 0 {
			t.Errorf("%d pages used, %v", u.PagesUsed, err)
		}
		var cancelled bool
		if err := b.pool.QueryRow(t.Context(), `SELECT state = 'cancelled' FROM river_job WHERE args->>'job_id' = $1`, j.ID.String()).Scan(&cancelled); err != nil || !cancelled {
			t.Errorf("cancelled %v, %v", cancelled, err)
		}
		wantFault(t, b.DeleteJob(t.Context(), a.ID, j.ID), fault.NotFound, "job_not_found")
		b.checkBooks(t)
	})

	t.Run("a done job's pages stay charged, and the ledger still names it", func(t *testing.T) {
		j := b.submit(t, submission(a, 9))
		if _, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, b.complete(j.ID)); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteJob(t.Context(), a.ID, j.ID); err != nil {
			t.Fatal(err)
		}
		if u, err := b.Usage(t.Context(), a.ID); err != nil || u.PagesUsed != 9 {
			t.Errorf("%d pages used, %v", u.PagesUsed, err)
		}
		entries, total, err := b.Ledger(t.Context(), a.ID, 1, 2)
		if err != nil || total != 4 || len(entries) != 2 || entries[0].Kind != account.Charge || entries[0].Job != j.ID || entries[1].Kind != account.Reserve {
			t.Errorf("total %d, %+v, %v", total, entries, err)
		}
		if entries, _, err := b.Ledger(t.Context(), a.ID, 3, 2); err != nil || entries == nil || len(entries) != 0 {
			t.Errorf("past the end: %v, %v", entries, err)
		}
		b.checkBooks(t)
	})
}

func TestMonths(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.account(t, plan.Free)
	p := plan.Default()[plan.Free]
	b.clock.Set(time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC))
	november := submission(a, 50)
	if _, _, err := b.Submit(t.Context(), november, p); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.Submit(t.Context(), submission(a, 1), p)
	wantFault(t, err, fault.QuotaExceeded, "page_quota_exceeded")

	b.clock.Add(time.Second)
	if _, _, err := b.Submit(t.Context(), submission(a, 20), p); err != nil {
		t.Fatalf("a new month has new pages: %v", err)
	}
	if _, err := b.FinishJob(t.Context(), november.ID, failure(), b.complete(november.ID)); err != nil {
		t.Fatal(err)
	}
	period := func(month time.Month) account.Period {
		return account.PeriodOf(time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC))
	}
	history, err := b.UsageHistory(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []account.Usage{{Period: period(time.December), PagesUsed: 20}, {Period: period(time.November), PagesUsed: 0}}
	if d := cmp.Diff(want, history); d != "" {
		t.Errorf("the refund goes to the month of the reservation (-want +got):\n%s", d)
	}
	if u, err := b.Usage(t.Context(), a.ID); err != nil || !cmp.Equal(u, want[0]) {
		t.Errorf("now: %+v, %v", u, err)
	}
	b.checkBooks(t)
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.account(t, plan.Pro)
	healthy, discarded, vanished := b.submit(t, submission(a, 1)), b.submit(t, submission(a, 2)), b.submit(t, submission(a, 3))
	for _, sql := range []string{
		`UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE id = (SELECT river_job_id FROM jobs WHERE id = $1)`,
		`DELETE FROM river_job WHERE id = (SELECT river_job_id FROM jobs WHERE id = $1)`,
	} {
		id := discarded.ID
		if sql[0] == 'D' {
			id = vanished.ID
		}
		if _, err := b.pool.Exec(t.Context(), sql, id); err != nil {
			t.Fatal(err)
		}
	}
	counts := make([]int, 8)
	errs := parallel(len(counts), func(i int) (err error) {
		counts[i], err = b.Reconcile(t.Context())
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	if total != 2 || b.ended.Load() != 2 {
		t.Errorf("%d jobs ended, told %d times; want 2, 2", total, b.ended.Load())
	}
	for id, want := range map[uuid.UUID]job.Status{healthy.ID: job.Pending, discarded.ID: job.Failed, vanished.ID: job.Failed} {
		if j, err := b.Job(t.Context(), a.ID, id); err != nil || j.Status != want {
			t.Errorf("got %s, %v; want %s", j.Status, err, want)
		}
	}
	if u, err := b.Usage(t.Context(), a.ID); err != nil || u.PagesUsed != 1 {
		t.Errorf("%d pages used, %v", u.PagesUsed, err)
	}
	b.checkBooks(t)
}

func TestReconcile_goes_on_behind_a_job_that_cannot_be_ended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a, broken := b.account(t, plan.Pro), b.account(t, plan.Pro)
	lost := []job.Job{b.submit(t, submission(a, 1)), b.submit(t, submission(broken, 2)), b.submit(t, submission(a, 3))}
	if _, err := b.pool.Exec(t.Context(), `DELETE FROM river_job`); err != nil {
		t.Fatal(err)
	}
	// To give pages back that the month does not have breaks a rule of the table.
	if _, err := b.pool.Exec(t.Context(), `UPDATE page_usage SET pages = 0 WHERE account_id = $1`, broken.ID); err != nil {
		t.Fatal(err)
	}
	if ended, err := b.Reconcile(t.Context()); err == nil || ended != 2 {
		t.Errorf("%d ended, %v; want 2 and an error", ended, err)
	}
	for i, want := range []job.Status{job.Failed, job.Pending, job.Failed} {
		if j, err := b.Job(t.Context(), lost[i].Account, lost[i].ID); err != nil || j.Status != want {
			t.Errorf("job %d: %s, %v; want %s", i, j.Status, err, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.account(t, plan.Pro)
	active, done := b.submit(t, submission(a, 1)), b.submit(t, submission(a, 1))
	files := []job.File{{Format: "markdown", Name: "result.md", Size: 12, Type: "text/markdown"}}
	if _, err := b.FinishJob(t.Context(), done.ID, job.Outcome{Status: job.Done, Files: files}, nil); err != nil {
		t.Fatal(err)
	}
	due := func() []uuid.UUID {
		t.Helper()
		ids, err := b.ExpiredJobs(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	b.clock.Add(720*time.Hour - time.Microsecond)
	if ids := due(); len(ids) != 0 {
		t.Errorf("due before their time: %v", ids)
	}
	if j, err := b.Job(t.Context(), a.ID, done.ID); err != nil || len(j.Files) != 1 {
		t.Errorf("files %v, %v", j.Files, err)
	}
	b.clock.Add(time.Microsecond)
	if d := cmp.Diff([]uuid.UUID{done.ID}, due()); d != "" {
		t.Errorf("an active job never expires (-want +got):\n%s", d)
	}
	if j, err := b.Job(t.Context(), a.ID, done.ID); err != nil || len(j.Files) != 0 {
		t.Errorf("expired, but shows %v, %v", j.Files, err)
	}
	for _, id := range []uuid.UUID{done.ID, active.ID} {
		if err := b.MarkExpired(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if ids := due(); len(ids) != 0 {
		t.Errorf("still due: %v", ids)
	}
	unknown := uuid.New()
	orphans, err := b.Orphans(t.Context(), []uuid.UUID{unknown, active.ID, done.ID})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[uuid.UUID]bool{unknown: true, done.ID: true}, set(orphans)); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
}

func set(ids []uuid.UUID) map[uuid.UUID]bool {
	m := make(map[uuid.UUID]bool)
	for _, id := range ids {
		m[id] = true
	}
	return m
}
