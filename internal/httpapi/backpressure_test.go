package httpapi_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

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
