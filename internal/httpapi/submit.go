package httpapi

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/tracing"
)

// commitTimeout bounds what has to be finished even when the client leaves: the transaction that makes
// a job, and the removal of a refused upload.
const commitTimeout = 30 * time.Second

// storeTimeout is how long an upload may take to the storage. With commitTimeout it stays below the age at
// which the queue takes a file without a job for an orphan, an hour.
const storeTimeout = 30 * time.Minute

// createJob is POST /jobs. It refuses in the order of what a refusal costs: what the request's header
// tells, what the form tells, what the engine tells, what the database tells.
func (s *server) createJob(w http.ResponseWriter, r *http.Request) error {
	ctx, who := r.Context(), caller(r.Context())
	if s.draining() {
		return ErrShuttingDown()
	}
	dryRun, err := boolParameter(r, "dry_run")
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	if dryRun {
		key = ""
	}
	prior, repeated, err := s.priorSubmission(ctx, who.Account.ID, key)
	if err != nil {
		return err
	}
	if !repeated && !dryRun {
		if err := s.checkQueue(ctx); err != nil {
			return err
		}
	}
	if limit, active := who.Plan.MaxConcurrentJobs, who.Account.ActiveJobs; !repeated && limit != nil && active >= *limit {
		return job.TooManyActive(active, *limit, who.Account.Tier) // an early look: Submit has the last word
	}
	f, err := s.readForm(r, who.Plan)
	defer f.remove()
	if err != nil {
		return err
	}
	if repeated {
		if err := s.repeat(w, r, f, prior); fault.KindOf(err) != fault.NotFound {
			return err
		} // else the job was deleted meanwhile, and its key is free again
	}
	checked, err := s.inspect(ctx, f, dryRun)
	if err != nil {
		return err
	}
	remaining, err := s.checkPages(ctx, checked)
	if err != nil {
		return err
	}
	if dryRun {
		writeJSON(w, http.StatusOK, api.DryRun{
			PageCount: checked.Pages, PagesCharged: checked.charged, PagesRemaining: remaining,
			Encrypted: checked.Encrypted, PagesWithoutText: orEmpty(checked.PagesWithoutText),
		})
		return nil
	}
	return s.submit(w, r, f, checked, key)
}

// boolParameter reads a query parameter that is false when left out.
func boolParameter(r *http.Request, name string) (bool, error) {
	values, ok := r.URL.Query()[name]
	if !ok {
		return false, nil
	}
	v, err := strconv.ParseBool(values[0])
	if err != nil || len(values) > 1 {
		return false, errParameter(name, "must be true or false").With("allowed", []string{"true", "false"})
	}
	return v, nil
}

// idempotencyKey reads the header, "" when there is none.
func idempotencyKey(r *http.Request) (string, error) {
	const most = 255
	values, ok := r.Header["Idempotency-Key"]
	if !ok {
		return "", nil
	}
	sound := len(values) == 1 && values[0] != "" && len(values[0]) <= most
	for _, c := range []byte(values[0]) {
		sound = sound && c >= 0x20 && c <= 0x7e
	}
	if !sound {
		return "", fault.Newf(fault.Invalid, "invalid_idempotency_key",
			"The Idempotency-Key must be 1 to %d printable ASCII characters.", most).With("field", "Idempotency-Key")
	}
	return values[0], nil
}

func (s *server) priorSubmission(ctx context.Context, id account.ID, key string) (job.Submission, bool, error) {
	if key == "" {
		return job.Submission{}, false, nil
	}
	return s.Jobs.IdempotentJob(ctx, id, key)
}

// repeat answers a submission whose idempotency key has a job already.
func (s *server) repeat(w http.ResponseWriter, r *http.Request, f *form, prior job.Submission) error {
	if !prior.Repeats(job.Submission{FileSHA256: f.sum, OptionsHash: f.options.Hash()}) {
		return job.KeyReused()
	}
	j, err := s.Jobs.Job(r.Context(), caller(r.Context()).Account.ID, prior.ID)
	if err != nil {
		return err
	}
	return s.created(w, r, j, true)
}

// checkedFile is an upload that the engine could open.
type checkedFile struct {
	Inspection
	charged int // pages selected
}

// inspect lets the engine look at the upload.
func (s *server) inspect(ctx context.Context, f *form, deep bool) (c checkedFile, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.InspectTimeout)
	defer cancel()
	if c.Inspection, err = s.Engine.Inspect(ctx, f.path, f.options.Password, deep); err != nil {
		return c, err
	}
	if c.Pages < 1 {
		return c, fault.New(fault.Invalid, "damaged_pdf", "This PDF has no pages.").With("field", "file")
	}
	selected, err := option.ParsePages(f.options.Pages, c.Pages)
	c.charged = len(selected)
	return c, err
}

// checkPages is an early look at the month's pages: Submit has the last word. remaining is nil when
// unlimited.
func (s *server) checkPages(ctx context.Context, c checkedFile) (remaining *int, err error) {
	who := caller(ctx)
	limit := who.Plan.PagesPerMonth
	if limit == nil {
		return nil, nil
	}
	usage, err := s.Accounts.Usage(ctx, who.Account.ID)
	if err != nil {
		return nil, err
	}
	if usage.PagesUsed+c.charged > *limit {
		return nil, job.QuotaExceeded(c.Pages, c.charged, usage.PagesUsed, *limit, who.Account.Tier)
	}
	return remainingOf(limit, usage.PagesUsed), nil
}

// submit stores the upload and makes the job.
func (s *server) submit(w http.ResponseWriter, r *http.Request, f *form, c checkedFile, key string) error {
	ctx, who := r.Context(), caller(r.Context())
	id, err := uuid.NewV7() // sorts by time, which keeps the database's index compact
	if err != nil {
		return err
	}
	ctx = tracing.With(ctx, tracing.KeyJob, id)
	source, err := s.readable(ctx, f, c)
	if err != nil {
		return err
	}
	sub := job.Submission{
		ID: id, Account: who.Account.ID, Options: f.options, FileName: f.fileName, FileSize: f.size, FileSHA256: f.sum,
		PageCount: c.Pages, PagesCharged: c.charged, Warnings: c.Warnings, WebhookURL: f.webhookURL,
		IdempotencyKey: key, OptionsHash: f.options.Hash(),
	}
	sub.Options.Password = ""
	// From here on the client's leaving changes nothing, or an object or a job could stay half-made.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := s.store(tracing.With(r.Context(), tracing.KeyJob, id), id, source); err != nil {
		s.discard(ctx, sub)
		return err
	}
	j, replayed, err := s.Jobs.Submit(ctx, sub, who.Plan)
	if err != nil || replayed {
		s.discard(ctx, sub)
	}
	if err != nil {
		return err
	}
	if !replayed {
		s.queue.grew()
	}
	return s.created(w, r, j, replayed)
}

// readable is the path of the upload, decrypted if need be: the password ends here.
func (s *server) readable(ctx context.Context, f *form, c checkedFile) (string, error) {
	if !c.Encrypted {
		return f.path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.InspectTimeout)
	defer cancel()
	decrypted := filepath.Join(f.dir, "decrypted.pdf")
	return decrypted, s.Engine.Decrypt(ctx, f.path, decrypted, f.options.Password)
}

func (s *server) store(ctx context.Context, id uuid.UUID, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return errDisk(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.Blobs.Put(ctx, job.SourceKey(id), "application/pdf", file)
}

// discard removes the stored upload of a submission that made no job. Whether it made one is not always
// known, as when the connection broke while the database committed: then the job, if it is there, keeps
// its file.
func (s *server) discard(ctx context.Context, sub job.Submission) {
	_, err := s.Jobs.Job(ctx, sub.Account, sub.ID)
	if fault.KindOf(err) == fault.NotFound {
		err = s.Blobs.DeletePrefix(ctx, job.Prefix(sub.ID))
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "the upload of a refused job may be left behind", "job", sub.ID, "error", err)
	}
}

func (s *server) created(w http.ResponseWriter, r *http.Request, j job.Job, replayed bool) error {
	out, err := s.jobOf(r.Context(), j)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/jobs/"+j.ID.String())
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	writeJSON(w, http.StatusCreated, out)
	return nil
}
