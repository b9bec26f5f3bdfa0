package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

func TestJob_results_can_be_downloaded_by_their_signed_URLs(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	w.finish(id, job.Done)
	got := u.get("/jobs/" + id).want(http.StatusOK).object()
	if got["status"] != "done" || got["started_at"] == nil || got["finished_at"] == nil || got["error_message"] != nil {
		t.Errorf("%v", got)
	}
	link := got["download_urls"].(map[string]any)["markdown"].(string)
	path := strings.TrimPrefix(link, w.server.URL)
	a := w.send(http.MethodGet, path, nil).want(http.StatusOK)
	if string(a.body) != "# Hello\n" || !strings.Contains(a.header.Get("Content-Disposition"), "report.md") {
		t.Errorf("%q, %v", a.body, a.header)
	}
	signed, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	w.send(http.MethodGet, signed.Path, nil).fails(http.StatusForbidden, "invalid_link")
	w.send(http.MethodGet, strings.Replace(path, "result.md", "source.pdf", 1), nil).fails(http.StatusForbidden, "invalid_link")
	w.send(http.MethodPost, path, nil).fails(http.StatusMethodNotAllowed, "method_not_allowed")
	for _, secret := range []string{signed.Query().Get("signature"), "signature="} {
		if secret != "" && strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	u.send(http.MethodDelete, "/jobs/"+id, nil).want(http.StatusNoContent)
	w.send(http.MethodGet, path, nil).fails(http.StatusNotFound, "file_not_found")
}

// TestRanges: net/http refuses ranges and preconditions in plain text; ours are errors like all others.
func TestRanges_that_cannot_be_served_are_refused_as_JSON(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	w.finish(id, job.Done)
	link := u.get("/jobs/" + id).want(http.StatusOK).object()["download_urls"].(map[string]any)["markdown"].(string)
	for _, path := range []string{strings.TrimPrefix(link, w.server.URL), "/openapi.yaml", "/docs", "/docs/start.js"} {
		if a := w.send(http.MethodGet, path, nil, "Range", "bytes=2-6").want(http.StatusPartialContent); len(a.body) != 5 {
			t.Errorf("%s: %q", path, a.body)
		}
		for _, unfit := range []string{"bytes=9999999-", "lines=1-2"} {
			a := w.send(http.MethodGet, path, nil, "Range", unfit)
			a.fails(http.StatusRequestedRangeNotSatisfiable, "range_not_satisfiable")
			if a.header.Get("Content-Disposition") != "" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: %v", path, unfit, a.header)
			}
		}
		w.send(http.MethodGet, path, nil, "If-Match", `"x"`).fails(http.StatusPreconditionFailed, "precondition_failed")
	}
}

func TestJob_that_failed_says_why_and_gives_its_pages_back(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	w.finish(id, job.Failed)
	got := u.get("/jobs/" + id).want(http.StatusOK).object()
	if got["status"] != "failed" || got["error_message"] != "Page 2 is damaged: it cannot be read." || len(got["download_urls"].(map[string]any)) != 0 {
		t.Errorf("%v", got)
	}
	if used := u.pagesUsed(); used != 0 {
		t.Errorf("%d pages used", used)
	}
}

func TestJob_has_no_download_URLs_once_expired(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	w.finish(id, job.Done)
	if _, err := w.pool.Exec(t.Context(), `UPDATE jobs SET expires_at = now() - interval '1 second' WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	if got := u.get("/jobs/" + id).want(http.StatusOK).object(); len(got["download_urls"].(map[string]any)) != 0 {
		t.Errorf("%v", got["download_urls"])
	}
}

func TestJob_deletion_cancels_and_removes_everything(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	u.send(http.MethodDelete, "/jobs/"+id, nil).want(http.StatusNoContent)
	u.get("/jobs/"+id).fails(http.StatusNotFound, "job_not_found")
	u.send(http.MethodDelete, "/jobs/"+id, nil).fails(http.StatusNotFound, "job_not_found")
	if counter, jobs := u.activeJobs(); counter != 0 || jobs != 0 || u.pagesUsed() != 0 || w.storedObjects() != 0 {
		t.Errorf("counter %d, jobs %d, %d pages, %d objects", counter, jobs, u.pagesUsed(), w.storedObjects())
	}
}

func TestJobs_of_another_account_are_not_found(t *testing.T) {
	w := newWorld(t)
	owner, other := w.user(plan.Pro), w.user(plan.Business)
	id := owner.upload(pdf(1)).want(http.StatusCreated).object()["id"].(string)
	for _, path := range []string{"/jobs/" + id, "/jobs/" + id + "/events"} {
		other.get(path).fails(http.StatusNotFound, "job_not_found")
	}
	other.send(http.MethodDelete, "/jobs/"+id, nil).fails(http.StatusNotFound, "job_not_found")
	if list := other.get("/jobs").want(http.StatusOK).object(); list["total"] != 0.0 {
		t.Errorf("%v", list)
	}
	owner.get("/jobs/" + id).want(http.StatusOK)
	for _, malformed := range []string{"x", uuid.NewString(), "00000000-0000-0000-0000-00000000000g", "%2e%2e", id + "x", strings.Repeat("1", 5000)} {
		for _, suffix := range []string{"", "/events"} {
			owner.get("/jobs/"+malformed+suffix).fails(http.StatusNotFound, "job_not_found")
		}
		owner.send(http.MethodDelete, "/jobs/"+malformed, nil).fails(http.StatusNotFound, "job_not_found")
	}
}

func TestJobs_list(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Business)
	var ids []string // newest first
	for range 7 {
		ids = append([]string{u.upload(pdf(1)).want(http.StatusCreated).object()["id"].(string)}, ids...)
	}
	w.finish(ids[2], job.Done)
	w.finish(ids[4], job.Done)
	w.finish(ids[6], job.Failed)
	for query, want := range map[string]struct {
		ids               []string
		total, page, size float64
	}{
		"":                                {ids, 7, 1, 20},
		"?page_size=3":                    {ids[:3], 7, 1, 3},
		"?page=3&page_size=3":             {ids[6:], 7, 3, 3},
		"?page=4&page_size=3":             {nil, 7, 4, 3},
		"?page=9223372036854775807":       {nil, 7, 9223372036854775807, 20},
		"?status=done":                    {[]string{ids[2], ids[4]}, 2, 1, 20},
		"?status=failed&page_size=100":    {ids[6:], 1, 1, 100},
		"?status=processing":              {nil, 0, 1, 20},
		"?status=done&page_size=1&page=2": {ids[4:5], 2, 2, 1},
	} {
		got := u.get("/jobs" + query).want(http.StatusOK).object()
		var gotIDs []string
		for _, item := range got["items"].([]any) {
			gotIDs = append(gotIDs, item.(map[string]any)["id"].(string))
		}
		if diff := cmp.Diff(want.ids, gotIDs); diff != "" || got["total"] != want.total || got["page"] != want.page || got["page_size"] != want.size {
			t.Errorf("%q: %v of %v, page %v of size %v (-want +got):\n%s", query, len(gotIDs), got["total"], got["page"], got["page_size"], diff)
		}
	}
	for query, field := range map[string]string{
		"page_size=0": "page_size", "page_size=101": "page_size", "page_size=x": "page_size", "page_size=": "page_size", "page_size=-1": "page_size",
		"page_size=1.5": "page_size", "page_size=99999999999999999999": "page_size",
		"page=0": "page", "page=-1": "page", "page=one": "page", "status=finished": "status", "status=": "status", "status=Done": "status",
	} {
		facts(t, u.get("/jobs?"+query).fails(http.StatusBadRequest, "invalid_parameter"), map[string]any{"field": field})
	}
}

// away is an Authenticator whose database is away.
type away struct{}

func (away) Authenticate(*http.Request) (auth.Identity, error) {
	return auth.Identity{}, fault.New(fault.Unavailable, "database_unavailable", "The service cannot reach its database.").After(7 * time.Second)
}

func TestAPI_when_Postgres_is_away(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Auth = away{}
		d.Ready = func(context.Context) error { return errors.New("connect: secret-host:5432: refused") }
	})
	a := w.send(http.MethodGet, "/auth/me", nil)
	a.fails(http.StatusServiceUnavailable, "database_unavailable")
	if retry := a.header.Get("Retry-After"); retry != "7" {
		t.Errorf("Retry-After %q", retry)
	}
	a = w.send(http.MethodGet, "/readyz", nil)
	a.fails(http.StatusServiceUnavailable, "not_ready")
	if strings.Contains(string(a.body), "secret-host") || a.header.Get("Retry-After") == "" {
		t.Errorf("%s %v", a.body, a.header)
	}
	w.send(http.MethodGet, "/healthz", nil).want(http.StatusOK)
}

// watchedJobs says when somebody begins to watch a job.
type watchedJobs struct {
	jobStore

	watched chan struct{}
}

type jobStore = httpapi.Jobs

// Watch implements httpapi.Jobs.
func (j watchedJobs) Watch(ctx context.Context, acct account.ID, id uuid.UUID) (job.Job, <-chan job.Job, error) {
	first, changes, err := j.jobStore.Watch(ctx, acct, id)
	j.watched <- struct{}{}
	return first, changes, err
}

func TestJob_can_be_waited_for(t *testing.T) {
	watched := make(chan struct{}, 1)
	w := newWorld(t, func(d *httpapi.Deps) { d.Jobs = watchedJobs{d.Jobs, watched} })
	u := w.user(plan.Pro)
	id := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)

	if got := u.get("/jobs/" + id + "?wait=0").want(http.StatusOK).object(); got["status"] != "pending" {
		t.Errorf("without waiting: %v", got["status"])
	}
	answered := make(chan answer, 1)
	go func() { answered <- u.get("/jobs/" + id + "?wait=60") }()
	<-watched
	w.finish(id, job.Done)
	if got := (<-answered).want(http.StatusOK).object(); got["status"] != "done" {
		t.Errorf("waited for: %v", got["status"])
	}
	if got := u.get("/jobs/" + id + "?wait=60").want(http.StatusOK).object(); got["status"] != "done" {
		t.Errorf("after its end: %v", got["status"])
	}
	<-watched

	long := u.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	if got := u.get("/jobs/" + long + "?wait=1").want(http.StatusOK).object(); got["status"] != "pending" {
		t.Errorf("when the time is over: %v", got["status"])
	}
	<-watched
	w.user(plan.Pro).get("/jobs/"+long+"?wait=60").fails(http.StatusNotFound, "job_not_found")
	<-watched

	go func() { answered <- u.get("/jobs/" + long + "?wait=60") }()
	<-watched
	close(w.leave)
	if got := (<-answered).want(http.StatusOK).object(); got["status"] != "pending" {
		t.Errorf("when the server shuts down: %v", got["status"])
	}
	for _, wrong := range []string{"-1", "61", "x", "1.5"} {
		u.get("/jobs/"+long+"?wait="+wrong).fails(http.StatusBadRequest, "invalid_parameter")
	}
}
