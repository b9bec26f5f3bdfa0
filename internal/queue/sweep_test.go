package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	type call struct {
		header http.Header
		body   []byte
	}
	calls := make(chan call, 10)
	refuse := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		select {
		case <-refuse:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
		}
		calls <- call{r.Header, body}
	}))
	t.Cleanup(server.Close)
	start(t, b.config(fakeEngine(func(ctx context.Context, r engine.Request, progress func(int, int)) (engine.Result, error) {
		if r.Options.Pages == "2" {
			return engine.Result{}, fault.New(fault.Invalid, "damaged_pdf", "This PDF is damaged.")
		}
		return convertAtOnce(ctx, r, progress)
	})))
	verify := func(t *testing.T, c call, wantType string, id uuid.UUID) {
		t.Helper()
		v, err := standardwebhooks.NewWebhook(webhook.Secret(signingKey, b.owner.ID))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(c.body, c.header); err != nil {
			t.Error(err)
		}
		var got struct {
			Type string
			Data struct{ ID uuid.UUID }
		}
		if err := json.Unmarshal(c.body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != wantType || got.Data.ID != id {
			t.Errorf("got %s", c.body)
		}
	}
	hooked := func(pages string) func(*job.Submission) {
		return func(s *job.Submission) { s.WebhookURL, s.Options.Pages = server.URL, pages }
	}

	j := b.submit(t, hooked(""))
	verify(t, take(t, calls, "the webhook of a done job"), "job.done", j.ID)
	j = b.submit(t, hooked("2"))
	verify(t, take(t, calls, "the webhook of a failed job"), "job.failed", j.ID)

	// A receiver that is down gets the same event again.
	refuse <- struct{}{}
	j = b.submit(t, hooked(""))
	first := take(t, calls, "the first attempt")
	b.awaitSQL(t, "the failed attempt is noted", `SELECT EXISTS (SELECT FROM river_job WHERE kind = 'webhook' AND state <> 'running' AND errors IS NOT NULL)`)
	if _, err := b.pool.Exec(t.Context(), `UPDATE river_job SET scheduled_at = now() WHERE kind = 'webhook' AND errors IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	second := take(t, calls, "the second attempt")
	verify(t, second, "job.done", j.ID)
	if first.header.Get("webhook-id") != second.header.Get("webhook-id") || string(first.body) != string(second.body) {
		t.Error("the second attempt is another event")
	}
}

func TestWebhook_that_a_stop_breaks_off_goes_back_to_the_queue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	arrived, answer := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(answer) })
	c := b.config(fakeEngine(convertAtOnce))
	c.StopGrace = time.Millisecond
	q := start(t, c)
	b.submit(t, func(s *job.Submission) { s.WebhookURL = server.URL })
	take(t, arrived, "the attempt")
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var back bool
	var logged int
	err := b.pool.QueryRow(t.Context(), `
		SELECT bool_and(finalized_at IS NULL AND state <> 'running' AND attempt = 0), (SELECT count(*) FROM webhook_attempts)
		FROM river_job WHERE kind = 'webhook'`).Scan(&back, &logged)
	if err != nil || !back || logged != 0 {
		t.Errorf("back in the queue with all attempts: %v; %d attempts logged; %v", back, logged, err)
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	start(t, b.config(fakeEngine(convertAtOnce)))
	old := b.submit(t, nil)
	b.await(t, old.ID, ended)
	young := b.submit(t, nil)
	b.await(t, young.ID, ended)
	if _, err := b.pool.Exec(t.Context(), `UPDATE jobs SET expires_at = now() - interval '1 second' WHERE id = $1`, old.ID); err != nil {
		t.Fatal(err)
	}
	if j, err := b.Job(t.Context(), b.owner.ID, old.ID); err != nil || len(j.Files) != 0 {
		t.Errorf("expired but not yet swept, the job still shows %v, %v", j.Files, err)
	}
	q, err := queue.New(b.config(fakeEngine(convertAtOnce)))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := b.keys(t, old.ID); len(keys) != 0 {
		t.Errorf("files left: %v", keys)
	}
	if keys := b.keys(t, young.ID); len(keys) != 2 {
		t.Errorf("files of a job that is not due: %v", keys)
	}
	if j, err := b.Job(t.Context(), b.owner.ID, old.ID); err != nil || j.Status != job.Done || len(j.Files) != 0 {
		t.Errorf("the record: %+v, %v", j, err)
	}
	if ids, err := b.ExpiredJobs(t.Context(), 10); err != nil || len(ids) != 0 {
		t.Errorf("still due: %v, %v", ids, err)
	}
}

func TestSweepOrphans(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owned := b.submit(t, nil)
	orphan, foreign := uuid.New(), "elsewhere/"+uuid.NewString()+"/source.pdf"
	for _, key := range []string{job.SourceKey(orphan), job.Key(orphan, "result.md"), foreign, "jobs/not-a-job/file"} {
		if err := b.blobs.Put(t.Context(), key, "text/plain", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(now time.Time) {
		t.Helper()
		c := b.config(fakeEngine(convertAtOnce))
		c.Now = func() time.Time { return now }
		q, err := queue.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.SweepOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep(time.Now().Add(59 * time.Minute))
	if keys := b.keys(t, orphan); len(keys) != 2 {
		t.Errorf("an upload of less than an hour ago may still become a job; left: %v", keys)
	}
	sweep(time.Now().Add(61 * time.Minute))
	if keys := b.keys(t, orphan); len(keys) != 0 {
		t.Errorf("files left: %v", keys)
	}
	if keys := b.keys(t, owned.ID); !slices.Equal(keys, []string{"source.pdf"}) {
		t.Errorf("files of a job: %v", keys)
	}
	for _, key := range []string{foreign, "jobs/not-a-job/file"} {
		if b.read(t, key) != "x" {
			t.Errorf("%s is gone", key)
		}
	}
}

// TestPeriodicWork: nobody calls Expire, and yet expired files go.
func TestPeriodicWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(t, nil)
	if _, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE jobs SET expires_at = now() - interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	start(t, b.config(fakeEngine(convertAtOnce)))
	b.awaitSQL(t, "the files are noted as deleted", `SELECT files_deleted_at IS NOT NULL FROM jobs`)
	if keys := b.keys(t, j.ID); len(keys) != 0 {
		t.Errorf("files left: %v", keys)
	}
}

// stubborn refuses to delete some jobs' files.
type stubborn struct {
	queue.Blobs

	prefixes map[string]bool
}

func (s stubborn) DeletePrefix(ctx context.Context, prefix string) error {
	if s.prefixes[prefix] {
		return errors.New("it resists")
	}
	return s.Blobs.DeletePrefix(ctx, prefix)
}

// However many jobs cannot be cleaned up, the others are, in this round or the next.
func TestExpirePassesByWhatResists(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	refused := stubborn{b.blobs, make(map[string]bool)}
	var last job.Job
	for i := range 26 {
		last = b.submit(t, nil)
		if _, err := b.FinishJob(t.Context(), last.ID, job.Outcome{Status: job.Done}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := b.pool.Exec(t.Context(), `UPDATE jobs SET expires_at = now() - interval '1 hour' + $2 * interval '1 second' WHERE id = $1`, last.ID, i); err != nil {
			t.Fatal(err)
		}
		refused.prefixes[job.Prefix(last.ID)] = i < 25
	}
	c := b.config(fakeEngine(convertAtOnce))
	c.Blobs = refused
	registry := prometheus.NewPedanticRegistry()
	c.Registry = registry
	q, err := queue.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each gives up after ten in a row
		if err := q.Expire(t.Context()); err == nil {
			t.Error("failures were not reported")
		}
	}
	if keys := b.keys(t, last.ID); len(keys) != 0 {
		t.Errorf("the job behind 25 that resist keeps its files: %v", keys)
	}
	clear(refused.prefixes)
	if err := q.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, err := b.ExpiredJobs(t.Context(), 100); err != nil || len(ids) != 0 {
		t.Errorf("still due: %v, %v", ids, err)
	}
	want := `# HELP ragify_queue_sweep_removed_total What periodic clean-up removed: the files of so many jobs, or records.
# TYPE ragify_queue_sweep_removed_total counter
ragify_queue_sweep_removed_total{what="deliveries"} 0
ragify_queue_sweep_removed_total{what="expired_jobs"} 26
ragify_queue_sweep_removed_total{what="idempotency_keys"} 0
ragify_queue_sweep_removed_total{what="orphaned_jobs"} 0
ragify_queue_sweep_removed_total{what="provider_events"} 0
ragify_queue_sweep_removed_total{what="unfinished_objects"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "ragify_queue_sweep_removed_total"); err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	succeeded := make(map[string]bool)
	for _, f := range families {
		if f.GetName() == "ragify_queue_sweep_last_success_timestamp_seconds" {
			for _, m := range f.GetMetric() {
				succeeded[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue() > 0
			}
		}
	}
	if d := cmp.Diff(map[string]bool{"expire": true, "orphans": false}, succeeded); d != "" {
		t.Errorf("last successes, -want +got:\n%s", d)
	}
}

// hooked calls itself for every object that a listing shows, before the sweep sees it.
type hooked struct {
	queue.Blobs

	seen func(key string)
}

func (h hooked) List(ctx context.Context, prefix string, fn func(string, time.Time) error) error {
	return h.Blobs.List(ctx, prefix, func(key string, modified time.Time) error {
		h.seen(key)
		return fn(key, modified)
	})
}

// A job that ends, with all files older than orphans need to be, while the sweep looks at them, keeps them.
// Two sweeps at once do no harm, nor does one that is broken off.
func TestSweepKeepsWhatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(t, nil)
	orphan := uuid.New()
	if err := b.blobs.Put(t.Context(), job.SourceKey(orphan), "text/plain", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	c := b.config(fakeEngine(convertAtOnce))
	c.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	finished := false
	c.Blobs = hooked{b.blobs, func(key string) {
		if finished || !strings.HasPrefix(key, job.Prefix(j.ID)) {
			return
		}
		finished = true
		if err := b.blobs.Put(t.Context(), job.Key(j.ID, "result.md"), "text/markdown", strings.NewReader("# x")); err != nil {
			t.Error(err)
		}
		if _, err := b.FinishJob(t.Context(), j.ID, job.Outcome{Status: job.Done, Files: []job.File{{Format: "markdown", Name: "result.md"}}}, nil); err != nil {
			t.Error(err)
		}
	}}
	q, err := queue.New(c)
	if err != nil {
		t.Fatal(err)
	}
	broken, stop := context.WithCancel(t.Context())
	stop()
	if err := q.SweepOrphans(broken); err == nil {
		t.Error("a broken sweep reports no failure")
	}
	if err := q.SweepOrphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	others := make(chan error, 2)
	for range 2 {
		go func() { others <- q.SweepOrphans(t.Context()) }()
	}
	for range 2 {
		if err := take(t, others, "a sweep's end"); err != nil {
			t.Error(err)
		}
	}
	keys := b.keys(t, j.ID)
	slices.Sort(keys)
	if !finished || !slices.Equal(keys, []string{"result.md", "source.pdf"}) {
		t.Errorf("files of the job that ended meanwhile: %v", keys)
	}
	if keys := b.keys(t, orphan); len(keys) != 0 {
		t.Errorf("files without a job: %v", keys)
	}
}
