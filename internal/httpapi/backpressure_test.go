package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

func TestSubmit_refuses_while_the_queue_is_full(t *testing.T) {
	var later atomic.Int64 // how far ahead the server's clock is
	w := newWorld(t, func(d *httpapi.Deps) {
		d.MaxQueuedJobs = 2
		d.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	first, second := w.user(plan.Pro), w.user(plan.Pro)
	pass := func() { later.Add(int64(time.Minute)) } // what the server knows of the queue grows old
	id := first.upload(pdf(1), "Idempotency-Key", "k").want(http.StatusCreated).object()["id"].(string)
	first.upload(pdf(1)).want(http.StatusCreated)
	pass()
	a := second.upload(pdf(1))
	a.fails(http.StatusServiceUnavailable, "queue_full")
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	second.uploadTo("/jobs?dry_run=true", pdf(1)).want(http.StatusOK)
	first.upload(pdf(1), "Idempotency-Key", "k").want(http.StatusCreated) // takes nothing: the job is there
	w.finish(id, job.Done)
	pass()
	second.upload(pdf(1)).want(http.StatusCreated)
	if n := w.storedObjects(); n != 4 { // three uploads, one result
		t.Errorf("%d objects", n)
	}
}

func TestSubmit_counts_what_this_node_has_taken_since_it_looked(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(d *httpapi.Deps) {
		d.MaxQueuedJobs = 2
		d.Now = func() time.Time { return now }
	})
	u := w.user(plan.Pro)
	u.upload(pdf(1)).want(http.StatusCreated)
	u.upload(pdf(1)).want(http.StatusCreated)
	u.upload(pdf(1)).fails(http.StatusServiceUnavailable, "queue_full")
}

func TestSubmit_refuses_a_full_queue_before_a_large_upload(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.MaxQueuedJobs = 1 })
	u := w.user(plan.Business)
	u.upload(pdf(1)).want(http.StatusCreated)
	header := "POST /jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + u.key.Reveal() + "\r\nContent-Type: multipart/form-data; boundary=bound\r\n"

	waiting := w.rawConn()
	fmt.Fprintf(waiting, "%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", header, int64(1)<<40)
	r := bufio.NewReader(waiting)
	a, _ := w.readAnswer(r) // fails on "100 Continue"
	a.fails(http.StatusServiceUnavailable, "queue_full")
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection stays: %v", err)
	}

	sending := w.rawConn()
	fmt.Fprintf(sending, "%sContent-Length: %d\r\n\r\n", header, bigBody)
	if sent, err := io.Copy(sending, filler("--bound", bigBody)); err != nil {
		t.Fatalf("the connection broke after %d of %d bytes: %v", sent, bigBody, err)
	}
	a, _ = w.readAnswer(bufio.NewReader(sending))
	a.fails(http.StatusServiceUnavailable, "queue_full")
	if left := w.leftovers(); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

// queues are the queue entries of an account's listed jobs, newest first.
func (u user) queues() (all []any) {
	u.world.t.Helper()
	for _, item := range u.get("/jobs").want(http.StatusOK).object()["items"].([]any) {
		all = append(all, item.(map[string]any)["queue"])
	}
	return all
}

func TestJob_tells_its_place_while_it_waits(t *testing.T) {
	var later atomic.Int64
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	ana, ben := w.user(plan.Pro), w.user(plan.Pro)
	place := func(position int, wait any) map[string]any {
		return map[string]any{"position": float64(position), "estimated_wait_seconds": wait}
	}
	first := ana.upload(pdf(90)).want(http.StatusCreated).object()["id"].(string)
	for i := range 3 {
		// What others have waiting counts for nothing in the position.
		got := ben.upload(pdf(190)).want(http.StatusCreated).object()["queue"]
		if diff := cmp.Diff(any(place(i+1, nil)), got); diff != "" { // nothing is known of the speed
			t.Errorf("job %d of ben (-want +got):\n%s", i, diff)
		}
	}
	second := ana.upload(pdf(90)).want(http.StatusCreated).object()["id"].(string)

	// A worker needs 20 s for the 90 pages and what a job costs beside: 5 pages a second.
	w.finish(first, job.Done)
	w.exec(`UPDATE river_job SET state = 'completed', attempted_at = now() - interval '20 s', finalized_at = now() WHERE args->>'job_id' = $1`, first)
	later.Add(int64(time.Minute))
	// Due are ben's first (40 s), then ana's second (20 s), then ben's others.
	got := ana.get("/jobs/" + second).want(http.StatusOK).object()["queue"]
	if diff := cmp.Diff(any(place(1, 60.0)), got); diff != "" {
		t.Errorf("ana's second (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{place(1, 60.0), nil}, ana.queues()); diff != "" {
		t.Errorf("ana's list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{place(3, 120.0), place(2, 60.0), place(1, 5.0)}, ben.queues()); diff != "" {
		t.Errorf("ben's list (-want +got):\n%s", diff)
	}
}
