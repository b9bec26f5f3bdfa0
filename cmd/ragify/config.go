package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/provider"
	"github.com/ragify/ragify/internal/tracing"
	"github.com/ragify/ragify/internal/webhook"
)

// config is the service's configuration: one field a variable, checked.
type config struct {
	DatabaseURL            string        `env:"DATABASE_URL"`
	DataDir                string        `env:"DATA_DIR" envDefault:"./data"`
	BlobURL                string        `env:"BLOB_URL"`
	ListenAddr             string        `env:"LISTEN_ADDR" envDefault:":8080"`
	AdminAddr              string        `env:"ADMIN_ADDR" envDefault:"127.0.0.1:9090"`
	PublicURL              string        `env:"PUBLIC_URL"`
	ClerkSecretKey         string        `env:"CLERK_SECRET_KEY"`
	ClerkJWTKey            string        `env:"CLERK_JWT_KEY"`
	ClerkAuthorizedParties []string      `env:"CLERK_AUTHORIZED_PARTIES"`
	ClerkIssuer            string        `env:"CLERK_ISSUER"`
	ClerkWebhookSecret     string        `env:"CLERK_WEBHOOK_SECRET"`
	LemonSqueezySecret     string        `env:"LEMONSQUEEZY_WEBHOOK_SECRET"`
	LemonSqueezyVariants   string        `env:"LEMONSQUEEZY_VARIANTS"`
	LemonSqueezyTestMode   bool          `env:"LEMONSQUEEZY_TEST_MODE"`
	CORSAllowedOrigins     []string      `env:"CORS_ALLOWED_ORIGINS"`
	URLSigningKeys         []string      `env:"URL_SIGNING_KEY"`
	PlansFile              string        `env:"PLANS_FILE"`
	Retention              time.Duration `env:"RETENTION" envDefault:"720h"`
	MaxUploadBytes         int64         `env:"MAX_UPLOAD_BYTES" envDefault:"2000000000"`
	MaxQueuedJobs          int           `env:"MAX_QUEUED_JOBS"`
	Workers                int           `env:"WORKERS"` // default: one a processor
	JobTimeout             time.Duration `env:"JOB_TIMEOUT" envDefault:"10m"`
	ShutdownGrace          time.Duration `env:"SHUTDOWN_GRACE" envDefault:"20s"`
	ShutdownDelay          time.Duration `env:"SHUTDOWN_DELAY" envDefault:"1s"`
	MaxEventStreams        int           `env:"MAX_EVENT_STREAMS" envDefault:"10000"`
	WebhookAllowPrivate    bool          `env:"WEBHOOK_ALLOW_PRIVATE"`
	WebhookAllowNetworks   []string      `env:"WEBHOOK_ALLOW_NETWORKS"`
	EngineCacheDir         string        `env:"ENGINE_CACHE_DIR"`
	LogLevel               slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat              string        `env:"LOG_FORMAT" envDefault:"text"`

	plans           plan.Table
	webhookNetworks []netip.Prefix
	variants        map[int64]plan.Tier // of LEMONSQUEEZY_VARIANTS
	telemetry       map[string]string   // the variables OTEL_…, which are OpenTelemetry's
}

// variablesHelp is what --help tells about the variables. A test compares it with config.
const variablesHelp = `Environment variables:
  DATABASE_URL              Postgres to use, postgres://user:password@host/database. Empty: an
                            embedded one under DATA_DIR (needs Postgres's programs installed)
  DATA_DIR                  where everything is kept (./data)
  BLOB_URL                  where files are kept: file:///dir, or s3://bucket?region=… with
                            endpoint=… and use_path_style=true for other S3 servers. Empty: DATA_DIR
  LISTEN_ADDR               address of the API (:8080)
  ADMIN_ADDR                address of /metrics, /readyz and profiling: keep it private
                            (127.0.0.1:9090; ragify work takes another port when that is taken)
  PUBLIC_URL                how clients reach the API, for download links. Empty: http://localhost
                            with the port of LISTEN_ADDR
  CLERK_JWT_KEY             Clerk's public key (PEM): accept Clerk sessions without a network
  CLERK_SECRET_KEY          or Clerk's secret key: fetch the keys from Clerk. Empty both: Bearer
                            tokens are refused
  CLERK_AUTHORIZED_PARTIES  origins that a token's azp may name, separated by commas
  CLERK_ISSUER              the one issuer to accept. Empty: any of Clerk's
  CLERK_WEBHOOK_SECRET      signing secret (whsec_…) of the webhook at Clerk that tells of new, changed
                            and deleted users. Empty: not received
  LEMONSQUEEZY_WEBHOOK_SECRET  signing secret, 16 to 40 characters, of the webhook at Lemon Squeezy
                            that tells of subscriptions. Empty: not received
  LEMONSQUEEZY_VARIANTS     which plan each product variant gives, 12345=pro,67890=business
  LEMONSQUEEZY_TEST_MODE    true: take the events of Lemon Squeezy's test mode, and only those (false)
  CORS_ALLOWED_ORIGINS      origins of browser front ends, separated by commas
  URL_SIGNING_KEY           secret behind download links and webhook signatures, 16 characters or
                            more. Several, separated by commas: the first signs, the others' links
                            still work. Empty: made at the first start, kept under DATA_DIR. Nodes
                            that share a database need the same
  PLANS_FILE                JSON file with changes to the plans, {"pro": {"pages_per_month": null}}
  RETENTION                 how long files are kept (720h)
  MAX_UPLOAD_BYTES          size cap of uploads on every plan, 0 for none (2000000000)
  MAX_QUEUED_JOBS           how many jobs may wait for a worker before new ones are refused with 503,
                            0 for any number (0)
  WORKERS                   conversions at once in this process, 0 for the API only (one a processor)
  JOB_TIMEOUT               longest time for one conversion (10m)
  SHUTDOWN_GRACE            how long running conversions may go on after SIGTERM (20s)
  SHUTDOWN_DELAY            how long connections are taken after SIGTERM at least, /readyz already
                            at 503: the time that load balancers need to notice (1s)
  MAX_EVENT_STREAMS         how many event streams and waiting requests may be open at once (10000)
  WEBHOOK_ALLOW_PRIVATE     true: webhooks may go to private and loopback addresses (false)
  WEBHOOK_ALLOW_NETWORKS    ranges of addresses that webhooks may go to beside public ones, such as
                            10.1.0.0/16, separated by commas
  ENGINE_CACHE_DIR          where the compiled engine is kept (DATA_DIR/cache)
  LOG_LEVEL                 debug, info, warn or error (info)
  LOG_FORMAT                text or json (text)
  PG_BINDIR                 folder of Postgres's programs for the embedded one. Empty: searched for
The standard OTEL_ variables switch traces on: OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318`

// loadConfig reads and checks the configuration. Its error is one line that begins with the variable's name.
func loadConfig(vars map[string]string) (c config, err error) {
	telemetry := make(map[string]string)
	set := make(map[string]string, len(vars))
	for name, value := range vars {
		if strings.HasPrefix(name, "OTEL_") {
			telemetry[name] = value
		}
		if value != "" { // an empty variable, as compose files make them, means the default
			set[name] = value
		}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: set}); err != nil {
		return config{}, nameVariable(err)
	}
	c.telemetry = telemetry
	for _, list := range [][]string{c.ClerkAuthorizedParties, c.CORSAllowedOrigins, c.URLSigningKeys} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	if _, ok := set["WORKERS"]; !ok {
		c.Workers = runtime.NumCPU()
	}
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return config{}, fmt.Errorf("DATA_DIR: %w", err)
	}
	if c.BlobURL == "" {
		c.BlobURL = (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(c.DataDir, "blobs"))}).String()
	}
	if c.EngineCacheDir == "" {
		c.EngineCacheDir = filepath.Join(c.DataDir, "cache")
	}
	for _, check := range c.checks() {
		if err := check.err; err != nil {
			return config{}, fmt.Errorf("%s: %w", check.variable, err)
		}
	}
	if c.webhookNetworks, err = webhook.ParseNetworks(c.WebhookAllowNetworks); err != nil {
		return config{}, fmt.Errorf("WEBHOOK_ALLOW_NETWORKS: %w", err)
	}
	if c.variants, err = c.parseVariants(); err != nil {
		return config{}, fmt.Errorf("LEMONSQUEEZY_VARIANTS: %w", err)
	}
	if c.plans, err = loadPlans(c.PlansFile); err != nil {
		return config{}, fmt.Errorf("PLANS_FILE: %w", err)
	}
	return c, nil
}

type check struct {
	variable string
	err      error
}

func (c config) checks() []check {
	return []check{
		{"DATABASE_URL", checkDatabaseURL(c.DatabaseURL)},
		{"LISTEN_ADDR", checkAddress(c.ListenAddr)},
		{"ADMIN_ADDR", checkAddress(c.AdminAddr)},
		{"PUBLIC_URL", checkURL(c.PublicURL)},
		{"CLERK_ISSUER", checkURL(c.ClerkIssuer)},
		{"CLERK_AUTHORIZED_PARTIES", checkOrigins(c.ClerkAuthorizedParties)},
		{"CLERK_WEBHOOK_SECRET", provider.CheckClerkSecret(c.ClerkWebhookSecret)},
		{"LEMONSQUEEZY_WEBHOOK_SECRET", provider.CheckLemonSqueezySecret(c.LemonSqueezySecret)},
		{"CORS_ALLOWED_ORIGINS", checkOrigins(c.CORSAllowedOrigins)},
		{"URL_SIGNING_KEY", checkSigningKeys(c.URLSigningKeys)},
		{"RETENTION", must(c.Retention >= time.Second, "must be at least one second, not %v", c.Retention)},
		{"MAX_UPLOAD_BYTES", must(c.MaxUploadBytes >= 0, "must be 0 or more, not %d", c.MaxUploadBytes)},
		{"MAX_QUEUED_JOBS", must(c.MaxQueuedJobs >= 0, "must be 0 or more, not %d", c.MaxQueuedJobs)},
		{"WORKERS", must(c.Workers >= 0 && c.Workers <= maxWorkers, "must be from 0 to %d, not %d", maxWorkers, c.Workers)},
		{"JOB_TIMEOUT", must(c.JobTimeout >= time.Second, "must be at least one second, not %v", c.JobTimeout)},
		{"SHUTDOWN_GRACE", must(c.ShutdownGrace > 0, "must be more than nothing, not %v", c.ShutdownGrace)},
		{"SHUTDOWN_DELAY", must(c.ShutdownDelay >= 0, "must be 0 or more, not %v", c.ShutdownDelay)},
		{"MAX_EVENT_STREAMS", must(c.MaxEventStreams >= 1, "must be at least 1, not %d", c.MaxEventStreams)},
		{"LOG_FORMAT", must(c.LogFormat == "text" || c.LogFormat == "json", "must be text or json, not %q", c.LogFormat)},
	}
}

// defaultAdminAddr is ADMIN_ADDR where it is not set.
const defaultAdminAddr = "127.0.0.1:9090"

const (
	minSigningKey = 16   // characters; what we make ourselves has 64
	maxWorkers    = 1024 // each is a process with its own memory: more is a typing error
)

func must(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// nameVariable turns the parser's error about a field into one about its variable.
func nameVariable(err error) error {
	parse, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return err
	}
	name := parse.Name
	if field, ok := reflect.TypeFor[config]().FieldByName(parse.Name); ok {
		name = field.Tag.Get("env")
	}
	if number, ok := errors.AsType[*strconv.NumError](parse.Err); ok {
		return fmt.Errorf("%s: %q is not a %s", name, number.Num, plainType(parse.Type))
	}
	return fmt.Errorf("%s: %w", name, parse.Err)
}

// plainType names a variable's type to a person.
func plainType(t reflect.Type) string {
	if t.Kind() == reflect.Bool {
		return "truth value: true or false"
	}
	return "whole number"
}

func checkDatabaseURL(raw string) error {
	if raw == "" {
		return nil
	}
	_, err := pgx.ParseConfig(raw) // its error hides the password
	return err
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not of the form host:port or :port", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port number", port)
	}
	return nil
}

func checkURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not a URL of the form https://host", raw)
	}
	return nil
}

func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
			return fmt.Errorf("%q is not an origin, https://host without a path", origin)
		}
	}
	return nil
}

func loadPlans(path string) (plan.Table, error) {
	if path == "" {
		return plan.Default(), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return plan.Default().Override(data)
}

// parseVariants reads LEMONSQUEEZY_VARIANTS, without which the events of Lemon Squeezy mean nothing.
func (c config) parseVariants() (map[int64]plan.Tier, error) {
	variants, err := provider.ParseVariants(c.LemonSqueezyVariants)
	if err == nil && c.LemonSqueezySecret != "" && len(variants) == 0 {
		err = errors.New("is needed with LEMONSQUEEZY_WEBHOOK_SECRET: which plan each variant gives, 12345=pro,67890=business")
	}
	return variants, err
}

// prepareDataDir makes the data directory. What is private lies in folders of its own: the directory
// itself must let the user pass whom the embedded Postgres runs as.
func (c config) prepareDataDir() error {
	if err := os.MkdirAll(c.DataDir, 0o711); err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	if err := os.MkdirAll(c.tempDir(), 0o700); err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	if err := os.MkdirAll(c.EngineCacheDir, 0o700); err != nil {
		return fmt.Errorf("ENGINE_CACHE_DIR: %w", err)
	}
	return nil
}

func (c config) tempDir() string     { return filepath.Join(c.DataDir, "tmp") }
func (c config) postgresDir() string { return filepath.Join(c.DataDir, "postgres") }

// signingKeys are the secrets behind links and webhooks: the configured ones, else those kept under the data
// directory, one a line, of which the first start makes one. The first signs, the others are on their way
// in or out.
func (c config) signingKeys() (keys [][]byte, err error) {
	texts := c.URLSigningKeys
	path := filepath.Join(c.DataDir, "url_signing.key")
	if len(texts) == 0 {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if err := writeSigningKey(path); err != nil {
				return nil, err
			}
			b, err = os.ReadFile(path)
		}
		if err != nil {
			return nil, err
		}
		texts = strings.Fields(string(b))
		if err := checkSigningKeys(texts); len(texts) == 0 || err != nil {
			return nil, fmt.Errorf("%s has no signing key, or one that is too short: restore it or delete it", path)
		}
	}
	for _, text := range texts {
		keys = append(keys, []byte(text))
	}
	return keys, nil
}

func checkSigningKeys(keys []string) error {
	for _, key := range keys {
		if len(key) < minSigningKey {
			return fmt.Errorf("needs at least %d characters, each of several", minSigningKey)
		}
	}
	return nil
}

// writeSigningKey puts a complete random key at path unless there is a file already, whoever made it.
func writeSigningKey(path string) error {
	random := make([]byte, 32)
	_, _ = rand.Read(random)                                     // never fails
	f, err := os.CreateTemp(filepath.Dir(path), "url_signing-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(hex.EncodeToString(random) + "\n"); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// logger makes the service's logger, which writes to the app's standard error.
func (a *app) logger(c config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(tracing.NewHandler(slog.NewJSONHandler(a.stderr, o)))
	}
	return slog.New(tracing.NewHandler(slog.NewTextHandler(a.stderr, o)))
}
