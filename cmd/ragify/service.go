package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/health"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/provider"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/tracing"
	"github.com/ragify/ragify/internal/webhook"
)

// How long the later parts of a shutdown may take. With the longer of SHUTDOWN_GRACE and SHUTDOWN_DELAY they are what a
// supervisor should allow: half a minute more.
const (
	requestGrace = 10 * time.Second // running requests
	answerGrace  = 2 * time.Second  // answers to what is broken off then
	flushGrace   = 5 * time.Second  // the last writes
)

// storageCheck is how long the start waits for the file storage's answer.
const storageCheck = 5 * time.Second

// Limits of the HTTP listeners. There is no ReadTimeout and no WriteTimeout: uploads and event streams
// take long, and set their own deadlines.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// service is a running ragify: a database, its files, an engine, and what works with them.
type service struct {
	config   config
	log      *slog.Logger
	registry *prometheus.Registry // every room's metrics
	traces   *tracing.Exporter    // nil: nobody wants traces
	parts    []health.Part        // what has to work for the service to be ready
	store    *postgres.Store
	apiURL   string // how this machine reaches the API; "" for workers only
	adminURL string
	drain    chan struct{}                 // closed when the shutdown begins
	drained  time.Time                     // when that was
	leave    chan struct{}                 // closed when the API takes no new connections
	failed   chan error                    // the service cannot go on
	stops    []func(context.Context) error // what stop does, last first
}

// startService starts everything. Without api it only works the queue. When it fails, nothing is left
// running.
func startService(ctx context.Context, c config, log *slog.Logger, api bool) (_ *service, err error) {
	s := &service{config: c, log: log, registry: newRegistry(), drain: make(chan struct{}), leave: make(chan struct{}), failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := s.config.prepareDataDir(); err != nil {
		return nil, err
	}
	// First of all: a port that is taken should be known before a database is made.
	l, err := s.listen(ctx, api)
	if err != nil {
		return nil, err
	}
	if s.traces, err = tracing.Open(ctx, c.telemetry, version(), log); err != nil {
		return nil, err
	}
	if s.traces != nil {
		s.onStop(s.flushTraces)
	}
	how := own
	if !api {
		how = attach
	}
	db, err := openDatabase(ctx, c, how, false, log, s.registry)
	if err != nil {
		return nil, err
	}
	s.onStop(func(context.Context) error { return db.close() })
	if lost := db.lost(); lost != nil {
		go s.watch(lost)
	}
	p, err := s.assemble(ctx, db)
	if err != nil {
		return nil, err
	}
	q, err := s.newQueue(db, p)
	if err != nil {
		return nil, err
	}
	if api {
		// Not the converting engine: an upload must not wait for the conversions of others.
		if p.inspect, err = s.newEngine("inspect", max(2, runtime.NumCPU()), 0); err != nil {
			return nil, err
		}
	}
	ready, err := health.New(s.registry, s.parts...)
	if err != nil {
		return nil, err
	}
	s.listenAndServe(l.admin, httpapi.NewAdmin(httpapi.Admin{Metrics: s.registry, Ready: ready.Check, Drain: s.drain, Logger: s.log}), func() {})
	if api {
		if err := s.serve(ctx, p, l.api, ready.Check); err != nil {
			return nil, err
		}
	}
	if err := s.work(ctx, q); err != nil {
		return nil, err
	}
	return s, nil
}

// tracer is where spans go, nil for nowhere.
func (s *service) tracer() trace.TracerProvider {
	if s.traces == nil {
		return nil
	}
	return s.traces
}

// flushTraces sends what spans are left. That a collector is away must not make a good end a bad one.
func (s *service) flushTraces(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushGrace)
	defer cancel()
	if err := s.traces.Shutdown(ctx); err != nil {
		s.log.Warn("the last traces were not sent", "error", err)
	}
	return nil
}

// newRegistry makes the registry that all rooms of a process share.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
		Name: "ragify_build_info", Help: "Always 1. The labels tell the program's version and the Go that built it.",
	}, []string{"version", "goversion"}).WithLabelValues(version(), runtime.Version()).Set(1)
	return r
}

// parts is what both sides of the service share.
type parts struct {
	signingKeys [][]byte // the first signs
	blobs       *blob.Store
	convert     *engine.Engine // nil without workers
	inspect     *engine.Engine // nil without API
}

func (s *service) onStop(f func(context.Context) error) { s.stops = append(s.stops, f) }

// stop ends the service in good order: no new work, running jobs finish or go back to the queue, all other requests
// being answered meanwhile; then running requests finish, and everything closes. It may be called once.
func (s *service) stop() error {
	s.drained = time.Now()
	close(s.drain)
	var errs []error
	for _, f := range slices.Backward(s.stops) {
		errs = append(errs, f(context.Background()))
	}
	return errors.Join(errs...)
}

// watch reports the end of the embedded Postgres while the service runs.
func (s *service) watch(lost <-chan struct{}) {
	select {
	case <-lost:
		s.failed <- errors.New("the embedded Postgres has ended: its log is in DATA_DIR, postgres/postgres.log")
	case <-s.drain:
	}
}

// listeners are where requests come in.
type listeners struct{ api, admin net.Listener }

// listen opens the listeners, that of the API only where there is one.
func (s *service) listen(ctx context.Context, api bool) (l listeners, err error) {
	if api {
		if l.api, s.apiURL, err = s.listenOn(ctx, s.config.ListenAddr); err != nil {
			return l, fmt.Errorf("LISTEN_ADDR: %w", err)
		}
		if s.config.PublicURL == "" {
			s.config.PublicURL = s.apiURL
		}
	}
	l.admin, s.adminURL, err = s.listenOn(ctx, s.config.AdminAddr)
	if err != nil && !api && s.config.AdminAddr == defaultAdminAddr {
		// Workers beside a serve, or beside each other, on one machine: only who asks for the address must have it.
		l.admin, s.adminURL, err = s.listenOn(ctx, "127.0.0.1:0")
	}
	if err != nil {
		return l, fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	return l, nil
}

// listenOn opens a listener, which stop closes, and gives the URL by which this machine reaches it.
func (s *service) listenOn(ctx context.Context, address string) (l net.Listener, url string, err error) {
	if l, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
		return nil, "", err
	}
	s.onStop(func(context.Context) error { return ignoreClosed(l.Close()) })
	url, err = localURL(l.Addr().String())
	return l, url, err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// assemble makes what both sides need: the files, the store with its queue, the converting engine.
func (s *service) assemble(ctx context.Context, db *database) (p parts, err error) {
	if p.signingKeys, err = s.config.signingKeys(); err != nil {
		return p, fmt.Errorf("URL_SIGNING_KEY: %w", err)
	}
	p.blobs, err = blob.Open(ctx, s.config.BlobURL, blob.Options{PublicURL: s.config.PublicURL, SigningKey: p.signingKeys[0], FormerKeys: p.signingKeys[1:], Registry: s.registry})
	if err != nil {
		return p, fmt.Errorf("BLOB_URL: %w", err)
	}
	s.onStop(func(context.Context) error { return p.blobs.Close() })
	s.checkStorage(ctx, p.blobs)
	inserter, err := queue.NewInserter(db.pool, s.log)
	if err != nil {
		return p, err
	}
	s.store = postgres.New(postgres.Config{
		Pool: db.pool, Enqueue: inserter.Enqueue, Cancel: inserter.Cancel, Ended: inserter.Ended,
		Erase: inserter.Erase, DeleteFiles: inserter.DeleteFiles,
		Retention: s.config.Retention, Logger: s.log, Registry: s.registry,
	})
	if s.config.Workers > 0 {
		p.convert, err = s.newEngine("convert", s.config.Workers, convertNiceness)
	}
	s.parts = append(s.parts, health.Part{Name: "database", Check: s.store.Ping}, health.Part{Name: "storage", Check: p.blobs.Ping}, s.diskPart())
	return p, err
}

// checkStorage tells in the log what is wrong with the file storage. It does not stop the start: storage that is away
// for a moment must not keep a node down, and readiness keeps requests off meanwhile.
func (s *service) checkStorage(ctx context.Context, b *blob.Store) {
	ctx, cancel := context.WithTimeout(ctx, storageCheck)
	defer cancel()
	if err := b.Ping(ctx); err != nil {
		s.log.Error("the file storage (BLOB_URL) cannot be used; trying on", "error", err)
	}
}

// convertNiceness keeps submissions quick while all processors convert: requests, their database and the look at an upload
// get about ten times the share of a conversion, which uses all that is left.
const convertNiceness = 10

// newEngine makes an engine, whose metrics are labelled with pool, and sets it to warm up: the very first start compiles for
// seconds, which nobody's request should have to wait for.
func (s *service) newEngine(pool string, children, niceness int) (*engine.Engine, error) {
	command, err := engineChild()
	if err != nil {
		return nil, err
	}
	e, err := engine.New(engine.Config{
		Command: command, Children: children, CacheDir: s.config.EngineCacheDir, MemoryLimit: engineMemory, Niceness: niceness, Logger: s.log,
		Registry: prometheus.WrapRegistererWith(prometheus.Labels{"pool": pool}, s.registry),
	})
	if err != nil {
		return nil, err
	}
	s.parts = append(s.parts, health.Part{Name: "engine_" + pool, Check: e.Check})
	ctx, cancel := context.WithCancel(context.Background())
	warm := make(chan struct{})
	start := e.Warm
	if niceness == 0 {
		start = e.WarmAll // somebody waits for each of its answers
	}
	go func() {
		defer close(warm)
		if err := start(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the engine does not start", "error", err)
		}
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-warm
		return e.Close()
	})
	return e, nil
}

// newQueue makes what works the queue.
func (s *service) newQueue(db *database, p parts) (*queue.Queue, error) {
	webhooks, err := webhook.New(webhook.Config{
		SigningKeys: p.signingKeys, AllowPrivate: s.config.WebhookAllowPrivate, AllowNetworks: s.config.webhookNetworks,
		Registry: s.registry,
	})
	if err != nil {
		return nil, err
	}
	q, err := queue.New(queue.Config{
		Pool: db.pool, Store: s.store, Engine: p.convert, Blobs: p.blobs,
		Webhooks: webhooks,
		Workers:  s.config.Workers, JobTimeout: s.config.JobTimeout, StopGrace: s.config.ShutdownGrace,
		Retention: s.config.Retention, TempDir: s.config.tempDir(), Logger: s.log,
		Registry: s.registry, Tracer: s.tracer(),
	})
	if err == nil && s.config.Workers > 0 {
		s.parts = append(s.parts, health.Part{Name: "queue", Check: q.Check})
	}
	return q, err
}

// work sets the queue to work.
func (s *service) work(ctx context.Context, q *queue.Queue) error {
	if s.config.Workers == 0 {
		return nil
	}
	if err := q.Start(ctx); err != nil {
		return err
	}
	go func() { // a process that is up but converts nothing would fool whoever supervises it
		select {
		case <-q.Ended():
			s.failed <- errors.New("the queue stopped working")
		case <-s.drain:
		}
	}()
	s.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.config.ShutdownGrace+flushGrace)
		defer cancel()
		return q.Stop(ctx)
	})
	return nil
}

// serve answers requests on l.
func (s *service) serve(ctx context.Context, p parts, l net.Listener, ready func(context.Context) error) error {
	if err := clearUploads(s.config.tempDir()); err != nil {
		s.log.Warn("cannot remove leftovers of interrupted uploads", "error", err)
	}
	a, err := auth.New(auth.Config{
		Store: s.store, Plans: s.config.plans, Logger: s.log,
		Clerk: auth.Clerk{
			SecretKey: s.config.ClerkSecretKey, JWTKey: s.config.ClerkJWTKey,
			AuthorizedParties: s.config.ClerkAuthorizedParties, Issuer: s.config.ClerkIssuer,
		},
	})
	if err != nil {
		return err
	}
	a.Start()
	s.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, flushGrace)
		defer cancel()
		a.Stop(ctx)
		return nil
	})
	providers, err := s.receiver(ctx)
	if err != nil {
		return err
	}
	api, err := httpapi.New(httpapi.Deps{
		Accounts: s.store, Jobs: s.store, Blobs: p.blobs, Engine: inspector{p.inspect}, Auth: a, Plans: s.config.plans,
		CheckWebhookURL: webhook.CheckURL,
		WebhookSecret:   func(id account.ID) string { return webhook.Secret(p.signingKeys[0], id) },
		Files:           p.blobs.Handler,
		Providers:       providers,
		Ready:           ready,
		Drain:           s.drain,
		Leave:           s.leave,
		MaxWaiting:      s.config.MaxEventStreams,
		MaxUploadBytes:  s.config.MaxUploadBytes,
		MaxQueuedJobs:   s.config.MaxQueuedJobs,
		TempDir:         s.config.tempDir(),
		CORSOrigins:     s.config.CORSAllowedOrigins,
		Logger:          s.log,
		Registry:        s.registry,
		Tracer:          s.tracer(),
	})
	if err != nil {
		return err
	}
	s.listenAndServe(httpapi.Listener(l), api, func() { close(s.leave) })
	s.onStop(func(context.Context) error {
		time.Sleep(s.config.ShutdownDelay - time.Since(s.drained)) // load balancers have to notice first
		return nil
	})
	return nil
}

// receiver makes what takes in the events of Clerk and Lemon Squeezy, and brings subscriptions that are known already in line
// with LEMONSQUEEZY_VARIANTS.
func (s *service) receiver(ctx context.Context) (*provider.Receiver, error) {
	r, err := provider.New(provider.Config{
		Store: s.store, ClerkSecret: s.config.ClerkWebhookSecret, LemonSqueezySecret: s.config.LemonSqueezySecret,
		Variants: s.config.variants, TestMode: s.config.LemonSqueezyTestMode, Logger: s.log, Registry: s.registry,
	})
	if err != nil || !r.Enabled(account.LemonSqueezy) {
		return r, err
	}
	changed, err := s.store.SetVariants(ctx, s.config.variants)
	if changed > 0 {
		s.log.Info("subscriptions follow LEMONSQUEEZY_VARIANTS", "changed", changed)
	}
	return r, err
}

// listenAndServe answers requests on l until the service stops. leaving is called when no new connections are taken any
// more: from then on a connection closes after its answer, so that nobody begins another request on it.
func (s *service) listenAndServe(l net.Listener, h http.Handler, leaving func()) {
	ctx, breakOff := context.WithCancelCause(context.Background())
	server := &http.Server{
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler:     h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // clients that break off, mostly
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
	}()
	server.RegisterOnShutdown(sync.OnceFunc(leaving)) // Shutdown may be called twice
	finish := func(ctx context.Context, grace time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		return server.Shutdown(ctx)
	}
	s.onStop(func(ctx context.Context) error {
		defer breakOff(nil)
		if finish(ctx, requestGrace) == nil {
			return nil
		}
		breakOff(httpapi.ErrShuttingDown())
		if err := finish(ctx, answerGrace); err != nil {
			s.log.Warn("requests were cut off", "error", err)
			return server.Close()
		}
		return nil
	})
}

// inspector lets the API look at uploads through the engine.
type inspector struct{ engine *engine.Engine }

// Inspect looks at the PDF at path.
func (i inspector) Inspect(ctx context.Context, path, password string, deep bool) (httpapi.Inspection, error) {
	info, err := i.engine.Inspect(ctx, path, password, deep)
	return httpapi.Inspection{Pages: info.Pages, Encrypted: info.Encrypted, PagesWithoutText: info.PagesWithoutText, Warnings: info.Warnings}, err
}

// Decrypt writes the PDF at src to dst without encryption.
func (i inspector) Decrypt(ctx context.Context, src, dst, password string) error {
	return i.engine.Decrypt(ctx, src, dst, password)
}

// clearUploads removes what processes that were killed in the middle of uploads left behind.
func clearUploads(dir string) error {
	const old = 24 * time.Hour // no upload takes that long
	left, err := filepath.Glob(filepath.Join(dir, "upload-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > old {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}
