// Package httpapi is the HTTP face of the service: api/openapi.yaml made to work.
//
// Handlers return errors; one function, server.fail, turns them into answers.
package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/tracing"
)

// Accounts keeps keys and page use.
type Accounts interface {
	CreateKey(ctx context.Context, id account.ID, name string, s account.Secret, limit *int) (account.Key, error)
	Keys(ctx context.Context, id account.ID) ([]account.Key, error)
	RevokeKey(ctx context.Context, id account.ID, keyID uuid.UUID) error
	Usage(ctx context.Context, id account.ID) (account.Usage, error)
	UsageHistory(ctx context.Context, id account.ID) ([]account.Usage, error)
	Ledger(ctx context.Context, id account.ID, page, size int) ([]account.Entry, int, error)
	// SetWebhookURL sets where webhooks go of jobs that name no URL; "" for nowhere.
	SetWebhookURL(ctx context.Context, id account.ID, url string) error
}

// Jobs keeps jobs.
type Jobs interface {
	// Submit takes a slot and the pages, and makes the job; a repetition gives the first one, replayed.
	Submit(ctx context.Context, sub job.Submission, p plan.Plan) (j job.Job, replayed bool, err error)
	// IdempotentJob finds what was submitted under an idempotency key of the last 24 hours.
	IdempotentJob(ctx context.Context, id account.ID, key string) (sub job.Submission, found bool, err error)
	Job(ctx context.Context, acct account.ID, id uuid.UUID) (job.Job, error)
	Jobs(ctx context.Context, acct account.ID, status job.Status, page, size int) ([]job.Job, int, error)
	DeleteJob(ctx context.Context, acct account.ID, id uuid.UUID) error
	// Watch gives the job as it is, then the newest state after changes; the channel is closed when it is deleted.
	Watch(ctx context.Context, acct account.ID, id uuid.UUID) (job.Job, <-chan job.Job, error)
	// Deliveries lists the events of a job's webhook, newest first.
	Deliveries(ctx context.Context, acct account.ID, id uuid.UUID) ([]job.Delivery, error)
	// Redeliver delivers one of them again.
	Redeliver(ctx context.Context, acct account.ID, id uuid.UUID, event string) (job.Delivery, error)
	// Backlog looks at the work of all accounts that is not done.
	Backlog(ctx context.Context) (job.Backlog, error)
}

// Blobs keeps uploads and results.
type Blobs interface {
	Put(ctx context.Context, key, mediaType string, r io.Reader) error
	DeletePrefix(ctx context.Context, prefix string) error
	SignedURL(ctx context.Context, key, downloadName string, ttl time.Duration) (string, error)
}

// Inspection is what the engine can tell about a PDF without converting it.
type Inspection struct {
	Pages            int
	Encrypted        bool
	PagesWithoutText []int              // of a deep inspection only
	Warnings         []document.Warning // about the file as a whole
}

// Engine looks at uploads, by the path of a local file.
type Engine interface {
	Inspect(ctx context.Context, path, password string, deep bool) (Inspection, error)
	Decrypt(ctx context.Context, src, dst, password string) error
}

// Authenticator finds out whose request it is.
type Authenticator interface {
	Authenticate(r *http.Request) (auth.Identity, error)
}

// FailFunc answers a request with an error.
type FailFunc = func(w http.ResponseWriter, r *http.Request, err error)

// Deps is what the API needs. What is not said to be optional is required.
type Deps struct {
	Accounts Accounts
	Jobs     Jobs
	Blobs    Blobs
	Engine   Engine
	Auth     Authenticator
	Plans    plan.Table

	// CheckWebhookURL refuses, with a fault Invalid, what webhooks will not be sent to.
	CheckWebhookURL func(url string) error
	// WebhookSecret gives the secret that an account's webhooks are signed with.
	WebhookSecret func(account.ID) string
	// Files makes the handler of GET /files/…; optional, for storage that serves its own URLs. It may
	// give nil.
	Files func(fail FailFunc) http.Handler
	// Providers takes in webhooks; optional.
	Providers Providers
	// Ready checks everything that requests need; its faults are the answer of GET /readyz.
	Ready func(ctx context.Context) error
	// Drain is closed when the shutdown begins: no new jobs, not ready, no connection is kept for a next request. Optional.
	Drain <-chan struct{}
	// Leave is closed when no new connections are taken any more: event streams and long polls end. Optional.
	Leave <-chan struct{}

	MaxUploadBytes int64         // for every plan; 0: only the plans limit uploads
	MaxQueuedJobs  int           // while so many jobs wait no more are taken, about; 0: no limit
	MaxWaiting     int           // event streams and long polls at once; default 10,000
	TempDir        string        // uploads are here while they are checked; "" means the system's
	URLLifetime    time.Duration // of download URLs; default 1 h
	InspectTimeout time.Duration // for the engine to look at an upload; default 1 min
	UploadStall    time.Duration // the longest silence in the middle of an upload; default 1 min
	CORSOrigins    []string      // origins of browser front ends; none: no CORS headers

	Now      func() time.Time      // default time.Now
	Logger   *slog.Logger          // default slog.Default()
	Registry prometheus.Registerer // optional
	Tracer   trace.TracerProvider  // gets a span for each request; optional
}

// server has the handlers. It implements api.StrictServerInterface for the routes that only exchange
// JSON; the others are handlers of its own.
type server struct {
	Deps
	metrics *metrics
	queue   *queueGauge
	waiting *waiting
	// largeEvents has an element for each event of a provider above smallEvent that is being taken in.
	largeEvents chan struct{}
}

const (
	maxJSONBody       = 64 << 10 // bytes; no JSON request of ours comes near
	readinessTimeout  = 5 * time.Second
	defaultMaxWaiting = 10_000 // 42 kB of memory each (BenchmarkEvents)
)

// New makes the handler of the public listener. It is meant for an http.Server without ReadTimeout and
// WriteTimeout, which would cut uploads and event streams: both set their own deadlines.
func New(d Deps) (http.Handler, error) {
	s, err := newServer(d)
	if err != nil {
		return nil, err
	}
	return s.routes(), nil
}

func newServer(d Deps) (*server, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.URLLifetime <= 0 {
		d.URLLifetime = time.Hour
	}
	if d.InspectTimeout <= 0 {
		d.InspectTimeout = time.Minute
	}
	if d.UploadStall <= 0 {
		d.UploadStall = time.Minute
	}
	if d.MaxWaiting <= 0 {
		d.MaxWaiting = defaultMaxWaiting
	}
	m, err := newMetrics(d.Registry)
	if err != nil {
		return nil, err
	}
	return &server{
		Deps: d, metrics: m, queue: &queueGauge{jobs: d.Jobs, now: d.Now}, waiting: newWaiting(d.MaxWaiting, m.waiting),
		largeEvents: make(chan struct{}, largeEvents),
	}, nil
}

func (s *server) routes() *chi.Mux {
	r := chi.NewRouter()
	r.Use(s.observe, s.keepConnection, s.rescue, secure)
	if len(s.CORSOrigins) > 0 {
		r.Use(allowOrigins(s.CORSOrigins))
	}
	r.Use(middleware.GetHead)
	r.NotFound(s.notFound)
	r.MethodNotAllowed(s.methodNotAllowed)

	r.Get("/healthz", s.handler(s.getHealth))
	r.Get("/readyz", s.handler(s.getReadiness))
	r.Get("/plans", s.handler(s.listPlans))
	stored := r.With(s.content)
	stored.Get("/openapi.yaml", s.handler(s.getOpenAPI))
	stored.Get("/docs", s.handler(s.getDocs))
	stored.Get("/docs/{asset}", s.handler(s.getDocsAsset))
	files := http.Handler(http.HandlerFunc(s.notFound)) // where the storage serves its own URLs
	if s.Files != nil {
		if h := s.Files(s.fail); h != nil {
			files = h
		}
	}
	stored.Method(http.MethodGet, "/files/*", files)

	for _, p := range []account.Provider{account.Clerk, account.LemonSqueezy} {
		r.Post("/webhooks/"+string(p), s.receiveEvent(p))
	}

	r.Group(func(r chi.Router) {
		r.Use(s.authenticate) // here, since generated code binds parameters before its own middlewares run
		r.Post("/jobs", s.handler(s.createJob))
		r.Get("/jobs/{id}/events", s.handler(s.streamJobEvents))
		r.Group(func(r chi.Router) {
			r.Use(middleware.RequestSize(maxJSONBody))
			api.HandlerWithOptions(
				api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
					RequestErrorHandlerFunc:  s.failBody,
					ResponseErrorHandlerFunc: s.fail,
				}),
				api.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: s.failParameter})
		})
	})
	return r
}

// handler makes an http handler of one that returns its error.
func (s *server) handler(h func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// draining tells whether the shutdown has begun.
func (s *server) draining() bool {
	select {
	case <-s.Drain:
		return true
	default:
		return false
	}
}

type contextKey int

const (
	identityKey contextKey = iota
	recordKey
)

// authenticate lets only known callers pass and notes who they are.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.Auth.Authenticate(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		recordOf(r).account = id.Account.ID
		ctx := tracing.With(r.Context(), tracing.KeyAccount, id.Account.ID)
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, identityKey, id)))
	})
}

// caller is who authenticate let pass. Calling it on a public route is a bug, and panics.
func caller(ctx context.Context) auth.Identity { return ctx.Value(identityKey).(auth.Identity) }
