package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

func TestSubmit(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	a := u.upload(pdf(12, `{"format": ["markdown", "json"], "pages": "2-4"}`)).want(http.StatusCreated)
	got := a.object()
	id := got["id"].(string)
	want := map[string]any{
		"id": id, "user_id": string(u.id), "status": "pending",
		"options": map[string]any{
			"format": []any{"markdown", "json"}, "reading_order": "xycut", "table_method": "default", "pages": "2-4", "sanitize": false,
			"include_header_footer": false, "keep_line_breaks": false, "detect_strikethrough": false, "use_struct_tree": false,
			"image_output": "off", "image_format": "png", "replace_invalid_chars": " ", "content_safety_off": []any{},
			"markdown_page_separator": "---", "text_page_separator": "\f", "html_page_separator": "<hr>", "markdown_with_html": false,
			"ocr": "auto", "ocr_languages": []any{"eng"}, "chunk_max_tokens": 512.0, "chunk_overlap_tokens": 64.0,
		},
		"page_count": 12.0, "pages_charged": 3.0, "file_name": "report.pdf", "file_size": float64(len(fakePDF(12))),
		"queue":       map[string]any{"position": 1.0, "estimated_wait_seconds": nil},
		"webhook_url": nil,
		"progress":    map[string]any{"pages_done": 0.0, "pages_total": 3.0}, "error_message": nil, "warnings": []any{},
		"download_urls": map[string]any{}, "started_at": nil, "finished_at": nil,
		"created_at": got["created_at"], "updated_at": got["created_at"], "expires_at": got["expires_at"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if location := a.header.Get("Location"); location != "/jobs/"+id {
		t.Errorf("Location %q", location)
	}
	if diff := cmp.Diff(got, u.get("/jobs/"+id).want(http.StatusOK).object()); diff != "" {
		t.Errorf("GET differs from POST (-post +get):\n%s", diff)
	}
	if used := u.pagesUsed(); used != 3 {
		t.Errorf("%d pages used, want the 3 selected", used)
	}
	stored, size, err := w.blobs.Get(t.Context(), job.SourceKey(uuid.MustParse(id)))
	if err != nil || size != int64(len(fakePDF(12))) {
		t.Fatalf("stored upload: %d bytes, %v", size, err)
	}
	_ = stored.Close()
	if left := w.leftovers(); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

func TestSubmit_takes_the_fields_in_any_order(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Business)
	file := field{"file", `C:\Users\ada\..\Quarterly ` + "\u202ereport.pdf", fakePDF(1)}
	options := field{"options", "options.json", `{"keep_line_breaks": true}`}
	hook := field{"webhook_url", "", "https://example.com/hook"}
	for _, f := range []form{{file, options, hook}, {options, file, hook}, {hook, options, file}} {
		got := u.upload(f).want(http.StatusCreated).object()
		if got["options"].(map[string]any)["keep_line_breaks"] != true || got["file_name"] != "Quarterly report.pdf" {
			t.Errorf("%v", got)
		}
	}
	if got := u.upload(form{{"file", "", fakePDF(1)}}).want(http.StatusCreated).object(); got["file_name"] != nil {
		t.Errorf("file_name %v", got["file_name"])
	}
}

func TestSubmit_refuses(t *testing.T) {
	w := newWorld(t)
	pro := w.user(plan.Pro)
	file := field{"file", "a.pdf", fakePDF(2)}
	options := func(o string) form { return form{file, {"options", "", o}} }
	for name, tc := range map[string]struct {
		form   form
		status int
		code   string
		facts  map[string]any
	}{
		"no file":                {form{{"options", "", "{}"}}, 400, "file_missing", map[string]any{"field": "file"}},
		"no field at all":        {form{}, 400, "file_missing", map[string]any{"field": "file"}},
		"an empty file":          {form{{"file", "a.pdf", ""}}, 400, "file_empty", map[string]any{"field": "file"}},
		"no PDF header":          {form{{"file", "a.pdf", "hello"}}, 400, "not_a_pdf", map[string]any{"field": "file"}},
		"a PDF header too late":  {form{{"file", "a.pdf", strings.Repeat(" ", 1024) + fakePDF(1)}}, 400, "not_a_pdf", nil},
		"a damaged PDF":          {form{{"file", "a.pdf", "%PDF-1.7 nonsense"}}, 400, "damaged_pdf", nil},
		"a PDF without pages":    {form{{"file", "a.pdf", fakePDF(0)}}, 400, "damaged_pdf", nil},
		"two files":              {form{file, file}, 400, "duplicate_field", map[string]any{"field": "file"}},
		"options twice":          {form{{"options", "", "{}"}, {"options", "", "{}"}, file}, 400, "duplicate_field", map[string]any{"field": "options"}},
		"an unknown field":       {form{{"optoins", "", "{}"}, file}, 400, "unknown_field", map[string]any{"field": "optoins"}},
		"options not JSON":       {options("{format: markdown}"), 400, "options_not_json", map[string]any{"position": 2}},
		"options not an object":  {options("[]"), 400, "options_not_json", nil},
		"an unknown option":      {options(`{"colour": 1}`), 400, "unknown_option", map[string]any{"field": "colour"}},
		"a bad value":            {options(`{"ocr": "maybe"}`), 400, "invalid_option", map[string]any{"field": "ocr", "allowed": "[off auto force]"}},
		"a wrong type":           {options(`{"sanitize": "yes"}`), 400, "invalid_option", map[string]any{"field": "sanitize"}},
		"sanitized pages":        {options(`{"format": ["annotated-pdf"], "sanitize": true}`), 400, "sanitize_conflict", map[string]any{"field": "sanitize"}},
		"sanitized pictures":     {options(`{"image_output": "external", "sanitize": true}`), 400, "sanitize_conflict", map[string]any{"field": "sanitize"}},
		"a malformed range":      {options(`{"pages": "2-"}`), 400, "invalid_page_range", map[string]any{"field": "pages"}},
		"a page past the end":    {options(`{"pages": "1-3"}`), 400, "invalid_page_range", map[string]any{"field": "pages", "page_count": 2}},
		"huge options":           {options(strings.Repeat(" ", 70_000)), 413, "body_too_large", map[string]any{"field": "options"}},
		"no password":            {form{{"file", "", encryptedPDF(1, "secret")}}, 400, "password_required", nil},
		"a wrong password":       {form{{"file", "", encryptedPDF(1, "secret")}, {"options", "", `{"password": "guess"}`}}, 400, "wrong_password", nil},
		"a webhook without host": {form{file, {"webhook_url", "", "https:///x"}}, 400, "invalid_webhook_url", map[string]any{"field": "webhook_url"}},
		"a webhook elsewhere":    {form{file, {"webhook_url", "", "ftp://example.com/x"}}, 400, "invalid_webhook_url", map[string]any{"field": "webhook_url"}},
		"a webhook not in UTF-8": {form{file, {"webhook_url", "", "https://example.com/\x9c"}}, 400, "invalid_webhook_url", map[string]any{"field": "webhook_url"}},
		"a webhook too long":     {form{file, {"webhook_url", "", "https://example.com/" + strings.Repeat("x", 2100)}}, 400, "invalid_webhook_url", map[string]any{"field": "webhook_url"}},
		"too many pages": {
			form{{"file", "a.pdf", fakePDF(2001)}},
			402, "page_quota_exceeded",
			map[string]any{"pdf_pages": 2001, "pages_remaining": 2000, "pages_used": 0, "pages_limit": 2000, "tier": "pro"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pro := pro.in(t)
			facts(t, pro.upload(tc.form).fails(tc.status, tc.code), tc.facts)
			if tc.status != 413 { // a dry run gives the same
				dry := pro.uploadTo("/jobs?dry_run=true", tc.form).fails(tc.status, tc.code)
				facts(t, dry, tc.facts)
			}
		})
	}
	t.Run("not multipart", func(t *testing.T) {
		for _, contentType := range []string{"", "application/pdf", "multipart/form-data", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded"} {
			pro.send(http.MethodPost, "/jobs", strings.NewReader(fakePDF(1)), "Content-Type", contentType).fails(400, "not_multipart")
		}
	})
	t.Run("malformed multipart", func(t *testing.T) {
		pro.send(http.MethodPost, "/jobs", strings.NewReader("--x\r\nContent-Disposition: form-data; name=file\r\n\r\n"+fakePDF(1)), "Content-Type", "multipart/form-data; boundary=x").
			fails(400, "upload_interrupted")
		pro.send(http.MethodPost, "/jobs", strings.NewReader("--x\r\nno header line\r\n\r\n"), "Content-Type", "multipart/form-data; boundary=x").
			fails(400, "malformed_multipart")
	})
	t.Run("a bad dry_run", func(t *testing.T) {
		facts(t, pro.uploadTo("/jobs?dry_run=maybe", pdf(1)).fails(400, "invalid_parameter"), map[string]any{"field": "dry_run"})
	})
	t.Run("the plan's limits by session token", func(t *testing.T) {
		send := func(f form) answer {
			body, contentType := f.encode(t)
			return w.send(http.MethodPost, "/jobs", bytes.NewReader(body), "Content-Type", contentType, "Authorization", "Bearer "+w.token("user_free"))
		}
		facts(t, send(options(`{"format": ["markdown", "json"]}`)).fails(403, "format_not_in_plan"),
			map[string]any{"tier": "free", "allowed": "[markdown text]", "field": "format"})
		facts(t, send(options(`{"image_output": "embedded"}`)).fails(403, "image_extraction_not_in_plan"),
			map[string]any{"tier": "free", "field": "image_output"})
		send(options(`{"format": ["text"]}`)).want(http.StatusCreated)
		detail := send(pdf(51)).fails(402, "page_quota_exceeded")
		if want := "This PDF has 51 pages but you only have 48 pages remaining this month."; detail["message"] != want {
			t.Errorf("%q, want %q", detail["message"], want)
		}
	})
	if n := w.storedObjects(); n != 1 {
		t.Errorf("%d objects stored, want the one accepted upload", n)
	}
	if used, left := pro.pagesUsed(), w.leftovers(); used != 0 || len(left) != 0 {
		t.Errorf("%d pages used, left behind: %v", used, left)
	}
}

func TestSubmit_decrypts_and_forgets_the_password(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	const password = "correcthorsebattery"
	got := u.upload(form{{"file", "a.pdf", encryptedPDF(3, password)}, {"options", "", `{"password": "` + password + `"}`}}).want(http.StatusCreated)
	if strings.Contains(string(got.body), "password") {
		t.Errorf("shown: %s", got.body)
	}
	r, _, err := w.blobs.Get(t.Context(), job.SourceKey(uuid.MustParse(got.object()["id"].(string))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if stored, _ := io.ReadAll(r); string(stored) != "%PDF-1.7 decrypted\n" {
		t.Errorf("stored %q", stored)
	}
	if got.object()["file_size"] != float64(len(encryptedPDF(3, password))) {
		t.Errorf("file_size %v is not that of the upload", got.object()["file_size"])
	}
	if strings.Contains(w.dump(), password) || strings.Contains(w.log.String(), password) {
		t.Error("the password is in the database or the log")
	}
}

func TestSubmit_dry_run(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	for name, tc := range map[string]struct {
		form form
		want map[string]any
	}{
		"of a plain PDF": {pdf(4), map[string]any{
			"page_count": 4.0, "pages_charged": 4.0, "pages_remaining": 2000.0, "encrypted": false, "pages_without_text": []any{4.0},
		}},
		"of some pages of an encrypted one": {form{{"file", "", encryptedPDF(9, "pw")}, {"options", "", `{"password": "pw", "pages": "1,9"}`}}, map[string]any{
			"page_count": 9.0, "pages_charged": 2.0, "pages_remaining": 2000.0, "encrypted": true, "pages_without_text": []any{9.0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := u.in(t).uploadTo("/jobs?dry_run=true", tc.form).want(http.StatusOK).object()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if used, stored, left := u.pagesUsed(), w.storedObjects(), w.leftovers(); used != 0 || stored != 0 || len(left) != 0 {
		t.Errorf("a dry run left %d pages used, %d objects, %v", used, stored, left)
	}
	for range 5 {
		u.upload(pdf(1)).want(http.StatusCreated)
	}
	u.uploadTo("/jobs?dry_run=true", pdf(1)).fails(http.StatusTooManyRequests, "too_many_active_jobs")
}

func TestSubmit_idempotently(t *testing.T) {
	w := newWorld(t)
	u, other := w.user(plan.Pro), w.user(plan.Pro)
	first := u.upload(pdf(3), "Idempotency-Key", "k 1").want(http.StatusCreated)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says that it is a repetition")
	}
	for range 4 {
		u.upload(pdf(1)).want(http.StatusCreated) // all slots are taken now
	}
	again := u.upload(pdf(3, "{}"), "Idempotency-Key", "k 1").want(http.StatusCreated)
	if again.object()["id"] != first.object()["id"] || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s, then %s", first.body, again.body)
	}
	u.upload(pdf(4), "Idempotency-Key", "k 1").fails(http.StatusBadRequest, "idempotency_key_reused")
	u.upload(pdf(3, `{"pages": "1"}`), "Idempotency-Key", "k 1").fails(http.StatusBadRequest, "idempotency_key_reused")
	u.upload(pdf(3), "Idempotency-Key", "k 2").fails(http.StatusTooManyRequests, "too_many_active_jobs")
	if mine := other.upload(pdf(3), "Idempotency-Key", "k 1").want(http.StatusCreated).object()["id"]; mine == first.object()["id"] {
		t.Error("another account got this one's job")
	}
	for _, key := range []string{"", strings.Repeat("k", 256), "tab\there", "umlaut ä"} {
		facts(t, u.upload(pdf(3), "Idempotency-Key", key).fails(http.StatusBadRequest, "invalid_idempotency_key"),
			map[string]any{"field": "Idempotency-Key"})
	}
	if used, stored := u.pagesUsed(), w.storedObjects(); used != 7 || stored != 6 {
		t.Errorf("%d pages used, %d objects stored; want 7 and 6", used, stored)
	}
}

func TestSubmit_parallel_repetitions_make_one_job(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	ids := make([]any, 10)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			ids[i] = u.upload(pdf(2), "Idempotency-Key", "same").want(http.StatusCreated).object()["id"]
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("jobs %v and %v", ids[0], id)
		}
	}
	if used, stored, left := u.pagesUsed(), w.storedObjects(), w.leftovers(); used != 2 || stored != 1 || len(left) != 0 {
		t.Errorf("%d pages used, %d objects stored, left %v", used, stored, left)
	}
}

func TestSubmit_200_in_parallel_never_exceed_the_plans_jobs(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	count := w.storm(u, 200)
	if count[http.StatusCreated] != 5 || count[http.StatusTooManyRequests] != 195 {
		t.Errorf("statuses %v, want 5 × 201 and 195 × 429", count)
	}
	if counter, jobs := u.activeJobs(); counter != 5 || jobs != 5 {
		t.Errorf("counter %d, active jobs %d", counter, jobs)
	}
	detail := u.upload(pdf(1)).fails(http.StatusTooManyRequests, "too_many_active_jobs")
	facts(t, detail, map[string]any{"active_jobs": 5, "max_concurrent_jobs": 5, "tier": "pro"})
	if !strings.Contains(detail["message"].(string), "5 active jobs") {
		t.Errorf("message %q does not tell how many are active", detail["message"])
	}
	if stored, left, used := w.storedObjects(), w.leftovers(), u.pagesUsed(); stored != 5 || len(left) != 0 || used != 5 {
		t.Errorf("%d objects stored, left %v, %d pages used", stored, left, used)
	}
	var list struct{ Items []struct{ ID string } }
	u.get("/jobs").want(http.StatusOK).decode(&list)
	w.finish(list.Items[0].ID, job.Done)
	w.finish(list.Items[1].ID, job.Failed)
	u.send(http.MethodDelete, "/jobs/"+list.Items[2].ID, nil).want(http.StatusNoContent)
	if counter, jobs := u.activeJobs(); counter != 2 || jobs != 2 {
		t.Errorf("after three ends: counter %d, active jobs %d", counter, jobs)
	}
	if count := w.storm(u, 20); count[http.StatusCreated] != 3 {
		t.Errorf("statuses %v, want 3 × 201", count)
	}
}

func TestSubmit_20_in_parallel_never_exceed_the_months_pages(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Business) // 20 slots
	if _, err := w.pool.Exec(t.Context(), `INSERT INTO page_usage (account_id, period, pages) VALUES ($1, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 19990)`, u.id); err != nil {
		t.Fatal(err)
	}
	count := w.storm(u, 20)
	if count[http.StatusCreated] != 10 || count[http.StatusPaymentRequired] != 10 {
		t.Errorf("statuses %v, want 10 × 201 and 10 × 402", count)
	}
	if counter, jobs := u.activeJobs(); counter != 10 || jobs != 10 || u.pagesUsed() != 20_000 {
		t.Errorf("counter %d, active jobs %d, %d pages used", counter, jobs, u.pagesUsed())
	}
}

// storm uploads n one-page PDFs at once and counts the answers' statuses.
func (w *world) storm(u user, n int) map[int]int {
	w.t.Helper()
	var mu sync.Mutex
	count := make(map[int]int)
	var wait sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wait.Go(func() {
			<-start
			a := u.upload(pdf(1))
			mu.Lock()
			count[a.status]++
			mu.Unlock()
			if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
				w.t.Error("429 without Retry-After")
			}
		})
	}
	close(start)
	wait.Wait()
	return count
}

// brokenBlobs stores half of an object before it fails.
type brokenBlobs struct{ httpapi.Blobs }

func (b brokenBlobs) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if err := b.Blobs.Put(ctx, key, mediaType, io.LimitReader(r, 5)); err != nil {
		return err
	}
	return fault.New(fault.Unavailable, "storage_unavailable", "The file storage does not answer.")
}

func TestSubmit_when_the_storage_is_away(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.Blobs = brokenBlobs{d.Blobs} })
	u := w.user(plan.Pro)
	a := u.upload(pdf(1))
	if a.fails(http.StatusServiceUnavailable, "storage_unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if counter, jobs := u.activeJobs(); counter != 0 || jobs != 0 || u.pagesUsed() != 0 || w.storedObjects() != 0 {
		t.Errorf("counter %d, jobs %d, %d pages, %d objects", counter, jobs, u.pagesUsed(), w.storedObjects())
	}
}

// lostAnswer is a database whose connection breaks around the commit.
type lostAnswer struct {
	*postgres.Store
	committed bool // before the break
}

func (l lostAnswer) Submit(ctx context.Context, sub job.Submission, p plan.Plan) (job.Job, bool, error) {
	if l.committed {
		if _, _, err := l.Store.Submit(ctx, sub, p); err != nil {
			return job.Job{}, false, err
		}
	}
	return job.Job{}, false, errors.New("broken pipe")
}

func TestSubmit_keeps_the_upload_of_a_job_whose_commit_went_unheard(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(d *httpapi.Deps) { d.Jobs = lostAnswer{d.Jobs.(*postgres.Store), committed} })
			u := w.user(plan.Pro)
			u.upload(pdf(1)).fails(http.StatusInternalServerError, "internal")
			want := 0
			if committed {
				want = 1
			}
			if _, jobs := u.activeJobs(); jobs != want || w.storedObjects() != want {
				t.Errorf("%d jobs, %d objects; want %d", jobs, w.storedObjects(), want)
			}
		})
	}
}

func TestSubmit_refuses_while_shutting_down(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	close(w.drain)
	for _, a := range []answer{u.upload(pdf(1)), w.send(http.MethodGet, "/readyz", nil)} {
		a.fails(http.StatusServiceUnavailable, "shutting_down")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	u.get("/jobs").want(http.StatusOK)
}

func TestSubmit_cleans_file_names(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Business)
	for sent, want := range map[string]any{
		"../../etc/passwd":                "passwd",
		strings.Repeat("ä", 200) + ".pdf": strings.Repeat("ä", 127),
		"bad\xffutf8.pdf":                 "bad\ufffdutf8.pdf",
		"  ":                              nil,
	} {
		disposition := fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\n%s\r\n--x--\r\n", sent, fakePDF(1))
		a := u.send(http.MethodPost, "/jobs", strings.NewReader(disposition), "Content-Type", "multipart/form-data; boundary=x").want(http.StatusCreated)
		if got := a.object()["file_name"]; got != want {
			t.Errorf("%q became %q, want %q", sent, got, want)
		}
	}
	extended := "--x\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''a%09b%7F%E2%80%AE%E4%B8%AD.pdf\r\n\r\n" + fakePDF(1) + "\r\n--x--\r\n"
	a := u.send(http.MethodPost, "/jobs", strings.NewReader(extended), "Content-Type", "multipart/form-data; boundary=x").want(http.StatusCreated)
	if got := a.object()["file_name"]; got != "ab中.pdf" {
		t.Errorf("control characters stay: %q", got)
	}
	if strings.Contains(w.log.String(), "passwd") {
		t.Error("a file name is in the log")
	}
}
