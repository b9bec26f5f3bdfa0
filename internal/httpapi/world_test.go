package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/auth/authtest"
	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/ocr/ocrtest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

// TestMain lets the test binary be the engine's child, too.
func TestMain(m *testing.M) {
	ocrtest.Main(nil)
	if len(os.Args) > 1 && os.Args[1] == "engine" {
		if err := engine.Serve(context.Background(), os.Stdin, os.Stdout, engine.ServeConfig{Exit: os.Exit}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := pgtest.Run(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "left running:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// world is the real router on a real Postgres and a real directory of blobs. Only the engine is a fake,
// unless a test wants the real one.
type world struct {
	t       *testing.T
	deps    httpapi.Deps
	pool    *pgxpool.Pool
	store   *postgres.Store
	blobs   *blob.Store
	blobDir string
	queue   *queue.Queue // of a real world
	auth    *auth.Authenticator
	clerk   *authtest.Clerk
	engine  *fakeEngine
	log     *syncBuffer
	drain   chan struct{}
	leave   chan struct{}
	server  *httptest.Server
	client  *http.Client // checks every answer against the description
}

// newWorld starts a server. changes are made to its dependencies before.
func newWorld(t *testing.T, changes ...func(*httpapi.Deps)) *world {
	t.Helper()
	w := &world{t: t, pool: pgtest.New(t), clerk: authtest.New(t), engine: new(fakeEngine), log: new(syncBuffer), drain: make(chan struct{}), leave: make(chan struct{})}
	logger := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", w.log)
		}
	})
	inserter, err := queue.NewInserter(w.pool, logger)
	if err != nil {
		t.Fatal(err)
	}
	w.store = postgres.New(postgres.Config{
		Pool: w.pool, Enqueue: inserter.Enqueue, Cancel: inserter.Cancel, Ended: inserter.Ended,
		Erase: inserter.Erase, DeleteFiles: inserter.DeleteFiles, Logger: logger,
	})
	w.server = httptest.NewUnstartedServer(nil)
	t.Cleanup(w.server.Close)
	base := "http://" + w.server.Listener.Addr().String()
	w.blobDir = t.TempDir()
	if w.blobs, err = blob.Open(t.Context(), "file://"+w.blobDir, blob.Options{PublicURL: base, SigningKey: []byte("key")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.blobs.Close() })
	w.deps = httpapi.Deps{
		Accounts: w.store, Jobs: w.store, Blobs: w.blobs, Engine: w.engine, Plans: plan.Default(),
		CheckWebhookURL: webhook.CheckURL,
		WebhookSecret:   func(id account.ID) string { return webhook.Secret([]byte("key"), id) },
		Files:           w.blobs.Handler,
		Ready:           func(ctx context.Context) error { return errors.Join(w.store.Ping(ctx), w.blobs.Ping(ctx)) },
		Drain:           w.drain,
		Leave:           w.leave,
		TempDir:         t.TempDir(),
		Logger:          logger,
		Registry:        prometheus.NewRegistry(),
	}
	for _, change := range changes {
		change(&w.deps)
	}
	w.auth, err = auth.New(auth.Config{
		Store: w.store, Plans: w.deps.Plans, Logger: logger,
		Clerk: auth.Clerk{JWTKey: w.clerk.PEM(t), AuthorizedParties: []string{"https://app.example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.deps.Auth == nil {
		w.deps.Auth = w.auth
	}
	if w.server.Config.Handler, err = httpapi.New(w.deps); err != nil {
		t.Fatal(err)
	}
	w.server.Start()
	w.client = &http.Client{Transport: validating{t, w.server.Client().Transport, description(t)}}
	return w
}

// user is an account with a key.
type user struct {
	world *world
	id    account.ID
	key   account.Secret
}

func (w *world) user(tier plan.Tier) user {
	w.t.Helper()
	a, err := w.store.CreateAccount(w.t.Context(), uuid.NewString()+"@example.com", tier)
	if err != nil {
		w.t.Fatal(err)
	}
	u := user{w, a.ID, account.NewSecret()}
	if _, err := w.store.CreateKey(w.t.Context(), a.ID, "first", u.key, nil); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// in is the world for a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

// in is the user for a subtest.
func (u user) in(t *testing.T) user {
	u.world = u.world.in(t)
	return u
}

// token is a session token of a Clerk user.
func (w *world) token(clerkUser string) string {
	return w.clerk.Token(w.t, authtest.Claims(clerkUser, time.Now(), nil))
}

// answer is a response, read.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// send sends a request to path with headers given as name, value, ….
func (w *world) send(method, path string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return answer{w.t, resp.StatusCode, resp.Header, body}
}

func (u user) send(method, path string, body io.Reader, headers ...string) answer {
	u.world.t.Helper()
	return u.world.send(method, path, body, append(headers, "X-Api-Key", u.key.Reveal())...)
}

func (u user) get(path string) answer {
	u.world.t.Helper()
	return u.send(http.MethodGet, path, nil)
}

// upload posts a form to /jobs.
func (u user) upload(f form, headers ...string) answer {
	u.world.t.Helper()
	return u.uploadTo("/jobs", f, headers...)
}

func (u user) uploadTo(path string, f form, headers ...string) answer {
	u.world.t.Helper()
	body, contentType := f.encode(u.world.t)
	return u.send(http.MethodPost, path, bytes.NewReader(body), append(headers, "Content-Type", contentType)...)
}

// form is a multipart form; fields are sent in order.
type form []field

type field struct {
	name, file string // file: the part's file name, "" for none
	value      string
}

// pdf is a form with one file that the fake engine takes for a PDF.
func pdf(pages int, options ...string) form {
	f := form{{"file", "report.pdf", fakePDF(pages)}}
	for _, o := range options {
		f = append(f, field{"options", "", o})
	}
	return f
}

func (f form) encode(t testing.TB) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range f {
		disposition := fmt.Sprintf("form-data; name=%q", p.name)
		if p.file != "" {
			disposition += `; filename="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.file) + `"`
		}
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {disposition}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, p.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// want checks the status and gives the answer back.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// fails checks an error answer and gives its detail.
func (a answer) fails(status int, code string) map[string]any {
	a.t.Helper()
	a.want(status)
	detail, _ := a.object()["detail"].(map[string]any)
	if detail["code"] != code || detail["message"] == "" {
		a.t.Fatalf("%s, want code %s", a.body, code)
	}
	return detail
}

func (a answer) object() map[string]any {
	a.t.Helper()
	var v map[string]any
	a.decode(&v)
	return v
}

func (a answer) decode(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
}

// facts checks facts of an error's detail.
func facts(t *testing.T, detail map[string]any, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := detail[name]; fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("fact %s is %v, want %v", name, got, value)
		}
	}
}

// finish ends a job as a worker does, with a Markdown result when it is done.
func (w *world) finish(id string, status job.Status) {
	w.t.Helper()
	ctx, jobID := w.t.Context(), uuid.MustParse(id)
	if _, err := w.store.StartJob(ctx, jobID); err != nil {
		w.t.Fatal(err)
	}
	o := job.Outcome{Status: status}
	if status == job.Done {
		if err := w.blobs.Put(ctx, job.Key(jobID, "result.md"), "text/markdown; charset=utf-8", strings.NewReader("# Hello\n")); err != nil {
			w.t.Fatal(err)
		}
		o.Files = []job.File{{Format: "markdown", Name: "result.md", Size: 8, Type: "text/markdown; charset=utf-8"}}
	} else {
		o.ErrorCode, o.ErrorMessage = "damaged_page", "Page 2 is damaged: it cannot be read."
	}
	if finished, err := w.store.FinishJob(ctx, jobID, o, nil); err != nil || !finished {
		w.t.Fatalf("finished %v, %v", finished, err)
	}
}

// exec changes the database behind the server's back.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// activeJobs is the account's counter of taken slots, and how many jobs really are active.
func (u user) activeJobs() (counter, jobs int) {
	u.world.t.Helper()
	err := u.world.pool.QueryRow(u.world.t.Context(), `
		SELECT active_jobs, (SELECT count(*) FROM jobs WHERE account_id = $1 AND status IN ('pending', 'processing'))
		FROM accounts WHERE id = $1`, u.id).Scan(&counter, &jobs)
	if err != nil {
		u.world.t.Fatal(err)
	}
	return counter, jobs
}

func (u user) pagesUsed() int {
	u.world.t.Helper()
	usage, err := u.world.store.Usage(u.world.t.Context(), u.id)
	if err != nil {
		u.world.t.Fatal(err)
	}
	return usage.PagesUsed
}

// storedUploads counts the objects in the store.
func (w *world) storedObjects() (n int) {
	w.t.Helper()
	err := w.blobs.List(w.t.Context(), "", func(string, time.Time) error { n++; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// leftovers are the files that uploads left in the temporary directory.
func (w *world) leftovers() []os.DirEntry {
	w.t.Helper()
	entries, err := os.ReadDir(w.deps.TempDir)
	if err != nil {
		w.t.Fatal(err)
	}
	return entries
}

// fakeEngine reads what fakePDF writes.
type fakeEngine struct {
	mu        sync.Mutex
	inspected int
	decrypted []string // passwords
}

var (
	fakePages    = regexp.MustCompile(`pages=(\d+)`)
	fakePassword = regexp.MustCompile(`password=(\w+)`)
)

// fakePDF is a file that the fake engine sees pages in.
func fakePDF(pages int) string { return fmt.Sprintf("%%PDF-1.7 pages=%d\n", pages) }

// encryptedPDF is one that opens with the password.
func encryptedPDF(pages int, password string) string {
	return fakePDF(pages) + "password=" + password + "\n"
}

func (e *fakeEngine) Inspect(_ context.Context, path, password string, deep bool) (httpapi.Inspection, error) {
	e.mu.Lock()
	e.inspected++
	e.mu.Unlock()
	f, err := os.Open(path)
	if err != nil {
		return httpapi.Inspection{}, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return httpapi.Inspection{}, err
	}
	pages := fakePages.FindSubmatch(head)
	if pages == nil {
		return httpapi.Inspection{}, fault.New(fault.Invalid, "damaged_pdf", "This file is damaged: it cannot be read as a PDF.")
	}
	n, _ := strconv.Atoi(string(pages[1]))
	out := httpapi.Inspection{Pages: n}
	if want := fakePassword.FindSubmatch(head); want != nil {
		switch {
		case password == "":
			return out, fault.New(fault.Invalid, "password_required", "This PDF is encrypted.")
		case password != string(want[1]):
			return out, fault.New(fault.Invalid, "wrong_password", "The password does not open this PDF.")
		}
		out.Encrypted = true
	}
	if deep {
		out.PagesWithoutText = []int{n}
	}
	return out, nil
}

func (e *fakeEngine) Decrypt(_ context.Context, _, dst, password string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.decrypted = append(e.decrypted, password)
	return os.WriteFile(dst, []byte("%PDF-1.7 decrypted\n"), 0o600)
}

// syncBuffer is a log that tests may read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
