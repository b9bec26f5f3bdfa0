package postgres_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// parallel runs f n times at once and returns the errors.
func parallel(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = f(i)
		})
	}
	done.Wait()
	return errs
}

// tally counts successes and faults by code; other errors fail the test.
func tally(t *testing.T, errs []error) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for _, err := range errs {
		if err == nil {
			count["ok"]++
			continue
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok {
			t.Fatal(err)
		}
		count[f.Code]++
	}
	return count
}

func TestSubmit(t *testing.T) {
	t.Parallel()

	t.Run("200 in parallel with a limit of 5 make exactly 5 jobs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		got := tally(t, parallel(200, func(int) error {
			_, _, err := b.Submit(t.Context(), submission(a, 1), proPlan())
			return err
		}))
		if d := cmp.Diff(map[string]int{"ok": 5, "too_many_active_jobs": 195}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if a, err := b.Account(t.Context(), a.ID); err != nil || a.ActiveJobs != 5 {
			t.Errorf("counter %d, %v; want 5", a.ActiveJobs, err)
		}
		b.checkBooks(t)
	})

	t.Run("20 one-page PDFs in parallel with 10 pages left make exactly 10 jobs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		p := proPlan()
		p.MaxConcurrentJobs, p.PagesPerMonth = nil, new(10)
		got := tally(t, parallel(20, func(int) error {
			_, _, err := b.Submit(t.Context(), submission(a, 1), p)
			return err
		}))
		if d := cmp.Diff(map[string]int{"ok": 10, "page_quota_exceeded": 10}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		b.checkBooks(t)
	})

	t.Run("a refusal leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Free)
		p := plan.Default()[plan.Free]
		if _, _, err := b.Submit(t.Context(), submission(a, 47), p); err != nil {
			t.Fatal(err)
		}
		sub := submission(a, 15)
		sub.IdempotencyKey = "k"
		_, _, err := b.Submit(t.Context(), sub, p)
		f := wantFault(t, err, fault.QuotaExceeded, "page_quota_exceeded")
		if want := "This PDF has 15 pages but you only have 3 pages remaining this month."; f.Message != want {
			t.Errorf("message %q, want %q", f.Message, want)
		}
		if a, err := b.Account(t.Context(), a.ID); err != nil || a.ActiveJobs != 1 {
			t.Errorf("counter %d, %v; want 1", a.ActiveJobs, err)
		}
		if _, found, err := b.IdempotentJob(t.Context(), a.ID, "k"); err != nil || found {
			t.Errorf("the key of a refused request is taken: %v, %v", found, err)
		}
		if _, err := b.Job(t.Context(), a.ID, sub.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("the refused job: %v", err)
		}
		b.checkBooks(t)
	})

	t.Run("a first PDF that is larger than the whole month is refused", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Free)
		_, _, err := b.Submit(t.Context(), submission(a, 51), plan.Default()[plan.Free])
		wantFault(t, err, fault.QuotaExceeded, "page_quota_exceeded")
		b.checkBooks(t)
	})

	t.Run("too many active jobs names how many, the limit and when to retry", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		p := proPlan()
		p.MaxConcurrentJobs = new(1)
		b.submit(t, submission(a, 1))
		_, _, err := b.Submit(t.Context(), submission(a, 1), p)
		f := wantFault(t, err, fault.TooManyActive, "too_many_active_jobs")
		if d := cmp.Diff(map[string]any{"active_jobs": 1, "max_concurrent_jobs": 1, "tier": plan.Pro}, f.Facts); d != "" {
			t.Errorf("facts (-want +got):\n%s", d)
		}
		if f.Retry <= 0 {
			t.Error("no Retry-After")
		}
	})

	t.Run("no limit means no limit", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Business)
		p := plan.Default()[plan.Business]
		p.MaxConcurrentJobs, p.PagesPerMonth = nil, nil
		for range 30 {
			if _, _, err := b.Submit(t.Context(), submission(a, 10_000), p); err != nil {
				t.Fatal(err)
			}
		}
		b.checkBooks(t)
	})

	t.Run("an unknown account is not found", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		_, _, err := b.Submit(t.Context(), submission(account.Account{ID: account.NewID()}, 1), proPlan())
		wantFault(t, err, fault.NotFound, "account_not_found")
	})

	t.Run("the job comes back as submitted, the password left out", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		sub := submission(a, 12)
		sub.PagesCharged, sub.Options.Pages = 3, "1-3"
		sub.Options.MarkdownPageSeparator = "a\x00b" // Postgres takes no NUL in jsonb
		sub.Options.Password = "secret"
		sub.FileName = "a\x00b\xff.pdf"
		sub.WebhookURL = "https://example.com/hook"
		j := b.submit(t, sub)
		want := job.Job{
			ID: sub.ID, Account: a.ID, Status: job.Pending, Options: sub.Options, FileName: "ab\uFFFD.pdf", FileSize: 1234,
			PageCount: 12, PagesCharged: 3, WebhookURL: "https://example.com/hook", Warnings: []document.Warning{}, Files: []job.File{},
			CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(720 * time.Hour), Position: 1,
		}
		want.Options.Password = ""
		if d := cmp.Diff(want, j); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		again, err := b.Job(t.Context(), a.ID, sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(j, again); d != "" {
			t.Errorf("read again (-submitted +read):\n%s", d)
		}
		var stored string
		if err := b.pool.QueryRow(t.Context(), `SELECT j::text FROM jobs j`).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if got := stored; strings.Contains(got, "secret") {
			t.Errorf("the row tells the password: %s", got)
		}
	})
}

func TestSubmitIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a, other := b.account(t, plan.Pro), b.account(t, plan.Pro)
	keyed := func(a account.Account, key string) job.Submission {
		sub := submission(a, 1)
		sub.IdempotencyKey = key
		return sub
	}

	t.Run("the same key in parallel makes one job that all get", func(t *testing.T) {
		ids := make([]uuid.UUID, 20)
		replays := make([]bool, 20)
		errs := parallel(20, func(i int) (err error) {
			j, replayed, err := b.Submit(t.Context(), keyed(a, "parallel"), proPlan())
			ids[i], replays[i] = j.ID, replayed
			return err
		})
		if d := cmp.Diff(map[string]int{"ok": 20}, tally(t, errs)); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		first := 0
		for i, id := range ids {
			if id != ids[0] {
				t.Errorf("call %d got another job", i)
			}
			if !replays[i] {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%d calls made a job, want 1", first)
		}
		b.checkBooks(t)
	})

	t.Run("a replay is answered although the slots are full", func(t *testing.T) {
		p := proPlan()
		p.MaxConcurrentJobs = new(0)
		_, replayed, err := b.Submit(t.Context(), keyed(a, "parallel"), p)
		if err != nil || !replayed {
			t.Errorf("replayed %v, %v", replayed, err)
		}
	})

	t.Run("another file or other options are refused", func(t *testing.T) {
		sub := keyed(a, "parallel")
		sub.FileSHA256[0]++
		_, _, err := b.Submit(t.Context(), sub, proPlan())
		wantFault(t, err, fault.Invalid, "idempotency_key_reused")
		sub = keyed(a, "parallel")
		sub.OptionsHash[0]++
		_, _, err = b.Submit(t.Context(), sub, proPlan())
		wantFault(t, err, fault.Invalid, "idempotency_key_reused")
	})

	t.Run("another account's key is another key", func(t *testing.T) {
		if _, replayed, err := b.Submit(t.Context(), keyed(other, "parallel"), proPlan()); err != nil || replayed {
			t.Errorf("replayed %v, %v", replayed, err)
		}
	})

	t.Run("the owner of a key is found", func(t *testing.T) {
		sub := keyed(a, "found")
		b.submit(t, sub)
		got, found, err := b.IdempotentJob(t.Context(), a.ID, "found")
		if err != nil || !found {
			t.Fatalf("found %v, %v", found, err)
		}
		want := job.Submission{ID: sub.ID, Account: a.ID, IdempotencyKey: "found", FileSHA256: sub.FileSHA256, OptionsHash: sub.OptionsHash}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if _, found, err := b.IdempotentJob(t.Context(), a.ID, "unknown"); err != nil || found {
			t.Errorf("unknown key: found %v, %v", found, err)
		}
	})

	t.Run("deleting the job frees the key", func(t *testing.T) {
		sub := keyed(a, "deleted")
		b.submit(t, sub)
		if err := b.DeleteJob(t.Context(), a.ID, sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, replayed, err := b.Submit(t.Context(), keyed(a, "deleted"), proPlan()); err != nil || replayed {
			t.Errorf("replayed %v, %v", replayed, err)
		}
		b.checkBooks(t)
	})

	t.Run("after 24 hours the key is new", func(t *testing.T) {
		fresh := b.account(t, plan.Pro)
		first := b.submit(t, keyed(fresh, "day"))
		b.clock.Add(24*time.Hour - time.Microsecond)
		if j, replayed, err := b.Submit(t.Context(), keyed(fresh, "day"), proPlan()); err != nil || !replayed || j.ID != first.ID {
			t.Errorf("within the day: replayed %v, %v", replayed, err)
		}
		b.clock.Add(time.Microsecond)
		second, replayed, err := b.Submit(t.Context(), keyed(fresh, "day"), proPlan())
		if err != nil || replayed || second.ID == first.ID {
			t.Errorf("after the day: replayed %v, %v", replayed, err)
		}
		b.clock.Add(24 * time.Hour)
		if n, err := b.PurgeIdempotencyKeys(t.Context()); err != nil || n == 0 {
			t.Errorf("purged %d, %v", n, err)
		}
		if _, err := b.Job(t.Context(), fresh.ID, second.ID); err != nil {
			t.Errorf("purging a key took its job: %v", err)
		}
	})
}

// TestBooks shakes the store: submissions, starts, ends and deletions of a few accounts at once. The
// books must balance afterwards, and again when everything has ended.
func TestBooks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var accounts []account.Account
	for range 3 {
		accounts = append(accounts, b.account(t, plan.Pro))
	}
	p := proPlan()
	p.PagesPerMonth = new(400)

	var mu sync.Mutex
	var known []job.Job
	pick := func() (job.Job, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(known) == 0 {
			return job.Job{}, false
		}
		return known[rand.IntN(len(known))], true
	}
	expected := func(err error) error {
		switch fault.KindOf(err) {
		case fault.NotFound, fault.TooManyActive, fault.QuotaExceeded:
			return nil
		}
		return err
	}
	errs := parallel(24, func(worker int) error {
		for range 60 {
			j, ok := pick()
			var err error
			switch n := rand.IntN(10); {
			case n < 4 || !ok:
				sub := submission(accounts[rand.IntN(len(accounts))], 1+rand.IntN(20))
				if rand.IntN(3) == 0 {
					sub.IdempotencyKey = string(rune('a' + rand.IntN(8)))
				}
				j, replayed, submitErr := b.Submit(t.Context(), sub, p)
				if submitErr == nil && !replayed {
					mu.Lock()
					known = append(known, j)
					mu.Unlock()
				}
				err = submitErr
			case n < 5:
				_, err = b.StartJob(t.Context(), j.ID)
			case n < 6:
				err = b.SetProgress(t.Context(), j.ID, rand.IntN(30))
			case n < 8:
				_, err = b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, b.complete(j.ID))
			case n < 9:
				_, err = b.FinishJob(t.Context(), j.ID, failure(), b.complete(j.ID))
			default:
				err = b.DeleteJob(t.Context(), j.Account, j.ID)
			}
			if err := expected(err); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(known) < 50 {
		t.Fatalf("only %d jobs: not much of a shake", len(known))
	}
	b.checkBooks(t)

	for _, j := range known {
		if _, err := b.FinishJob(t.Context(), j.ID, failure(), b.complete(j.ID)); err != nil {
			t.Fatal(err)
		}
	}
	b.checkBooks(t)
	for _, a := range accounts {
		if a, err := b.Account(t.Context(), a.ID); err != nil || a.ActiveJobs != 0 {
			t.Errorf("after all jobs ended: %d active, %v", a.ActiveJobs, err)
		}
	}
}

func failure() job.Outcome {
	return job.Outcome{Status: job.Failed, ErrorCode: "damaged_pdf", ErrorMessage: "This PDF is damaged."}
}
