package httpapi

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/job"
)

const (
	defaultPageSize = 20
	maxPageSize     = 100
)

// paging checks page and page_size, which are nil when left out.
func paging(page, size *int) (number, entries int, err error) {
	number, entries = 1, defaultPageSize
	if page != nil {
		number = *page
	}
	if size != nil {
		entries = *size
	}
	if number < 1 {
		return 0, 0, errParameter("page", "must be 1 or more")
	}
	if entries < 1 || entries > maxPageSize {
		return 0, 0, errParameter("page_size", "must be from 1 to 100")
	}
	return number, entries, nil
}

// ListJobs is GET /jobs.
func (s *server) ListJobs(ctx context.Context, req api.ListJobsRequestObject) (api.ListJobsResponseObject, error) {
	page, size, err := paging(req.Params.Page, req.Params.PageSize)
	if err != nil {
		return nil, err
	}
	var status job.Status
	if req.Params.Status != nil {
		var ok bool
		if status, ok = job.ParseStatus(string(*req.Params.Status)); !ok {
			allowed := []job.Status{job.Pending, job.Processing, job.Done, job.Failed}
			return nil, errParameter("status", "must be pending, processing, done or failed").With("allowed", allowed)
		}
	}
	jobs, total, err := s.Jobs.Jobs(ctx, caller(ctx).Account.ID, status, page, size)
	if err != nil {
		return nil, err
	}
	out := api.ListJobs200JSONResponse{Items: make([]api.Job, len(jobs)), Total: total, Page: page, PageSize: size}
	for i, j := range jobs {
		if out.Items[i], err = s.jobOf(ctx, j); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxWait bounds in seconds how long GET /jobs/{id} waits: proxies end requests that stay silent for a minute or two.
const maxWait = 60

// GetJob is GET /jobs/{id}.
func (s *server) GetJob(ctx context.Context, req api.GetJobRequestObject) (api.GetJobResponseObject, error) {
	wait := 0
	if req.Params.Wait != nil {
		wait = *req.Params.Wait
	}
	if wait < 0 || wait > maxWait {
		return nil, errParameter("wait", "must be from 0 to 60 seconds")
	}
	j, err := s.awaitJob(ctx, req.ID, time.Duration(wait)*time.Second)
	if err != nil {
		return nil, err
	}
	out, err := s.jobOf(ctx, j)
	return api.GetJob200JSONResponse(out), err
}

// awaitJob gives the caller's job when it has ended, or as it is after at most limit, or when the server shuts down. While
// the database is away it goes on waiting: what it then answers after limit is how things are by then.
func (s *server) awaitJob(ctx context.Context, id uuid.UUID, limit time.Duration) (job.Job, error) {
	owner := caller(ctx).Account.ID
	if limit == 0 {
		return s.Jobs.Job(ctx, owner, id)
	}
	leave, err := s.waiting.enter(owner)
	if err != nil {
		return job.Job{}, err
	}
	defer leave()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	j, changes, err := s.Jobs.Watch(watching, owner, id)
	if err != nil {
		return job.Job{}, err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for j.Status.Active() {
		var exists bool
		select {
		case j, exists = <-changes:
			if !exists {
				return job.Job{}, errJobNotFound()
			}
		case <-timer.C:
			return s.Jobs.Job(ctx, owner, id)
		case <-s.Leave:
			return s.Jobs.Job(ctx, owner, id)
		case <-ctx.Done():
			return job.Job{}, ctx.Err()
		}
	}
	return j, nil
}

// DeleteJob is DELETE /jobs/{id}.
func (s *server) DeleteJob(ctx context.Context, req api.DeleteJobRequestObject) (api.DeleteJobResponseObject, error) {
	if err := s.Jobs.DeleteJob(ctx, caller(ctx).Account.ID, req.ID); err != nil {
		return nil, err
	}
	// The record is gone, so the files are the caller's no more: a failure here must not answer 503 to a
	// request that a repetition would answer with 404. The sweep removes what is left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := s.Blobs.DeletePrefix(ctx, job.Prefix(req.ID)); err != nil {
		s.Logger.WarnContext(ctx, "files of a deleted job may be left behind", "job", req.ID, "error", err)
	}
	return api.DeleteJob204Response{}, nil
}

// jobOf is a job as the API shows it, with fresh download URLs.
func (s *server) jobOf(ctx context.Context, j job.Job) (api.Job, error) {
	urls, err := s.downloadURLs(ctx, j)
	if err != nil {
		return api.Job{}, err
	}
	warnings := make([]api.Warning, len(j.Warnings))
	for i, w := range j.Warnings {
		w.Pages = orEmpty(w.Pages)
		warnings[i] = w
	}
	return api.Job{
		ID: j.ID, UserID: j.Account, Status: j.Status, Options: j.Options,
		PageCount: j.PageCount, PagesCharged: j.PagesCharged,
		FileName: orNull(j.FileName), FileSize: j.FileSize,
		Queue: s.queueOf(ctx, j), Progress: progressOf(j), WebhookURL: orNull(j.WebhookURL),
		ErrorMessage: orNull(j.ErrorMessage), Warnings: warnings, DownloadUrls: urls,
		CreatedAt: j.CreatedAt.UTC(), UpdatedAt: j.UpdatedAt.UTC(),
		StartedAt: utc(j.StartedAt), FinishedAt: utc(j.FinishedAt), ExpiresAt: j.ExpiresAt.UTC(),
	}, nil
}

func progressOf(j job.Job) api.Progress {
	return api.Progress{PagesDone: j.PagesDone, PagesTotal: j.PagesCharged}
}

// downloadURLs signs a URL for every result that is still there; none outlives it.
func (s *server) downloadURLs(ctx context.Context, j job.Job) (map[string]string, error) {
	urls := make(map[string]string)
	lifetime := min(s.URLLifetime, j.ExpiresAt.Sub(s.Now()))
	if j.Status != job.Done || lifetime <= 0 {
		return urls, nil
	}
	for _, f := range j.Files {
		url, err := s.Blobs.SignedURL(ctx, job.Key(j.ID, f.Name), downloadName(j, f), lifetime)
		if err != nil {
			return nil, err
		}
		urls[f.Format] = url
	}
	return urls, nil
}

// downloadName names a result after its upload: "report.pdf" gives "report.md". Results are stored as
// "result" and what their format appends.
func downloadName(j job.Job, f job.File) string {
	stem := strings.TrimSuffix(j.FileName, path.Ext(j.FileName))
	if stem == "" {
		stem = "result"
	}
	return stem + strings.TrimPrefix(path.Base(f.Name), "result")
}

// orNull gives nil for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty gives an empty list for nil, which JSON would show as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}
